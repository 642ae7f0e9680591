package bearer_test

import (
	"errors"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/bearer"
	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

func (w *world) wantBearer(t testing.TB, raw string) *identity.Identity {
	t.Helper()
	id, err := w.Verifier.Verify(t.Context(), raw, nil)
	if err != nil {
		t.Fatalf("got %v, want an identity", err)
	}
	return id
}

// wantNoBearer fails the test unless the token is refused with want, and nothing else.
func (w *world) wantNoBearer(t testing.TB, raw string, want error) {
	t.Helper()
	id, err := w.Verifier.Verify(t.Context(), raw, nil)
	if id != nil || !errors.Is(err, want) {
		t.Fatalf("got %+v, %v, want %v", id, err, want)
	}
	for _, other := range []error{session.ErrBad, bearer.ErrBad, bearer.ErrForeign, session.ErrEnded, session.ErrUnavailable, session.ErrMisconfigured} {
		if !errors.Is(want, other) && errors.Is(err, other) {
			t.Errorf("got %v, which is a %v, too", err, other)
		}
	}
	for part := range strings.SplitSeq(raw, ".") {
		if len(part) > 20 && strings.Contains(err.Error(), part) {
			t.Errorf("got %q, want nothing of the token in it", err)
		}
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	raw := w.token(t, zoe, "")
	machine := map[string]any{"iss": connectIssuer, "aud": clientID, "sub": "client_01MACHINE", "client_id": nil, "sid": nil,
		"role": nil, "roles": nil, "entitlements": nil, "feature_flags": nil, "auth_time": nil, "permissions": []string{"reports:read"}}
	tests := []struct {
		name, raw string
		want      identity.Identity
	}{
		{"of a session", reclaim(t, raw, signingKey(), keyID(t, signingKey()), map[string]any{"sid": "session_01ZOE"}), identity.Identity{
			Subject: "user_01JE28JT97KB6CQ643DZVMXXQK", SessionID: "session_01ZOE", OrganizationID: acmeID, Role: "admin",
			Roles: []string{"admin", "billing"}, Permissions: []string{"reports:read", "reports:write", "users:manage"},
			Entitlements: []string{"audit-logs", "sso"}, FeatureFlags: []string{"new-reports"}, AuthTime: noon}},
		{"with this client's id as audience alone", reclaim(t, raw, signingKey(), keyID(t, signingKey()), map[string]any{
			"client_id": nil, "aud": clientID, "sid": "session_01ZOE", "roles": nil, "permissions": nil, "entitlements": nil, "feature_flags": nil, "auth_time": nil,
			"act": map[string]any{"sub": "support@example.com"}}), identity.Identity{
			Subject: "user_01JE28JT97KB6CQ643DZVMXXQK", SessionID: "session_01ZOE", OrganizationID: acmeID, Role: "admin",
			Roles: []string{"admin"}, Impersonator: "support@example.com"}},
		{"of an M2M application", reclaim(t, raw, otherKey(), "another", machine), identity.Identity{
			Subject: "client_01MACHINE", OrganizationID: acmeID, Permissions: []string{"reports:read"}, Extra: &identity.Extra{}}},
		{"of an OAuth application", reclaim(t, raw, otherKey(), "another", map[string]any{"iss": connectIssuer + "/", "aud": []string{"other", resource},
			"client_id": "client_01APP", "sid": "session_01APP", "role": nil, "roles": nil, "permissions": nil, "entitlements": nil, "feature_flags": nil}), identity.Identity{
			Subject: "user_01JE28JT97KB6CQ643DZVMXXQK", SessionID: "session_01APP", OrganizationID: acmeID, AuthTime: noon,
			Extra: &identity.Extra{Client: "client_01APP"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for range 2 {
				got := *w.wantBearer(t, tt.raw)
				if !got.AuthTime.IsZero() {
					got.AuthTime = got.AuthTime.UTC()
				}
				if !reflect.DeepEqual(got, tt.want) {
					t.Errorf("got %+v, want %+v", got, tt.want)
				}
			}
		})
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed, good := w.signIn(t, zoe, "")
	if _, err := w.session(t, sealed); err != nil {
		t.Fatal(err)
	}
	kid := keyID(t, signingKey())
	own := func(change map[string]any) string { return reclaim(t, good, signingKey(), kid, change) }
	connect := func(change map[string]any) string {
		c := map[string]any{"iss": connectIssuer, "aud": resource, "client_id": "client_01APP"}
		maps.Copy(c, change)
		return reclaim(t, good, otherKey(), "another", c)
	}
	w.wantBearer(t, own(nil))
	w.wantBearer(t, connect(nil))
	elsewhere := start(t, func(o *options) { o.emulator.SigningKey = otherKey() })
	now := w.clock.Now().Unix()
	tests := []struct{ name, raw string }{
		{"with a space", " " + good},
		{"alg none", unsignedToken(t, good)},
		{"HS256 with the public key", hmacToken(t, good, kid)},
		{"another key id", reclaim(t, good, signingKey(), "unknown", nil)},
		{"another key id, in the cooldown", reclaim(t, good, signingKey(), "another unknown", nil)},
		{"no key id", reclaim(t, good, signingKey(), "", nil)},
		{"forged: another key under the right id", reclaim(t, good, otherKey(), kid, nil)},
		{"another environment's", elsewhere.token(t, zoe, "")},
		{"expired", own(map[string]any{"exp": now - 11})},
		{"not valid yet", own(map[string]any{"nbf": now + 11})},
		{"no expiry", own(map[string]any{"exp": nil})},
		{"no user", own(map[string]any{"sub": nil})},
		{"for nobody in particular", own(map[string]any{"client_id": nil, "aud": nil})},
		{"roles of another type", own(map[string]any{"roles": "admin"})},

		{"Connect: another audience", connect(map[string]any{"aud": "https://other.example.com"})},
		{"Connect: no audience", connect(map[string]any{"aud": nil})},
		{"Connect: ID token", connect(map[string]any{"aud": "client_01APP", "client_id": nil})},
		{"Connect: signed with the environment's key", own(map[string]any{"iss": connectIssuer, "aud": resource, "client_id": "client_01APP"})},
		{"Connect: this client's id", connect(map[string]any{"client_id": clientID})},
		{"Connect: expired", connect(map[string]any{"exp": now - 11})},
		{"Connect: not valid yet", connect(map[string]any{"nbf": now + 11})},
		{"Connect's key for a session's token", reclaim(t, good, otherKey(), "another", nil)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for range 2 { // what was refused is not remembered
				w.wantNoBearer(t, tt.raw, bearer.ErrBad)
			}
		})
	}
}

// One that no issuer which is configured has made may be the app's own.
func TestVerifyForeign(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed, good := w.signIn(t, zoe, "")
	kid := keyID(t, signingKey())
	own := func(change map[string]any) string { return reclaim(t, good, signingKey(), kid, change) }
	connect := func(change map[string]any) string {
		c := map[string]any{"iss": connectIssuer, "aud": resource, "client_id": "client_01APP"}
		maps.Copy(c, change)
		return reclaim(t, good, otherKey(), "another", c)
	}
	machine := map[string]any{"iss": "https://machines.example.com", "aud": clientID, "sub": "client_01MACHINE", "client_id": nil, "sid": nil}
	tests := []struct{ name, raw, want string }{
		{"empty", "", "it names none"},
		{"no token", "opaque", "it names none"},
		{"sealed cookie", sealed, "it names none"},
		{"alg none of another issuer", unsignedToken(t, own(map[string]any{"client_id": nil, "iss": "https://app.example.com"})), `"https://app.example.com"`},
		{"HS256 of another issuer", hmacToken(t, own(map[string]any{"client_id": nil, "aud": "app", "iss": "https://app.example.com"}), kid), `"https://app.example.com"`},
		{"of an M2M application whose issuer isn't configured", reclaim(t, good, otherKey(), "machines", machine),
			`"https://machines.example.com"; an application's must be in BEARER_ISSUERS`},
		{"a long issuer", own(map[string]any{"client_id": "client_02OTHER", "iss": strings.Repeat("long", 1000)}), strings.Repeat("long", 25) + `";`},
		{"two tokens", good + "," + good, ""},
		{"another environment's of another client", reclaim(t, good, otherKey(), keyID(t, otherKey()), map[string]any{"client_id": "client_02OTHER"}), ""},
		{"another client's", own(map[string]any{"client_id": "client_02OTHER"}), ""},
		{"another client's for this audience", own(map[string]any{"client_id": "client_02OTHER", "aud": clientID}), ""},
		{"ID token of an application", own(map[string]any{"client_id": nil, "aud": "client_01APP"}), ""},
		{"Connect: another issuer", connect(map[string]any{"iss": "https://auth.example.com.evil.example"}), ""},
		{"Connect: no issuer", connect(map[string]any{"iss": nil}), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w.wantNoBearer(t, tt.raw, bearer.ErrForeign)
			if _, err := w.Verifier.Verify(t.Context(), tt.raw, nil); !errors.Is(err, bearer.ErrBad) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an ErrBad with %s", err, tt.want)
			}
		})
	}
}

// A session's token has a sid and a user. AuthKit signs others with the same keys.
func TestVerifyOfNoSession(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	good := w.token(t, zoe, "")
	own := func(change map[string]any) string {
		return reclaim(t, good, signingKey(), keyID(t, signingKey()), change)
	}
	w.wantBearer(t, own(nil))
	for name, raw := range map[string]string{
		"ID token":               own(map[string]any{"client_id": nil, "aud": clientID, "sid": nil}),
		"no sid":                 own(map[string]any{"sid": nil}),
		"empty sid":              own(map[string]any{"sid": ""}),
		"agent":                  own(map[string]any{"client_id": nil, "aud": clientID, "sid": nil, "sub": "agent_reg_01ANON", "act": map[string]any{"sub": "user_01ZOE"}}),
		"agent with a sid":       own(map[string]any{"sub": "agent_reg_01ANON"}),
		"machine with a sid":     own(map[string]any{"sub": "client_01MACHINE"}),
		"user_ in another place": own(map[string]any{"sub": "client_user_01"}),
	} {
		t.Log(name)
		w.wantNoBearer(t, raw, bearer.ErrBad)
	}
}

// Outside of a session's token act says to whom the user has delegated, and impersonates nobody.
func TestVerifyActor(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	good := w.token(t, zoe, "")
	act := map[string]any{"sub": "support@example.com"}
	if id := w.wantBearer(t, reclaim(t, good, signingKey(), keyID(t, signingKey()), map[string]any{"act": act})); id.Impersonator != "support@example.com" || id.Extra != nil {
		t.Errorf("a session's: got impersonator %q, want support@example.com", id.Impersonator)
	}
	delegated := map[string]any{"iss": connectIssuer, "aud": resource, "client_id": "client_01APP", "act": act}
	if id := w.wantBearer(t, reclaim(t, good, otherKey(), "another", delegated)); id.Impersonator != "" || id.Extra.DelegatedTo() != "support@example.com" {
		t.Errorf("an application's: got impersonator %q, want none", id.Impersonator)
	}
}

// Strangers can send a token of another issuer: no mistake of the operator's.
func TestVerifyIssuer(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *options) {
		o.bearer.Session.Issuers = []string{"https://api.workos.com"}
	})
	raw := w.token(t, zoe, "")
	kid := keyID(t, signingKey())
	ours := func(change map[string]any) string {
		maps.Copy(change, map[string]any{"iss": "https://api.workos.com"})
		return reclaim(t, raw, signingKey(), kid, change)
	}
	w.wantBearer(t, ours(map[string]any{}))
	w.wantNoBearer(t, raw, bearer.ErrForeign)
	for name, bad := range map[string]string{
		"another client's": ours(map[string]any{"client_id": "client_02OTHER"}),
		"alg none":         unsignedToken(t, ours(map[string]any{})),
		"HS256":            hmacToken(t, ours(map[string]any{}), kid),
		"expired":          ours(map[string]any{"exp": w.clock.Now().Unix() - 11}),
	} {
		t.Log(name)
		w.wantNoBearer(t, bad, bearer.ErrBad)
	}
}

