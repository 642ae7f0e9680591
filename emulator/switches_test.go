package emulator

import (
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// kids lists the served key set.
func (e *testServer) kids(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, key := range decode(t, e.get(t, e.url+"/sso/jwks/"+testClient).body)["keys"].([]any) {
		list = append(list, key.(map[string]any)["kid"].(string))
	}
	return list
}

// kid is that of a new session's access token.
func (e *testServer) kid(t *testing.T) string {
	t.Helper()
	return must(jose.ParseSignedCompact(e.signIn(t, zoe, "").AccessToken, []jose.SignatureAlgorithm{jose.RS256})).Signatures[0].Header.KeyID
}

func TestRotateKey(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		body string
		want []string // key set
	}{
		{"with overlap", `{}`, []string{"old", "new"}},
		{"without overlap", `{"drop_old":true}`, []string{"new"}},
		{"signed before it is published", `{"hide_new":true}`, []string{"old"}},
		{"no key left", `{"drop_old":true,"hide_new":true}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := start(t, nil)
			old := e.kid(t)
			rotated := decode(t, e.ask(t, "POST", "/_emulator/keys/rotate", tt.body).body)
			next, _ := rotated["kid"].(string)
			if got := e.kid(t); got != next || next == old || next == "" {
				t.Errorf("got a token of key %s, want the new one, %q", got, next)
			}
			names := strings.NewReplacer(old, "old", next, "new")
			if got, want := names.Replace(strings.Join(e.kids(t), " ")), strings.Join(tt.want, " "); got != want {
				t.Errorf("got key set %s, want %s", got, want)
			}
			e.want(t, "POST", "/_emulator/keys/publish", "", 200, `{}`)
			e.claims(t, e.signIn(t, zoe, "").AccessToken) // the set verifies it
		})
	}
}

func TestKeySetIsBounded(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	for range 12 {
		key, err := rsa.GenerateKey(rand.Reader, 1024) // small, to be quick
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.RotateKey(Rotation{Key: key}); err != nil {
			t.Fatal(err)
		}
	}
	if got := e.kids(t); len(got) != 10 || got[9] != e.kid(t) {
		t.Errorf("got %d keys, want the last 10", len(got))
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	e.want(t, "GET", "/_emulator/settings", "", 200,
		`{"access_token_lifetime":"5m0s","grace_window":"0s","issuer":"","clock_skew":"0s"}`)
	e.want(t, "PATCH", "/_emulator/settings", `{"clock_skew":"-2h","issuer":"https://issuer.example"}`, 200,
		`{"access_token_lifetime":"5m0s","grace_window":"0s","issuer":"https://issuer.example","clock_skew":"-2h0m0s"}`)
	e.want(t, "PATCH", "/_emulator/settings", `{"access_token_lifetime":"10s","grace_window":"30s"}`, 200,
		`{"access_token_lifetime":"10s","grace_window":"30s","issuer":"https://issuer.example","clock_skew":"-2h0m0s"}`)

	first := e.signIn(t, zoe, "")
	got := e.claims(t, first.AccessToken)
	if got["iss"] != "https://issuer.example" || got["iat"] != 1772359200.0 || got["exp"] != 1772359210.0 || got["auth_time"] != 1772359200.0 {
		t.Errorf("got claims %v, want the issuer, and 10s from 10:00:00", got)
	}
	if want := "2026-03-01T10:00:00.000Z"; first.User.LastSignInAt == nil || *first.User.LastSignInAt != want {
		t.Errorf("got last sign-in %v, want %s", first.User.LastSignInAt, want)
	}
	if _, err := e.refresh(t, first.RefreshToken, ""); err != nil {
		t.Fatal(err)
	}
	// The skew is not in the grace window.
	e.ask(t, "PATCH", "/_emulator/settings", `{"clock_skew":"1h","issuer":""}`)
	e.clock.Advance(29 * time.Second)
	second, err := e.refresh(t, first.RefreshToken, "")
	if err != nil {
		t.Fatal(err)
	}
	got = e.claims(t, second.AccessToken)
	if got["iss"] != e.url+"/user_management/client_01TEST" || got["iat"] != 1772370029.0 {
		t.Errorf("got claims %v, want our issuer at 13:00:29", got)
	}
	e.clock.Advance(time.Second)
	_, err = e.refresh(t, first.RefreshToken, "")
	wantRefusal(t, err, 400, "invalid_grant", "Refresh token already exchanged.")
}

func TestSettingsRefuses(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	for body, want := range map[string]string{
		`{"grace_window":"-1s","issuer":"x"}`:                     "GraceWindow",
		`{"access_token_lifetime":"1ms","issuer":"x"}`:            "AccessTokenLifetime",
		`{"clock_skew":"100000h","issuer":"x"}`:                   "ClockSkew",
		`{"issuer":"` + strings.Repeat("x", 2049) + `"}`:          "Issuer",
		`{"issuer":"x","lifetime":"1s"}`:                          "unknown field",
		`{"issuer":"x","grace_window":10}`:                        "cannot unmarshal",
		`{"issuer":"` + strings.Repeat("x", 70_000) + `","x":"x"`: "too large",
	} {
		if got := e.ask(t, "PATCH", "/_emulator/settings", body); got.status != 400 || !strings.Contains(got.body, want) {
			t.Errorf("%.60s: got %d %s, want 400 with %s", body, got.status, got.body, want)
		}
	}
	e.want(t, "GET", "/_emulator/settings", "", 200, `{"access_token_lifetime":"5m0s","grace_window":"0s","issuer":"","clock_skew":"0s"}`)
}

func TestControlNeedsTheKey(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	for _, path := range []string{"faults", "settings", "webhooks"} {
		if got := e.get(t, e.url+"/_emulator/"+path); got.status != 401 || got.body != `{"message":"Unauthorized"}` {
			t.Errorf("%s: got %d %s, want 401", path, got.status, got.body)
		}
	}
	if got := e.post(t, e.url+"/_emulator/keys/rotate", "application/json", `{}`); got.status != 401 {
		t.Errorf("rotate: got %d, want 401", got.status)
	}
}
