package policyfile

import (
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

const (
	issuersKey = "issuers"
	maxIssuers = 50
)

// declared is an issuer of the file's list.
type declared struct {
	policy.Issuer
	line int
}

// readIssuers reads the list of issuers, which rules name. nil: there are none.
func (d *decoder) readIssuers(n *yaml.Node, o Options) {
	if n == nil {
		return
	}
	if n = follow(n); n.Kind != yaml.SequenceNode || len(n.Content) == 0 || len(n.Content) > maxIssuers {
		d.report(n.Line, "issuers must be a list of 1 to %d issuers: leave it out where there is none", maxIssuers)
		return
	}
	for _, item := range n.Content {
		if made := d.issuer(item, o); made != nil {
			d.issuers = append(d.issuers, made)
		}
	}
}

// issuer reads one of the list. It is nil without a name; one with a problem is there, so that the rules that name it have none.
func (d *decoder) issuer(n *yaml.Node, o Options) *declared {
	made := &declared{line: n.Line}
	keys := d.mapping(n, "an issuer", "name", "issuer", "audience")
	before := len(d.problems)
	where := "an issuer"
	for _, field := range []struct {
		name string
		into *string
	}{{"name", &made.Name}, {"issuer", &made.URL}, {"audience", &made.Audience}} {
		value := keys[field.name]
		switch {
		case value != nil:
			*field.into = d.string(value, where+": "+field.name)
		case keys != nil:
			d.report(n.Line, "%s has no %s: add it", where, field.name)
		}
		if field.name == "name" && made.Name != "" {
			where = "issuer " + policy.Quote(made.Name)
		}
	}
	if made.Name == "" {
		return nil
	}
	if len(d.problems) == before {
		if field, problem := made.Problem(); problem != "" {
			d.report(follow(keys[field]).Line, "%s: %s: %s", where, field, problem)
		} else {
			d.apart(made, follow(keys["name"]).Line, follow(keys["issuer"]).Line, o)
		}
	}
	return made
}

// apart reports an issuer that is there twice, and one that is AuthKit: its tokens are no workload's.
func (d *decoder) apart(made *declared, nameLine, urlLine int, o Options) {
	for _, other := range d.issuers {
		if other.Name == made.Name {
			d.report(nameLine, "issuer %s: the name is taken by that of line %d: write another", policy.Quote(made.Name), other.line)
		}
		if strings.TrimSuffix(other.URL, "/") == strings.TrimSuffix(made.URL, "/") {
			d.report(urlLine, "issuer %s: %s is the issuer %s of line %d, too: keep one", policy.Quote(made.Name), policy.Quote(made.URL), other.Name, other.line)
		}
	}
	if isAuthKit(made.URL, o.AuthKit) {
		d.report(urlLine, "issuer %s: %s is AuthKit: its tokens pass without issuers: see resource, BEARER_ISSUERS and credentials", policy.Quote(made.Name), policy.Quote(made.URL))
	}
}

// isAuthKit reports whether an issuer is on a host of WorkOS's, or of one of these URLs.
func isAuthKit(issuer string, authKit []string) bool {
	host := hostOf(issuer)
	for _, domain := range []string{"workos.com", "authkit.app"} {
		if name, _, _ := strings.Cut(host, ":"); name == domain || strings.HasSuffix(name, "."+domain) {
			return true
		}
	}
	return slices.ContainsFunc(authKit, func(other string) bool { return hostOf(other) == host })
}

// hostOf is the host and port of a URL, in the form in which two are compared.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "443" && u.Scheme == "https" || port == "80" && u.Scheme == "http" {
		port = ""
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if port == "" {
		return host
	}
	return host + ":" + port
}

// find returns the issuer of that name; after a problem one without a URL, or nil.
func (d *decoder) find(n *yaml.Node, where string) *policy.Issuer {
	name := d.string(n, where)
	for _, i := range d.issuers {
		if i.Name == name {
			return &i.Issuer
		}
	}
	if name == "" {
		return nil
	}
	d.report(n.Line, "%s: there is no issuer %s: add it to issuers, with its URL and audience", where, policy.Quote(name))
	return &policy.Issuer{Name: name}
}

// warnOfUnused warns of issuers that no rule requires.
func (d *decoder) warnOfUnused(p *policy.Policy) {
	required := p.Issuers()
	for _, i := range d.issuers {
		if !slices.ContainsFunc(required, func(r *policy.Issuer) bool { return r.Name == i.Name }) {
			d.warnings = append(d.warnings, Problem{Line: i.line, Text: "issuer " + policy.Quote(i.Name) + ": no rule requires it, so none of its tokens passes"})
		}
	}
}

// ofIssuer reads a test's token of an issuer.
func (d *decoder) ofIssuer(values map[string]*yaml.Node, where string) *identity.Identity {
	n := values[policy.IssuerName]
	from := d.find(n, where+": issuer")
	switch credential := values["credential"]; {
	case credential == nil || credential.Value != string(policy.Bearer):
		d.report(n.Line, "%s: issuer: its tokens are bearer tokens: add credential: bearer", where)
	case values["claims"] == nil:
		d.report(n.Line, "%s: issuer: the token's claims are missing: add claims", where)
	case from != nil:
		return d.workload(from, values["claims"], where+": claims")
	}
	return nil
}

// workload reads whose token of an issuer's a test has. Its claims may have any name.
func (d *decoder) workload(from *policy.Issuer, n *yaml.Node, where string) *identity.Identity {
	n = follow(n)
	if n.Kind != yaml.MappingNode {
		d.report(n.Line, "%s must be a mapping of claims, such as {sub: ..., repository: acme/app}", where)
		return nil
	}
	var names []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		names = append(names, follow(n.Content[i]).Value)
	}
	claims := map[string][]string{}
	for name, value := range d.mapping(n, where, names...) {
		claims[name] = d.texts(value, where+": "+name)
	}
	id, ok := identity.Workload(from.Name, claims)
	if !ok {
		d.report(n.Line, "%s: every token has one sub: add it", where)
	}
	return id
}
