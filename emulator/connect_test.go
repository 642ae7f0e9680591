package emulator

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

const (
	warehouse       = "client_01JY2N7TW9YZ5B8D0F2H6K1N3Q"
	warehouseSecret = "emulator_acme_warehouse_P6K2JW8FT3XG"
)

// keySet reads a served key set.
func (e *testServer) keySet(t *testing.T, path string) (set jose.JSONWebKeySet) {
	t.Helper()
	if err := json.Unmarshal([]byte(e.get(t, e.url+path).body), &set); err != nil || len(set.Keys) == 0 {
		t.Fatalf("%s: got %v, error %v, want keys", path, set, err)
	}
	return set
}

// connectClaims verifies a token with Connect's key set, and that it isn't one of sessions.
func (e *testServer) connectClaims(t *testing.T, token string) map[string]any {
	t.Helper()
	signed := must(jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256}))
	if _, err := signed.Verify(e.keySet(t, "/sso/jwks/"+testClient)); err == nil {
		t.Error("got a token of the sessions' keys, want other ones")
	}
	payload, err := signed.Verify(e.keySet(t, "/oauth2/jwks"))
	if err != nil {
		t.Fatal(err)
	}
	claims := decode(t, string(payload))
	if jti, _ := claims["jti"].(string); len(jti) != 26 {
		t.Errorf("got jti %v, want an id", claims["jti"])
	}
	delete(claims, "jti")
	return claims
}

