package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

const (
	maxBearers     = 20_000
	maxBearerBytes = 20 << 20
)

// Audience is an OAuth protected resource that tokens of AuthKit's authorization server have to be made for.
type Audience struct {
	URL      string                     // of the resource
	Is       func(audience string) bool // whether a token's audience is this one
	Machines bool                       // takes tokens of machines (M2M), whose audience is the environment's client id
	Agents   bool                       // takes agents' tokens
}

// key tells apart what a token was verified for: one that this audience takes may be none at the next.
func (a *Audience) key() string {
	if a == nil {
		return ""
	}
	key := a.URL // as it is for most: a request costs no text of its own
	if a.Machines {
		key += " m2m"
	}
	if a.Agents {
		key += " agents"
	}
	return key
}

// bearer is a bearer token that was verified.
type bearer struct {
	Verified
}

// VerifyBearer returns whose access token a request brought as a bearer token. For an audience that is one of AuthKit's
// authorization server, made for it; for none (nil) a session's, or one of a Connect issuer. It is
// shared between requests and must not be changed; it has no email address and no
// name, as tokens have none. The error is
//
//	ErrBadToken     malformed, forged, expired, not valid yet, or made for somebody else
//	ErrClientAudience (an ErrBadToken) made for the environment's client id, since the resource isn't registered
//	ErrForeignToken (an ErrBadToken) of no issuer that is configured: maybe the app's own
//	ErrEnded        revoked, or its roles have changed: whoever holds it must refresh it
//	ErrUnavailable  there is no key set to verify it with
func (m *Manager) VerifyBearer(ctx context.Context, raw string, audience *Audience) (*identity.Identity, error) {
	if m.Bearer == nil {
		return nil, fmt.Errorf("%w: bearer tokens are not accepted", ErrForeignToken)
	}
	hash := m.hasher.hash(audience.key(), raw)
	b, ok := m.bearers.GetIfPresent(hash)
	if ok && micros(m.Now()) < b.expires && m.unchanged(&b.Verified) {
		return &b.Identity, nil
	}
	if !ok || micros(m.Now()) >= b.expires {
		claims, err := m.verifyToken(ctx, raw, audience)
		if err != nil {
			return nil, err
		}
		b = m.bearerOf(raw, claims)
	}
	c, r, _ := m.records.Lookup(ctx, m.keyOfBearer(&b.Identity, raw), false)
	next := *b
	next.copy, next.record, next.seen = c, r, m.records.EventCount()
	if m.ended(ctx, c, r) != nil || m.eventsSay(&b.Identity, 0, b.issued.time()) != eventNone {
		return nil, ErrEnded
	}
	m.bearers.Set(hash, &next)
	return &next.Identity, nil
}

// keyOfBearer is the key of the record of a bearer token's session; one without is by itself.
func (m *Manager) keyOfBearer(id *identity.Identity, raw string) family.Key {
	if strings.HasPrefix(id.SessionID, "session_") {
		return family.KeyOf(m.Tokens.ClientID, id.Subject, id.SessionID)
	}
	return family.PrivateKey(m.Tokens.ClientID, id.Subject, family.HashToken(raw))
}

// verifyToken has a bearer token verified by who is in charge of its issuer. What the
// token says for that isn't verified yet: it only chooses who verifies all of it.
func (m *Manager) verifyToken(ctx context.Context, raw string, audience *Audience) (*token.Claims, error) {
	access, err := token.Parse(raw)
	if audience != nil {
		return m.verifyFor(ctx, access, err, audience)
	}
	if err != nil {
		claimed := token.Claimed(raw)
		if m.connect(claimed) == nil && !m.claimsSession(claimed) {
			return nil, foreign(claimed)
		}
		return nil, bearerError(err)
	}
	claims := access.Unverified()
	if connect := m.connect(claims); connect != nil {
		if claims, err = connect.Verify(ctx, access); err != nil {
			return nil, bearerError(err)
		}
		return delegated(claims), nil
	}
	if silent := claims.ClientID == "" && len(claims.Audience) == 0 && len(m.Bearer.Issuers) == 0; !silent && !m.claimsSession(claims) {
		return nil, foreign(claims)
	}
	return m.verifySessionToken(ctx, access)
}

// verifyFor verifies a token for a resource. parsed is what Parse has said of it.
func (m *Manager) verifyFor(ctx context.Context, access *token.Token, parsed error, audience *Audience) (*token.Claims, error) {
	switch {
	case parsed != nil:
		return nil, bearerError(parsed)
	case m.Resources == nil:
		return nil, fmt.Errorf("%w: AUTHKIT_DOMAIN is not set", ErrForeignToken)
	case !m.Resources.IssuedBy(access.Unverified().Issuer):
		return nil, fmt.Errorf("%w: its issuer is %.100q, and a resource takes those of AUTHKIT_DOMAIN alone", ErrForeignToken, access.Unverified().Issuer)
	}
	claims, err := m.Resources.VerifyFor(ctx, access, func(c *token.Claims) error { return m.madeFor(c, audience) })
	switch {
	case errors.Is(err, ErrClientAudience):
		return nil, err
	case err != nil:
		return nil, bearerError(err)
	case isAgent(claims) && !audience.Agents:
		return nil, fmt.Errorf("%w: an agent's, and the rule has no agents: allow", ErrBadToken)
	case !isAgent(claims) && !isMachine(claims) && !strings.HasPrefix(claims.Subject, "user_"):
		return nil, fmt.Errorf("%w: of nobody that is known (its sub is neither user_… nor its client's id)", ErrBadToken)
	}
	return delegated(claims), nil
}

