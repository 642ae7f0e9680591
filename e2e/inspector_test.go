package e2e

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
)

// A page of another origin in a real browser, such as MCP Inspector, reads the challenges and finds AuthKit. Preflights are the app's to
// answer, and what the service answers has its own CORS headers.
func TestChallengesInBrowser(t *testing.T) {
	t.Parallel()
	each(t, resourceGateways(t), func(t *testing.T, g gateway) {
		page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<!doctype html><title>Inspector</title>"))
		}))
		t.Cleanup(page.Close)
		app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", page.URL)
			w.Header().Set("Access-Control-Allow-Headers", "authorization, content-type, mcp-protocol-version")
		}))
		t.Cleanup(app.Close)
		s := newSite(t, g)
		s.at.app = app.Listener.Addr().String()
		s.startAuthKit(t)
		resource := s.origin + "/mcp"
		s.registerResource(t, resource)
		policy := filepath.Join(t.TempDir(), "policy.yaml")
		writeFile(t, policy, []byte(`default: authenticated
rules:
  - {name: write, hosts: [localhost], paths: [/mcp/write], resource: "`+resource+`", require: {scopes: {all: [files:read, files:write]}}}
  - {name: files, hosts: [localhost], paths: [/mcp], resource: "`+resource+`", require: {scopes: [files:read]}}
  - {name: icon, paths: [/favicon.ico], allow: public}
`))
		s.open(t, g, "POLICY_FILE="+policy, "AUTHKIT_DOMAIN="+s.api)
		token, err := s.authKit.ConnectToken(map[string]any{"sub": zoeID, "aud": resource, "scope": "files:read"})
		if err != nil {
			t.Fatal(err)
		}

		type called struct {
			Status    int    `json:"status"`
			Challenge string `json:"challenge"`
		}
		var got struct {
			Denied   called `json:"denied"`
			Resource string `json:"resource"`
			Issuer   string `json:"issuer"`
			Allowed  called `json:"allowed"`
			More     called `json:"more"`
		}
		s.chromium(t, "inspector", map[string]any{"page": page.URL, "resource": resource, "token": token}, &got)

		metadata := `resource_metadata="` + s.origin + `/.well-known/oauth-protected-resource/mcp"`
		if want := (called{401, `Bearer ` + metadata + `, scope="files:read"`}); got.Denied != want {
			t.Errorf("without a token: got %v, want %v", got.Denied, want)
		}
		if got.Resource != resource || got.Issuer != s.api {
			t.Errorf("metadata: got %s and %s, want %s and %s", got.Resource, got.Issuer, resource, s.api)
		}
		if want := (called{Status: 200}); got.Allowed != want {
			t.Errorf("with a token: got %v, want %v", got.Allowed, want)
		}
		want := called{403, `Bearer error="insufficient_scope", error_description="more scopes are required", ` + metadata + `, scope="files:read files:write"`}
		if got.More != want {
			t.Errorf("a scope is missing: got %v, want %v", got.More, want)
		}
	})
}
