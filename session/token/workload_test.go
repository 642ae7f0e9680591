package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func newECKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// ecJWK is a public key as a set has it.
func ecJWK(t testing.TB, id, algorithm string, key *ecdsa.PrivateKey) map[string]any {
	t.Helper()
	encoded, err := (&jose.JSONWebKey{Key: key.Public(), KeyID: id, Algorithm: algorithm}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(encoded, &members); err != nil {
		t.Fatal(err)
	}
	return members
}

// Each key is for one algorithm. AuthKit's are for RS256 alone.
func TestKeysOfKinds(t *testing.T) {
	t.Parallel()
	p256, p384 := newECKey(t, elliptic.P256()), newECKey(t, elliptic.P384())
	set := map[string]any{"keys": []any{
		publicKey("rsa", key1()), ecJWK(t, "ec", "", p256), ecJWK(t, "es256", "ES256", p256), ecJWK(t, "mislabelled", "RS256", p256),
		ecJWK(t, "p384", "", p384), publicKey("rsa for ES256", key1(), map[string]any{"alg": "ES256"}),
		map[string]any{"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
		map[string]any{"kty": "EC", "crv": "P-256", "kid": "no point", "x": "AA", "y": "AA"},
	}}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	for es256, want := range map[bool][]string{false: {"rsa"}, true: {"ec", "es256", "rsa"}} {
		keys, err := parseKeys(text, es256)
		var got []string
		for id := range keys {
			got = append(got, id)
		}
		slices.Sort(got)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("ES256 too: %t: got keys %q, %v, want %q", es256, got, err, want)
		}
	}
	onlyEC, err := json.Marshal(map[string]any{"keys": []any{ecJWK(t, "ec", "", p256)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseKeys(onlyEC, false); err == nil {
		t.Error("got keys of AuthKit's in a set without any for RS256")
	}
}

func TestParseWorkload(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, payload, subject string
		want                   error
	}{
		{"sub alone", `{"sub":"repo:acme/app"}`, "ci:repo:acme/app", nil},
		{"AuthKit's claims of any type", `{"sub":"a","roles":"x","act":1,"email_verified":"true","org_id":[1],"sid":{}}`, "ci:a", nil},
		{"no sub", `{"iss":"x"}`, "", ErrInvalid},
		{"empty", `{"sub":""}`, "", ErrInvalid},
		{"null", `{"sub":null}`, "", ErrInvalid},
		{"a number", `{"sub":1}`, "", ErrInvalid},
		{"a list", `{"sub":["a"]}`, "", ErrInvalid},
		{"a control character", `{"sub":"a\u0000"}`, "", ErrInvalid},
		{"1 KB", `{"sub":"` + strings.Repeat("a", 1024) + `"}`, "ci:" + strings.Repeat("a", 1024), nil},
		{"over 1 KB", `{"sub":"` + strings.Repeat("a", 1025) + `"}`, "", ErrInvalid},
		{"two", `{"sub":"a","sub":"b"}`, "", ErrInvalid},
		{"exp of another type", `{"sub":"a","exp":"tomorrow"}`, "", ErrInvalid},
		{"aud of another type", `{"sub":"a","aud":{}}`, "", ErrInvalid},
		{"no object", `[]`, "", ErrInvalid},
	} {
		for _, raw := range []string{
			sign(t, key1(), "key_1", tt.payload),
			signWith(t, jose.ES256, newECKey(t, elliptic.P256()), map[jose.HeaderKey]any{"kid": "key_1"}, tt.payload),
		} {
			parsed, err := ParseWorkload(raw, "ci")
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
				continue
			}
			if err == nil && parsed.Unverified().Subject != tt.subject {
				t.Errorf("%s: got subject %.20q, want %.20q", tt.name, parsed.Unverified().Subject, tt.subject)
			}
		}
	}
	if _, err := Parse(signWith(t, jose.ES256, newECKey(t, elliptic.P256()), nil, `{"sub":"a"}`)); !errors.Is(err, ErrInvalid) {
		t.Errorf("AuthKit's with ES256: got %v, want ErrInvalid", err)
	}
}

func FuzzParseWorkload(f *testing.F) {
	f.Add([]byte(`{"sub":"repo:acme/app:ref:refs/heads/main","aud":["a"],"exp":1,"repository":"acme/app","kubernetes.io":{"namespace":"x"}}`))
	f.Add([]byte(`{"sub":"x","sid":"session_01","roles":["admin"],"scope":"a b","act":{"sub":"y"},"email":"a@b.example"}`))
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"a"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		parsed, err := ParseWorkload(header+"."+base64.RawURLEncoding.EncodeToString(payload)+".c2ln", "ci")
		if err != nil {
			return
		}
		id := parsed.Unverified().Identity
		if !strings.HasPrefix(id.Subject, "ci:") || id.Extra.IssuedBy() != "ci" {
			t.Errorf("got subject %q of %q, want the issuer's", id.Subject, id.Extra.IssuedBy())
		}
		if id.Email+id.Name+id.SessionID+id.OrganizationID+id.Role+id.Impersonator+id.Extra.Actor != "" || len(id.Roles)+len(id.Permissions)+len(id.Entitlements)+
			len(id.FeatureFlags)+len(id.Extra.Scopes) != 0 || !id.AuthTime.IsZero() {
			t.Errorf("got %+v, want nothing of AuthKit's", id)
		}
	})
}
