package server

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An agent's API key passes only where a rule says so, from memory too; and WorkOS is asked again once its agent's registration ends.
func TestAgentsKey(t *testing.T) {
	t.Parallel()
	w := newResourceWorld(t, "WORKOS_WEBHOOK_SECRET", secretKey)
	try := func(path, key string, want int) {
		t.Helper()
		for range 2 {
			status, _, header := w.request(t, path, "X-API-Key: "+key)
			if status != want || status == 200 && key == agentKey && header.Get("X-Auth-Request-Actor") != agentID {
				t.Errorf("%s with %s: got %d %q, want %d", path, key, status, header.Get("X-Auth-Request-Actor"), want)
			}
		}
	}
	try("/agents", agentKey, 200)
	try("/keys", agentKey, 403)
	try("/keys", acmeKey, 200)
	if got := w.authKit.Calls()["api_keys.validate"]; got != 2 {
		t.Errorf("got %d validations, want 2", got)
	}
	event := fmt.Sprintf(`{"id":"event_1","event":"agent.registration.revoked","data":{"agent_registration_id":%q},"created_at":%q}`, agentID, time.Now().UTC().Format(time.RFC3339Nano))
	if got := w.deliver(t, secretKey, event); got.Code != 200 {
		t.Errorf("got %d, want 200", got.Code)
	}
	if err := w.authKit.DeleteAPIKey("api_key_01JY2M7TX9YZ5B8D0F2H6K1N3Q"); err != nil { // as WorkOS does with the registration
		t.Fatal(err)
	}
	try("/agents", agentKey, 401)
	try("/keys", acmeKey, 200)
	if got := w.authKit.Calls()["api_keys.validate"]; got != 3 {
		t.Errorf("got %d validations, want 3: one more of the agent's key alone", got)
	}
}

const resourcePolicy = `
default: authenticated
rules:
  - name: files
    hosts: [localhost]
    paths: [/mcp, /mcp/**]
    resource: {url: "http://localhost:3000/mcp", name: Files, documentation: https://docs.example.com/, scopes: [files:read]}
    require: {scopes: [files:read]}
  - name: machines
    hosts: [localhost]
    paths: [/jobs]
    resource: http://localhost:3000/jobs
    m2m: allow
  - name: keys
    hosts: [localhost]
    paths: [/keys]
    resource: http://localhost:3000/keys
    credentials: [bearer, api_key]
  - name: agents
    hosts: [localhost]
    paths: [/agents]
    resource: http://localhost:3000/agents
    credentials: [bearer, api_key]
    agents: allow
`

func newResourceWorld(t *testing.T, pairs ...string) *world {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(resourcePolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	return newWorld(t, append([]string{"POLICY_FILE", file, "AUTHKIT_DOMAIN", "AUTHKIT", "GATEWAY", "traefik"}, pairs...)...).ready(t)
}

// Clients learn of a resource without a credential, and nothing that they learn is made of the request.
func TestResourceMetadata(t *testing.T) {
	t.Parallel()
	w := newResourceWorld(t)
	get := func(method, host, path string) *httptest.ResponseRecorder {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), method, "http://"+host+path, nil)
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set("X-Forwarded-Host", "evil.example")
		a := httptest.NewRecorder()
		w.Handler().ServeHTTP(a, r)
		return a
	}
	const at = "/.well-known/oauth-protected-resource"
	domain := w.config.AuthKitDomain.String()
	files := `{"resource":"http://localhost:3000/mcp","authorization_servers":["` + domain + `"],"bearer_methods_supported":["header"],` +
		`"scopes_supported":["files:read"],"resource_name":"Files","resource_documentation":"https://docs.example.com/"}`
	jobs := `{"resource":"http://localhost:3000/jobs","authorization_servers":["` + domain + `"],"bearer_methods_supported":["header"]}`
	for _, tt := range []struct {
		method, host, path string
		status             int
		body               string
	}{
		{"GET", "localhost:3000", at + "/mcp", 200, files},
		{"GET", "localhost:3000", at + "/mcp/", 200, files},
		{"GET", "localhost:3000", at + "/jobs", 200, jobs},
		{"GET", "localhost:3000", at, 404, ""}, // two resources, none without a path
		{"GET", "localhost:3000", at + "/mcp/x", 404, ""},
		{"GET", "localhost:3000", at + "/%6dcp", 404, ""},
		{"GET", "evil.example", at + "/mcp", 404, ""},
		{"OPTIONS", "localhost:3000", at + "/mcp", 204, ""},
		{"POST", "localhost:3000", at + "/mcp", 405, ""},
	} {
		a := get(tt.method, tt.host, tt.path)
		if a.Code != tt.status || tt.body != "" && a.Body.String() != tt.body || a.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s %s%s: got %d %s %v, want %d %s", tt.method, tt.host, tt.path, a.Code, a.Body, a.Header(), tt.status, tt.body)
		}
		if strings.Contains(a.Body.String(), "evil") {
			t.Errorf("got the request's host in %s", a.Body)
		}
	}
	if h := get("GET", "localhost:3000", at+"/mcp").Header(); h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("got %v, want JSON that may be kept for five minutes", h)
	}
	if a := ask(t, newWorld(t).Handler(), "GET", at, ""); a.Code != 404 {
		t.Errorf("without resources: got %d, want 404", a.Code)
	}
}

