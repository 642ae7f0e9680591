package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy/policyfile"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// checkBearer wants issuers whose keys can be asked for without a stranger in between.
func (p *problems) checkBearer(c *Config) {
	if len(c.BearerAudiences) > 0 && len(c.BearerIssuers) == 0 {
		p.add("BEARER_AUDIENCES", "is for the tokens of BEARER_ISSUERS, which is not set: set it too, or remove this one")
	}
	for _, issuer := range c.BearerIssuers {
		u, err := url.Parse(issuer)
		if err != nil || !isAbsolute(u) || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" ||
			u.Scheme == "http" && !site.IsLocal(u.Hostname()) {
			p.add("BEARER_ISSUERS", "an issuer is not the https address of an AuthKit domain: write one such as https://example.authkit.app, without a path")
		}
	}
}

// checkAuthKitDomain wants an issuer as AuthKit's metadata has it: clients compare it byte by byte.
func (p *problems) checkAuthKitDomain(c *Config) {
	u := c.AuthKitDomain
	if u == nil {
		return
	}
	if !isAbsolute(u) || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.Scheme == "http" && !site.IsLocal(u.Hostname()) {
		p.add("AUTHKIT_DOMAIN", "is not the https address of an AuthKit domain: write one such as https://example.authkit.app, without a path and a slash")
	}
}

// checkPolicy reads the policy, so that its problems are listed with the others.
func (p *problems) checkPolicy(c *Config) {
	const name = "POLICY_FILE"
	if c.PolicyFile == "" || !p.ok(name) || !p.ok("WORKOS_REDIRECT_URI") || !p.ok("WORKOS_COOKIE_DOMAIN") {
		return
	}
	_, _, err := c.Protection()
	if problems, ok := errors.AsType[policyfile.Problems](err); ok {
		p.bad[name] = true
		for _, problem := range problems {
			p.lines = append(p.lines, fmt.Errorf("%s: %s, line %d: %s", name, c.PolicyFile, problem.Line, problem.Text))
		}
	} else if err != nil {
		p.add(name, "%w: name a policy that this process may read", err)
	}
}

// Protection is the hosts that the settings protect and the policy of the file, nil without one.
func (c *Config) Protection() (*site.Sites, *policy.Policy, error) {
	s, err := site.NewSites(c.RedirectURIs, c.CookieDomains)
	if err != nil || c.PolicyFile == "" {
		return s, nil, err
	}
	file := &policyfile.File{Path: c.PolicyFile, Options: c.PolicyOptions(s)}
	if err := file.Load(); err != nil {
		return nil, nil, err
	}
	return s, file.Current(), nil
}

// PolicyOptions are what a policy is checked against.
func (c *Config) PolicyOptions(s *site.Sites) policyfile.Options {
	o := policyfile.Options{Reaches: s.Reaches, NoAuthKitDomain: c.AuthKitDomain == nil}
	o.AuthKit = slices.Concat([]string{c.APIURL().String()}, c.Issuers, c.BearerIssuers)
	if c.AuthKitDomain != nil {
		o.AuthKit = append(o.AuthKit, c.AuthKitDomain.String())
	}
	return o
}
