package session_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// withUnsealed makes a world read session cookies in plain JSON.
func withUnsealed(o *options) {
	o.emulator.Organizations, o.emulator.Users = directory()
	o.session.Unsealed = &token.Verifier{Keys: o.session.Tokens.Keys, ClientID: clientID, Now: o.session.Now}
}

// plain is the cookie's value in plain JSON, as the SDKs for Node.js would write it, with changes; nil leaves a field out.
func (w *world) plain(t testing.TB, sealed string, change map[string]any) string {
	t.Helper()
	plaintext, err := w.Seal.Unseal(sealed)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(plaintext, &fields); err != nil {
		t.Fatal(err)
	}
	maps.Copy(fields, change)
	maps.DeleteFunc(fields, func(_ string, value any) bool { return value == nil })
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return url.PathEscape(string(text))
}

// Of a cookie in plain JSON what AuthKit has signed counts: whatever else is in it, the browser's user can have put there.
func TestUnsealedCookie(t *testing.T) {
	t.Parallel()
	w := start(t, withUnsealed)
	sealed := w.signIn(t, sam, acmeID)
	forged := map[string]any{
		"id": "user_01SAM", "email": "boss@acme.example", "emailVerified": true, "email_verified": true, "firstName": "The", "name": "The Boss",
	}
	for name, cookie := range map[string]string{
		"as it is":                 w.plain(t, sealed, nil),
		"another email and name":   w.plain(t, sealed, map[string]any{"user": forged}),
		"another organization":     w.plain(t, sealed, map[string]any{"organizationId": globexID, "role": "admin", "permissions": []string{"all"}}),
		"no impersonator":          w.plain(t, sealed, map[string]any{"impersonator": json.RawMessage("null")}),
		"somebody's refresh token": w.plain(t, sealed, map[string]any{"refreshToken": w.open(t, w.signIn(t, zoe, "")).RefreshToken}),
	} {
		for range 2 {
			id := w.valid(t, cookie).Identity
			if id.Subject != "user_01SAM" || id.OrganizationID != acmeID || id.Role != "billing" || len(id.Permissions) != 1 || !strings.HasPrefix(id.SessionID, "session_") {
				t.Errorf("%s: got %+v, want sam at Acme", name, id)
			}
			if id.Email != "" || id.EmailVerified || id.Name != "" || id.Impersonator != "" {
				t.Errorf("%s: got %q, %t, %q, %q, want no email, name or impersonator", name, id.Email, id.EmailVerified, id.Name, id.Impersonator)
			}
		}
		if v, ok := w.Peek(t.Context(), cookies(cookie)); !ok || v.Identity.Email != "" {
			t.Errorf("%s: a public page: got %t, %+v", name, ok, v)
		}
	}
	off := start(t, nil)
	if _, err := off.verify(t, off.plain(t, off.signIn(t, zoe, ""), nil)); !errors.Is(err, session.ErrBad) {
		t.Errorf("where they aren't read: got %v, want ErrBad", err)
	}
}

func TestUnsealedCookieRefused(t *testing.T) {
	t.Parallel()
	w := start(t, withUnsealed)
	sealed := w.signIn(t, sam, acmeID)
	access := w.open(t, sealed).AccessToken
	own := func(change map[string]any) map[string]any {
		return map[string]any{"accessToken": reclaim(t, access, signingKey(), keyID(t, signingKey()), change)}
	}
	as := func(id string, fields map[string]any) map[string]any {
		fields["user"] = map[string]any{"id": id}
		return fields
	}
	for name, change := range map[string]map[string]any{
		"another user's id":                   {"user": map[string]any{"id": "user_01ZOE"}},
		"no user":                             {"user": nil},
		"another user's access token":         {"accessToken": w.open(t, w.signIn(t, zoe, "")).AccessToken},
		"a token signed by somebody else":     {"accessToken": reclaim(t, access, otherKey(), keyID(t, signingKey()), nil)},
		"a token with an unknown key":         {"accessToken": reclaim(t, access, otherKey(), "another", nil)},
		"an unsigned token":                   {"accessToken": unsignedToken(t, access)},
		"a token signed with the public key":  {"accessToken": hmacToken(t, access, keyID(t, signingKey()))},
		"no token":                            {"accessToken": nil},
		"a token that is none":                {"accessToken": "abc"},
		"another client's token":              own(map[string]any{"client_id": "client_01OTHER"}),
		"a token that doesn't say whom for":   own(map[string]any{"client_id": nil, "aud": nil}),
		"a token of no session":               own(map[string]any{"sid": nil}),
		"an agent's token":                    as("agent_reg_01A", own(map[string]any{"sub": "agent_reg_01A"})),
		"a machine's token":                   as("client_01M", own(map[string]any{"sub": "client_01M"})),
		"an impersonator of the cookie's own": {"impersonator": map[string]any{"email": "support@example.com", "reason": nil}},
		"another impersonator than the token's": {
			"impersonator": map[string]any{"email": "support@example.com"},
			"accessToken":  own(map[string]any{"act": map[string]any{"sub": "eve@example.com"}})["accessToken"],
		},
		"an impersonator without an email": {"impersonator": map[string]any{"reason": "x"}},
		"too long":                         {"padding": strings.Repeat("x", 16<<10)},
	} {
		if err := w.refused(t, w.plain(t, sealed, change), session.ErrBad); errors.Is(err, session.ErrEnded) {
			t.Errorf("%s: got %v, want ErrBad alone", name, err)
		}
	}
	whole := w.plain(t, sealed, nil)
	for name, cookie := range map[string]string{"cut off": whole[:len(whole)/2], "an array": url.PathEscape("[" + strings.Repeat(" ", 600) + "]"), "twice": whole + whole} {
		if err := w.refused(t, cookie, session.ErrBad); err == nil {
			t.Errorf("%s: got a session", name)
		}
	}
	// The token says that somebody is impersonated, and the cookie doesn't.
	impersonated := w.plain(t, sealed, own(map[string]any{"act": map[string]any{"sub": "eve@example.com"}}))
	if got := w.valid(t, impersonated).Identity.Impersonator; got != "eve@example.com" {
		t.Errorf("got impersonator %q, want the token's", got)
	}
}

