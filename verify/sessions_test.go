package verify

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/apikey"
	"github.com/authkit-forward-auth/authkit-forward-auth/bearer"
	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// fakeSessions answers as package session would for a request whose session is in
// the named state.
type fakeSessions struct {
	state string
	asked int
	ahead bool // as it was asked last

	identity *identity.Identity // good, whatever the state
}

// The secrets of the fake sessions. None may ever be in a log.
const (
	currentCookie = "Fe26.2*current-seal"
	accessTokenOf = "eyJhbGciOiJSUzI1NiJ9.ada.signature"
)

var ada = identity.Identity{
	Subject: "user_01ADA", Email: "ada@example.com", EmailVerified: true, Name: "Ada Lovelace", SessionID: "session_01ADA",
	OrganizationID: "org_01ACME", Role: "admin", Roles: []string{"admin", "billing"},
	Permissions: []string{"reports:read", "reports:write"}, Entitlements: []string{"sso"}, FeatureFlags: []string{"beta"},
	AuthTime: time.Date(2026, 11, 1, 11, 50, 0, 0, time.UTC), // ten minutes before a story begins
}

// unverified is Ada before AuthKit knows that the address is hers.
func unverified() identity.Identity {
	id := ada
	id.EmailVerified = false
	return id
}

// machine is whose bearer token or API key is good.
var machine = identity.Identity{
	Subject: "client_01SYNC", OrganizationID: "org_01ACME", Permissions: []string{"reports:read"},
}

// odd has everything that gateways and apps get wrong.
var odd = identity.Identity{
	Subject: "user_%01", Email: "zoë@example.com", EmailVerified: true, Name: "Zoë \"Z\" Ångström, Ph.D. 100%\r\nX-Admin: 1\x00\x7f", SessionID: "session_01ODD",
	OrganizationID: "org_01ACME", Role: "sales, north", Roles: []string{"sales, north", "50%", "naïve", ""},
	Permissions: []string{"a,b"}, Entitlements: []string{"\t"}, Impersonator: "sup,port@example.com",
	AccessToken: accessTokenOf, Extra: &identity.Extra{Scopes: []string{"a,b", "c"}, Client: "https://client.example/\r\n", Actor: "100%"},
}

// Verify is the one method of the interface Sessions.
func (f *fakeSessions) Verify(_ context.Context, _ http.Header, ahead bool) (*session.Verified, error) {
	f.asked++
	f.ahead = ahead
	if f.identity != nil {
		return &session.Verified{Identity: *f.identity}, nil
	}
	switch f.state {
	case "good":
		return &session.Verified{Identity: ada}, nil
	case "unverified":
		return &session.Verified{Identity: unverified()}, nil
	case "odd":
		return &session.Verified{Identity: odd}, nil
	case "stale": // refreshed, and the browser still has the cookie of before
		return &session.Verified{Identity: ada, Current: currentCookie, Sent: [16]byte{1}}, nil
	case "stale, another browser":
		return &session.Verified{Identity: ada, Current: currentCookie, Sent: [16]byte{2}}, nil
	case "due": // refreshed now, if the answer can carry the new cookie
		if ahead {
			return &session.Verified{Identity: ada, Current: currentCookie, Sent: [16]byte{3}}, nil
		}
		return &session.Verified{Identity: ada}, nil
	case "stale, large": // two cookies
		return &session.Verified{Identity: ada, Current: strings.Repeat("L", 5000), Sent: [16]byte{4}}, nil
	case "stale, large, another browser":
		return &session.Verified{Identity: ada, Current: strings.Repeat("L", 5000), Sent: [16]byte{6}}, nil
	case "stale, too large": // more than eight
		return &session.Verified{Identity: ada, Current: strings.Repeat("L", 40_000), Sent: [16]byte{5}}, nil
	}
	return nil, f.refusal()
}

// Peek finds a session that is good as it stands.
func (f *fakeSessions) Peek(context.Context, http.Header) (*session.Verified, bool) {
	switch f.state {
	case "good":
		return &session.Verified{Identity: ada}, true
	case "unverified":
		return &session.Verified{Identity: unverified()}, true
	}
	return nil, false
}