func TestVerifyIsOff(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *options) {
		o.bearer.Session = nil
	})
	raw := w.token(t, zoe, "")
	w.wantNoBearer(t, raw, bearer.ErrForeign)
	w.wantNoBearer(t, reclaim(t, raw, otherKey(), "another", map[string]any{"iss": connectIssuer, "aud": resource}), bearer.ErrForeign)
}

func TestVerifyAccessTokenOnDemand(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		w := start(t, func(o *options) {
			o.bearer.KeepAccessToken = keep
		})
		raw := w.token(t, zoe, "")
		if got := w.wantBearer(t, raw).AccessToken; (got == raw) != keep || !keep && got != "" {
			t.Errorf("got access token %.10q, want it kept: %t", got, keep)
		}
	}
}

// A token is verified once, until it expires.
func TestRemembered(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	raw := w.token(t, zoe, "")
	first := w.wantBearer(t, raw)
	w.Session.Keys = &token.KeySet{URL: "http://127.0.0.1:0/", Now: w.clock.Now}
	w.clock.advance(5*time.Minute - time.Second)
	if again := w.wantBearer(t, raw); again != first {
		t.Errorf("got %+v, want the remembered %+v", again, first)
	}
	w.clock.advance(time.Second)
	w.wantNoBearer(t, raw, session.ErrUnavailable) // it is looked at again, without a key
}