// madeFor says what is wrong with a token's audience.
func (m *Manager) madeFor(c *token.Claims, audience *Audience) error {
	switch {
	case isMachine(c) && !audience.Machines:
		return fmt.Errorf("%w: a machine's, and the rule has no m2m: allow", token.ErrInvalid)
	case isMachine(c) && slices.Contains(c.Audience, m.Bearer.ClientID), slices.ContainsFunc(c.Audience, audience.Is):
		return nil
	case slices.Contains(c.Audience, m.Bearer.ClientID):
		return fmt.Errorf("%w: register %s at WorkOS (Connect, Configuration, MCP resource indicators), or have the client send it as resource", ErrClientAudience, audience.URL)
	}
	return fmt.Errorf("%w: another audience's", token.ErrInvalid)
}

// A machine's token is its own: WorkOS Connect's client credentials.
func isMachine(c *token.Claims) bool {
	return c.ClientID != "" && c.Subject == c.ClientID && c.SessionID == ""
}

func isAgent(c *token.Claims) bool { return strings.HasPrefix(c.Subject, "agent_reg_") }

// delegated reads act as what it is in tokens of OAuth clients: delegation, to an agent say, and no impersonation. Their sid is a
// consent's and no session's.
func delegated(c *token.Claims) *token.Claims {
	extra := identity.Extra{}
	if c.Extra != nil {
		extra = *c.Extra
	}
	extra.Scopes, extra.Client, extra.Actor = c.Scopes, c.ClientID, c.Impersonator
	c.Extra, c.Impersonator = &extra, ""
	return c
}

// connect returns the verifier for the tokens of AuthKit's OAuth and M2M applications
// that is in charge of a token, nil if none is.
func (m *Manager) connect(c *token.Claims) *token.Verifier {
	if c.ClientID == m.Bearer.ClientID {
		return nil
	}
	for _, connect := range m.Connect {
		if connect.IssuedBy(c.Issuer) {
			return connect
		}
	}
	return nil
}

// claimsSession reports whether a token says that it is a session's of this environment.
// Where the issuer isn't configured, AuthKit's can't be told from others, and the client
// says it.
func (m *Manager) claimsSession(c *token.Claims) bool {
	if len(m.Bearer.Issuers) > 0 {
		return m.Bearer.IssuedBy(c.Issuer)
	}
	return c.ClientID == m.Bearer.ClientID || c.ClientID == "" && slices.Contains(c.Audience, m.Bearer.ClientID)
}

// verifySessionToken verifies the access token of a session. AuthKit signs others with
// the same keys: an agent's has no sid, and neither has an ID token.
func (m *Manager) verifySessionToken(ctx context.Context, access *token.Token) (*token.Claims, error) {
	c, err := m.Bearer.Verify(ctx, access)
	unknownKey := errors.Is(err, token.ErrUnknownKey) || errors.Is(err, token.ErrCooldown)
	switch {
	case unknownKey && len(m.Bearer.Issuers) == 0 && access.Unverified().ClientID == "": // nothing says that it is ours
		return nil, foreign(access.Unverified())
	case err != nil:
		return nil, bearerError(err)
	case c.ClientID == "" && len(c.Audience) == 0 && len(m.Bearer.Issuers) == 0:
		return nil, fmt.Errorf("%w: says neither by client_id nor by aud whom it is for, and WORKOS_ISSUER is not set", ErrBadToken)
	case c.SessionID == "" || !strings.HasPrefix(c.Subject, "user_"):
		return nil, fmt.Errorf("%w: not of a user's session (it has no sid, or its sub is no user_…)", ErrBadToken)
	}
	return c, nil
}

// foreign is the error for a token that doesn't say it is one of ours.
func foreign(c *token.Claims) error {
	if c.Issuer == "" {
		return fmt.Errorf("%w: it names none", ErrForeignToken)
	}
	return fmt.Errorf("%w: its issuer is %.100q; an application's must be in BEARER_ISSUERS, a session's in WORKOS_ISSUER where that is set", ErrForeignToken, c.Issuer)
}

// bearerError maps the token package's errors to those of a token that anybody can
// have sent: one that isn't known to be AuthKit's is bad, whatever the reason.
func bearerError(err error) error {
	if errors.Is(err, token.ErrUnavailable) && !errors.Is(err, token.ErrCooldown) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", ErrBadToken, err)
}

func (m *Manager) bearerOf(raw string, c *token.Claims) *bearer {
	b := &bearer{}
	b.Identity, b.issued, b.expires = identityOf(&Session{}, c), micros(c.IssuedAt), micros(c.ExpiresAt)
	if m.KeepAccessToken {
		b.Identity.AccessToken = raw
	}
	return b
}