// The refresh token is the client's word: it is never used, whosever it is, and the session ends with the access token. So no record of
// a sealed session is touched either.
func TestUnsealedCookieExpires(t *testing.T) {
	t.Parallel()
	w := start(t, withUnsealed)
	sealed, other := w.signIn(t, sam, acmeID), w.signIn(t, zoe, "")
	its := map[string]string{
		"with its own refresh token":     w.plain(t, sealed, nil),
		"with another user's":            w.plain(t, sealed, map[string]any{"refreshToken": w.open(t, other).RefreshToken}),
		"with one that is made up":       w.plain(t, sealed, map[string]any{"refreshToken": "made-up"}),
		"with none":                      w.plain(t, sealed, map[string]any{"refreshToken": nil}),
		"another user's with one's own":  w.plain(t, other, map[string]any{"refreshToken": w.open(t, sealed).RefreshToken}),
		"another user's, with one's id":  w.plain(t, other, map[string]any{"refreshToken": w.open(t, sealed).RefreshToken, "user": map[string]any{"id": "user_01SAM"}}),
		"another organization's, switch": w.plain(t, sealed, map[string]any{"organizationId": globexID}),
	}
	w.clock.advance(4*time.Minute + 30*time.Second)
	w.ahead(t, its["with its own refresh token"]) // is due for a refresh ahead of its end, and gets none
	w.wantRefreshes(t, 0)
	w.clock.advance(time.Minute)
	for name, cookie := range its {
		want := session.ErrRejected
		if name == "another user's, with one's id" {
			want = session.ErrBad
		}
		w.refused(t, cookie, want)
		if _, _, err := w.Switch(t.Context(), cookies(cookie), globexID); !errors.Is(err, session.ErrBad) {
			t.Errorf("%s: a switch: got %v, want ErrBad", name, err)
		}
	}
	w.wantRefreshes(t, 0)
	w.valid(t, w.refreshed(t, sealed))
	w.valid(t, w.refreshed(t, other))
}

// Where a sealed cookie opens it counts, whatever else was put beside it.
func TestUnsealedBesideSealed(t *testing.T) {
	t.Parallel()
	w := start(t, withUnsealed)
	sealed := w.signIn(t, sam, acmeID)
	w.clock.advance(time.Second)
	later, zoes := w.signIn(t, sam, globexID), w.signIn(t, zoe, "")
	forged := w.plain(t, sealed, map[string]any{"accessToken": reclaim(t, w.open(t, sealed).AccessToken, otherKey(), "another", map[string]any{"iat": w.clock.Now().Add(time.Hour).Unix()})})
	for name, beside := range map[string]string{
		"a later one of the user's": w.plain(t, later, nil),
		"another user's":            w.plain(t, zoes, nil),
		"a forged one":              forged,
		"none at all":               url.PathEscape("{" + strings.Repeat(" ", 600)),
	} {
		for _, order := range [][]string{{sealed, beside}, {beside, sealed}} {
			if v, err := w.verify(t, order...); err != nil || v.Identity.OrganizationID != acmeID || v.Identity.Email != sam {
				t.Errorf("%s: got %+v, %v, want the sealed one", name, v, err)
			}
		}
	}
	unreadable := w.seal(t, map[string]any{"accessToken": "x"})
	if v, err := w.verify(t, unreadable, w.plain(t, later, nil)); err != nil || v.Identity.OrganizationID != globexID {
		t.Errorf("beside one that doesn't open: got %+v, %v, want the plain one", v, err)
	}
	if v, err := w.verify(t, forged, w.plain(t, later, nil), w.plain(t, sealed, nil)); err != nil || v.Identity.OrganizationID != globexID {
		t.Errorf("several plain ones: got %+v, %v, want the newest that is AuthKit's", v, err)
	}
	named := w.plain(t, zoes, map[string]any{"user": map[string]any{"id": "user_01SAM"}})
	if v, err := w.verify(t, named, w.plain(t, sealed, nil)); err != nil || v.Identity.OrganizationID != acmeID {
		t.Errorf("beside another user's under this one's id: got %+v, %v, want this one's", v, err)
	}
	if _, err := w.verify(t, w.plain(t, later, nil), w.plain(t, zoes, nil)); !errors.Is(err, session.ErrConflict) {
		t.Errorf("of two users: got %v, want ErrConflict", err)
	}
}

