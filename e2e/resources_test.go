package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// resourceLines are the blocks of docs/resources.md in that language.
func resourceLines(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "resources.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)\n```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, m[1])
	}
	if blocks == nil {
		t.Fatalf("docs/resources.md: got no %s", language)
	}
	return blocks
}

func lastOf(blocks []string) string { return blocks[len(blocks)-1] }

// resourceGateways are the examples with the lines of docs/resources.md.
func resourceGateways(t *testing.T) []gateway {
	t.Helper()
	nginx, haproxy := resourceLines(t, "nginx"), strings.Split(resourceLines(t, "haproxy")[0], "\n")
	const protect = "        include authkit/protect.conf;\n        include app.conf;\n    }\n\n    # For admins"
	return []gateway{
		editedExample("nginx", []edit{
			{"localhost.conf", "    include authkit/server.conf;\n", "    include authkit/server.conf;\n" + nginx[0]},
			{"localhost.conf", protect, strings.Replace(protect, "    }\n", nginx[1]+"    }\n", 1)},
		}),
		editedExample("traefik", []edit{
			{"dynamic.yml", "  routers:\n", "  routers:\n" + lastOf(resourceLines(t, "yaml"))},
			{"dynamic.yml", "          - X-Auth-Request-User\n", "          - Authorization\n          - X-Auth-Request-User\n"},
		}),
		{"caddy", "caddy", localhost, func(t *testing.T, at addresses) {
			dir := caddyExample(t, at)
			lines := strings.ReplaceAll(resourceLines(t, "caddy")[0], "auth:9000", at.service)
			replace(t, dir, "Caddyfile", "\timport authkit_flow\n", "\timport authkit_flow\n"+lines)
			replace(t, dir, "Caddyfile", "\t\timport authkit \"\"\n\t\treverse_proxy "+at.app+"\n",
				"\t\troute {\n\t\t\timport authkit \"\"\n\t\t\trequest_header -Authorization\n\t\t\treverse_proxy "+at.app+"\n\t\t}\n")
			runCaddy(t, dir, "Caddyfile", at.gateway)
		}},
		editedExample("haproxy", []edit{
			{"haproxy.cfg", "    # Public, and exactly", "    " + haproxy[0] + "\n    # Public, and exactly"},
			{"haproxy.cfg", "    # With HIDE_SESSION_COOKIE", "    " + haproxy[1] + "\n    # With HIDE_SESSION_COOKIE"},
		}),
	}
}

// A client that is no browser finds its way from a 401 to AuthKit's authorization server, and its token to the app's page, but not to
// the app.
func TestResources(t *testing.T) {
	t.Parallel()
	each(t, resourceGateways(t), func(t *testing.T, g gateway) {
		s := newSite(t, g)
		s.startAuthKit(t)
		resource := s.origin + "/mcp"
		policy := filepath.Join(t.TempDir(), "policy.yaml")
		writeFile(t, policy, []byte(`default: authenticated
rules:
  - {name: write, hosts: [localhost], paths: [/mcp/write], resource: "`+resource+`", require: {scopes: {all: [files:read, files:write]}}}
  - {name: files, hosts: [localhost], paths: [/mcp, /mcp/**], resource: "`+resource+`", require: {scopes: [files:read]}}
`))
		s.open(t, g, "POLICY_FILE="+policy, "AUTHKIT_DOMAIN="+s.api)
		token := func(audience string) http.Header {
			t.Helper()
			made, err := s.authKit.ConnectToken(map[string]any{
				"iss": s.api, "sub": zoeID, "aud": audience, "scope": "files:read openid", "client_id": "https://client.example/metadata.json",
			})
			if err != nil {
				t.Fatal(err)
			}
			return http.Header{"Authorization": {"Bearer " + made}, "Accept": {"application/json, text/event-stream"}, "Mcp-Method": {"tools/call"}}
		}
		b := newBrowser(t)

		denied := b.send(http.MethodPost, resource, http.Header{"Accept": {"application/json, text/event-stream"}, "Origin": {"https://inspector.example"}}, `{"jsonrpc":"2.0"}`)
		wantReason(t, denied, http.StatusUnauthorized, "no_credential")
		metadata := s.origin + "/.well-known/oauth-protected-resource/mcp"
		if got, want := denied.Header["Www-Authenticate"], `Bearer resource_metadata="`+metadata+`", scope="files:read"`; len(got) != 1 || got[0] != want {
			t.Errorf("challenge: got %q, want %q once", got, want)
		}
		if got := denied.Header.Get("Access-Control-Allow-Origin"); got != "*" {
			t.Errorf("CORS: got %q, want *", got)
		}
		var found struct {
			Resource string   `json:"resource"`
			Servers  []string `json:"authorization_servers"`
		}
		for _, at := range []string{metadata, s.origin + "/.well-known/oauth-protected-resource"} {
			a := b.send(http.MethodGet, at, http.Header{"Accept": {"*/*"}}, "")
			if err := json.Unmarshal([]byte(a.Body), &found); a.Status != http.StatusOK || err != nil || found.Resource != resource || len(found.Servers) != 1 || found.Servers[0] != s.api {
				t.Errorf("%s: got %d %s, want the resource and AuthKit", at, a.Status, a.Body)
			}
		}

		a := b.send(http.MethodPost, resource, token(resource), "{}")
		if a.Status != http.StatusOK {
			t.Fatalf("with a token: got %d, want 200: %s", a.Status, a.Body)
		}
		seen := b.seen(a).Header
		for name, want := range map[string]string{
			"X-Auth-Request-User": zoeID, "X-Auth-Request-Scopes": "files:read,openid", "X-Auth-Request-Client": "https://client.example/metadata.json",
			"Authorization": "", "Mcp-Method": "tools/call",
		} {
			if got := seen.Get(name); got != want {
				t.Errorf("the app's %s: got %q, want %q", name, got, want)
			}
		}
		short := b.send(http.MethodPost, resource+"/write", token(resource), "{}")
		wantReason(t, short, http.StatusForbidden, "forbidden")
		if got := short.Header["Www-Authenticate"]; len(got) != 1 || !strings.Contains(got[0], `error="insufficient_scope"`) || !strings.Contains(got[0], `scope="files:read files:write"`) {
			t.Errorf("a scope is missing: got %q, want all scopes, once", got)
		}
		other := b.send(http.MethodPost, resource, token(s.origin+"/other"), "{}")
		wantReason(t, other, http.StatusUnauthorized, "bad_credential")
		if got := other.Header["Www-Authenticate"]; len(got) != 1 || !strings.Contains(got[0], `error="invalid_token"`) {
			t.Errorf("another resource's: got %q, want invalid_token, once", got)
		}
		wantReason(t, b.send(http.MethodPost, resource, token(clientID), "{}"), http.StatusUnauthorized, "audience_is_client_id")
		preflight := http.Header{"Origin": {"https://inspector.example"}, "Access-Control-Request-Method": {"POST"}}
		if a := b.send(http.MethodOptions, resource, preflight, ""); a.Status != http.StatusOK || b.seen(a).Method != http.MethodOptions {
			t.Errorf("preflight: got %d, want the app's answer", a.Status)
		}
	})
}