// token asks for a token with changes to the usual form; an empty value removes a parameter.
func (e *testServer) token(t *testing.T, changes map[string]string, header ...string) response {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {warehouse}, "client_secret": {warehouseSecret}}
	for name, value := range changes {
		form.Set(name, value)
		if value == "" {
			form.Del(name)
		}
	}
	req, err := http.NewRequest(http.MethodPost, e.url+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for pair := range slices.Chunk(header, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	return e.do(t, req)
}

func basic(t *testing.T, id, secret string) string {
	t.Helper()
	req := http.Request{Header: http.Header{}}
	req.SetBasicAuth(id, secret)
	return req.Header.Get("Authorization")
}

func TestConnectToken(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	none := map[string]string{"client_id": "", "client_secret": ""}
	tests := []struct {
		name    string
		changes map[string]string
		header  []string
		scope   string
	}{
		{"secret in the body", nil, nil, ""},
		{"with scopes", map[string]string{"scope": "reports:read openid"}, nil, "reports:read openid"},
		{"HTTP Basic", none, []string{"Authorization", basic(t, warehouse, warehouseSecret)}, ""},
		{"HTTP Basic, percent-encoded", none, []string{"Authorization", basic(t, warehouse, strings.ReplaceAll(warehouseSecret, "_", "%5F"))}, ""},
		{"a charset", nil, []string{"Content-Type", "application/x-www-form-urlencoded; charset=UTF-8"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := e.token(t, tt.changes, tt.header...)
			answer := decode(t, got.body)
			token, _ := answer["access_token"].(string)
			delete(answer, "access_token")
			want := map[string]any{"token_type": "bearer", "expires_in": 300.0}
			claims := map[string]any{
				"iss": e.url, "aud": testClient, "sub": warehouse, "client_id": warehouse, "org_id": acmeID,
				"iat": 1772366400.0, "exp": 1772366700.0,
			}
			if tt.scope != "" {
				want["scope"], claims["scope"] = tt.scope, tt.scope
			}
			if got.status != 200 || !reflect.DeepEqual(answer, want) || got.header.Get("Cache-Control") != "no-store" {
				t.Fatalf("got %d %v, want 200 %v", got.status, answer, want)
			}
			if got := e.connectClaims(t, token); !reflect.DeepEqual(got, claims) {
				t.Errorf("got claims %v, want %v", got, claims)
			}
		})
	}
}

func TestConnectTokenRefuses(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	none := func(more ...string) map[string]string {
		changes := map[string]string{"client_id": "", "client_secret": ""}
		for pair := range slices.Chunk(more, 2) {
			changes[pair[0]] = pair[1]
		}
		return changes
	}
	tests := []struct {
		name    string
		changes map[string]string
		header  []string
		status  int
		error   string
	}{
		{"wrong secret", map[string]string{"client_secret": warehouseSecret + "x"}, nil, 401, "invalid_client"},
		{"no secret", map[string]string{"client_secret": ""}, nil, 401, "invalid_client"},
		{"unknown application", map[string]string{"client_id": "client_other"}, nil, 401, "invalid_client"},
		{"the environment's own client", map[string]string{"client_id": testClient, "client_secret": testKey}, nil, 401, "invalid_client"},
		{"no client", none(), nil, 401, "invalid_client"},
		{"wrong secret in HTTP Basic", none(), []string{"Authorization", basic(t, warehouse, "x")}, 401, "invalid_client"},
		{"HTTP Basic with a bad escape", none(), []string{"Authorization", basic(t, warehouse, "%zz")}, 401, "invalid_client"},
		{"another scheme", none(), []string{"Authorization", "Bearer " + warehouseSecret}, 401, "invalid_client"},
		{"both ways", nil, []string{"Authorization", basic(t, warehouse, warehouseSecret)}, 400, "invalid_request"},
		{"no grant type", map[string]string{"grant_type": ""}, nil, 400, "invalid_request"},
		{"another grant type", map[string]string{"grant_type": "password"}, nil, 400, "unsupported_grant_type"},
		{"another grant type, wrong secret", map[string]string{"grant_type": "password", "client_secret": "x"}, nil, 401, "invalid_client"},
		{"a malformed scope", map[string]string{"scope": `read"write`}, nil, 400, "invalid_scope"},
		{"JSON", nil, []string{"Content-Type", "application/json"}, 400, "invalid_request"},
		{"a large body", map[string]string{"scope": strings.Repeat("x", 70_000)}, nil, 400, "invalid_request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := e.token(t, tt.changes, tt.header...)
			answer := decode(t, got.body)
			if got.status != tt.status || answer["error"] != tt.error || answer["error_description"] == "" || answer["access_token"] != nil {
				t.Errorf("got %d %s, want %d %s", got.status, got.body, tt.status, tt.error)
			}
			asks := tt.status == 401 && slices.Contains(tt.header, "Authorization")
			if challenge := got.header.Get("WWW-Authenticate"); strings.HasPrefix(challenge, "Basic ") != asks {
				t.Errorf("got WWW-Authenticate %q, want it only for a wrong Authorization", challenge)
			}
		})
	}
	repeated := "grant_type=client_credentials&client_id=" + warehouse + "&client_secret=" + warehouseSecret + "&scope=a&scope=b"
	if got := e.post(t, e.url+"/oauth2/token", "application/x-www-form-urlencoded", repeated); got.status != 400 {
		t.Errorf("a repeated parameter: got %d, want 400", got.status)
	}
	query := "client_id=" + warehouse + "&client_secret=" + warehouseSecret
	if got := e.post(t, e.url+"/oauth2/token?"+query, "application/x-www-form-urlencoded", "grant_type=client_credentials"); got.status != 401 {
		t.Errorf("a secret in the URL: got %d, want 401", got.status)
	}
}

func TestApplicationGoesWithItsOrganization(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	if err := e.deleteOrganization(acmeID); err != nil {
		t.Fatal(err)
	}
	if got := e.token(t, nil); got.status != 401 || decode(t, got.body)["error"] != "invalid_client" {
		t.Errorf("got %d %s, want 401 invalid_client", got.status, got.body)
	}
}

