package policy

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// tools is a policy of an MCP server whose tools are told apart.
func tools(t *testing.T, change ...func(*Rule)) *Policy {
	t.Helper()
	write := Rule{Name: "write", Hosts: []string{"mcp.example.com"}, Paths: []string{"/mcp"}, MCP: &MCP{Tools: []string{"write_*", "delete"}}}
	for _, c := range change {
		c(&write)
	}
	p, err := New([]Rule{
		write,
		{Name: "read", Hosts: []string{"mcp.example.com"}, Paths: []string{"/mcp"}, MCP: &MCP{Methods: []string{"resources/*", "prompts/get"}, Tools: []string{"file:///public/*", "greet"}}},
		{Name: "rest", Hosts: []string{"mcp.example.com"}, Paths: []string{"/mcp", "/mcp/**"}},
		{Name: "only tools", Hosts: []string{"only.example.com"}, MCP: &MCP{Methods: []string{"tools/list"}}},
	}, Default{Access: Nobody})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func asked(host, path string, h http.Header) Request {
	return Request{Method: "POST", Host: host, Path: path, Header: h}
}

func TestToolRules(t *testing.T) {
	t.Parallel()
	p := tools(t)
	const now = "2026-07-28"
	for _, tt := range []struct {
		name string
		h    http.Header
		want string // the rule, or the error
	}{
		{"the tool", MCPHeader(now, "tools/call", "delete"), "write"},
		{"by a wildcard", MCPHeader(now, "tools/call", "write_file"), "write"},
		{"a wildcard for nothing", MCPHeader(now, "tools/call", "write_"), "write"},
		{"a later version", MCPHeader("2027-01-01", "tools/call", "write_file"), "write"},
		{"another tool", MCPHeader(now, "tools/call", "read_file"), "rest"},
		{"another case of the tool", MCPHeader(now, "tools/call", "Write_file"), "rest"},
		{"another case of the method", MCPHeader(now, "Tools/Call", "write_file"), "Mcp-Method is spelt in another case"},
		{"another case, of another tool", MCPHeader(now, "Tools/Call", "read_file"), "rest"}, // no such method: the server refuses it
		{"another method of that name", MCPHeader(now, "prompts/get", "write_file"), "rest"},
		{"a method without a name", MCPHeader(now, "tools/list", ""), "rest"},
		{"a resource", MCPHeader(now, "resources/read", "file:///public/a"), "read"},
		{"another resource", MCPHeader(now, "resources/read", "file:///private/a"), "rest"},
		{"a prompt", MCPHeader(now, "prompts/get", "greet"), "read"},
		{"a name in base64", MCPHeader(now, "tools/call", "=?base64?d3JpdGVfw6TDtsO8?="), "write"}, // write_äöü
		{"another one in base64", MCPHeader(now, "tools/call", "=?base64?w6TDtsO8?="), "rest"},

		{"no version", MCPHeader("", "tools/call", "write_file"), "version"},
		{"an older version", MCPHeader("2025-11-25", "tools/call", "write_file"), "version"},
		{"a version that is none", MCPHeader("draft", "tools/call", "write_file"), "MCP-Protocol-Version is no version"},
		{"a longer version", MCPHeader("2026-07-28x", "tools/call", "write_file"), "MCP-Protocol-Version is no version"},
		{"an empty version", http.Header{"Mcp-Protocol-Version": {""}, "Mcp-Method": {"tools/call"}, "Mcp-Name": {"write_file"}}, "MCP-Protocol-Version is no version"},
		{"two versions", http.Header{"Mcp-Protocol-Version": {now, now}, "Mcp-Method": {"tools/call"}, "Mcp-Name": {"read_file"}}, "Mcp-Protocol-Version is there more than once"},
		{"no headers", nil, "version"},
		{"no method", MCPHeader(now, "", "write_file"), "Mcp-Method must be one method"},
		{"two methods in a line", MCPHeader(now, "tools/list, tools/call", ""), "Mcp-Method must be one method"},
		{"two method lines", http.Header{"Mcp-Protocol-Version": {now}, "Mcp-Method": {"tools/list", "tools/call"}}, "Mcp-Method is there more than once"},
		{"two names", http.Header{"Mcp-Protocol-Version": {now}, "Mcp-Method": {"tools/call"}, "Mcp-Name": {"read_file", "write_file"}}, "Mcp-Name is there more than once"},
		{"no name of a tool", MCPHeader(now, "tools/call", ""), "Mcp-Name is required for tools/call"},
		{"no name of a resource", MCPHeader(now, "resources/read", ""), "Mcp-Name is required for resources/read"},
		{"no name of a prompt", MCPHeader(now, "prompts/get", ""), "Mcp-Name is required for prompts/get"},
		{"bad base64", MCPHeader(now, "tools/call", "=?base64?d3JpdGVf!?="), "Mcp-Name is malformed"},
		{"base64 without an end", MCPHeader(now, "tools/call", "=?base64?d3JpdGVf"), "Mcp-Name is malformed"},
		{"base64 of nothing", MCPHeader(now, "tools/call", "=?base64??="), "Mcp-Name is malformed"},
		{"base64 of no text", MCPHeader(now, "tools/call", "=?base64?/w==?="), "Mcp-Name is malformed"},
		{"base64 in capitals", MCPHeader(now, "tools/call", "=?BASE64?d3JpdGVf?="), "Mcp-Name is malformed"},
		{"two names in a line", MCPHeader(now, "tools/call", "read_file, write_file"), "Mcp-Name is malformed"},
		{"a comma in base64", MCPHeader(now, "tools/call", "=?base64?d3JpdGVfYSxi?="), "write"}, // write_a,b
		{"a version that the gateway takes away", http.Header{
			"Mcp-Protocol-Version": {now}, "Mcp-Method": {"tools/call"}, "Mcp-Name": {"read_file"}, "Connection": {"keep-alive, MCP-Protocol-Version"},
		}, "Connection must not name the protocol's headers"},
		{"spaces around", MCPHeader(now, "tools/call", " write_file"), "Mcp-Name is malformed"},
		{"bytes that no header has", MCPHeader(now, "tools/call", "write_fil\u00e9"), "Mcp-Name is malformed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := p.Match(asked("mcp.example.com", "/mcp", tt.h))
			got := ""
			refused, bad := errors.AsType[*MCPError](m.Err)
			switch {
			case bad && refused.Version:
				got = "version"
			case bad:
				got = refused.What
			case m.Err != nil:
				got = m.Err.Error()
			default:
				got = m.Rule.Name
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if bad && m.Rule == nil {
				t.Error("got no rule with the error")
			}
		})
	}
}

// Who leaves the headers out gets past no rule about tools, whatever the HTTP method is.
func TestToolRulesWithoutHeaders(t *testing.T) {
	t.Parallel()
	p := tools(t)
	for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS"} {
		if m := p.Match(Request{Method: method, Host: "mcp.example.com", Path: "/mcp"}); m.Err == nil {
			t.Errorf("%s: got rule %s, want it refused", method, m.Rule.Name)
		}
	}
	// No such rule is for these.
	if m := p.Match(Request{Method: "GET", Host: "mcp.example.com", Path: "/mcp/health"}); m.Err != nil || m.Rule.Name != "rest" {
		t.Errorf("another path: got %v, want the rule without", m)
	}
	if m := p.Match(asked("other.example.com", "/mcp", nil)); m.Err != nil || m.Rule.Access != Nobody {
		t.Errorf("another host: got %v, want nobody", m)
	}
	// A host that has nothing but a rule about calls is named by it.
	if !p.Names("only.example.com") || p.Match(asked("only.example.com", "/", nil)).Err == nil {
		t.Error("only tools: want the host named, and the request refused")
	}
	if m := p.Match(asked("only.example.com", "/", MCPHeader("2026-07-28", "tools/call", "x"))); m.Err != nil || m.Rule.Name != DefaultName {
		t.Errorf("another call: got %v, want the default", m)
	}
}

