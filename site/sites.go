package site

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

// Sites are all sites of a service, one for each redirect URI. A request's site is the one of its host. Make it with NewSites.
type Sites struct {
	listed    []*Site
	wildcards []wildcard
	narrow    func(name string) bool
	webhooks  bool
}

// wildcard is a redirect URI such as https://*.example.com/_auth/callback: each host with one label more is a site by
// itself, whose cookies no other host gets.
type wildcard struct {
	scheme, port     string
	below            string // ".example.com"
	prefix, callback string
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
		if isWildcard {
			host, err := ParseHost(below, u.Scheme)
			if err != nil {
				return nil, fmt.Errorf("site: redirect URI: %w", err)
			}
			w := wildcard{scheme: u.Scheme, port: host.Port, below: "." + host.Name}
			w.prefix, w.callback = path.Split(u.Path)
			s.wildcards = append(s.wildcards, w)
		}
		switch {
		case i == 0 && isWildcard:
			return nil, errNoPlain
		case isWildcard:
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
		if Covers(domain, host) && len(domain) > len(longest) {
			longest = domain
		}
	}
	return longest
}

// Covers reports whether cookies of a domain reach a host.
func Covers(domain, host string) bool {
	return strings.HasSuffix("."+strings.ToLower(host), "."+strings.ToLower(strings.TrimPrefix(domain, ".")))
}

// One is a service with a single site.
func One(s *Site) *Sites {
	return &Sites{listed: []*Site{s}, narrow: s.Narrow, webhooks: s.HasWebhooks}
}

// Configure sets Narrow and HasWebhooks of every site. Call it before the Sites are used.
func (s *Sites) Configure(narrow func(name string) bool, webhooks bool) {
	s.narrow, s.webhooks = narrow, webhooks
	for _, one := range s.listed {
		one.Narrow, one.HasWebhooks = narrow, webhooks
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
			return s.wildcardSite(w, name)
		}
	}
	return nil
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

// Places returns an example of each: the listed sites, and one host of each wildcard.
func (s *Sites) Places() []*Site {
	all := slices.Clone(s.listed)
	for _, w := range s.wildcards {
		all = append(all, s.wildcardSite(w, "*"+w.below))
	}
	return all
}

func (s *Sites) wildcardSite(w wildcard, name string) *Site {
	return &Site{
		scheme: w.scheme, flow: Host{Name: name, Port: w.port}, prefix: w.prefix, callback: w.callback,
		Narrow: s.narrow, HasWebhooks: s.webhooks,
	}
}
