package policyfile

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

// check is one of a policy's own tests.
type check struct {
	name    string
	line    int
	request policy.Request
	caller  policy.Caller
	expect  policy.Answer
	rule    string // that has to decide; empty: any
}

// tests reads and runs a policy's own tests, the list under the key tests (nil: none), and
// returns how many they are. A problem says what is wrong with a test, or what came
// instead of what it expects.
func (d *decoder) tests(p *policy.Policy, node *yaml.Node) int {
	if node == nil {
		return 0
	}
	if node.Kind != yaml.SequenceNode || len(node.Content) == 0 {
		d.report(node.Line, "tests must be a list of tests: leave it out where there is none")
		return 0
	}
	now, seen := time.Now(), map[string]bool{}
	for _, item := range node.Content {
		before := len(d.problems)
		c := d.check(item, now, extraClaims(p))
		if c.name != "" && seen[c.name] {
			d.report(c.line, "test %s has the name of another one: give it its own", policy.Quote(c.name))
		}
		seen[c.name] = true
		if len(d.problems) == before {
			d.run(p, c, now)
		}
	}
	return len(node.Content)
}

// run runs one test.
func (d *decoder) run(p *policy.Policy, c check, now time.Time) {
	e := p.Answer(c.request, c.caller, now)
	if e.Answer == c.expect && (c.rule == "" || e.Rule != nil && e.Rule.Name == c.rule) {
		return
	}
	want := string(c.expect)
	if c.rule != "" {
		want += fmt.Sprintf(" by rule %s", policy.Quote(c.rule))
	}
	got := string(e.Answer)
	if e.Rule != nil {
		got += fmt.Sprintf(" by rule %s", policy.Quote(e.Rule.Name))
	}
	d.report(c.line, "test %s fails: got %s, want %s: %s", policy.Quote(c.name), got, want, e.Why)
}

// check reads a test.
func (d *decoder) check(n *yaml.Node, now time.Time, extra []string) check {
	c := check{line: n.Line}
	values := d.mapping(n, "a test", "name", "request", "preflight", "mcp", "credential", "issuer", "claims", "expect", "rule")
	if values == nil {
		return c
	}
	where := "a test"
	if value := values["name"]; value != nil {
		c.name = d.string(value, "a test: name")
		where = "test " + policy.Quote(c.name)
	}
	for _, key := range []string{"name", "request", "expect"} {
		if values[key] == nil {
			d.report(n.Line, "%s has no %s: add it", where, key)
		}
	}
	if value := values["expect"]; value != nil {
		c.expect = policy.Answer(d.word(value, where+": expect", policy.Answers()...))
	}
	if value := values["rule"]; value != nil {
		c.rule = d.string(value, where+": rule")
	}
	c.request = d.request(values, where)
	c.caller.Credential = policy.Cookie
	if value := values["credential"]; value != nil {
		c.caller.Credential = policy.Credential(d.word(value, where+": credential", string(policy.Cookie), string(policy.Bearer), string(policy.APIKey)))
	}
	switch value := values["claims"]; {
	case values[policy.IssuerName] != nil:
		c.caller.Identity = d.ofIssuer(values, where)
	case value != nil:
		c.caller.Identity = d.identity(value, where+": claims", now, extra)
	}
	return c
}

// request reads a test's request and preflight.
func (d *decoder) request(values map[string]*yaml.Node, where string) policy.Request {
	value := values["request"]
	if value == nil {
		return policy.Request{}
	}
	line := d.string(value, where+": request")
	if line == "" {
		return policy.Request{}
	}
	method, url, _ := strings.Cut(line, " ")
	scheme, rest, ok := strings.Cut(url, "://")
	slash := strings.IndexByte(rest, '/')
	if !ok || scheme != "https" && scheme != "http" || slash < 0 {
		d.report(value.Line, "%s: request must be a method, a space and an absolute URL, such as GET https://app.example.com/", where)
		return policy.Request{}
	}
	announced := ""
	if preflight := values["preflight"]; preflight != nil {
		announced = d.string(preflight, where+": preflight")
	}
	r, err := policy.NewRequest(method, rest[:slash], rest[slash:], announced)
	if err != nil {
		d.report(value.Line, "%s: request: %s", where, err)
	}
	if value := values["mcp"]; value != nil {
		r.Header = d.mcpHeader(value, where+": mcp")
	}
	return r
}