func TestToolRulesAndMethods(t *testing.T) {
	t.Parallel()
	posts := tools(t, func(r *Rule) { r.Methods = []string{"POST"} })
	h := MCPHeader("2026-07-28", "tools/call", "write_file")
	if m := posts.Match(Request{Method: "POST", Host: "mcp.example.com", Path: "/mcp", Header: h}); m.Rule.Name != "write" {
		t.Errorf("POST: got %v, want the rule", m)
	}
	// A path that can be read in two ways: both end at rules, but not at the same.
	if m := posts.Match(asked("mcp.example.com", "/mcp/x/..", h)); m.Err == nil {
		t.Errorf("two readings: got rule %s, want it refused", m.Rule.Name)
	}
	if m := posts.Match(asked("mcp.example.com", "/mcp/%00", h)); m.Err == nil {
		t.Errorf("readings that nobody can list: got rule %s, want it refused", m.Rule.Name)
	}
	only := tools(t)
	if m := only.Match(asked("only.example.com", "/a/../b", MCPHeader("2026-07-28", "tools/list", ""))); m.Err != nil || m.Rule.Name != "only tools" || !m.Ambiguous {
		t.Errorf("no rule of the host has paths: got %v, want the rule", m)
	}
}

func TestLegacyRequests(t *testing.T) {
	t.Parallel()
	p := tools(t, func(r *Rule) { r.MCP.AllowsLegacy = true })
	read := p.Match(asked("mcp.example.com", "/mcp", nil)) // the next one doesn't allow them
	if refused, ok := errors.AsType[*MCPError](read.Err); !ok || !refused.Version || read.Rule.Name != "read" {
		t.Errorf("got %v, want the second rule's refusal", read)
	}
	one, err := New([]Rule{
		{Name: "write", MCP: &MCP{Tools: []string{"write"}, AllowsLegacy: true}},
		{Name: "rest"},
	}, Default{})
	if err != nil {
		t.Fatal(err)
	}
	if m := one.Match(asked("a.example.com", "/", MCPHeader("2025-06-18", "tools/call", "write"))); m.Err != nil || m.Rule.Name != "rest" {
		t.Errorf("got %v, want the rule passed over", m)
	}
	// Only one older version passes the rule over: what a server may take for a later one doesn't.
	for name, h := range map[string]http.Header{
		"twice":        {"Mcp-Protocol-Version": {"2026-07-28", "2025-06-18"}, "Mcp-Method": {"tools/call"}, "Mcp-Name": {"write"}},
		"no version":   MCPHeader("2026-07-28 ", "tools/call", "write"),
		"two in one":   MCPHeader("2025-06-18, 2026-07-28", "tools/call", "write"),
		"an empty one": {"Mcp-Protocol-Version": {""}, "Mcp-Method": {"tools/call"}, "Mcp-Name": {"write"}},
	} {
		if m := one.Match(asked("a.example.com", "/", h)); m.Err == nil {
			t.Errorf("%s: got rule %s, want it refused", name, m.Rule.Name)
		}
	}
	// A call in a version that counts has to be well-formed.
	if m := one.Match(asked("a.example.com", "/", MCPHeader("2026-07-28", "tools/call", ""))); m.Err == nil {
		t.Errorf("got rule %s, want it refused", m.Rule.Name)
	}
}

