package policyfile

import (
	"slices"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

func TestResource(t *testing.T) {
	t.Parallel()
	d, err := Parse([]byte(`rules:
  - name: files
    hosts: [mcp.example.com]
    paths: [/mcp, /mcp/**]
    resource: {url: "https://mcp.example.com/mcp", name: Files, documentation: "https://docs.example.com/", scopes: [files:read, files:write]}
    require: {scopes: {all: [files:read]}}
    m2m: allow
    agents: deny
  - name: api
    hosts: [api.example.com]
    resource: https://api.example.com
tests:
  - {name: a scope, request: POST https://mcp.example.com/mcp, credential: bearer, claims: {sub: user_01A, scope: "files:write files:read"}, expect: allowed}
  - {name: none, request: POST https://mcp.example.com/mcp, credential: bearer, claims: {sub: user_01A}, expect: denied}
  - {name: a cookie, request: POST https://mcp.example.com/mcp, claims: {sub: user_01A, scope: "files:read"}, expect: credential}
`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	files, api := d.Policy.Rules()[0], d.Policy.Rules()[1]
	if r := files.Resource; r.URL != "https://mcp.example.com/mcp" || r.Name != "Files" || r.Documentation != "https://docs.example.com/" ||
		!slices.Equal(r.Scopes, []string{"files:read", "files:write"}) || !files.AllowsMachines || files.AllowsAgents {
		t.Errorf("got %+v, %+v", r, files)
	}
	if api.Resource.URL != "https://api.example.com" || !slices.Equal(api.Credentials, []policy.Credential{policy.Bearer}) {
		t.Errorf("got %+v", api)
	}
}

func TestResourcesThatAreRefused(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]string{
		"resource: {name: a}":                                     "line 4: rule \"a\": resource has no url: add it",
		"resource: {uri: https://mcp.example.com}":                "unknown key \"uri\": write url",
		"resource: [https://mcp.example.com]":                     "must be a mapping",
		"resource: https://other.example.com":                     "line 4: rule \"a\": resource: its host is other.example.com",
		"resource: https://mcp.example.com\n    m2m: true":        "line 5: rule \"a\": m2m must be allow or deny",
		"agents: allow":                                           "are for rules with a resource",
		"resource: {url: https://mcp.example.com, scopes: files}": "must be a list",
	} {
		if _, err := Parse([]byte("rules:\n  - name: a\n    hosts: [mcp.example.com]\n    "+fields+"\n"), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", fields, err, want)
		}
	}
	if _, err := Parse([]byte("rules:\n  - name: a\n    hosts: [mcp.example.com]\n    resource: https://mcp.example.com\n"), Options{NoAuthKitDomain: true}); err == nil ||
		!strings.Contains(err.Error(), "line 4: rule \"a\": resource: set AUTHKIT_DOMAIN") {
		t.Errorf("without AUTHKIT_DOMAIN: got %v", err)
	}
}
