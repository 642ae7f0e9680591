package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy/index"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// Credential is a kind of proof that a request can bring.
type Credential string

// The kinds of credentials.
const (
	Cookie Credential = "cookie"  // the session cookie
	Bearer Credential = "bearer"  // an access token: Authorization: Bearer
	APIKey Credential = "api_key" // a WorkOS API key: Authorization: Bearer sk_…, or X-API-Key
)

// Access says who may pass a rule, before its requirements.
type Access string

// The kinds of access.
const (
	Authenticated Access = "authenticated" // whoever brings a good credential and meets the requirements
	Public        Access = "public"        // everybody
	Nobody        Access = "nobody"
)

// Rule is one rule of a policy, or its default. New reads it; that of a Policy must not
// be changed.
type Rule struct {
	Name               string       // unique; "default" for the default
	Line               int          // in the file that it was read from, 0: none
	Hosts              []string     // names, or "*." and a name; none: every host
	Paths              []string     // globs of whole segments, decoded; none: every path
	Methods            []string     // in capital letters; none: every method
	Access             Access       // of a Policy's never empty; empty: Authenticated
	Credentials        []Credential // what is accepted, in this order; of a Policy's never empty; none: Cookie
	Require            Requirements
	DeniesEncodedSlash bool      // a %2F in paths
	IgnoreCase         bool      // of paths
	AllowsPreflights   bool      // of CORS, without a credential
	Resource           *Resource // whose tokens alone are bearer tokens here; nil: those of sessions, and of BEARER_ISSUERS
	AllowsMachines     bool      // tokens of machines (M2M) at the resource, whose audience is the environment's client id
	AllowsAgents       bool      // agents' tokens at the resource
	MCP                *MCP      // which calls of an MCP server it is for; nil: it isn't told apart

	target index.Target
}

// The limits of a policy: of a rule's name in bytes, and of what the index takes, for
// each rule its hosts times its methods times the segments of its paths.
const (
	MaxNameBytes = 100
	maxSize      = 1_000_000
)

// rules checks the rules and brings them into canonical form.
func (c *checker) rules(rules []Rule) []*Rule {
	checked := make([]*Rule, 0, len(rules))
	size, lines := 0, make(map[string]int, len(rules))
	for i := range rules {
		r := rules[i]
		c.begin(i, &r)
		c.rule(&r)
		if earlier, ok := lines[r.Name]; ok && r.Name != "" {
			c.report("name", -1, "the name %q is taken by the rule of line %d: write another", r.Name, earlier)
		}
		lines[r.Name] = r.Line
		if size += r.target.Size(); size > maxSize {
			c.report("", -1, "the policy is too large: its rules have more than %d hosts times methods times segments of paths: "+
				"make their lists shorter", maxSize)
			return nil
		}
		checked = append(checked, &r)
	}
	return checked
}

func (c *checker) rule(r *Rule) {
	c.name(r.Name)
	r.target.Hosts = c.canonical("hosts", r.Hosts, CanonicalHost)
	r.target.Methods = c.canonical("methods", r.Methods, canonicalMethod)
	r.target.IgnoreCase = r.IgnoreCase
	c.paths(r)
	if r.Access == "" {
		r.Access = Authenticated
	}
	if r.Access == Public || r.Access == Nobody {
		if r.Require.written() {
			c.report("require", -1, "%s has allow: %s: leave out require, or write allow: authenticated", c.where, r.Access)
		}
		if len(r.Credentials) > 0 {
			c.report("credentials", -1, "%s has allow: %s: leave out credentials, or write allow: authenticated", c.where, r.Access)
		}
	}
	if r.AllowsPreflights && r.Access == Nobody {
		c.report("cors_preflight", -1, "%s is for nobody: leave out cors_preflight", c.where)
	}
	c.resource(r)
	c.mcp(r)
	c.credentials(r.Credentials)
	c.issuer(r)
	c.requirements(&r.Require, r.Credentials)
	if len(r.Credentials) == 0 {
		r.Credentials = []Credential{Cookie}
	}
}

