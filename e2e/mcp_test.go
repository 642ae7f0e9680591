package e2e

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the logs of testdata/mcp anew")

// Real MCP clients sign in by what the gateway answers, call a plain server's tools, and see events at once; they refresh a token that has
// expired, ask the user for another scope, and give up where only a role is missing. testdata/mcp has the order of requests for each
// client and server: every gateway hands on the same.
func TestMCPClients(t *testing.T) {
	t.Parallel()
	each(t, resourceGateways(t), func(t *testing.T, g gateway) {
		for _, generation := range []string{"sdk1", "sdk2"} {
			s := newMCPStack(t, g, generation)
			for _, kind := range mcpClients {
				t.Run(kind.name+" at "+generation, func(t *testing.T) {
					s.session(t, kind)
					s.log.want(t, kind.name+"-at-"+generation+".txt")
				})
			}
		}
	})
}

// session is one client's, from the sign-in to the end.
func (s *mcpStack) session(t *testing.T, kind mcpKind) {
	t.Helper()
	s.log.reset()
	before := len(s.server.requests(t))
	c := startMCPClient(t, kind, s.origin+"/mcp")
	s.log.section("sign in")
	if got := s.connect(c, s.origin+"/mcp"); got != "" {
		t.Fatalf("connect: got %s", got)
	}
	s.log.section("call a tool")
	if got := c.call("read_file"); got != "read a.txt" {
		t.Fatalf("call: got %s, want what the tool says", got)
	}
	s.log.section("events while the server waits")
	s.watch(t, c)
	if len(c.signIns) != 1 {
		t.Fatalf("got %d sign-ins, want 1", len(c.signIns))
	}
	s.callExpired(t, c)
	if kind.name != "mcp-remote" { // it has one URL
		s.log.section("end of the session")
		if got := c.request("close", nil).errorText(); got != "" {
			t.Errorf("close: got %s", got)
		}
		s.connectElsewhere(t, c)
	}
	s.wantPlain(t, s.server.requests(t)[before:])
}

// A client of a protocol before 2026 opens a stream for what the server has to say, by itself.
var ownStream = regexp.MustCompile(`(?m)^GET /(mcp|other)\S* MCP-Protocol-Version=\S+ -> \d+$`)

// connect opens the connection, and waits for what the client does by itself then. It returns the error's text.
func (s *mcpStack) connect(c *mcpClient, target string) string {
	c.t.Helper()
	streams := func(n int) func() bool {
		return func() bool { return len(ownStream.FindAllString(s.log.last(), -1)) == n }
	}
	n := 1
	if c.kind.driver == "" { // mcp-remote connects by itself first
		c.until("stream of its own", streams(1))
		n = 2
	}
	if problem := c.connect(target); problem != "" {
		return problem
	}
	if !strings.Contains(s.log.last(), " server/discover MCP-Protocol-Version=2026-07-28 Mcp-Method=server/discover -> 200") {
		c.until("stream", streams(n))
	}
	return ""
}

// watch calls the tool that reports its progress: the report arrives while the server waits.
func (s *mcpStack) watch(t *testing.T, c *mcpClient) {
	t.Helper()
	id := c.begin("tools/call", toolCall("watch_file"))
	m := c.next()
	for m.Method != "notifications/progress" {
		if m.ID == id {
			t.Fatalf("got the answer %s, want the progress first", m.text(t))
		}
		m = c.next()
	}
	s.server.goOn(t)
	for m.ID != id {
		m = c.next()
	}
	if got := m.text(t); got != "a.txt has changed" {
		t.Errorf("watch: got %s, want the tool's end", got)
	}
}

