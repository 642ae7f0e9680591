package policy

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// maxNameBytes bounds a rule's name, maxSize what a policy's index takes: for each
// rule its hosts times its methods times the segments of its paths.
const (
	maxNameBytes = 100
	maxSize      = 1_000_000
)

// rules reads the list of rules. line is where it is missing.
func (d *decoder) rules(line int, n *yaml.Node, o Options) []*Rule {
	if n == nil {
		d.report(line, "the policy has no rules: write rules, a list")
		return nil
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		d.report(n.Line, "rules must be a list with at least one rule")
		return nil
	}
	var rules []*Rule
	size, lines := 0, make(map[string]int, len(n.Content))
	for i, item := range n.Content {
		r := d.rule(int32(i), item, o)
		if earlier, ok := lines[r.Name]; ok && r.Name != "" {
			d.report(r.Line, "the name %q is taken by the rule of line %d: write another", r.Name, earlier)
		}
		lines[r.Name] = r.Line
		if size += r.size(); size > maxSize {
			d.report(r.Line, "the policy is too large: its rules have more than %d hosts times methods times segments of paths: "+
				"make their lists shorter", maxSize)
			return nil
		}
		rules = append(rules, r)
	}
	if len(d.problems) == 0 {
		d.unreachable(rules)
	}
	return rules
}

// size is what a rule takes of the index.
func (r *Rule) size() int {
	segments := 1
	for _, p := range r.paths {
		segments += len(p.segments)
	}
	return segments * max(1, len(r.hosts)) * max(1, len(r.methods))
}

// rule reads one rule.
func (d *decoder) rule(number int32, n *yaml.Node, o Options) *Rule {
	r := &Rule{number: number, Line: n.Line, Access: Authenticated, Credentials: []Credential{Cookie}}
	where := ruleName(number, n)
	keys := d.mapping(n, where, "name", "hosts", "paths", "methods", "allow", "require", "credentials",
		"encoded_slash", "ignore_case", "cors_preflight")
	if keys == nil {
		return r
	}
	r.Name = d.name(keys["name"], n.Line, where)
	d.target(r, keys, where, o)
	d.grant(r, keys, where)
	return r
}

// grant reads whom a rule lets through.
func (d *decoder) grant(r *Rule, keys map[string]*yaml.Node, where string) {
	if n := keys["allow"]; n != nil {
		r.Access = Access(d.word(n, where+": allow", string(Public), string(Authenticated), string(Nobody)))
	}
	if n := keys["encoded_slash"]; n != nil {
		r.encodedSlash = d.word(n, where+": encoded_slash", "allow", "deny") == "allow"
	}
	if n := keys["cors_preflight"]; n != nil {
		r.preflight = d.word(n, where+": cors_preflight", "allow", "deny") == "allow"
		if r.preflight && r.Access == Nobody {
			d.report(n.Line, "%s is for nobody: leave out cors_preflight", where)
		}
	}
	for _, key := range []string{"require", "credentials"} {
		if n := keys[key]; n != nil && (r.Access == Public || r.Access == Nobody) {
			d.report(n.Line, "%s has allow: %s: leave out %s, or write allow: authenticated", where, r.Access, key)
		}
	}
	if n := keys["credentials"]; n != nil {
		r.Credentials = d.credentials(n, where+": credentials")
	}
	if n := keys["require"]; n != nil {
		r.Require = d.requirements(n, where+": require", r.Credentials)
	}
}

// ruleName names a rule in the text of its problems.
func ruleName(number int32, n *yaml.Node) string {
	n = follow(n)
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if value := follow(n.Content[i+1]); n.Content[i].Value == "name" && value.Kind == yaml.ScalarNode && value.Value != "" {
			return "rule " + quote(value.Value)
		}
	}
	return "rule " + strconv.Itoa(int(number)+1)
}

// target reads what a rule matches.
func (d *decoder) target(r *Rule, keys map[string]*yaml.Node, where string, o Options) {
	if n := keys["ignore_case"]; n != nil {
		r.ignoreCase = d.boolean(n, where+": ignore_case")
		if r.ignoreCase && keys["paths"] == nil {
			d.report(n.Line, "%s: ignore_case is about paths, and there are none: leave it out", where)
		}
	}
	if n := keys["hosts"]; n != nil {
		for _, t := range d.canonical(n, where+": hosts", d.host) {
			if o.Reaches != nil && !o.Reaches(t.value) {
				d.report(t.line, "%s: hosts: the session cookie does not reach %s: set WORKOS_COOKIE_DOMAIN to a domain "+
					"that covers it, or leave it out", where, quote(t.value))
			}
			r.hosts = append(r.hosts, t.value)
		}
	}
	if n := keys["paths"]; n != nil {
		d.paths(r, n, where+": paths")
	}
	if n := keys["methods"]; n != nil {
		for _, t := range d.canonical(n, where+": methods", d.method) {
			r.methods = append(r.methods, t.value)
		}
	}
}

// paths reads a rule's paths. What differs only in spelling is the same.
func (d *decoder) paths(r *Rule, n *yaml.Node, where string) {
	seen := make(map[string]string)
	for _, t := range d.strings(n, where) {
		p, ok := d.pathPattern(t, where, r.ignoreCase)
		if !ok {
			continue
		}
		key := p.key()
		if earlier := seen[key]; earlier != "" {
			d.report(t.line, "%s: %s is the same as %s: keep one", where, quote(t.value), quote(earlier))
			continue
		}
		seen[key] = t.value
		r.paths = append(r.paths, p)
	}
}

// canonical reads a list whose values have a canonical form, "" where there is none.
func (d *decoder) canonical(n *yaml.Node, where string, form func(t text, where string) string) []text {
	var list []text
	for _, t := range d.strings(n, where) {
		if value := form(t, where); value != "" {
			list = append(list, text{value, t.line})
		}
	}
	return d.different(list, where)
}

func (d *decoder) method(t text, where string) string {
	switch {
	case validMethod(t.value):
		return t.value
	case t.value == "*":
		d.report(t.line, "%s: leave methods out, then the rule is for all of them", where)
	default:
		d.report(t.line, "%s: %s is not a method: write it in capital letters, such as GET", where, quote(t.value))
	}
	return ""
}

func (d *decoder) credentials(n *yaml.Node, where string) []Credential {
	known := []string{string(Cookie), string(Bearer), string(APIKey)}
	var list []Credential
	for _, t := range d.strings(n, where) {
		if !slices.Contains(known, t.value) {
			d.report(t.line, "%s: %s is none: write %s", where, quote(t.value), strings.Join(known, ", "))
			continue
		}
		list = append(list, Credential(t.value))
	}
	return list
}

// name reads a rule's name, which stands in logs and on pages.
func (d *decoder) name(n *yaml.Node, line int, where string) string {
	if n == nil {
		d.report(line, "%s has no name: write one", where)
		return ""
	}
	name := d.string(n, where+": name")
	switch {
	case len(name) > maxNameBytes || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		d.report(n.Line, "%s: name: write one line of at most %d bytes", where, maxNameBytes)
		return ""
	case name == DefaultName:
		d.report(n.Line, "%s: name: %q is the default's: write another", where, DefaultName)
		return ""
	}
	return name
}