// From a 401 to a token that AuthKit's authorization server has made, and its keys.
func TestResourceTokens(t *testing.T) {
	t.Parallel()
	w := newResourceWorld(t)
	domain := w.config.AuthKitDomain.String()
	token := func(change map[string]any) string {
		all := map[string]any{"iss": domain, "sub": "user_01ZOE", "aud": "http://localhost:3000/mcp", "scope": "files:read", "client_id": "https://client.example/"}
		for name, value := range change {
			all[name] = value
		}
		return w.connectToken(t, all)
	}
	for _, tt := range []struct {
		name, path, token string
		status            int
		reason            string
	}{
		{"none", "/mcp", "", 401, "no_credential"},
		{"made for it", "/mcp", token(nil), 200, ""},
		{"made for another", "/mcp", token(map[string]any{"aud": "http://localhost:3000/jobs"}), 401, "bad_credential"},
		{"at another", "/jobs", token(nil), 401, "bad_credential"},
		{"for the client id", "/mcp", token(map[string]any{"aud": "client_01ABC"}), 401, "audience_is_client_id"},
		{"without the scope", "/mcp", token(map[string]any{"scope": "files:write"}), 403, "forbidden"},
		{"a session's", "/mcp", w.accessToken(t, zoe, ""), 401, "bad_credential"},
		{"a machine's", "/jobs", token(map[string]any{"sub": "client_01M", "client_id": "client_01M", "sid": nil, "aud": "client_01ABC"}), 200, ""},
		{"a machine's, where none is allowed", "/mcp", token(map[string]any{"sub": "client_01M", "client_id": "client_01M", "sid": nil, "aud": "client_01ABC"}), 401, "bad_credential"},
	} {
		line := ""
		if tt.token != "" {
			line = "Authorization: Bearer " + tt.token
		}
		status, reason, header := w.request(t, tt.path, line)
		if status != tt.status || reason != tt.reason {
			t.Errorf("%s: got %d %s, want %d %s", tt.name, status, reason, tt.status, tt.reason)
		}
		if challenge := header.Get("WWW-Authenticate"); status == 401 && !strings.Contains(challenge, `resource_metadata="http://localhost:3000/.well-known/oauth-protected-resource`+tt.path+`"`) {
			t.Errorf("%s: got challenge %s, want where the metadata is", tt.name, challenge)
		}
	}
	_, _, header := w.request(t, "/mcp", "Authorization: Bearer "+token(nil))
	if header.Get("X-Auth-Request-Scopes") != "files:read" || header.Get("X-Auth-Request-Client") != "https://client.example/" || header.Get("X-Auth-Request-User") != "user_01ZOE" {
		t.Errorf("got %v, want user, client and scopes", header)
	}
}
