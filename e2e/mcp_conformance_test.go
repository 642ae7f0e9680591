package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"regexp"
	"testing"
)

// The official conformance tool finds no difference between a server and one behind a gateway: neither the gateways nor this service
// change headers, or hold back a stream in which the server asks the client something. The tool has no tokens: a proxy adds one.
func TestConformanceOfServer(t *testing.T) {
	t.Parallel()
	node, tool := conformance(t)
	each(t, resourceGateways(t), func(t *testing.T, g gateway) {
		s := newMCPStack(t, g, "everything")
		token, err := s.authKit.ConnectToken(map[string]any{"sub": zoeID, "aud": s.origin + "/mcp", "scope": "files:read"})
		if err != nil {
			t.Fatal(err)
		}
		to, err := url.Parse(s.origin)
		if err != nil {
			t.Fatal(err)
		}
		proxy := httptest.NewServer(&httputil.ReverseProxy{
			FlushInterval: -1,
			Rewrite: func(p *httputil.ProxyRequest) {
				p.SetURL(to)
				p.Out.Header.Set("Authorization", "Bearer "+token)
			},
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }, // the tool has gone
		})
		t.Cleanup(func() { proxy.CloseClientConnections(); proxy.Close() })

		cmd := exec.CommandContext(t.Context(), node, tool, "server", "--url", proxy.URL+"/mcp", "--output-dir", t.TempDir())
		text, _ := cmd.CombinedOutput() // it fails, for the server hasn't all that there is

		for _, scenario := range []string{
			"server-initialize", "logging-set-level", "ping", "tools-list", "tools-call-simple-text", "tools-call-image", "tools-call-embedded-resource",
			"tools-call-mixed-content", "tools-call-with-logging", "tools-call-error", "tools-call-with-progress", "tools-call-sampling",
			"tools-call-elicitation", "server-sse-multiple-streams", "resources-list", "resources-read-text", "resources-read-binary",
			"resources-templates-read", "prompts-list", "prompts-get-simple", "prompts-get-with-args",
		} {
			if !regexp.MustCompile(`(?m)^✓ ` + scenario + `: [1-9]\d* passed, 0 failed`).Match(text) {
				t.Errorf("%s: got no success", scenario)
			}
		}
		if t.Failed() {
			t.Logf("%s", text)
		}
	})
}
