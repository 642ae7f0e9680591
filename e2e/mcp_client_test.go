package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// mcpClient is a real MCP client, a program that is a bridge: JSON-RPC on its standard input and output, and on standard error the URL
// that its user shall visit. The user of these tests does that at once.
type mcpClient struct {
	t        *testing.T
	kind     mcpKind
	email    string // who signs in
	signIns  []url.Values
	process  *process
	stdin    io.Writer
	messages chan rpcMessage
	visits   chan string // URLs for the user
	lastID   int
}

type rpcMessage struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// mcpKind is a client, and how it is known to behave.
type mcpKind struct {
	name      string
	driver    string // of client.mjs; empty: another program
	scope     string // asked for beyond what the challenge says
	refreshes bool   // asks for a refresh token
	stepsUp   bool   // signs in again where a scope is missing

	namesTools bool // says in headers what it calls, where the server knows version 2026-07-28
}

// The clients: both generations of the official SDK, the newer one with both ways to begin, and mcp-remote. The older one asks for no refresh
// token by itself; an app that adds that scope can't get another scope later.
var mcpClients = []mcpKind{
	{name: "sdk1", driver: "sdk1", stepsUp: true},
	{name: "sdk1-offline", driver: "sdk1", scope: "offline_access", refreshes: true},
	{name: "sdk2-legacy", driver: "sdk2-legacy", refreshes: true, stepsUp: true},
	{name: "sdk2-auto", driver: "sdk2-auto", refreshes: true, stepsUp: true, namesTools: true},
	{name: "mcp-remote", refreshes: true},
}

// mcpPackages skips a test where the npm packages of e2e/mcp aren't installed.
func mcpPackages(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("mcp/node_modules/mcp-remote"); err != nil {
		missing(t, "the packages of e2e/mcp are not installed")
	}
}

// startMCPClient starts a client of the server at a URL.
func startMCPClient(t *testing.T, kind mcpKind, target string) *mcpClient {
	t.Helper()
	mcpPackages(t)
	node := program(t, "node")
	c := &mcpClient{t: t, kind: kind, email: zoe, messages: make(chan rpcMessage, 100), visits: make(chan string, 10)}
	cmd := exec.Command(node, "client.mjs", kind.driver, target, kind.scope)
	if kind.driver == "" {
		cmd = exec.Command(node, "node_modules/mcp-remote/dist/proxy.js", target, "--host", "127.0.0.1", "--transport", "http-only")
		// BROWSER: nothing opens a real one.
		cmd.Env = append(os.Environ(), "MCP_REMOTE_CONFIG_DIR="+t.TempDir(), "BROWSER=true", "DISPLAY=")
	}
	cmd.Dir = "mcp"
	stdin, stdinErr := cmd.StdinPipe()
	stdout, stdoutErr := cmd.StdoutPipe()
	stderr, stderrErr := cmd.StderrPipe()
	for _, err := range []error{stdinErr, stdoutErr, stderrErr} {
		if err != nil {
			t.Fatal(err)
		}
	}
	c.stdin = stdin
	c.process = &process{cmd: cmd, exited: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{}, 2)
	go func() { c.readMessages(stdout); read <- struct{}{} }()
	go func() { c.readVisits(stderr); read <- struct{}{} }()
	go func() {
		defer close(c.process.exited)
		<-read
		<-read
		_ = cmd.Wait() // how it ended shows in its output
	}()
	t.Cleanup(func() {
		_ = stdin.Close()
		c.process.stop(t)
		if t.Failed() {
			t.Logf("output of %s:\n%s", kind.name, c.process.output.String())
		}
	})
	return c
}

func (c *mcpClient) readMessages(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		fmt.Fprintf(&c.process.output, "> %s\n", lines.Text())
		var m rpcMessage
		if json.Unmarshal(lines.Bytes(), &m) == nil {
			c.messages <- m
		}
	}
}

func (c *mcpClient) readVisits(r io.Reader) {
	visit := false
	for lines := bufio.NewScanner(r); lines.Scan(); {
		fmt.Fprintln(&c.process.output, lines.Text())
		if visit {
			c.visits <- lines.Text()
		}
		visit = strings.Contains(lines.Text(), "Please authorize this client by visiting:")
	}
}

