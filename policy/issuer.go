package policy

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// Issuer is an issuer of workloads' tokens: a CI system, a Kubernetes cluster. A rule that requires it takes its tokens alone.
type Issuer struct {
	Name     string // begins the subject of whoever its tokens are from
	URL      string // exactly the iss of its tokens
	Audience string // that its tokens have to have
}

// IssuerName is the name of the requirement that only tokens of one issuer meet.
const IssuerName = "issuer"

const maxIssuer = 500 // bytes of its URL, and of its audience

// Problem says what is wrong with an issuer, and in which field; empty: nothing.
func (i *Issuer) Problem() (field, text string) {
	u, err := url.Parse(i.URL)
	switch {
	case !issuerName(i.Name):
		return "name", Quote(i.Name) + " is no name: write up to 32 small letters, digits and dashes, such as github; not http or https"
	case err != nil || u.Host == "" || len(i.URL) > maxIssuer || u.Scheme != "https" && u.Scheme != "http":
		return "issuer", Quote(i.URL) + " is no URL such as https://token.actions.githubusercontent.com"
	case u.Scheme == "http" && !site.IsLocal(u.Hostname()):
		return "issuer", Quote(i.URL) + ": http is for localhost: write https"
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(i.URL, "#"):
		return "issuer", Quote(i.URL) + ": leave out user, query and fragment"
	case i.Audience == "" || len(i.Audience) > maxIssuer:
		return "audience", "write the one that its tokens are made for, such as https://app.example.com"
	}
	return "", ""
}

// issuerName reports whether a text is an issuer's name. One has none of the underscores of AuthKit's ids, and with a colon it is
// not the beginning of a URL, which a client's id may be.
func issuerName(text string) bool {
	return regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`).MatchString(text) && text != "http" && text != "https"
}

// issuer is the name of the one that is required; empty: AuthKit alone.
func (r *Requirements) issuer() string {
	if r.Issuer == nil {
		return ""
	}
	return r.Issuer.Name
}

// issuer checks a rule that requires one: nothing but its tokens' claims can be met, and without one of them all the world's
// tokens would pass, as with GitHub's.
func (c *checker) issuer(r *Rule) {
	if r.Require.Issuer == nil {
		return
	}
	const field = "require: " + IssuerName
	if r.Resource != nil {
		c.report(field, -1, "%s: %s: the rule has a resource, whose tokens are AuthKit's: leave one of them out", c.where, field)
	}
	if !slices.Equal(r.Credentials, []Credential{Bearer}) {
		c.report(field, -1, "%s: %s: its tokens are bearer tokens, and nothing else meets it: write credentials: [bearer]", c.where, field)
	}
	claims := 0
	for _, l := range r.Require.Lists {
		switch {
		case !strings.HasPrefix(l.Name, ClaimPrefix):
			c.report("require: "+l.Name, -1, "%s: require: %s: tokens of an issuer have nothing but claims: write claims", c.where, l.Name)
		case len(l.Any)+len(l.All) > 0:
			claims++
		}
	}
	if claims == 0 {
		c.report(field, -1, "%s: %s: every token of %s would pass: add claims, such as {repository: [acme/app]} or {sub: [...]}", c.where, field, r.Require.issuer())
	}
	if r.Require.MaxAuthAge != 0 {
		c.report("require: "+MaxAuthAge, -1, "%s: require: %s: tokens of an issuer don't say when a sign-in was: leave it out", c.where, MaxAuthAge)
	}
}

// claimProblem says why a rule can't require a claim of this name; empty: it can.
func (r *Requirements) claimProblem(claim string) string {
	switch {
	case r.Issuer == nil && !identity.IsExtra(claim):
		return Quote(claim) + " is no claim of a JWT template: AuthKit's own have requirements of their own (roles, permissions, organizations, ...)"
	case r.Issuer != nil && slices.Contains([]string{"", "iss", "aud", "exp", "nbf", "iat"}, claim):
		return Quote(claim) + " is checked for every token: leave it out"
	}
	return ""
}

// Issuers are those that rules require, each once.
func (p *Policy) Issuers() []*Issuer {
	var all []*Issuer
	for _, r := range p.rules {
		if i := r.Require.Issuer; i != nil && !slices.ContainsFunc(all, func(other *Issuer) bool { return *other == *i }) {
			all = append(all, i)
		}
	}
	return all
}
