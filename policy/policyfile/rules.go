package policyfile

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

// rulePosition is where a rule is in the file.
type rulePosition struct {
	whole  int              // line of the rule
	fields map[string]int   // by field, as policy.Problem names it
	items  map[string][]int // of the fields that are lists
	failed map[string]bool  // fields that could not be read: their problems are reported
}

// line is where a problem of the rule is.
func (p *rulePosition) line(problem policy.Problem) int {
	if items := p.items[problem.Field]; problem.Item >= 0 && problem.Item < len(items) {
		return items[problem.Item]
	}
	if line := p.fields[problem.Field]; line > 0 {
		return line
	}
	return p.whole
}

// ruleReader reads one rule.
type ruleReader struct {
	*decoder
	where    string // names the rule in the text of its problems
	position *rulePosition
}

// rules reads the list of rules. line is where it is missing.
func (d *decoder) rules(line int, n *yaml.Node, o Options) ([]policy.Rule, []*rulePosition) {
	if n == nil {
		d.report(line, "the policy has no rules: write rules, a list")
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		d.report(n.Line, "rules must be a list with at least one rule")
		return nil, nil
	}
	rules, positions := make([]policy.Rule, len(n.Content)), make([]*rulePosition, len(n.Content))
	for i, item := range n.Content {
		positions[i] = &rulePosition{whole: item.Line, fields: make(map[string]int), items: make(map[string][]int), failed: make(map[string]bool)}
		r := ruleReader{decoder: d, where: policy.RuleTitle(i, nameOf(item)), position: positions[i]}
		rules[i] = r.rule(item, o)
	}
	return rules, positions
}

// nameOf returns what a rule has as its name, to name it in the text of its problems.
func nameOf(n *yaml.Node) string {
	n = follow(n)
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if value := follow(n.Content[i+1]); n.Content[i].Value == "name" && value.Kind == yaml.ScalarNode {
			return value.Value
		}
	}
	return ""
}

// rule reads one rule. Its values are policy.New's to check.
func (r *ruleReader) rule(n *yaml.Node, o Options) policy.Rule {
	rule := policy.Rule{Line: n.Line}
	keys := r.mapping(n, r.where, "name", "hosts", "paths", "methods", "allow", "require", "credentials",
		"encoded_slash", "ignore_case", "cors_preflight", "resource", "m2m", "agents", "mcp")
	if keys == nil {
		r.position.failed["name"] = true
		return rule
	}
	r.field(keys, "name", func(n *yaml.Node, where string) { rule.Name = r.string(n, where) })
	r.list(keys, "hosts", &rule.Hosts)
	r.list(keys, "paths", &rule.Paths)
	r.list(keys, "methods", &rule.Methods)
	r.field(keys, "ignore_case", func(n *yaml.Node, where string) {
		rule.IgnoreCase = r.boolean(n, where) && !r.position.failed["paths"]
	})
	r.field(keys, "allow", func(n *yaml.Node, where string) {
		rule.Access = policy.Access(r.word(n, where, string(policy.Public), string(policy.Authenticated), string(policy.Nobody)))
	})
	r.field(keys, "encoded_slash", func(n *yaml.Node, where string) {
		rule.DeniesEncodedSlash = r.word(n, where, "allow", "deny") == "deny"
	})
	r.field(keys, "cors_preflight", func(n *yaml.Node, where string) {
		rule.AllowsPreflights = r.word(n, where, "allow", "deny") == "allow"
	})
	var credentials []string
	r.list(keys, "credentials", &credentials)
	for _, credential := range credentials {
		rule.Credentials = append(rule.Credentials, policy.Credential(credential))
	}
	r.field(keys, "require", func(n *yaml.Node, where string) { rule.Require = r.requirements(n, where) })
	r.field(keys, "resource", func(n *yaml.Node, where string) {
		rule.Resource = r.resource(n, where)
		if o.NoAuthKitDomain && rule.Resource != nil {
			r.report(n.Line, "%s: set AUTHKIT_DOMAIN, the authorization server of its clients", where)
		}
	})
	r.field(keys, "m2m", func(n *yaml.Node, where string) { rule.AllowsMachines = r.word(n, where, "allow", "deny") == "allow" })
	r.field(keys, "agents", func(n *yaml.Node, where string) { rule.AllowsAgents = r.word(n, where, "allow", "deny") == "allow" })
	r.field(keys, "mcp", func(n *yaml.Node, where string) { rule.MCP = r.mcp(n, where) })
	r.reached(rule.Hosts, o)
	return rule
}

