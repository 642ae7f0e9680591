package site

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// Sites are all sites of a service, one for each redirect URI. A request's site is the one of its host. Make it with NewSites.
type Sites struct {
	listed    []*Site
	wildcards []wildcard
}

// wildcard is a redirect URI such as https://*.example.com/_auth/callback: each host with one label more is a site by
// itself, whose cookies no other host gets.
type wildcard struct {
	below    string // ".example.com"
	template *Site  // of each, but for its host
}

var (
	errNoPlain  = errors.New("site: the first redirect URI must not be a wildcard: at WorkOS none can be the default one")
	errSchemes  = errors.New("site: the redirect URIs have different schemes")
	errSameHost = errors.New("site: two redirect URIs have the same host")
)

// NewSites makes the sites of redirect URIs, of which the first is no wildcard and all have the same scheme. A site's
// cookie domain is the longest one that covers its host, if any does.
func NewSites(redirectURIs []*url.URL, cookieDomains []string) (*Sites, error) {
	s := &Sites{}
	for i, u := range redirectURIs {
		if u.Scheme != redirectURIs[0].Scheme {
			return nil, errSchemes
		}
		below, isWildcard := strings.CutPrefix(u.Host, "*.")
		switch {
		case i == 0 && isWildcard:
			return nil, errNoPlain
		case isWildcard:
			template, err := New(&url.URL{Scheme: u.Scheme, Host: below, Path: u.Path}, "")
			if err != nil {
				return nil, err
			}
			w := wildcard{"." + template.flow.Name, template}
			template.flow.Name = "*" + w.below
			s.wildcards = append(s.wildcards, w)
			continue
		}
		one, err := New(u, domainOf(u.Hostname(), cookieDomains))
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(s.listed, func(other *Site) bool { return other.flow.Name == one.flow.Name }) {
			return nil, errSameHost
		}
		s.listed = append(s.listed, one)
	}
	return s, nil
}

func domainOf(host string, domains []string) (longest string) {
	for _, domain := range domains {
		if domain != "" && Covers(domain, host) && len(domain) > len(longest) {
			longest = domain
		}
	}
	return longest
}

// Covers reports whether cookies of a domain reach a host.
func Covers(domain, host string) bool {
	return strings.HasSuffix("."+strings.ToLower(host), "."+strings.ToLower(strings.TrimPrefix(domain, ".")))
}

// Narrow sets Narrow of every site. Call it before the Sites are used.
func (s *Sites) Narrow(protected func(name string) bool) {
	for _, one := range s.Places() {
		one.Narrow = protected
	}
}

// TakeWebhooks sets HasWebhooks of every site. Call it before the Sites are used.
func (s *Sites) TakeWebhooks() {
	for _, one := range s.Places() {
		one.HasWebhooks = true
	}
}

// PublishJWKS sets HasJWKS of every site. Call it before the Sites are used.
func (s *Sites) PublishJWKS() {
	for _, one := range s.Places() {
		one.HasJWKS = true
	}
}

// First is the site of the first redirect URI.
func (s *Sites) First() *Site { return s.listed[0] }

// Single reports whether there is no other.
func (s *Sites) Single() bool { return len(s.listed) == 1 && len(s.wildcards) == 0 }

// Scheme is that of every site.
func (s *Sites) Scheme() string { return s.First().scheme }

// Of returns the site of a host, nil where none reaches it: the one whose flow is there, else the first whose cookie
// reaches it, else a wildcard's.
func (s *Sites) Of(name string) *Site {
	var reaching *Site
	for _, one := range s.listed {
		if one.flow.Name == name {
			return one
		}
		if reaching == nil && one.Reaches(name) {
			reaching = one
		}
	}
	if reaching != nil {
		return reaching
	}
	for _, w := range s.wildcards {
		if w.covers(name) {
			return w.site(name)
		}
	}
	return nil
}

// site is the one of a host.
func (w wildcard) site(name string) *Site {
	one := *w.template
	one.flow.Name = name
	return &one
}

func (w wildcard) covers(name string) bool {
	label, ok := strings.CutSuffix(name, w.below)
	return ok && label != "" && !strings.Contains(label, ".") && label != "*"
}

// Reaches reports whether a site's cookie reaches a host, or, for "*.example.com", some host below it.
func (s *Sites) Reaches(name string) bool {
	for _, one := range s.listed {
		if one.Reaches(name) {
			return true
		}
	}
	for _, w := range s.wildcards {
		below, pattern := strings.CutPrefix(name, "*")
		if w.covers(name) || pattern && (strings.HasSuffix(w.below, below) || below == w.below) {
			return true
		}
	}
	return false
}

// Protected describes the protected hosts for people.
func (s *Sites) Protected() string {
	var all []string
	for _, one := range s.listed {
		all = append(all, one.Protected())
	}
	for _, w := range s.wildcards {
		all = append(all, "each host *"+w.below)
	}
	return strings.Join(all, ", ")
}

// Listed are the sites of redirect URIs that are no wildcards.
func (s *Sites) Listed() []*Site { return s.listed }

// Places are the listed sites, and each wildcard's as one of "*.example.com".
func (s *Sites) Places() []*Site {
	all := slices.Clone(s.listed)
	for _, w := range s.wildcards {
		all = append(all, w.template)
	}
	return all
}