func TestExpires(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	raw := w.token(t, zoe, "")
	w.wantBearer(t, raw)
	w.clock.advance(5*time.Minute + 10*time.Second)
	w.wantBearer(t, raw)
	w.clock.advance(time.Second)
	w.wantNoBearer(t, raw, bearer.ErrBad)
}

// Whatever ends a session ends its tokens, remembered or not, and whatever it has to be
// refreshed for as well: nobody here can refresh a bearer token.
func TestRevoked(t *testing.T) {
	t.Parallel()
	for name, revoke := range map[string]func(identity.Identity) session.Revocation{
		"session": func(id identity.Identity) session.Revocation {
			return session.Revocation{Subject: id.Subject, SessionID: id.SessionID}
		},
		"membership": func(id identity.Identity) session.Revocation {
			return session.Revocation{Subject: id.Subject, OrganizationID: acmeID}
		},
		"roles changed": func(id identity.Identity) session.Revocation {
			return session.Revocation{Subject: id.Subject, OrganizationID: acmeID, Refresh: true}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			remembered, other := w.token(t, sam, acmeID), w.token(t, sam, globexID)
			id := w.wantBearer(t, remembered)
			w.wantBearer(t, other)
			unseen := reclaim(t, remembered, signingKey(), keyID(t, signingKey()), map[string]any{"jti": "another"})
			w.clock.advance(time.Minute)
			r := revoke(*id)
			r.At = w.clock.Now()
			if err := w.sessions.Revoke(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			w.wantNoBearer(t, remembered, session.ErrEnded)
			w.wantNoBearer(t, unseen, session.ErrEnded)
			w.wantBearer(t, other)
		})
	}
}