// field reads one key, where it is there. The key is as policy.Problem names it.
func (r *ruleReader) field(keys map[string]*yaml.Node, field string, read func(n *yaml.Node, where string)) {
	n := keys[field]
	if n == nil {
		return
	}
	before := len(r.problems)
	r.position.fields[field] = n.Line
	read(n, r.where+": "+field)
	r.position.failed[field] = len(r.problems) > before
}

// list reads a list of strings.
func (r *ruleReader) list(keys map[string]*yaml.Node, field string, into *[]string) {
	r.field(keys, field, func(n *yaml.Node, where string) { *into = r.values(n, field, where) })
}

// values reads a list and notes the lines of its items.
func (r *ruleReader) values(n *yaml.Node, field, where string) []string {
	var values []string
	for _, t := range r.strings(n, where) {
		values = append(values, t.value)
		r.position.items[field] = append(r.position.items[field], t.line)
	}
	return values
}

// reached reports the hosts that the session cookie doesn't reach.
func (r *ruleReader) reached(hosts []string, o Options) {
	for i, host := range hosts {
		canonical, problem := policy.CanonicalHost(host)
		if o.Reaches != nil && problem == "" && !o.Reaches(canonical) {
			r.report(r.position.items["hosts"][i], "%s: hosts: the session cookie does not reach %s: set WORKOS_COOKIE_DOMAIN to a domain "+
				"that covers it, or leave it out", r.where, policy.Quote(canonical))
		}
	}
}

// requirements reads what a rule requires of its credentials.
func (r *ruleReader) requirements(n *yaml.Node, where string) policy.Requirements {
	keys := r.mapping(n, where, append(policy.ListNames(), claimsKey, policy.MaxAuthAge, policy.Impersonation, policy.IssuerName)...)
	if keys != nil && len(n.Content) == 0 {
		r.report(n.Line, "%s must not be empty: leave it out", where)
	}
	var required policy.Requirements
	for _, name := range policy.ListNames() {
		r.requirement(keys, name, func(n *yaml.Node, where string) {
			if l := r.listRequirement(n, name, where); len(l.Any)+len(l.All) > 0 {
				required.Lists = append(required.Lists, l)
				r.warnOfNames(l, where)
			}
		})
	}
	if n := keys[claimsKey]; n != nil {
		required.Lists = append(required.Lists, r.claims(n, where+": "+claimsKey)...)
	}
	r.requirement(keys, policy.IssuerName, func(n *yaml.Node, where string) { required.Issuer = r.find(n, where) })
	r.requirement(keys, policy.MaxAuthAge, func(n *yaml.Node, where string) {
		required.MaxAuthAge = r.duration(n, where, time.Second)
	})
	r.requirement(keys, policy.Impersonation, func(n *yaml.Node, where string) {
		required.Impersonation = r.word(n, where, "deny", "allow")
	})
	return required
}

// resource reads an OAuth protected resource: its URL, or a mapping.
func (r *ruleReader) resource(n *yaml.Node, where string) *policy.Resource {
	n = follow(n)
	if n.Kind == yaml.ScalarNode {
		return &policy.Resource{URL: r.string(n, where)}
	}
	keys := r.mapping(n, where, "url", "name", "documentation", "scopes")
	if keys == nil {
		return nil
	}
	made := &policy.Resource{}
	for name, into := range map[string]*string{"url": &made.URL, "name": &made.Name, "documentation": &made.Documentation} {
		if value := keys[name]; value != nil {
			*into = r.string(value, where+": "+name)
		}
	}
	if value := keys["scopes"]; value != nil {
		for _, t := range r.strings(value, where+": scopes") {
			made.Scopes = append(made.Scopes, t.value)
		}
	}
	if keys["url"] == nil {
		r.report(n.Line, "%s has no url: add it", where)
		return nil
	}
	return made
}

