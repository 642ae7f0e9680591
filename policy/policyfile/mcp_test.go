package policyfile

import (
	"slices"
	"strings"
	"testing"
)

func TestMCP(t *testing.T) {
	t.Parallel()
	d, err := Parse([]byte(`rules:
  - name: write
    hosts: [mcp.example.com]
    paths: [/mcp]
    mcp: {tools: [write_*], methods: [tools/call], legacy: allow, origins: ["https://inspector.example.com"]}
    resource: {url: "https://mcp.example.com/mcp"}
    require: {scopes: [files:write]}
  - name: rest
    hosts: [mcp.example.com]
    paths: [/mcp]
    resource: {url: "https://mcp.example.com/mcp"}
tests:
  - {name: a tool, request: POST https://mcp.example.com/mcp, mcp: {method: tools/call, name: write_file}, credential: bearer, claims: {sub: user_01A}, expect: denied, rule: write}
  - {name: another, request: POST https://mcp.example.com/mcp, mcp: {method: tools/call, name: read_file}, credential: bearer, claims: {sub: user_01A}, expect: allowed, rule: rest}
  - {name: no name, request: POST https://mcp.example.com/mcp, mcp: {method: tools/call}, credential: bearer, claims: {sub: user_01A}, expect: mcp, rule: write}
  - {name: legacy, request: POST https://mcp.example.com/mcp, mcp: {method: tools/call, name: write_file, version: "2025-11-25"}, credential: bearer, claims: {sub: user_01A}, expect: allowed, rule: rest}
`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := d.Policy.Rules()[0].MCP
	if !slices.Equal(m.Tools, []string{"write_*"}) || !slices.Equal(m.Methods, []string{"tools/call"}) || !m.AllowsLegacy || !slices.Equal(m.Origins, []string{"https://inspector.example.com"}) {
		t.Errorf("got %+v", m)
	}
	if d.Policy.Rules()[1].MCP != nil {
		t.Errorf("got %+v, want none", d.Policy.Rules()[1].MCP)
	}
}

func TestMCPThatIsRefused(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]string{
		"mcp: {tool: [a]}":                    `line 4: rule "a": mcp has the unknown key "tool": write tools`,
		"mcp: [a]":                            "must be a mapping",
		"mcp: {tools: a}":                     "must be a list",
		"mcp:\n      tools: [ok, 'a b']":      `line 5: rule "a": mcp: tools: "a b" is no name`,
		"mcp: {tools: [a], legacy: yes}":      "legacy must be allow or deny",
		"mcp: {tools: [a], origins: [a.com]}": "is no origin",
		"mcp: {legacy: allow}":                "write tools, methods or origins",
	} {
		if _, err := Parse([]byte("rules:\n  - name: a\n    hosts: [mcp.example.com]\n    "+fields+"\n"), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", fields, err, want)
		}
	}
}