// ConnectToken signs whatever a test wants, with the rest as it should be.
func TestConnectTokenOfClaims(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	usual := map[string]any{"iss": e.url, "aud": testClient, "client_id": warehouse, "iat": 1772366400.0, "exp": 1772366700.0}
	tests := []struct {
		name   string
		claims map[string]any
		want   map[string]any // beside the usual ones; nil: not there
	}{
		{"an application's", nil, map[string]any{"sub": warehouse, "org_id": acmeID}},
		{"a user's", map[string]any{"sub": samID, "org_id": globexID, "sid": "app_consent_01", "aud": "https://api.example.com", "client_id": "client_app"},
			map[string]any{"sub": samID, "org_id": globexID, "sid": "app_consent_01", "aud": "https://api.example.com", "client_id": "client_app"}},
		{"forged", map[string]any{"iss": "https://evil.example", "exp": nil, "aud": []string{"a", "b"}, "iat": 1},
			map[string]any{"sub": warehouse, "org_id": acmeID, "iss": "https://evil.example", "exp": nil, "aud": []any{"a", "b"}, "iat": 1.0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := maps.Clone(usual)
			maps.Copy(want, tt.want)
			maps.DeleteFunc(want, func(_ string, value any) bool { return value == nil })
			if got := e.connectClaims(t, must(e.ConnectToken(tt.claims))); !reflect.DeepEqual(got, want) {
				t.Errorf("got claims %v, want %v", got, want)
			}
		})
	}
	user := e.connectClaims(t, must(e.ConnectToken(map[string]any{"sub": samID})))
	if sid, _ := user["sid"].(string); !strings.HasPrefix(sid, "app_consent_01") || user["org_id"] != nil {
		t.Errorf("got claims %v, want a consent, and no organization", user)
	}
	if _, err := e.ConnectToken(map[string]any{"bad": make(chan int)}); err == nil {
		t.Error("got a token of a claim that JSON doesn't have, want an error")
	}
}

// The rotation of the sessions' keys leaves Connect's alone.
func TestConnectKeys(t *testing.T) {
	t.Parallel()
	e := start(t, func(c *Config) { c.ConnectSigningKey = nil })
	before := e.keySet(t, "/oauth2/jwks")
	if _, err := e.RotateKey(Rotation{DropOld: true, Key: must(connectSigningKey())}); err != nil {
		t.Fatal(err)
	}
	after := e.keySet(t, "/oauth2/jwks")
	if len(before.Keys) != 1 || len(after.Keys) != 1 || before.Keys[0].KeyID != after.Keys[0].KeyID || !after.Keys[0].IsPublic() {
		t.Errorf("got keys %v, then %v, want the same public one", before, after)
	}
}

func TestConnectMetadata(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	want := `{"authorization_endpoint":"E/oauth2/authorize","code_challenge_methods_supported":["S256"],` +
		`"device_authorization_endpoint":"E/oauth2/device_authorization",` +
		`"grant_types_supported":["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:device_code",` +
		`"urn:ietf:params:oauth:grant-type:token-exchange","client_credentials"],"id_token_signing_alg_values_supported":["RS256"],` +
		`"introspection_endpoint":"E/oauth2/introspection","issuer":"E","jwks_uri":"E/oauth2/jwks","registration_endpoint":"E/oauth2/register",` +
		`"response_modes_supported":["query"],"response_types_supported":["code"],` +
		`"scopes_supported":["openid","profile","email","offline_access"],"subject_types_supported":["public"],"token_endpoint":"E/oauth2/token",` +
		`"token_endpoint_auth_methods_supported":["none","client_secret_post","client_secret_basic"]}`
	for _, at := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		got := e.get(t, e.url+at)
		if want := strings.ReplaceAll(want, `"E`, `"`+e.url); got.status != 200 || got.body != want {
			t.Errorf("%s: got %d %s, want %s", at, got.status, got.body, want)
		}
	}
	under := start(t, func(c *Config) { c.BaseURL = c.BaseURL.JoinPath("authkit") })
	if got := decode(t, under.get(t, under.url+"/.well-known/oauth-authorization-server").body); got["issuer"] != under.url ||
		got["jwks_uri"] != under.url+"/authkit/oauth2/jwks" {
		t.Errorf("got %v, want the issuer without the path", got)
	}
}