// A preflight announces no call: the rule for those to come decides whether it passes.
func TestToolRulesAndPreflights(t *testing.T) {
	t.Parallel()
	for name, allows := range map[string]bool{"allowed": true, "not allowed": false} {
		p := tools(t, func(r *Rule) { r.AllowsPreflights = allows })
		m := p.Match(Request{Method: "OPTIONS", Host: "mcp.example.com", Path: "/mcp", Preflight: "POST"})
		if m.Preflight != allows {
			t.Errorf("%s: got %v", name, m)
		}
	}
}

func TestToolRulesThatAreRefused(t *testing.T) {
	t.Parallel()
	many := []string{}
	for i := range 3 {
		many = append(many, fmt.Sprint("tool", i))
	}
	for _, tt := range []struct {
		name string
		mcp  MCP
		want string
	}{
		{"nothing", MCP{}, "mcp: write tools, methods or origins"},
		{"legacy alone", MCP{Origins: []string{"https://a.example.com"}, AllowsLegacy: true}, "legacy is about tools and methods"},
		{"an empty name", MCP{Tools: []string{""}}, `mcp: tools: "" is no name`},
		{"a space", MCP{Methods: []string{"tools call"}}, `mcp: methods: "tools call" is no name`},
		{"twice", MCP{Tools: append(many, "tool0")}, `mcp: tools has "tool0" twice`},
		{"an origin with a path", MCP{Origins: []string{"https://a.example.com/"}}, `mcp: origins: "https://a.example.com/" is no origin`},
		{"an origin without a scheme", MCP{Origins: []string{"a.example.com"}}, "is no origin"},
		{"an origin in capitals", MCP{Origins: []string{"https://A.example.com"}}, "is no origin"},
		{"any origin", MCP{Origins: []string{"*"}}, "is no origin"},
	} {
		if _, err := New([]Rule{{Name: "a", MCP: &tt.mcp}}, Default{}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	var rules []Rule
	for i := range maxToolRules + 1 {
		rules = append(rules, Rule{Name: fmt.Sprint("r", i), MCP: &MCP{Tools: []string{fmt.Sprint("t", i)}}})
	}
	if _, err := New(rules, Default{}); err == nil || !strings.Contains(err.Error(), "more than 1000 rules with tools or methods") {
		t.Errorf("too many: got %v", err)
	}
}

// A rule about calls leaves the others to the rules behind it, and is itself behind one that is about everything.
func TestToolRulesAreReachable(t *testing.T) {
	t.Parallel()
	some := Rule{Name: "some", MCP: &MCP{Methods: []string{"*"}}}
	if _, err := New([]Rule{some, {Name: "rest"}}, Default{}); err != nil {
		t.Errorf("a rule behind one about calls: got %v", err)
	}
	if _, err := New([]Rule{{Name: "rest"}, some}, Default{}); err == nil || !strings.Contains(err.Error(), `rule "some" can never match`) {
		t.Errorf("one about calls behind one about everything: got %v", err)
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	m := &MCP{Origins: []string{"https://a.example.com"}}
	for _, tt := range []struct {
		name    string
		origins []string
		want    bool
	}{
		{"none", nil, true},
		{"its own", []string{"https://a.example.com"}, true},
		{"another", []string{"https://b.example.com"}, false},
		{"another port", []string{"https://a.example.com:8443"}, false},
		{"a page without one", []string{"null"}, false},
		{"an empty one", []string{""}, false},
		{"two", []string{"https://a.example.com", "https://b.example.com"}, false},
	} {
		if got := m.AllowsOrigins(tt.origins); got != tt.want {
			t.Errorf("%s: got %t, want %t", tt.name, got, tt.want)
		}
	}
	if !(*MCP)(nil).AllowsOrigins([]string{"https://b.example.com"}) {
		t.Error("a rule without mcp: want every origin")
	}
}

func TestWild(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a", "", false},
		{"*", "", true}, {"*", "anything/at all", true},
		{"a*", "a", true}, {"a*", "b", false}, {"*a", "ba", true}, {"*a", "ab", false},
		{"a*a", "a", false}, {"a*a", "aa", true}, {"a*b*c", "a-b-c", true}, {"a*b*c", "a-c-b", false}, {"a**b", "ab", true},
	} {
		if got := wild(tt.pattern, tt.text); got != tt.want {
			t.Errorf("%q, %q: got %t, want %t", tt.pattern, tt.text, got, tt.want)
		}
	}
}

// FuzzReadCall has a name that was decoded stand for itself, and none that a header can't hold.
func FuzzReadCall(f *testing.F) {
	f.Add("2026-07-28", "tools/call", "write_file")
	f.Add("2026-07-28", "tools/call", "=?base64?d3JpdGVfw6TDtsO8?=")
	f.Add("2025-06-18", "tools/list", "")
	f.Add("2026-07-28", "a,b", "=?base64?!?=")
	f.Fuzz(func(t *testing.T, version, method, name string) {
		q, err := readCall(http.Header{"Mcp-Protocol-Version": {version}, "Mcp-Method": {method}, "Mcp-Name": {name}})
		if err != nil {
			if _, ok := errors.AsType[*MCPError](err); !ok || q != nil {
				t.Fatalf("got %v, %v, want an MCPError alone", q, err)
			}
			return
		}
		if version < firstVersion || q.method != method || q.method == "" || strings.Contains(q.method, ",") {
			t.Errorf("got %+v of version %q and method %q", q, version, method)
		}
		if !strings.HasPrefix(name, "=?") && q.name != name {
			t.Errorf("got name %q of %q", q.name, name)
		}
		if !wild("*", q.name) || !wild(strings.ReplaceAll(q.name, "*", "")+"*", strings.ReplaceAll(q.name, "*", "")) {
			t.Errorf("%q is none of its own patterns", q.name)
		}
	})
}