// send writes a message; with an id it is a request.
func (c *mcpClient) send(id int, method string, params any) {
	c.t.Helper()
	message := map[string]any{"jsonrpc": "2.0", "method": method}
	if id != 0 {
		message["id"] = id
	}
	if params != nil {
		message["params"] = params
	}
	line, err := json.Marshal(message)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.stdin.Write(append(line, '\n')); err != nil {
		c.t.Fatal(err)
	}
}

// next returns the client's next message; where the user is asked to sign in first, the user does.
func (c *mcpClient) next() rpcMessage {
	c.t.Helper()
	deadline := time.After(startTimeout)
	for {
		select {
		case m := <-c.messages:
			return m
		case visit := <-c.visits:
			c.signIn(visit)
		case <-c.process.exited:
			c.t.Fatalf("%s ended", c.kind.name)
		case <-deadline:
			c.t.Fatalf("%s: no message after %s", c.kind.name, startTimeout)
		}
	}
}

// until waits for something that isn't a message.
func (c *mcpClient) until(what string, happened func() bool) {
	c.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(startTimeout)
	for !happened() {
		select {
		case visit := <-c.visits:
			c.signIn(visit)
		case <-tick.C:
		case <-c.process.exited:
			c.t.Fatalf("%s ended before %s", c.kind.name, what)
		case <-deadline:
			c.t.Fatalf("%s: no %s after %s", c.kind.name, what, startTimeout)
		}
	}
}

// request sends a request and returns its answer.
func (c *mcpClient) request(method string, params any) rpcMessage {
	c.t.Helper()
	id := c.begin(method, params)
	for {
		if m := c.next(); m.ID == id && m.Method == "" {
			return m
		}
	}
}

// begin sends a request and doesn't wait.
func (c *mcpClient) begin(method string, params any) (id int) {
	c.t.Helper()
	c.lastID++
	c.send(c.lastID, method, params)
	return c.lastID
}

// connect opens the connection, at another URL where one is named, and returns the error's text.
func (c *mcpClient) connect(target string) string {
	c.t.Helper()
	if c.kind.driver != "" {
		return c.request("connect", map[string]any{"url": target}).errorText()
	}
	m := c.request("initialize", map[string]any{
		"protocolVersion": "2025-06-18", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "e2e", "version": "1.0.0"},
	})
	c.send(0, "notifications/initialized", nil)
	return m.errorText()
}

// call calls a tool, and returns its text, or that of the error.
func (c *mcpClient) call(tool string) string {
	c.t.Helper()
	return c.request("tools/call", toolCall(tool)).text(c.t)
}

func toolCall(tool string) map[string]any {
	return map[string]any{"name": tool, "arguments": map[string]any{"path": "a.txt"}, "_meta": map[string]any{"progressToken": 7}}
}

func (m rpcMessage) errorText() string {
	if m.Error == nil {
		return ""
	}
	return m.Error.Message
}

// text is what a tool has said, or the error.
func (m rpcMessage) text(t *testing.T) string {
	t.Helper()
	if m.Error != nil {
		return "error: " + m.Error.Message
	}
	var result struct {
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
	}
	if err := json.Unmarshal(m.Result, &result); err != nil || len(result.Content) != 1 {
		t.Fatalf("got %s, want a tool's text", m.Result)
	}
	return result.Content[0].Text
}

var hiddenInput = regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)">`)

// signIn visits AuthKit's authorization server as the user: who it is, for which organization, and the consent. The last redirect leads to
// the client's own port.
func (c *mcpClient) signIn(visit string) {
	c.t.Helper()
	b := newBrowser(c.t)
	page := b.open(visit)
	c.signIns = append(c.signIns, page.URL.Query())
	for range 3 {
		if page.URL.Path != "/oauth2/authorize" {
			break
		}
		form := url.Values{}
		for _, m := range hiddenInput.FindAllStringSubmatch(page.Body, -1) {
			form.Set(m[1], m[2])
		}
		switch {
		case strings.Contains(page.Body, `name="allow"`):
			form.Set("allow", "1")
		case strings.Contains(page.Body, `name="organization_id"`):
			form.Set("organization_id", acmeID)
		default:
			form.Set("email", c.email)
		}
		page = b.submit(page.URL, page.URL.String(), form)
	}
	if page.URL.Hostname() != "127.0.0.1" || page.Status >= 400 {
		c.t.Fatalf("%s: got %s with status %d, want the client's own page: %s", visit, page.URL, page.Status, page.Body)
	}
}
