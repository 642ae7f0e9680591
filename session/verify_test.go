package session_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

func TestVerifyIdentity(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	tests := []struct {
		name, email, organization string
		want                      identity.Identity
	}{
		{"no organization", paula, "", identity.Identity{
			Subject: "user_01JM9S346Q3D25VT4F5V37E3S3", Email: paula, EmailVerified: true, Name: "Paula Winter", AuthTime: noon}},
		{"one organization", zoe, "", identity.Identity{
			Subject: "user_01JE28JT97KB6CQ643DZVMXXQK", Email: zoe, EmailVerified: true, Name: "Zoë Ångström",
			OrganizationID: acmeID, Role: "admin", Roles: []string{"admin", "billing"},
			Permissions: []string{"reports:read", "reports:write", "users:manage"}, Entitlements: []string{"audit-logs", "sso"},
			FeatureFlags: []string{"new-reports"}, AuthTime: noon}},
		{"one of two organizations", sam, globexID, identity.Identity{
			Subject: "user_01JFBF5KZNWJ47TAN9ZT24MNPZ", Email: sam, EmailVerified: true, Name: "Sam Rivera, Jr.",
			OrganizationID: globexID, Role: "owner", Roles: []string{"owner"}, Permissions: []string{"reports:read", "reports:write"}, AuthTime: noon}},
		{"impersonated", iris, "", identity.Identity{
			Subject: "user_01JX45HY43KWJRP1XPA7Z3DJ8F", Email: iris, EmailVerified: true, Name: "Iris Okafor",
			OrganizationID: acmeID, Role: "member", Roles: []string{"member"}, Permissions: []string{"reports:read"},
			Entitlements: []string{"audit-logs", "sso"}, FeatureFlags: []string{"new-reports"}, Impersonator: "support@example.com", AuthTime: noon}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sealed := w.signIn(t, tt.email, tt.organization)
			v := w.valid(t, sealed)
			got := v.Identity
			if !strings.HasPrefix(got.SessionID, "session_01") {
				t.Errorf("got session id %q, want AuthKit's", got.SessionID)
			}
			got.SessionID, got.AuthTime = "", got.AuthTime.UTC()
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if v.Current != "" || v.Sent != [16]byte{} {
				t.Errorf("got Current %.20q, Sent %x, want none: the cookie is the current one", v.Current, v.Sent)
			}
		})
	}
}

// Cookies of the real SDKs, verified with the keys that signed their access tokens.
func TestVerifyVectors(t *testing.T) {
	t.Parallel()
	f := readFixture(t)
	keys := httptest.NewServer(status(http.StatusOK, string(f.JWKS)))
	t.Cleanup(keys.Close)
	want := identity.Identity{
		Subject: "user_01VECTORS", Email: "zoë@example.com", EmailVerified: true, Name: "Zoë Ünïcode", SessionID: "session_01VECTORS",
		OrganizationID: "org_01VECTORS", Role: "admin", Roles: []string{"admin"}, Permissions: []string{"posts:read", "posts:write"},
		Entitlements: []string{"audit-logs"}, FeatureFlags: []string{"beta"}, Impersonator: "admin@foocorp.com",
	}
	for _, v := range vectors(t) {
		if v.name == "authkit-nextjs-expired-jwt" {
			continue // TestExpiredVectorIsRefreshed
		}
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, func(o *options) {
				o.session.Seal = iron(t, november, v.Password)
				o.session.Tokens = &token.Verifier{Keys: &token.KeySet{URL: keys.URL}, ClientID: "client_01VECTORS", Now: november}
				o.session.Now = november
			})
			if got := w.valid(t, v.Sealed); !reflect.DeepEqual(got.Identity, want) || got.Current != "" {
				t.Errorf("got %+v, want %+v", got.Identity, want)
			}
		})
	}
}

// Roles are what the role claim says where the token has no list.
func TestVerifyRoles(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, zoe, "")
	tests := []struct {
		name   string
		change map[string]any
		want   []string
	}{
		{"role alone", map[string]any{"roles": nil, "role": "member"}, []string{"member"}},
		{"empty list", map[string]any{"roles": []string{}, "role": "member"}, []string{"member"}},
		{"list alone", map[string]any{"roles": []string{"a", "b"}, "role": nil}, []string{"a", "b"}},
		{"neither", map[string]any{"roles": nil, "role": nil}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := w.valid(t, w.resign(t, sealed, signingKey(), tt.change)).Identity.Roles; !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestVerifyAccessTokenOnDemand(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *options) { o.session.KeepAccessToken = true })
	sealed := w.signIn(t, zoe, "")
	if got, want := w.valid(t, sealed).Identity.AccessToken, w.open(t, sealed).AccessToken; got != want {
		t.Errorf("got %.20q…, want the session's access token", got)
	}
	w.clock.advance(time.Hour)
	v := w.valid(t, sealed)
	if got, want := v.Identity.AccessToken, w.open(t, v.Current).AccessToken; got != want {
		t.Errorf("after a refresh: got %.20q…, want the new access token", got)
	}
}

