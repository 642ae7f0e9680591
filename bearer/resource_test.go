package bearer_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/bearer"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

const (
	authKitDomain = "https://example.authkit.app"
	mcp           = "https://mcp.example.com/mcp"
)

// withAuthKitDomain makes a world take tokens of AuthKit's authorization server, which signs with otherKey.
func withAuthKitDomain(t testing.TB) func(*options) {
	t.Helper()
	server := httptest.NewServer(answer(http.StatusOK, anotherSet(t)))
	t.Cleanup(server.Close)
	return func(o *options) {
		o.bearer.Resources = &token.Verifier{
			Keys: &token.KeySet{URL: server.URL, Now: o.bearer.Now}, Now: o.bearer.Now, ClientID: clientID, Issuers: []string{authKitDomain},
		}
	}
}

func audienceOf(url string) *bearer.Audience {
	return &bearer.Audience{URL: url, Is: func(a string) bool { return a == url }}
}

// A token is for the resource that it was made for, and for no other; the checks are those of mcp.md's list, T1 to T10.
func TestVerifyForResource(t *testing.T) {
	t.Parallel()
	w := start(t, withAuthKitDomain(t))
	session1 := w.token(t, zoe, "")
	now := noon.Unix()
	made := func(change map[string]any) string {
		all := map[string]any{
			"iss": authKitDomain, "aud": mcp, "client_id": "https://client.example/metadata.json", "sid": "app_consent_01", "scope": "files:read files:write",
			"role": nil, "roles": nil, "permissions": nil, "entitlements": nil, "feature_flags": nil, "auth_time": nil,
		}
		for name, value := range change {
			all[name] = value
		}
		return reclaim(t, session1, otherKey(), "another", all)
	}
	machine := map[string]any{"sub": "client_01MACHINE", "client_id": "client_01MACHINE", "sid": nil, "aud": clientID}
	agent := map[string]any{"sub": "agent_reg_01A", "act": map[string]any{"sub": "user_01X"}}
	plain := audienceOf(mcp)
	machines := &bearer.Audience{URL: mcp, Is: plain.Is, Machines: true}
	agents := &bearer.Audience{URL: mcp, Is: plain.Is, Agents: true}
	for name, tt := range map[string]struct {
		raw  string
		at   *bearer.Audience
		want error // nil: good
	}{
		"made for it":                {made(nil), plain, nil},
		"among others":               {made(map[string]any{"aud": []string{"https://x.example", mcp}}), plain, nil},
		"for another resource":       {made(map[string]any{"aud": "https://mcp.example.com/other"}), plain, bearer.ErrBad},
		"at another resource":        {made(nil), audienceOf("https://mcp.example.com/other"), bearer.ErrBad},
		"with a slash":               {made(map[string]any{"aud": mcp + "/"}), plain, bearer.ErrBad},
		"without audience":           {made(map[string]any{"aud": nil}), plain, bearer.ErrBad},
		"for the client id":          {made(map[string]any{"aud": clientID}), plain, bearer.ErrClientAudience},
		"of another issuer":          {made(map[string]any{"iss": "https://evil.authkit.app"}), plain, bearer.ErrForeign},
		"of a session":               {session1, plain, bearer.ErrForeign},
		"of a Connect issuer":        {made(map[string]any{"iss": connectIssuer}), plain, bearer.ErrForeign},
		"with the environment's key": {reclaim(t, session1, signingKey(), keyID(t, signingKey()), map[string]any{"iss": authKitDomain, "aud": mcp}), plain, bearer.ErrBad},
		"expired":                    {made(map[string]any{"exp": now - 11}), plain, bearer.ErrBad},
		"not valid yet":              {made(map[string]any{"nbf": now + 11}), plain, bearer.ErrBad},
		"no token":                   {"abc", plain, bearer.ErrBad},
		"of nobody known":            {made(map[string]any{"sub": "other_01"}), plain, bearer.ErrBad},
		"a machine's":                {made(machine), plain, bearer.ErrBad},
		"a machine's, where allowed": {made(machine), machines, nil},
		"a user's for the client id, where machines are allowed": {made(map[string]any{"aud": clientID}), machines, bearer.ErrClientAudience},
		"an agent's":                {made(agent), plain, bearer.ErrBad},
		"an agent's, where allowed": {made(agent), agents, nil},
	} {
		for range 2 { // what is remembered is so for one audience
			id, err := w.Verifier.Verify(t.Context(), tt.raw, tt.at)
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) || (id == nil) != (err != nil) {
				t.Errorf("%s: got %+v, %v, want %v", name, id, err, tt.want)
			}
		}
	}

	id, err := w.Verifier.Verify(t.Context(), made(map[string]any{"act": map[string]any{"sub": "client_01APP"}}), plain)
	if err != nil || !slices.Equal(id.Extra.Granted(), []string{"files:read", "files:write"}) || id.Extra.ClientID() != "https://client.example/metadata.json" ||
		id.Extra.DelegatedTo() != "client_01APP" || id.Impersonator != "" {
		t.Errorf("got %+v, %+v, %v, want scopes, client and actor", id, id.Extra, err)
	}
	if _, err := w.Verifier.Verify(t.Context(), made(map[string]any{"aud": clientID}), plain); err == nil || !strings.Contains(err.Error(), "register "+mcp+" at WorkOS") {
		t.Errorf("got %v, want what to register", err)
	}
	// Where no rule has a resource, the same token is of an issuer that nobody has named.
	if _, err := w.Verifier.Verify(t.Context(), made(nil), nil); !errors.Is(err, bearer.ErrForeign) {
		t.Errorf("got %v, want ErrForeign", err)
	}
}

func TestVerifyForResourceIsOff(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	if _, err := w.Verifier.Verify(t.Context(), w.token(t, zoe, ""), audienceOf(mcp)); !errors.Is(err, bearer.ErrForeign) || !strings.Contains(err.Error(), "AUTHKIT_DOMAIN") {
		t.Errorf("got %v, want the variable to set", err)
	}
}