// mcpHeader reads what a test's request calls of an MCP server. Without a version it is one that says its calls in headers.
func (d *decoder) mcpHeader(n *yaml.Node, where string) http.Header {
	text := map[string]string{"version": "2026-07-28"}
	for name, value := range d.mapping(follow(n), where, "method", "name", "version") {
		text[name] = d.string(value, where+": "+name)
	}
	return policy.MCPHeader(text["version"], text["method"], text["name"])
}

// extraClaims are the claims of JWT templates that the policy asks for.
func extraClaims(p *policy.Policy) []string {
	var names []string
	for _, r := range p.Rules() {
		for _, l := range r.Require.Lists {
			if name, ok := strings.CutPrefix(l.Name, policy.ClaimPrefix); ok && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// identity reads who makes a test's request. extra are claims that a test may have beside AuthKit's own.
func (d *decoder) identity(n *yaml.Node, where string, now time.Time, extra []string) *identity.Identity {
	id := &identity.Identity{EmailVerified: true} // unless the claim says otherwise
	claims := make(map[string]identity.Claim)
	var keys []string
	for _, claim := range id.Claims() {
		key := claim.Name
		switch key {
		case "sid": // no rule is about one session
			continue
		case "auth_time": // a test says how long ago that was
			key = "auth_age"
		}
		keys, claims[key] = append(keys, key), claim
	}
	values := d.mapping(n, where, slices.Concat(keys, []string{scopeKey}, extra)...)
	if values != nil && len(n.Content) == 0 {
		d.report(n.Line, "%s must not be empty: leave it out where nobody is signed in", where)
	}
	for _, key := range keys {
		if value := values[key]; value != nil {
			d.claim(value, where+": "+key, claims[key], now)
		}
	}
	others := map[string][]string{}
	for _, key := range extra {
		if value := values[key]; value != nil {
			others[key] = d.texts(value, where+": "+key)
		}
	}
	id.Extra = identity.NewExtra(others)
	if value := values[scopeKey]; value != nil {
		if id.Extra == nil {
			id.Extra = &identity.Extra{}
		}
		id.Extra.Scopes = strings.Fields(d.string(value, where+": "+scopeKey))
	}
	return id
}

// scopeKey is the claim with the scopes that an OAuth client was granted, spaces between them.
const scopeKey = "scope"

// texts reads one string or a list of them.
func (d *decoder) texts(n *yaml.Node, where string) []string {
	if follow(n).Kind == yaml.ScalarNode {
		return []string{d.string(n, where)}
	}
	var all []string
	for _, item := range d.strings(n, where) {
		all = append(all, item.value)
	}
	return all
}

// claim reads one claim.
func (d *decoder) claim(n *yaml.Node, where string, claim identity.Claim, now time.Time) {
	if claim.Member != "" {
		object := d.mapping(n, where, claim.Member)
		member := object[claim.Member]
		if member == nil {
			if object != nil {
				d.report(n.Line, "%s has no %s: add it", where, claim.Member)
			}
			return
		}
		n, where = member, where+": "+claim.Member
	}
	switch into := claim.Into.(type) {
	case *string:
		*into = d.string(n, where)
	case *[]string:
		for _, item := range d.strings(n, where) {
			*into = append(*into, item.value)
		}
	case *bool:
		*into = d.boolean(n, where)
	case *time.Time:
		*into = now.Add(-d.duration(n, where, 0))
	}
}
