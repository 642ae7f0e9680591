package policy

import (
	"slices"
	"strings"
	"testing"
)

func resourceRule(url string, change ...func(*Rule)) Rule {
	r := Rule{Name: "a " + url, Hosts: []string{"mcp.example.com"}, Resource: &Resource{URL: url}}
	for _, c := range change {
		c(&r)
	}
	return r
}

func TestResource(t *testing.T) {
	t.Parallel()
	p, err := New([]Rule{
		resourceRule("https://mcp.example.com/mcp", func(r *Rule) { r.Paths = []string{"/mcp", "/mcp/**"} }),
		resourceRule("https://mcp.example.com"),
		resourceRule("https://one.example.com/api", func(r *Rule) { r.Hosts, r.Paths = []string{"one.example.com"}, []string{"/api/**"} }),
	}, Default{})
	if err != nil {
		t.Fatal(err)
	}
	r := p.Rules()[0]
	if !slices.Equal(r.Credentials, []Credential{Bearer}) || !r.AllowsPreflights {
		t.Errorf("got %v, %t, want bearer tokens and preflights", r.Credentials, r.AllowsPreflights)
	}
	for _, tt := range []struct{ host, path, want string }{
		{"mcp.example.com", "/mcp", "https://mcp.example.com/mcp"},
		{"mcp.example.com", "", "https://mcp.example.com"},
		{"mcp.example.com", "/other", ""},
		{"mcp.example.com", "/mcp/admin", ""},
		{"one.example.com", "/api", "https://one.example.com/api"},
		{"one.example.com", "", "https://one.example.com/api"}, // the only one
		{"two.example.com", "", ""},
	} {
		got := ""
		if res := p.ResourceAt(tt.host, tt.path); res != nil {
			got = res.URL
		}
		if got != tt.want {
			t.Errorf("%s%s: got %q, want %q", tt.host, tt.path, got, tt.want)
		}
	}
	if got, want := r.Resource.MetadataURL(), "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	root := p.ResourceAt("mcp.example.com", "")
	if got, want := root.MetadataURL(), "https://mcp.example.com/.well-known/oauth-protected-resource"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for audience, want := range map[string]bool{"https://mcp.example.com": true, "https://mcp.example.com/": true, "https://mcp.example.com//": false, "https://mcp.example.com/mcp": false, "http://mcp.example.com": false} {
		if got := root.Is(audience); got != want {
			t.Errorf("%s: got %t, want %t", audience, got, want)
		}
	}
}

func TestResourcesThatAreRefused(t *testing.T) {
	t.Parallel()
	paths := func(paths ...string) func(*Rule) { return func(r *Rule) { r.Paths = paths } }
	for want, rules := range map[string][]Rule{
		"is no URL":                        {resourceRule("mcp.example.com/mcp")},
		"http is for localhost":            {resourceRule("http://mcp.example.com")},
		"leave out user, query":            {resourceRule("https://mcp.example.com?a")},
		"without a slash at its end":       {resourceRule("https://mcp.example.com/mcp/", paths("/mcp/**"))},
		"write a plain path":               {resourceRule("https://mcp.example.com/a%2fb", paths("/a/**"))},
		"in its canonical form":            {resourceRule("https://MCP.example.com")},
		"write hosts: [other.example.com]": {resourceRule("https://other.example.com")},
		"paths must be /mcp and below it":  {resourceRule("https://mcp.example.com/mcp")},
		"write paths: [/mcp, /mcp/**]":     {resourceRule("https://mcp.example.com/mcp", paths("/mcp/**", "/mcpx"))},
		"the rule has allow: public":       {resourceRule("https://mcp.example.com", func(r *Rule) { r.Access = Public })},
		"add bearer to credentials":        {resourceRule("https://mcp.example.com", func(r *Rule) { r.Credentials = []Credential{Cookie} })},
		"max_auth_age can't be met":        {resourceRule("https://mcp.example.com", func(r *Rule) { r.Require.MaxAuthAge = 1e12 })},
		"is no scope":                      {resourceRule("https://mcp.example.com", func(r *Rule) { r.Resource.Scopes = []string{"a b"} })},
		"is there twice":                   {resourceRule("https://mcp.example.com", func(r *Rule) { r.Resource.Scopes = []string{"a", "a"} })},
		"with another name, documentation or scopes": {
			resourceRule("https://mcp.example.com/mcp", paths("/mcp/a")), resourceRule("https://mcp.example.com/mcp", paths("/mcp/b"), func(r *Rule) { r.Name = "b"; r.Resource.Scopes = []string{"x"} }),
		},
		"m2m and agents are for rules with a resource":                   {{Name: "a", AllowsMachines: true}},
		"scopes: none of the rule's credentials can meet it: add bearer": {{Name: "a", Require: Requirements{Lists: []ListRequirement{{Name: Scopes, Any: []string{"a"}}}}}},
	} {
		if _, err := New(rules, Default{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