// callExpired calls a tool with a token that has expired: the client refreshes it, or without a refresh token signs in again.
func (s *mcpStack) callExpired(t *testing.T, c *mcpClient) {
	t.Helper()
	s.log.section("call with a token that has expired")
	s.expire(t)
	if got := c.call("read_file"); got != "read a.txt" {
		t.Fatalf("with an expired token: got %s, want what the tool says", got)
	}
	want := 1 // with a refresh token
	if !c.kind.refreshes {
		want = 2
	}
	if len(c.signIns) != want {
		t.Errorf("with an expired token: got %d sign-ins in all, want %d", len(c.signIns), want)
	}
	if got := s.log.last(); !strings.Contains(got, `error="invalid_token"`) {
		t.Errorf("got no invalid_token: %s", got)
	}
}

// connectElsewhere goes on with the same tokens, where they aren't enough.
func (s *mcpStack) connectElsewhere(t *testing.T, c *mcpClient) {
	t.Helper()
	signIns := len(c.signIns)
	s.log.section("where a role is missing")
	if got := s.connect(c, s.origin+"/mcp/admin"); !strings.Contains(got, "no permission for this") && !strings.Contains(got, "denied access (HTTP 403)") {
		t.Errorf("a role is missing: got %q, want the service's answer", got)
	}
	if len(c.signIns) != signIns {
		t.Error("a role is missing: the client asked the user, who can't change it")
	}
	s.log.section("where another scope is missing")
	got := s.connect(c, s.origin+"/mcp/write")
	if c.kind.stepsUp && (got != "" || len(c.signIns) != signIns+1) {
		t.Errorf("a scope is missing: got %q and %d sign-ins, want the connection after one", got, len(c.signIns)-signIns)
	}
	if !c.kind.stepsUp && !strings.Contains(got, "upscoping") {
		t.Errorf("a scope is missing: got %q, want what this client says of its refresh token", got)
	}
	if c.kind.namesTools && s.server.generation == "sdk2" {
		s.stepUpForTool(t, c)
	}
	s.log.section("at another resource")
	got = s.connect(c, s.origin+"/other")
	if c.kind.refreshes != (got == "The resource is not the one of the authorization request.") || !c.kind.refreshes && got != "" {
		t.Errorf("another resource: got %q, want a sign-in, or AuthKit's answer to the refresh token of the first one", got)
	}
	if got := s.log.last(); !strings.Contains(got, `error="invalid_token"`) {
		t.Errorf("the token of one resource at another: got no invalid_token: %s", got)
	}
}

// stepUpForTool calls a tool that needs another scope than the rest of the server: the rule is chosen by the request's headers.
func (s *mcpStack) stepUpForTool(t *testing.T, c *mcpClient) {
	t.Helper()
	s.log.section("where a tool needs another scope")
	if got := s.connect(c, s.origin+"/mcp/tools"); got != "" {
		t.Fatalf("connect: got %s", got)
	}
	signIns := len(c.signIns)
	if got := c.call("read_file"); got != "read a.txt" || len(c.signIns) != signIns {
		t.Errorf("a tool that needs no more: got %s after %d sign-ins, want what it says after none", got, len(c.signIns)-signIns)
	}
	if got := c.call("write_file"); got != "wrote a.txt" || len(c.signIns) != signIns+1 {
		t.Errorf("a tool that needs another scope: got %s after %d sign-ins, want what it says after one", got, len(c.signIns)-signIns)
	}
}

// wantPlain checks what arrived at the server: who it is, and no token.
func (s *mcpStack) wantPlain(t *testing.T, arrived []mcpRequest) {
	t.Helper()
	if len(arrived) == 0 {
		t.Error("got no request at the server")
	}
	for _, r := range arrived {
		if got := r.Header["x-auth-request-user"]; got != zoeID {
			t.Errorf("%s %s: X-Auth-Request-User: got %q, want %q", r.Method, r.URL, got, zoeID)
		}
		if got := r.Header["authorization"]; got != "" {
			t.Errorf("%s %s: the token arrived at the server", r.Method, r.URL)
		}
	}
}

// want compares the log with that of a file.
func (l *requestLog) want(t *testing.T, file string) {
	t.Helper()
	path := filepath.Join("testdata", "mcp", file)
	got := l.text()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}