// mcp reads which calls of an MCP server a rule is for.
func (r *ruleReader) mcp(n *yaml.Node, where string) *policy.MCP {
	keys := r.mapping(follow(n), where, "tools", "methods", "origins", "legacy")
	if keys == nil {
		return nil
	}
	made := &policy.MCP{}
	for name, into := range map[string]*[]string{"tools": &made.Tools, "methods": &made.Methods, "origins": &made.Origins} {
		if value := keys[name]; value != nil {
			field := "mcp: " + name
			r.field(map[string]*yaml.Node{field: value}, field, func(n *yaml.Node, where string) { *into = r.values(n, field, where) })
		}
	}
	if value := keys["legacy"]; value != nil {
		made.AllowsLegacy = r.word(value, where+": legacy", "allow", "deny") == "allow"
	}
	return made
}

// claimsKey is the key of require whose keys are claims.
const claimsKey = "claims"

// claims reads what is required of the claims of a JWT template.
func (r *ruleReader) claims(n *yaml.Node, where string) []policy.ListRequirement {
	n = follow(n)
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		r.report(n.Line, "%s must be a mapping of claims and lists, such as {department: [sales]}", where)
		return nil
	}
	var names []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		names = append(names, follow(n.Content[i]).Value)
	}
	keys := r.mapping(n, where, names...)
	var lists []policy.ListRequirement
	for _, name := range names {
		if keys[name] == nil {
			continue
		}
		r.requirement(map[string]*yaml.Node{policy.ClaimPrefix + name: keys[name]}, policy.ClaimPrefix+name, func(n *yaml.Node, where string) {
			if l := r.listRequirement(n, policy.ClaimPrefix+name, where); len(l.Any)+len(l.All) > 0 {
				lists = append(lists, l)
			}
		})
		delete(keys, name) // one that is there twice is said already
	}
	return lists
}

// requirement reads one key of require.
func (r *ruleReader) requirement(keys map[string]*yaml.Node, name string, read func(n *yaml.Node, where string)) {
	r.field(map[string]*yaml.Node{"require: " + name: keys[name]}, "require: "+name, read)
}

// listRequirement reads a list, of which any is enough, or a mapping of any and all.
func (r *ruleReader) listRequirement(n *yaml.Node, name, where string) policy.ListRequirement {
	l, field := policy.ListRequirement{Name: name}, "require: "+name
	if n.Kind != yaml.MappingNode {
		l.Any = r.values(n, field, where)
		return l
	}
	keys := r.mapping(n, where, "any", "all")
	if len(n.Content) == 0 {
		r.report(n.Line, "%s must not be empty: write any or all", where)
	}
	if n := keys["any"]; n != nil {
		l.Any = r.values(n, field, where+": any")
	}
	if n := keys["all"]; n != nil {
		r.position.fields[field+": all"] = n.Line
		l.All = r.values(n, field+": all", where+": all")
	}
	return l
}

// warnOfNames warns of a name where WorkOS has ids: nobody has it.
func (r *ruleReader) warnOfNames(l policy.ListRequirement, where string) {
	prefix := map[string]string{"users": "user_", policy.Organizations: "org_"}[l.Name]
	warn := func(field string, values []string) {
		for i, value := range values {
			if !strings.HasPrefix(value, prefix) && len(r.warnings) < maxProblems {
				r.warnings = append(r.warnings, Problem{Line: r.position.items[field][i],
					Text: fmt.Sprintf("%s: %s is no id of WorkOS, which begins with %s: nobody has it", where, policy.Quote(value), prefix)})
			}
		}
	}
	warn("require: "+l.Name, l.Any)
	warn("require: "+l.Name+": all", l.All)
}