// A cookie is no token, and a token no cookie, whatever is remembered.
func TestAndCookieApart(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed, raw := w.signIn(t, zoe, "")
	if _, err := w.session(t, sealed); err != nil {
		t.Fatal(err)
	}
	w.wantBearer(t, raw)
	w.wantNoBearer(t, sealed, bearer.ErrForeign)
	if _, err := w.session(t, raw); !errors.Is(err, session.ErrBad) {
		t.Errorf("got %v, want ErrBad", err)
	}
}

func TestKeySetDown(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.answerKeys(answer(http.StatusInternalServerError, ""))
	w.wantNoBearer(t, w.token(t, zoe, ""), session.ErrUnavailable)
}

// Bearer tokens that strangers send don't keep a sealed session from its key.
func TestCooldownIsItsOwn(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.answerKeys(answer(http.StatusOK, anotherSet(t)))
	sealed, raw := w.signIn(t, zoe, "")
	for _, kid := range []string{"unknown", "another unknown"} {
		w.wantNoBearer(t, reclaim(t, raw, otherKey(), kid, nil), bearer.ErrBad)
	}
	w.answerKeys(nil)                     // AuthKit's new key is there now
	w.wantNoBearer(t, raw, bearer.ErrBad) // but not looked for
	if _, err := w.session(t, sealed); err != nil {
		t.Fatal(err)
	}
	w.wantBearer(t, raw)
}

func BenchmarkRemembered(b *testing.B) {
	w := start(b, nil)
	raw := w.token(b, zoe, "")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Verifier.Verify(b.Context(), raw, nil); err != nil {
			b.Fatal(err)
		}
	}
}
