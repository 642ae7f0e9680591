package token

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

// start is when the clock of most tests stands.
const start = 1_800_000_000

func TestVerifyFixture(t *testing.T) {
	t.Parallel()
	fixture := readFixture(t)
	server := newKeyServer(t, body(string(fixture.JWKS)))
	want := Claims{
		Identity: identity.Identity{
			Subject: "user_01VECTORS", SessionID: "session_01VECTORS", OrganizationID: "org_01VECTORS", Role: "admin", Roles: []string{"admin"},
			Permissions: []string{"posts:read", "posts:write"}, Entitlements: []string{"audit-logs"}, FeatureFlags: []string{"beta"},
		},
		ID: "01VECTORSJTI", Issuer: "https://api.workos.com/user_management/client_01VECTORS", IssuedAt: time.Unix(1764000000, 0),
	}
	tests := []struct {
		name, raw string
		exp       int64
		want      error
	}{
		{"valid until 2100", fixture.Valid, 4102444800, nil},
		{"expired in 2025", fixture.Expired, 1764000300, ErrExpired},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v := &Verifier{Keys: &KeySet{URL: server.url}, ClientID: "client_01VECTORS", Now: newClock(start).Now}
			got, err := parseAndVerify(t.Context(), v, test.raw)
			if !errors.Is(err, test.want) || got == nil {
				t.Fatalf("got %v, %v, want claims and %v", got, err, test.want)
			}
			want := want
			want.ExpiresAt = time.Unix(test.exp, 0)
			if !reflect.DeepEqual(*got, want) {
				t.Errorf("got %+v, want %+v", *got, want)
			}
		})
	}
}

func TestVerifyClaims(t *testing.T) {
	t.Parallel()
	server := newKeyServer(t, keySet(publicKey("key_1", key1())))
	keys := &KeySet{URL: server.url, Now: newClock(start).Now}
	tests := []struct {
		name, payload string
		issuers       []string
		want          error
		claims        bool // come with the error
	}{
		{name: "sub and exp alone", payload: `{"sub":"user_1","exp":1800000300}`, claims: true},
		{name: "no sub", payload: `{"exp":1800000300}`, want: ErrInvalid},
		{name: "empty sub", payload: `{"sub":"","exp":1800000300}`, want: ErrInvalid},
		{name: "no exp", payload: `{"sub":"user_1"}`, want: ErrInvalid},
		{name: "null exp", payload: `{"sub":"user_1","exp":null}`, want: ErrInvalid},
		{name: "exp as text", payload: `{"sub":"user_1","exp":"1800000300"}`, want: ErrInvalid},
		{name: "exp beyond every clock", payload: `{"sub":"user_1","exp":1e300}`, want: ErrInvalid},
		{name: "expires now", payload: `{"sub":"user_1","exp":1800000000}`, claims: true},
		{name: "expired 10 s ago", payload: `{"sub":"user_1","exp":1799999990}`, claims: true},
		{name: "expired 11 s ago", payload: `{"sub":"user_1","exp":1799999989}`, want: ErrExpired, claims: true},
		{name: "expired in 1970", payload: `{"sub":"user_1","exp":0}`, want: ErrExpired, claims: true},
		{name: "valid in 10 s", payload: `{"sub":"user_1","exp":1800000300,"nbf":1800000010}`, claims: true},
		{name: "valid in 11 s", payload: `{"sub":"user_1","exp":1800000300,"nbf":1800000011}`, want: ErrInvalid},
		{name: "this client", payload: `{"sub":"user_1","exp":1800000300,"client_id":"client_1"}`, claims: true},
		{name: "another client", payload: `{"sub":"user_1","exp":1800000300,"client_id":"client_2"}`, want: ErrInvalid},
		{name: "another client, and expired", payload: `{"sub":"user_1","exp":1,"client_id":"client_2"}`, want: ErrInvalid},
		{name: "another client with this audience", payload: `{"sub":"user_1","exp":1800000300,"client_id":"client_2","aud":"client_1"}`, want: ErrInvalid},
		{name: "this client with a template's audience", payload: `{"sub":"user_1","exp":1800000300,"client_id":"client_1","aud":"https://api.example.com"}`, claims: true},
		{name: "this audience alone", payload: `{"sub":"user_1","exp":1800000300,"aud":"client_1"}`, claims: true},
		{name: "this audience among others", payload: `{"sub":"user_1","exp":1800000300,"aud":["client_2","client_1"]}`, claims: true},
		{name: "another audience alone", payload: `{"sub":"user_1","exp":1800000300,"aud":"client_2"}`, want: ErrInvalid},
		{name: "another audience, empty client", payload: `{"sub":"user_1","exp":1800000300,"client_id":"","aud":["client_2"]}`, want: ErrInvalid},
		{name: "client as a list", payload: `{"sub":"user_1","exp":1800000300,"client_id":["client_1"]}`, want: ErrInvalid},
		{name: "roles as text", payload: `{"sub":"user_1","exp":1800000300,"roles":"admin"}`, want: ErrInvalid},
		{name: "any issuer", payload: `{"sub":"user_1","exp":1800000300,"iss":"https://evil.example"}`, claims: true},
		{name: "configured issuer", payload: `{"sub":"user_1","exp":1800000300,"iss":"https://api.workos.com"}`,
			issuers: []string{"https://auth.example.com", "https://api.workos.com"}, claims: true},
		{name: "issuer with a slash", payload: `{"sub":"user_1","exp":1800000300,"iss":"https://api.workos.com/"}`,
			issuers: []string{"https://api.workos.com"}, claims: true},
		{name: "issuer configured with a slash", payload: `{"sub":"user_1","exp":1800000300,"iss":"https://api.workos.com"}`,
			issuers: []string{"https://api.workos.com/"}, claims: true},
		{name: "another issuer", payload: `{"sub":"user_1","exp":1800000300,"iss":"https://api.workos.com/user_management/client_1"}`,
			issuers: []string{"https://api.workos.com"}, want: ErrIssuer, claims: true},
		{name: "no issuer, one configured", payload: `{"sub":"user_1","exp":1800000300}`,
			issuers: []string{"https://api.workos.com"}, want: ErrIssuer, claims: true},
		{name: "another issuer, and expired", payload: `{"sub":"user_1","exp":1,"iss":"https://evil.example"}`,
			issuers: []string{"https://api.workos.com"}, want: ErrIssuer, claims: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v := &Verifier{Keys: keys, ClientID: "client_1", Issuers: test.issuers, Now: newClock(start).Now}
			got, err := parseAndVerify(t.Context(), v, sign(t, key1(), "key_1", test.payload))
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if (got != nil) != test.claims {
				t.Errorf("got claims %v, want any: %t", got, test.claims)
			}
		})
	}
}

