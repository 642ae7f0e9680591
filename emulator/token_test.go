package emulator

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// claims verifies an access token with the served key set and gives its claims.
func (e *testServer) claims(t *testing.T, token string) map[string]any {
	t.Helper()
	u, err := e.sdk.GetJWKSURL(testClient)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatal(err)
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := signed.Verify(set)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, string(payload))
}

func TestClaims(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	tests := []struct {
		email, organization string
		want                string // without what changes: iss, sid, jti
	}{
		{paula, "", `{"sub":"user_01JM9S346Q3D25VT4F5V37E3S3","client_id":"client_01TEST",
			"auth_time":1772366400,"iat":1772366400,"exp":1772366700}`},
		{zoe, "", `{"sub":"user_01JE28JT97KB6CQ643DZVMXXQK","client_id":"client_01TEST","auth_time":1772366400,"iat":1772366400,
			"exp":1772366700,"org_id":"org_01JSSZ5AWSH8VHTPRE95B9EE0Z","role":"admin","roles":["admin","billing"],
			"permissions":["reports:read","reports:write","users:manage"],"entitlements":["audit-logs","sso"],
			"feature_flags":["new-reports"]}`},
		{sam, globexID, `{"sub":"user_01JFBF5KZNWJ47TAN9ZT24MNPZ","client_id":"client_01TEST","auth_time":1772366400,"iat":1772366400,
			"exp":1772366700,"org_id":"org_01JBGJ09TQM83XSSSS6YS3C4DW","role":"owner","roles":["owner"],
			"permissions":["reports:read","reports:write"]}`},
		{iris, "", `{"sub":"user_01JX45HY43KWJRP1XPA7Z3DJ8F","client_id":"client_01TEST","auth_time":1772366400,"iat":1772366400,
			"exp":1772366700,"org_id":"org_01JSSZ5AWSH8VHTPRE95B9EE0Z","role":"member","roles":["member"],
			"permissions":["reports:read"],"entitlements":["audit-logs","sso"],"feature_flags":["new-reports"],
			"act":{"sub":"support@example.com"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.email, func(t *testing.T) {
			t.Parallel()
			got := e.claims(t, e.signIn(t, tt.email, tt.organization).AccessToken)
			if want := e.url + "/user_management/client_01TEST"; got["iss"] != want {
				t.Errorf("got issuer %v, want %s", got["iss"], want)
			}
			if sid, _ := got["sid"].(string); len(sid) != 34 || !strings.HasPrefix(sid, "session_01") || got["jti"] == "" {
				t.Errorf("got sid %v, jti %v, want ids", got["sid"], got["jti"])
			}
			maps.DeleteFunc(got, func(name string, _ any) bool { return slices.Contains([]string{"iss", "sid", "jti"}, name) })
			if want := decode(t, tt.want); !reflect.DeepEqual(got, want) {
				t.Errorf("got claims %v, want %v", got, want)
			}
		})
	}
}

func TestJWKS(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	got := e.get(t, e.url+"/sso/jwks/"+testClient)
	keys := decode(t, got.body)["keys"].([]any)
	if got.status != 200 || len(keys) != 1 {
		t.Fatalf("got %d %s, want one key", got.status, got.body)
	}
	key := keys[0].(map[string]any)
	if names := slices.Sorted(maps.Keys(key)); !slices.Equal(names, []string{"alg", "e", "kid", "kty", "n", "use"}) {
		t.Errorf("got members %v, want a public key", names)
	}
	header, err := jose.ParseSignedCompact(e.signIn(t, paula, "").AccessToken, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	if kid := header.Signatures[0].Header.KeyID; key["kid"] != kid || kid == "" || key["alg"] != "RS256" || key["use"] != "sig" {
		t.Errorf("got key %v, want the token's kid %s", key, kid)
	}
	if got := e.get(t, e.url+"/sso/jwks/client_other"); got.status != 404 {
		t.Errorf("got %d for another client, want 404", got.status)
	}
}

// Without a key of the configuration there is a new one, whose kid is its own.
func TestGeneratedKey(t *testing.T) {
	t.Parallel()
	e := start(t, func(c *Config) { c.SigningKey = nil })
	if got := e.claims(t, e.signIn(t, paula, "").AccessToken)["client_id"]; got != testClient {
		t.Errorf("got client_id %v, want %s", got, testClient)
	}
	public := e.keys.set.Keys[0]
	if bits := public.Key.(*rsa.PublicKey).N.BitLen(); bits != 2048 {
		t.Errorf("got %d bits, want 2048", bits)
	}
	if must(newKeys(must(signingKey()))).set.Keys[0].KeyID == public.KeyID {
		t.Error("got one kid for two keys")
	}
}

func TestPathOfBaseURL(t *testing.T) {
	t.Parallel()
	e := start(t, func(c *Config) { c.BaseURL = c.BaseURL.JoinPath("authkit/") })
	if got, want := e.config.issuer(), e.url+"/authkit/user_management/client_01TEST"; got != want {
		t.Errorf("got issuer %s, want %s", got, want)
	}
	if got := e.get(t, e.authorizeURL(t, nil)).body; !strings.Contains(got, `action="/authkit/user_management/authorize?`) {
		t.Error("got forms that post past the prefix")
	}
}

// A JWT template's claims stand beside AuthKit's own, and never in their place.
func TestTemplateClaims(t *testing.T) {
	t.Parallel()
	users, organizations := Seed()
	users[0].Claims = map[string]any{"department": "sales", "teams": []string{"a", "b"}}
	e := start(t, func(c *Config) { c.Users, c.Organizations = users, organizations })
	response, err := e.SignIn(users[0].Email, "")
	if err != nil {
		t.Fatal(err)
	}
	var session struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(response, &session); err != nil {
		t.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(session.AccessToken, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	claims := decode(t, string(payload))
	if claims["sub"] != users[0].ID || claims["department"] != "sales" || len(claims["teams"].([]any)) != 2 {
		t.Errorf("got %s, want the template's claims beside the others", payload)
	}
	users[0].Claims = map[string]any{"role": "admin"}
	if _, err := New(Config{BaseURL: &url.URL{Scheme: "http", Host: "localhost"}, ClientID: "c", APIKey: "k", Users: users, Organizations: organizations}); err == nil || !strings.Contains(err.Error(), "claim role") {
		t.Errorf("AuthKit's own: got %v", err)
	}
}
