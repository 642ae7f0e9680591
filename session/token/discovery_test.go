package token

import (
	"strings"
	"testing"
)

func TestKeysOf(t *testing.T) {
	t.Parallel()
	const issuer = "https://idp.example.com/tenant"
	for _, tt := range []struct{ name, metadata, issuer, want, err string }{
		{"on its own host", `{"issuer":"https://idp.example.com/tenant","jwks_uri":"https://idp.example.com/keys"}`, issuer, "https://idp.example.com/keys", ""},
		{"on another host", `{"issuer":"https://idp.example.com/tenant","jwks_uri":"https://keys.example.net/keys?v=2"}`, issuer, "https://keys.example.net/keys?v=2", ""},
		{"loopback of one on loopback", `{"issuer":"http://127.0.0.1:1","jwks_uri":"http://localhost:2/keys"}`, "http://127.0.0.1:1", "http://localhost:2/keys", ""},
		{"loopback of another", `{"issuer":"https://idp.example.com/tenant","jwks_uri":"http://127.0.0.1:2/keys"}`, issuer, "", "is not https"},
		{"http", `{"issuer":"https://idp.example.com/tenant","jwks_uri":"http://idp.example.com/keys"}`, issuer, "", "is not https"},
		{"http of another host, of one on loopback", `{"issuer":"http://127.0.0.1:1","jwks_uri":"http://127.0.0.1.example.com/keys"}`, "http://127.0.0.1:1", "", "is not https"},
		{"a file", `{"issuer":"https://idp.example.com/tenant","jwks_uri":"file:///etc/passwd"}`, issuer, "", "is no URL to use"},
		{"with a user", `{"issuer":"https://idp.example.com/tenant","jwks_uri":"https://a:b@idp.example.com/keys"}`, issuer, "", "is no URL to use"},
		{"relative", `{"issuer":"https://idp.example.com/tenant","jwks_uri":"/keys"}`, issuer, "", "is no URL to use"},
		{"none", `{"issuer":"https://idp.example.com/tenant"}`, issuer, "", "no jwks_uri"},
		{"of another type", `{"issuer":"https://idp.example.com/tenant","jwks_uri":["https://idp.example.com/keys"]}`, issuer, "", "no jwks_uri"},
		{"another issuer", `{"issuer":"https://idp.example.com","jwks_uri":"https://idp.example.com/keys"}`, issuer, "", "it calls itself"},
		{"a slash at the end", `{"issuer":"https://idp.example.com/tenant/","jwks_uri":"https://idp.example.com/keys"}`, issuer, "", "it calls itself"},
		{"capital letters", `{"issuer":"https://IDP.example.com/tenant","jwks_uri":"https://idp.example.com/keys"}`, issuer, "", "it calls itself"},
		{"no issuer", `{"jwks_uri":"https://idp.example.com/keys"}`, issuer, "", "it calls itself"},
		{"two issuers", `{"issuer":"https://evil.example","issuer":"https://idp.example.com/tenant","jwks_uri":"https://idp.example.com/keys"}`, issuer, "", "different names"},
		{"no JSON", `<html>`, issuer, "", "not a JSON object"},
		{"null", `null`, issuer, "", "it calls itself"},
	} {
		got, err := keysOf([]byte(tt.metadata), tt.issuer)
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: got %q, %v, want %q, %q", tt.name, got, err, tt.want, tt.err)
		}
	}
}

func FuzzKeysOf(f *testing.F) {
	f.Add([]byte(`{"issuer":"https://idp.example.com","jwks_uri":"https://idp.example.com/keys"}`))
	f.Add([]byte(`{"issuer":"https://idp.example.com","jwks_uri":"http://127.0.0.1/keys"}`))
	f.Fuzz(func(t *testing.T, metadata []byte) {
		if keys, err := keysOf(metadata, "https://idp.example.com"); err == nil && !strings.HasPrefix(strings.ToLower(keys), "https://") {
			t.Errorf("got keys from %q, want https", keys)
		}
	})
}