// The access tokens of Connect: OAuth and M2M applications.
func TestVerifyAudiences(t *testing.T) {
	t.Parallel()
	server := newKeyServer(t, keySet(publicKey("key_1", key1())))
	keys := &KeySet{URL: server.url, Now: newClock(start).Now}
	issuers := []string{"https://auth.example.com"}
	tests := []struct {
		name, claims string // besides sub and exp
		issuers      []string
		want         error
	}{
		{"a resource, for an application", `"iss":"https://auth.example.com","aud":"https://api.example.com","client_id":"client_2"`, issuers, nil},
		{"the environment, without a client", `"iss":"https://auth.example.com/","aud":["other","client_1"]`, issuers, nil},
		{"no audience", `"iss":"https://auth.example.com"`, issuers, ErrInvalid},
		{"null audience", `"iss":"https://auth.example.com","aud":null,"client_id":"client_1"`, issuers, ErrInvalid},
		{"empty audience", `"iss":"https://auth.example.com","aud":[],"client_id":"client_1"`, issuers, ErrInvalid},
		{"another audience", `"iss":"https://auth.example.com","aud":"https://other.example.com","client_id":"client_1"`, issuers, ErrInvalid},
		{"audience with a slash", `"iss":"https://auth.example.com","aud":"https://api.example.com/"`, issuers, ErrInvalid},
		{"another issuer", `"iss":"https://evil.example","aud":"https://api.example.com"`, issuers, ErrIssuer},
		{"no issuer", `"aud":"https://api.example.com"`, issuers, ErrIssuer},
		{"no issuer is configured", `"iss":"https://auth.example.com","aud":"https://api.example.com"`, nil, ErrIssuer},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v := &Verifier{Keys: keys, Audiences: []string{"https://api.example.com", "client_1"}, Issuers: test.issuers, Now: newClock(start).Now}
			_, err := parseAndVerify(t.Context(), v, sign(t, key1(), "key_1", `{"sub":"user_1","exp":1800000300,`+test.claims+`}`))
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestVerifySignature(t *testing.T) {
	t.Parallel()
	const payload = `{"sub":"user_1","exp":1800000300}`
	server := newKeyServer(t, keySet(publicKey("key_1", key1())))
	good := sign(t, key1(), "key_1", payload)
	parts := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	der, err := x509.MarshalPKIXPublicKey(key1().Public())
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	kid := map[jose.HeaderKey]any{"kid": "key_1"}
	tests := []struct {
		name, raw string
		want      error
	}{
		{"good", good, nil},
		{"of another key", sign(t, key2(), "key_1", payload), ErrInvalid},
		{"of another token", parts[0] + "." + b64([]byte(`{"sub":"user_2","exp":1800000300}`)) + "." + parts[2], ErrInvalid},
		{"changed", parts[0] + "." + parts[1] + ".A" + parts[2][1:] + "AAAA", ErrInvalid},
		{"missing", parts[0] + "." + parts[1] + ".", ErrInvalid},
		{"expired, of another key", sign(t, key2(), "key_1", `{"sub":"user_1","exp":1}`), ErrInvalid},
		{"alg none", b64([]byte(`{"alg":"none","kid":"key_1"}`)) + "." + parts[1] + ".", ErrInvalid},
		{"HS256 with the public key", signWith(t, jose.HS256, publicPEM, kid, payload), ErrInvalid},
		{"HS256 with the public key in DER", signWith(t, jose.HS256, der, kid, payload), ErrInvalid},
		{"RS512 with the right key", signWith(t, jose.RS512, key1(), kid, payload), ErrInvalid},
		{"PS256 with the right key", signWith(t, jose.PS256, key1(), kid, payload), ErrInvalid},
		{"no key id", signWith(t, jose.RS256, key1(), nil, payload), ErrInvalid},
		{"endless key id", sign(t, key1(), strings.Repeat("k", 257), payload), ErrInvalid},
		{"another key id", sign(t, key1(), "key_2", payload), ErrUnknownKey},
		{"a key of its own", signWith(t, jose.RS256, key2(), map[jose.HeaderKey]any{"kid": "key_1",
			"jwk": jose.JSONWebKey{Key: key2().Public()}}, payload), ErrInvalid},
		{"unknown critical header", signWith(t, jose.RS256, key1(), map[jose.HeaderKey]any{"kid": "key_1",
			"crit": []string{"urn:x"}, "urn:x": 1}, payload), ErrInvalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			clock := newClock(start)
			v := &Verifier{Keys: &KeySet{URL: server.url, Now: clock.Now}, ClientID: "client_1", Now: clock.Now}
			got, err := parseAndVerify(t.Context(), v, test.raw)
			if !errors.Is(err, test.want) || (got != nil) != (test.want == nil) {
				t.Errorf("got %v, %v, want %v", got, err, test.want)
			}
		})
	}
}

func TestVerifyErrorHoldsNoToken(t *testing.T) {
	t.Parallel()
	server := newKeyServer(t, keySet(publicKey("key_1", key1())))
	good := sign(t, key1(), "key_1", `{"sub":"user_1","exp":1800000300}`)
	parts := strings.Split(good, ".")
	for _, raw := range []string{
		good[:len(good)-2], "x" + good, good + ".x", parts[0] + ".c2VjcmV0." + parts[2],
		sign(t, key1(), "key_1", `{"sub":"user_1","exp":"secret"}`),
		sign(t, key1(), "key_1", `{"secret":1,"secret":2}`),
	} {
		v := &Verifier{Keys: &KeySet{URL: server.url}, ClientID: "client_1", Now: newClock(start).Now}
		_, err := parseAndVerify(t.Context(), v, raw)
		if err == nil {
			t.Fatalf("%s: got no error", raw)
		}
		for _, part := range append(parts, "secret") {
			if strings.Contains(err.Error(), part) {
				t.Errorf("got %q, want nothing of the token in it", err)
			}
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	fixture := readFixture(b)
	server := newKeyServer(b, body(string(fixture.JWKS)))
	v := &Verifier{Keys: &KeySet{URL: server.url}, ClientID: "client_01VECTORS"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseAndVerify(b.Context(), v, fixture.Valid); err != nil {
			b.Fatal(err)
		}
	}
}