func TestUnsealedCookieRevoked(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]session.Revocation{
		"its session": {Subject: "user_01SAM", SessionID: "its"}, "its user": {Subject: "user_01SAM"}, "its user, changed": {Subject: "user_01SAM", Refresh: true},
	} {
		w := start(t, withUnsealed)
		sealed := w.signIn(t, sam, acmeID)
		cookie := w.plain(t, sealed, nil)
		if id := w.valid(t, cookie).Identity; of.SessionID != "" {
			of.SessionID = id.SessionID
		}
		of.At = w.clock.Now().Add(time.Second)
		if err := w.Revoke(t.Context(), of); err != nil {
			t.Fatal(err)
		}
		if err := w.refused(t, cookie, session.ErrEnded); err == nil {
			t.Errorf("%s: got a session", name)
		}
		if _, ok := w.Peek(t.Context(), cookies(cookie)); ok {
			t.Errorf("%s: a public page got the session", name)
		}
		w.wantRefreshes(t, 0)
	}
}

// A cookie in plain JSON can be signed out, also an expired one. One that anybody can have made signs nobody out.
func TestUnsealedCookieSignedOut(t *testing.T) {
	t.Parallel()
	w := start(t, withUnsealed)
	sealed := w.signIn(t, sam, acmeID)
	access := w.open(t, sealed).AccessToken
	for name, change := range map[string]map[string]any{
		"forged":             {"accessToken": reclaim(t, access, otherKey(), keyID(t, signingKey()), nil)},
		"of another user id": {"user": map[string]any{"id": "user_01ZOE"}},
	} {
		if id, ok := w.End(t.Context(), cookies(w.plain(t, sealed, change))); ok {
			t.Errorf("%s: got %+v ended", name, id)
		}
		w.valid(t, sealed)
	}
	plain := w.plain(t, sealed, nil)
	w.clock.advance(time.Hour)
	if id, ok := w.End(t.Context(), cookies(plain)); !ok || id.Subject != "user_01SAM" {
		t.Errorf("got %+v, %t, want it signed out", id, ok)
	}
	w.refused(t, sealed, session.ErrEnded)
}

// Whether a token is AuthKit's can't be told without its keys, and unknown keys of strangers don't keep a sealed session from its own.
func TestUnsealedCookieKeys(t *testing.T) {
	t.Parallel()
	w := start(t, withUnsealed)
	plain := w.plain(t, w.signIn(t, sam, acmeID), nil)
	w.authKit.answer("/sso/jwks/"+clientID, status(http.StatusServiceUnavailable, ""))
	w.refused(t, plain, session.ErrUnavailable)
	if _, err := w.verify(t, plain, w.plain(t, w.signIn(t, sam, globexID), nil)); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("two of them: got %v, want ErrUnavailable", err)
	}
	w.authKit.answer("/sso/jwks/"+clientID, nil)
	w.clock.advance(time.Minute)
	sealed := w.signIn(t, sam, acmeID)
	w.valid(t, sealed)
	w.clock.advance(time.Minute) // its own cooldown, of the first key, is over
	for range 3 {
		w.refused(t, w.plain(t, sealed, map[string]any{"accessToken": reclaim(t, w.open(t, sealed).AccessToken, otherKey(), "another", nil)}), session.ErrBad)
	}
	if _, err := w.authKit.RotateKey(emulator.Rotation{}); err != nil {
		t.Fatal(err)
	}
	w.valid(t, w.signIn(t, sam, acmeID))
}

// A session that is bound to a site is so by its seal.
func TestUnsealedCookieAtABoundSite(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *options) {
		withUnsealed(o)
		o.session.Passwords = []string{password}
	})
	bound, err := w.Bound("https://a.example.com")
	if err != nil {
		t.Fatal(err)
	}
	plain := w.plain(t, w.signIn(t, sam, acmeID), nil)
	w.valid(t, plain)
	if _, err := bound.Verify(t.Context(), cookies(plain), false); !errors.Is(err, session.ErrBad) {
		t.Errorf("got %v, want ErrBad", err)
	}
}