// name checks a rule's name, which stands in logs and on pages.
func (c *checker) name(name string) {
	switch {
	case name == "":
		c.report("name", -1, "%s has no name: write one", c.where)
	case len(name) > MaxNameBytes || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		c.report("name", -1, "%s: name: write one line of at most %d bytes", c.where, MaxNameBytes)
	case name == DefaultName:
		c.report("name", -1, "%s: name: %q is the default's: write another", c.where, DefaultName)
	}
}

// paths reads a rule's paths. Two that differ only in spelling are the same.
func (c *checker) paths(r *Rule) {
	if r.IgnoreCase && len(r.Paths) == 0 {
		c.report("ignore_case", -1, "%s: ignore_case is about paths, and there are none: leave it out", c.where)
	}
	seen := make(map[string]string)
	for i, path := range r.Paths {
		if problem := index.PatternProblem(path); problem != "" {
			c.report("paths", i, "%s: paths: %s: %s", c.where, Quote(path), problem)
			continue
		}
		p := index.NewPattern(path, r.IgnoreCase)
		key := p.Key()
		if earlier := seen[key]; earlier != "" {
			c.report("paths", i, "%s: paths: %s is the same as %s: keep one", c.where, Quote(path), Quote(earlier))
			continue
		}
		seen[key] = path
		r.target.Paths = append(r.target.Paths, p)
	}
}

// CanonicalHost returns a rule's host in canonical form: a name, or "*." and the name that
// it must be below; or what is wrong with it.
func CanonicalHost(text string) (canonical, problem string) {
	name, wildcard := strings.CutPrefix(text, "*.")
	switch {
	case text == "*":
		return "", `"*": leave hosts out, then the rule is for every protected host`
	case strings.Contains(name, "*"):
		return "", fmt.Sprintf("%s: a * stands only at the beginning, before a dot: write *.example.com", Quote(text))
	}
	host, err := site.ParseHost(name, "")
	switch {
	case err != nil || wildcard && strings.HasPrefix(host.Name, "["):
		return "", fmt.Sprintf("%s is not a host: write its name alone, such as app.example.com or *.example.com", Quote(text))
	case host.Port != "":
		return "", fmt.Sprintf("%s: leave the port out: ports are ignored, as cookies ignore them", Quote(text))
	}
	if wildcard {
		return "*." + host.Name, ""
	}
	return host.Name, ""
}

// canonicalMethod returns a rule's method, or what is wrong with it.
func canonicalMethod(text string) (canonical, problem string) {
	switch {
	case inCapitals(text):
		return text, ""
	case text == "*":
		return "", "leave methods out, then the rule is for all of them"
	}
	return "", fmt.Sprintf("%s is not a method: write it in capital letters, such as GET", Quote(text))
}

// inCapitals reports whether a method is written as rules write them.
func inCapitals(method string) bool {
	return site.ValidMethod(method) && !strings.ContainsFunc(method, func(r rune) bool { return r >= 'a' && r <= 'z' })
}

func (c *checker) credentials(list []Credential) {
	for i, credential := range list {
		if !slices.Contains([]Credential{Cookie, Bearer, APIKey}, credential) {
			c.report("credentials", i, "%s: credentials: %s is none: write cookie, bearer, api_key", c.where, Quote(string(credential)))
		}
	}
}

// unreachable reports the rules that can never match: each of their hosts, paths and
// methods together is matched by one earlier rule.
func (c *checker) unreachable(rules []*Rule) {
	x := index.New()
	for i, r := range rules {
		if number := x.Covering(&r.target); number != index.None {
			earlier := rules[number]
			c.begin(i, r)
			c.report("", -1, "rule %q can never match: what it is about is matched before, as by rule %q of line %d: "+
				"move it up, or leave it out", r.Name, earlier.Name, earlier.Line)
		}
		if !r.MCP.selects() { // which leaves other calls to the rules behind it
			x.Add(int32(i), &r.target)
		}
	}
}
