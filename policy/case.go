package policy

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

// check is one of a policy's own tests.
type check struct {
	name    string
	line    int
	request Request
	caller  Caller
	expect  Answer
	rule    string // that has to decide; empty: any
}

// answers are those that a test can expect.
func answers() []string {
	return []string{
		string(Allowed), string(SignIn), string(NeedsCredential), string(StepUp), string(Denied), string(Ambiguous), string(WrongHost),
	}
}

// Tests is how many tests of its own the policy has passed.
func (p *Policy) Tests() int {
	if p.testsNode == nil {
		return 0
	}
	return len(p.testsNode.Content)
}

// runCases runs a policy's own tests, the list under the key tests (nil: none). A problem says
// what is wrong with a test, or what came instead of what it expects.
func (p *Policy) runCases(node *yaml.Node) Problems {
	if node == nil {
		return nil
	}
	d, now := &decoder{}, time.Now()
	if node.Kind != yaml.SequenceNode || len(node.Content) == 0 {
		d.report(node.Line, "tests must be a list of tests: leave it out where there is none")
		return d.problems
	}
	seen := map[string]bool{}
	for _, item := range node.Content {
		before := len(d.problems)
		c := d.check(item, now)
		if c.name != "" && seen[c.name] {
			d.report(c.line, "test %s has the name of another one: give it its own", quote(c.name))
		}
		seen[c.name] = true
		if len(d.problems) == before {
			p.try(d, c, now)
		}
	}
	return d.problems
}

// try runs one test.
func (p *Policy) try(d *decoder, c check, now time.Time) {
	e := p.answer(c.request, c.caller, now)
	if e.Answer == c.expect && (c.rule == "" || e.Rule != nil && e.Rule.Name == c.rule) {
		return
	}
	want := string(c.expect)
	if c.rule != "" {
		want += fmt.Sprintf(" by rule %s", quote(c.rule))
	}
	got := string(e.Answer)
	if e.Rule != nil {
		got += fmt.Sprintf(" by rule %s", quote(e.Rule.Name))
	}
	d.report(c.line, "test %s fails: got %s, want %s: %s", quote(c.name), got, want, e.Why)
}

// check reads a test.
func (d *decoder) check(n *yaml.Node, now time.Time) check {
	c := check{line: n.Line}
	values := d.mapping(n, "a test", "name", "request", "preflight", "credential", "claims", "expect", "rule")
	if values == nil {
		return c
	}
	where := "a test"
	if value := values["name"]; value != nil {
		c.name = d.string(value, "a test: name")
		where = "test " + quote(c.name)
	}
	for _, key := range []string{"name", "request", "expect"} {
		if values[key] == nil {
			d.report(n.Line, "%s has no %s: add it", where, key)
		}
	}
	if value := values["expect"]; value != nil {
		c.expect = Answer(d.word(value, where+": expect", answers()...))
	}
	if value := values["rule"]; value != nil {
		c.rule = d.string(value, where+": rule")
	}
	c.request = d.request(values, where)
	c.caller.Credential = Cookie
	if value := values["credential"]; value != nil {
		c.caller.Credential = Credential(d.word(value, where+": credential", string(Cookie), string(Bearer), string(APIKey)))
	}
	if value := values["claims"]; value != nil {
		c.caller.Identity = d.identity(value, where+": claims", now)
	}
	return c
}

// request reads a test's request and preflight.
func (d *decoder) request(values map[string]*yaml.Node, where string) Request {
	value := values["request"]
	if value == nil {
		return Request{}
	}
	line := d.string(value, where+": request")
	if line == "" {
		return Request{}
	}
	method, url, _ := strings.Cut(line, " ")
	scheme, rest, ok := strings.Cut(url, "://")
	slash := strings.IndexByte(rest, '/')
	if !ok || scheme != "https" && scheme != "http" || slash < 0 {
		d.report(value.Line, "%s: request must be a method, a space and an absolute URL, such as GET https://app.example.com/", where)
		return Request{}
	}
	announced := ""
	if preflight := values["preflight"]; preflight != nil {
		announced = d.string(preflight, where+": preflight")
	}
	r, err := NewRequest(method, rest[:slash], rest[slash:], announced)
	if err != nil {
		d.report(value.Line, "%s: request: %s", where, err)
	}
	return r
}

// identity reads who makes a test's request. auth_age is how long ago they signed in.
func (d *decoder) identity(n *yaml.Node, where string, now time.Time) *identity.Identity {
	id := &identity.Identity{}
	values := d.mapping(n, where,
		"sub", "email", "email_verified", "org_id", "role", "roles", "permissions", "entitlements", "feature_flags", "act", "auth_age")
	if values != nil && len(n.Content) == 0 {
		d.report(n.Line, "%s must not be empty: leave it out where nobody is signed in", where)
	}
	for key, into := range map[string]*string{"sub": &id.Subject, "email": &id.Email, "org_id": &id.OrganizationID, "role": &id.Role} {
		if value := values[key]; value != nil {
			*into = d.string(value, where+": "+key)
		}
	}
	for key, into := range map[string]*[]string{
		"roles": &id.Roles, "permissions": &id.Permissions, "entitlements": &id.Entitlements, "feature_flags": &id.FeatureFlags,
	} {
		if value := values[key]; value != nil {
			for _, item := range d.strings(value, where+": "+key) {
				*into = append(*into, item.value)
			}
		}
	}
	id.EmailVerified = true // unless the claim says otherwise
	if value := values["email_verified"]; value != nil {
		id.EmailVerified = d.boolean(value, where+": email_verified")
	}
	if value := values["act"]; value != nil {
		act := d.mapping(value, where+": act", "sub")
		if sub := act["sub"]; sub != nil {
			id.Impersonator = d.string(sub, where+": act: sub")
		} else if act != nil {
			d.report(value.Line, "%s: act has no sub: add it", where)
		}
	}
	if value := values["auth_age"]; value != nil {
		id.AuthTime = now.Add(-d.duration(value, where+": auth_age", 0))
	}
	return id
}
