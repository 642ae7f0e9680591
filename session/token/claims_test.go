package token

import (
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

func unsigned(payload string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	return b64([]byte(`{"alg":"RS256","kid":"key_1"}`)) + "." + b64([]byte(payload)) + ".c2lnbmF0dXJl"
}

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		payload string
		want    Claims
	}{
		{"every claim", `{
			"sub":"user_1","sid":"session_1","jti":"01J","iss":"https://api.workos.com","client_id":"client_1","aud":"client_1",
			"org_id":"org_1","role":"admin","roles":["admin","owner"],"permissions":["posts:read"],"entitlements":["audit-logs"],
			"feature_flags":["beta"],"act":{"sub":"admin@foocorp.com"},"iat":1764000000,"nbf":1764000001,"exp":1764000300,
			"auth_time":1763999999}`,
			Claims{
				Identity: identity.Identity{
					Subject: "user_1", SessionID: "session_1", OrganizationID: "org_1", Role: "admin", Roles: []string{"admin", "owner"},
					Permissions: []string{"posts:read"}, Entitlements: []string{"audit-logs"}, FeatureFlags: []string{"beta"},
					Impersonator: "admin@foocorp.com", AuthTime: time.Unix(1763999999, 0),
				},
				ID: "01J", Issuer: "https://api.workos.com", ClientID: "client_1", Audience: []string{"client_1"},
				IssuedAt: time.Unix(1764000000, 0), NotBefore: time.Unix(1764000001, 0), ExpiresAt: time.Unix(1764000300, 0),
			}},
		{"no claim", `{}`, Claims{}},
		{"every claim null", `{"sub":null,"sid":null,"jti":null,"iss":null,"client_id":null,"aud":null,"org_id":null,"role":null,
			"roles":null,"permissions":null,"entitlements":null,"feature_flags":null,"act": null ,"iat":null,"nbf":null,"exp": null,
			"auth_time":null}`, Claims{}},
		{"claims of a template", `{"sub":"user_1","urn:plan":{"name":"pro"},"email":7,"email_verified":true}`, Claims{Identity: identity.Identity{Subject: "user_1"}}},
		{"names in another case", `{"sub":"user_1","ROLE":"admin","Sub":"user_2"}`, Claims{Identity: identity.Identity{
			Subject: "user_1", Extra: identity.NewExtra(map[string][]string{"ROLE": {"admin"}, "Sub": {"user_2"}})}}},
		{"several audiences", `{"aud":["a","b"]}`, Claims{Audience: []string{"a", "b"}}},
		{"fraction of a second", `{"exp":1764000300.9}`, Claims{ExpiresAt: time.Unix(1764000300, 0)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := decode(unsigned(test.payload))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, test.want) {
				t.Errorf("got %+v, want %+v", *got, test.want)
			}
		})
	}
}

func TestParseWrongType(t *testing.T) {
	t.Parallel()
	for claim, value := range map[string]string{
		"sub": `1`, "sid": `{}`, "jti": `[]`, "iss": `["https://api.workos.com"]`, "client_id": `["client_1"]`, "aud": `7`,
		"org_id": `["org_1"]`, "role": `["admin"]`, "roles": `"admin"`, "permissions": `{"a":1}`, "entitlements": `"audit-logs"`,
		"feature_flags": `[1]`, "act": `"admin@foocorp.com"`, "iat": `"1764000000"`, "nbf": `true`, "exp": `1e300`, "auth_time": `{}`,
	} {
		got, err := decode(unsigned(`{"` + claim + `":` + value + `}`))
		if !errors.Is(err, ErrInvalid) || got != nil {
			t.Errorf("%s as %s: got %v, %v, want ErrInvalid", claim, value, got, err)
		} else if !strings.Contains(err.Error(), "claim "+claim+" ") {
			t.Errorf("%s as %s: got %q, want the claim's name in it", claim, value, err)
		}
	}
}

func TestParseMalformed(t *testing.T) {
	t.Parallel()
	good := unsigned(`{"sub":"user_1"}`)
	parts := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	tests := []struct{ name, raw string }{
		{"empty", ""},
		{"two parts", parts[0] + "." + parts[1]},
		{"four parts", good + ".x"},
		{"no payload", parts[0] + ".." + parts[2]},
		{"no header", "." + parts[1] + "." + parts[2]},
		{"header isn't JSON", "e30x." + parts[1] + "." + parts[2]},
		{"standard base64", parts[0] + "." + parts[1] + ".+/+/"},
		{"padded base64", parts[0] + "." + parts[1] + ".YQ=="},
		{"line end", parts[0] + "." + parts[1] + "\n." + parts[2]},
		{"space", " " + good},
		{"JSON serialization", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`},
		{"alg none", b64([]byte(`{"alg":"none","kid":"key_1"}`)) + "." + parts[1] + "."},
		{"alg HS256", b64([]byte(`{"alg":"HS256","kid":"key_1"}`)) + "." + parts[1] + "." + parts[2]},
		{"no alg", b64([]byte(`{"kid":"key_1"}`)) + "." + parts[1] + "." + parts[2]},
		{"two algs", b64([]byte(`{"alg":"RS256","alg":"none","kid":"key_1"}`)) + "." + parts[1] + "." + parts[2]},
		{"claims are null", unsigned(`null`)},
		{"claims are a list", unsigned(`[]`)},
		{"claims and more", unsigned(`{"sub":"user_1"}{}`)},
		{"an impersonator without a name", unsigned(`{"sub":"user_1","act":{}}`)},
		{"a claim twice", unsigned(`{"sub":"user_1","sub":"user_2"}`)},
		{"over 32 KiB", unsigned(`{"sub":"` + strings.Repeat("x", 32<<10) + `"}`)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got, err := decode(test.raw); !errors.Is(err, ErrInvalid) || got != nil {
				t.Errorf("got %v, %v, want ErrInvalid", got, err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	fixture := readFixture(f)
	f.Add(fixture.Valid)
	f.Add(fixture.Expired)
	f.Add(unsigned(`{}`))
	f.Add(`{"sub":"user_1","aud":["a"],"exp":1e9,"act":{"sub":null},"roles":[null]}`)
	f.Add(`{"exp":1e400,"roles":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, raw := range []string{text, unsigned(text)} { // as a token, and as the claims of one
			if claims, err := decode(raw); (claims == nil) == (err == nil) || err != nil && !errors.Is(err, ErrInvalid) {
				t.Errorf("got %v, %v, want claims or ErrInvalid", claims, err)
			}
		}
	})
}