// reader is a user for whom an OAuth client has a token with one scope.
var reader = identity.Identity{
	Subject: "user_01ADA", OrganizationID: "org_01ACME",
	Extra: &identity.Extra{Scopes: []string{"files:read"}, Client: "https://client.example/metadata.json", Actor: "agent, x"},
}

// agents is an API key of that user's that was issued for an agent.
var agents = identity.Identity{
	Subject: "user_01ADA", OrganizationID: "org_01ACME", Permissions: []string{"reports:read"}, Extra: &identity.Extra{Actor: "agent_reg_01X"},
}

// fakeBearer counts as its sessions being asked.
type fakeBearer struct{ *fakeSessions }

// VerifyWorkload knows the tokens of each issuer's one workload.
func (f fakeBearer) VerifyWorkload(_ context.Context, token string, from bearer.Issuer) (*identity.Identity, error) {
	f.asked++
	if repository, ok := strings.CutPrefix(token, "of "+from.Name+": "); ok {
		id, _ := identity.Workload(from.Name, map[string][]string{"sub": {"repo:" + repository}, "repository": {repository}, "role": {"admin"}, "email": {"ceo@acme.example"}})
		return id, nil
	}
	return nil, fmt.Errorf("%w: its issuer is another", bearer.ErrForeign)
}

// Verify knows a few tokens by name. Those for a resource are others.
func (f fakeBearer) Verify(_ context.Context, token string, audience *bearer.Audience) (*identity.Identity, error) {
	f.asked++
	if audience != nil {
		switch {
		case token == "for "+audience.URL:
			return &reader, nil
		case token == "for the client id":
			return nil, fmt.Errorf("%w: register %s", bearer.ErrClientAudience, audience.URL)
		}
		return nil, fmt.Errorf("%w: token: invalid", bearer.ErrBad)
	}
	switch token {
	case "ada", "sk_ada":
		return &ada, nil
	case "machine":
		return &machine, nil
	case "revoked":
		return nil, session.ErrEnded
	case "no key set":
		return nil, fmt.Errorf("%w: token: no key to verify it with now", session.ErrUnavailable)
	}
	if strings.HasPrefix(token, "foreign") {
		return nil, fmt.Errorf("%w: token of %q; is it to be in BEARER_ISSUERS?", bearer.ErrForeign, "https://apps.example")
	}
	return nil, fmt.Errorf("%w: token: invalid", bearer.ErrBad)
}

// fakeKeys knows a few API keys by name.
type fakeKeys struct{ client netip.Addr }

// Verify is the one method of the interface APIKeys.
func (f *fakeKeys) Verify(_ context.Context, key string, client netip.Addr) (*identity.Identity, error) {
	f.client = client
	switch key {
	case "sk_machine":
		return &machine, nil
	case "sk_agent":
		return &agents, nil
	case "sk_flood":
		return nil, &apikey.LimitedError{RetryAfter: 6 * time.Second}
	case "sk_outage":
		return nil, &session.Outage{Status: 503, RetryAfter: 2 * time.Second}
	}
	return nil, apikey.ErrInvalid
}

func (f *fakeSessions) refusal() error {
	switch f.state {
	case "none":
		return session.ErrNone
	case "bad":
		return fmt.Errorf("%w: seal: no password opens it", session.ErrBad)
	case "conflict":
		return session.ErrConflict
	case "ended":
		return session.ErrEnded
	case "rejected": // its refresh token; a later cookie may be there
		return fmt.Errorf("%w: %w", session.ErrEnded, session.ErrInvalidGrant)
	case "superseded":
		return session.ErrSuperseded
	case "step_required":
		return &session.StepRequired{Code: "sso_required", OrganizationID: "org_01ACME"}
	case "step_required, no organization":
		return &session.StepRequired{Code: "mfa_enrollment"}
	case "misconfigured":
		return fmt.Errorf("%w: token: another issuer: %q", session.ErrMisconfigured, "https://other.example")
	case "unavailable": // AuthKit says when to come back
		return &session.Outage{Status: 429, Code: "rate_limited", RetryAfter: 6500 * time.Millisecond}
	case "key set unreachable":
		return fmt.Errorf("%w: token: no key to verify it with now", session.ErrUnavailable)
	}
	return fmt.Errorf("no session state %q", f.state)
}