// The seal is not enough.
func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	good := w.signIn(t, zoe, "")
	s := w.open(t, good)
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(s.AccessToken, ".")[1] + "."
	elsewhere := start(t, func(o *options) {
		o.session.Seal = iron(t, nil, "another password of 32 characters")
	})
	tests := []struct {
		name   string
		cookie string
		want   error
	}{
		{"empty", "", session.ErrBad},
		{"garbage", "garbage", session.ErrBad},
		{"incomplete chunks", "k1.2.0123456789abcdef.Fe26.2*", session.ErrBad},
		{"another password", elsewhere.signIn(t, zoe, ""), session.ErrBad},
		{"changed", strings.Replace(good, "Fe26.2*1*", "Fe26.2*2*", 1), session.ErrBad},
		{"cut", good[:len(good)-3], session.ErrBad},
		{"sealed, but no session", w.seal(t, map[string]any{"hello": "world"}), session.ErrBad},
		{"sealed, but null", w.seal(t, nil), session.ErrBad},
		{"access token is none", w.withAccessToken(t, s, "opaque"), session.ErrBad},
		{"unsigned", w.withAccessToken(t, s, unsigned), session.ErrBad},
		{"forged: signed by another key", w.resign(t, good, otherKey(), nil), session.ErrBad},
		{"token of another user than the sealed one", w.resign(t, good, signingKey(), map[string]any{"sub": "user_01OTHER"}), session.ErrBad},
		{"the same, expired", w.resign(t, good, signingKey(), map[string]any{"sub": "user_01OTHER", "exp": 1}), session.ErrBad},
		{"token without user", w.resign(t, good, signingKey(), map[string]any{"sub": nil}), session.ErrBad},
		{"another client's", w.resign(t, good, signingKey(), map[string]any{"client_id": "client_02OTHER"}), session.ErrBad},
		{"another client's, expired", w.resign(t, good, signingKey(), map[string]any{"client_id": "client_02OTHER", "exp": 1}), session.ErrBad},
		{"no expiry", w.resign(t, good, signingKey(), map[string]any{"exp": nil}), session.ErrBad},
		{"not valid yet", w.resign(t, good, signingKey(), map[string]any{"nbf": w.clock.Now().Unix() + 11}), session.ErrUnavailable},
		{"expired, nothing to refresh it with", w.seal(t, map[string]any{"user": map[string]any{"id": s.User.ID}, "refreshToken": nil,
			"accessToken": w.open(t, w.resign(t, good, signingKey(), map[string]any{"exp": 1})).AccessToken}), session.ErrEnded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for range 2 { // what was refused is not remembered
				err := w.refused(t, tt.cookie, tt.want)
				for _, secret := range []string{s.AccessToken, s.RefreshToken, password, zoe} {
					if strings.Contains(err.Error(), secret) {
						t.Errorf("got error %q with a secret in it", err)
					}
				}
			}
		})
	}
	t.Run("no cookie", func(t *testing.T) {
		t.Parallel()
		for _, h := range []http.Header{nil, {}, {"Cookie": {"other=" + good}}, {"Authorization": {"Bearer " + s.AccessToken}}} {
			if v, err := w.Verify(t.Context(), h, true); v != nil || !errors.Is(err, session.ErrNone) {
				t.Errorf("%v: got %v, %v, want ErrNone", h, v, err)
			}
		}
	})
	t.Cleanup(func() { w.authKit.wantAsked(t, 0) })
}

func TestVerifyExpiryLeeway(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.seal(t, map[string]any{ // no refresh token
		"accessToken": w.open(t, w.signIn(t, paula, "")).AccessToken, "user": map[string]any{"id": "user_01JM9S346Q3D25VT4F5V37E3S3"}})
	w.clock.advance(5*time.Minute + 10*time.Second)
	w.valid(t, sealed)
	w.clock.advance(time.Second)
	w.refused(t, sealed, session.ErrEnded)
}

// The operator's mistake is no expiry: nothing is refreshed, or it would be for ever.
func TestVerifyIssuer(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *options) { o.session.Tokens.Issuers = []string{"https://auth.example.com"} })
	sealed := w.signIn(t, zoe, "")
	w.refused(t, sealed, session.ErrMisconfigured)
	w.clock.advance(time.Hour)
	w.refused(t, sealed, session.ErrMisconfigured)
	w.authKit.wantAsked(t, 0)
	w.valid(t, w.resign(t, sealed, signingKey(), map[string]any{"iss": "https://auth.example.com/", "exp": w.clock.Now().Unix() + 60}))
}

func TestVerifyPreviousPassword(t *testing.T) {
	t.Parallel()
	const next = "the next password, of 32 characters"
	before := start(t, nil)
	sealed := before.signIn(t, zoe, "")
	after, err := session.New(session.Config{
		Cookie: before.Cookie, Tokens: before.Tokens, AuthKit: before.client, Now: before.clock.Now,
		Seal: iron(t, nil, next, password),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := after.Verify(t.Context(), cookies(sealed), false); err != nil {
		t.Fatalf("got %v, want the previous password to open", err)
	}
	before.clock.advance(time.Hour)
	v, err := after.Verify(t.Context(), cookies(sealed), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := iron(t, nil, next).Unseal(v.Current); err != nil {
		t.Errorf("got %v, want a reseal under the new password", err)
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	answer, err := w.authKit.SignIn(iris, "")
	if err != nil {
		t.Fatal(err)
	}
	sealed, id, err := w.SignIn(answer)
	if err != nil {
		t.Fatal(err)
	}
	if id.Email != iris || id.OrganizationID != acmeID || id.Impersonator != "support@example.com" {
		t.Errorf("got %+v, want Iris, impersonated", id)
	}
	if got := w.valid(t, sealed).Identity; !reflect.DeepEqual(got, id) {
		t.Errorf("verified: got %+v, want %+v", got, id)
	}
	for _, bad := range []string{``, `{}`, `{"access_token":"opaque","refresh_token":"r","user":{"id":"user_1"}}`} {
		if sealed, _, err := w.SignIn([]byte(bad)); err == nil || sealed != "" {
			t.Errorf("%s: got %.20q, %v, want an error", bad, sealed, err)
		}
	}
}
