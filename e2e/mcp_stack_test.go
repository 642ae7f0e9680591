package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mcpStack has a plain MCP server as its app, and logs the order of requests:
//
//	client -> log -> gateway -> MCP server
//	   |                   |
//	   v                   v
//	AuthKit <----------- service
type mcpStack struct {
	*stack
	log    *requestLog
	server *mcpServer
}

// mcpServer is a plain MCP server of one of the SDK's generations.
type mcpServer struct {
	*process
	generation string
	stdin      io.Writer
}

// mcpRequest is one that arrived at the server.
type mcpRequest struct {
	Method string            `json:"method"`
	URL    string            `json:"url"`
	Header map[string]string `json:"headers"` // with lower-case names
}

// The policy has two resources on one host. /mcp/write needs another scope, /mcp/admin a role, and at /mcp/tools one tool another scope.
const mcpPolicy = `default: deny
rules:
  - {name: admin, hosts: [localhost], paths: [/mcp/admin], resource: "ORIGIN/mcp", require: {scopes: [files:read], roles: [admin]}}
  - {name: write, hosts: [localhost], paths: [/mcp/write], resource: "ORIGIN/mcp", require: {scopes: {all: [files:read, files:write]}}}
  - {name: tool, hosts: [localhost], paths: [/mcp/tools], mcp: {tools: [write_*]}, resource: "ORIGIN/mcp", require: {scopes: {all: [files:read, files:change]}}}
  - {name: files, hosts: [localhost], paths: [/mcp, /mcp/tools], resource: "ORIGIN/mcp", require: {scopes: [files:read]}}
  - {name: other, hosts: [localhost], paths: [/other], resource: "ORIGIN/other", require: {scopes: [files:read]}}
  - {name: icon, paths: [/favicon.ico], allow: public}
`

// newMCPStack starts everything, with a server of that generation.
func newMCPStack(t *testing.T, g gateway, generation string) *mcpStack {
	t.Helper()
	mcpPackages(t)
	s := newSite(t, g)
	at := s.at.gateway // the log takes its place
	s.at.gateway, s.at.app = freeAddress(t), freeAddress(t)
	m := &mcpStack{stack: s, log: &requestLog{expired: map[string]string{}}, server: startMCPServer(t, generation, s.at.app)}
	s.before = m.log.beforeAuthKit
	s.startAuthKit(t)
	m.log.names = strings.NewReplacer(s.origin, "ORIGIN", s.api, "AUTHKIT")
	for _, path := range []string{"/mcp", "/other"} {
		m.registerResource(t, s.origin+path)
	}
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	writeFile(t, policy, []byte(strings.ReplaceAll(mcpPolicy, "ORIGIN", s.origin)))
	s.open(t, g, "POLICY_FILE="+policy, "AUTHKIT_DOMAIN="+s.api)
	m.log.beforeGateway(t, at, s.at.gateway)
	return m
}

// registerResource adds a resource indicator at AuthKit.
func (s *stack) registerResource(t *testing.T, resource string) {
	t.Helper()
	body := strings.NewReader(fmt.Sprintf(`{"uri": %q}`, resource))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.api+"/user_management/authkit_oauth_resources", body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+apiKey)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusCreated {
		t.Fatalf("register %s: got %d, want 201", resource, response.StatusCode)
	}
}

func startMCPServer(t *testing.T, generation, address string) *mcpServer {
	t.Helper()
	cmd := exec.Command(program(t, "node"), "server.mjs", generation, address)
	if generation == "everything" { // of the older generation
		cmd.Args = []string{"node", "everything.mjs", address}
	}
	cmd.Dir = "mcp"
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	return &mcpServer{start(t, address, cmd), generation, stdin}
}

// goOn lets a call of watch_file end.
func (s *mcpServer) goOn(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(s.stdin, "\n"); err != nil {
		t.Fatal(err)
	}
}

// requests are those that arrived so far.
func (s *mcpServer) requests(t *testing.T) []mcpRequest {
	t.Helper()
	var all []mcpRequest
	for line := range strings.Lines(s.output.String()) {
		var r mcpRequest
		if json.Unmarshal([]byte(line), &r) == nil && r.Method != "" {
			all = append(all, r)
		}
	}
	return all
}

// expire makes the tokens that clients have sent so far expire: in their place the gateway gets the same ones, signed by AuthKit an hour
// earlier. A client can't tell the difference, and no test waits for a clock.
func (s *mcpStack) expire(t *testing.T) {
	t.Helper()
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	for _, token := range s.log.tokens {
		parts := strings.Split(token, ".")
		if len(parts) != 3 {
			t.Fatalf("got %d parts of a token, want 3", len(parts))
		}
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		var claims map[string]any
		if err := json.Unmarshal(payload, &claims); err != nil {
			t.Fatal(err)
		}
		claims["iat"], claims["exp"] = time.Now().Add(-2*time.Hour).Unix(), time.Now().Add(-time.Hour).Unix()
		if s.log.expired[token], err = s.authKit.ConnectToken(claims); err != nil {
			t.Fatal(err)
		}
	}
}
