package site

import (
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
)

// Site holds the protected hosts and the flow's place. Make it with New.
type Site struct {
	scheme       string
	flow         Host
	prefix       string // the flow's path, begins and ends with a slash
	callback     string // the callback's name below prefix
	cookieDomain string // canonical, empty where the cookie belongs to one host

	// Narrow says which of the hosts that the cookie reaches are protected. nil: all.
	// Set it before the Site is used.
	Narrow func(name string) bool
	// HasWebhooks says that the service takes WorkOS's webhooks. Set it before the Site
	// is used.
	HasWebhooks bool
	// HasJWKS says that the service signs assertions. Set it before the Site is used.
	HasJWKS bool
}

// The flow's endpoints by name, below the redirect URI's directory. The
// callback has the name that the redirect URI gives it.
const (
	Login  = "login"
	SignUp = "sign-up"
	Logout = "logout"
	Switch = "switch"
	// Webhooks is WorkOS's way to this service: an endpoint of the flow's where
	// HasWebhooks is set.
	Webhooks = "webhooks"
	// JWKS is the key set by which apps verify assertions: an endpoint of the flow's where HasJWKS is set.
	JWKS = "jwks.json"
)

// New makes a Site of the redirect URI and the cookie domain (empty: the
// redirect URI's host alone is protected).
func New(redirectURI *url.URL, cookieDomain string) (*Site, error) {
	flow, err := ParseHost(redirectURI.Host, redirectURI.Scheme)
	if err != nil {
		return nil, fmt.Errorf("site: redirect URI: %w", err)
	}
	prefix, callback := path.Split(redirectURI.Path)
	s := &Site{scheme: redirectURI.Scheme, flow: flow, prefix: prefix, callback: callback}
	if cookieDomain == "" {
		return s, nil
	}
	domain, err := ParseHost(strings.TrimPrefix(cookieDomain, "."), s.scheme)
	if err != nil || domain.Port != "" {
		return nil, fmt.Errorf("site: cookie domain: %w", ErrHost)
	}
	s.cookieDomain = domain.Name
	return s, nil
}

// Scheme is the scheme of every URL that the service makes: the redirect URI's.
func (s *Site) Scheme() string { return s.scheme }

// Prefix is the flow's path, with a slash at both ends; "/" where the flow has a
// host of its own.
func (s *Site) Prefix() string { return s.prefix }

// Callback is the path of the redirect URI.
func (s *Site) Callback() string { return s.prefix + s.callback }

// RedirectURI is where AuthKit sends the browser back to.
func (s *Site) RedirectURI() string { return s.Endpoint(s.callback) }

// FlowHost is the redirect URI's host.
func (s *Site) FlowHost() Host { return s.flow }

// CookieDomain is the domain of the site's cookies, empty where they belong to its one host.
func (s *Site) CookieDomain() string { return s.cookieDomain }

// Protected describes the protected hosts for people: "app.example.com", or
// "example.com and *.example.com".
func (s *Site) Protected() string {
	if s.cookieDomain == "" {
		return s.flow.Name
	}
	return s.cookieDomain + " and *." + s.cookieDomain
}

// Protects reports whether a host is protected: a canonical name, without port, as
// cookies ignore ports.
func (s *Site) Protects(name string) bool {
	return s.Reaches(name) && (s.Narrow == nil || s.Narrow(name))
}

// Reaches reports whether the session cookie reaches a host, or, for "*.example.com",
// some host below it.
func (s *Site) Reaches(name string) bool {
	if below, wildcard := strings.CutPrefix(name, "*"); wildcard {
		domain := "." + s.cookieDomain
		return strings.HasSuffix(s.flow.Name, below) ||
			s.cookieDomain != "" && (strings.HasSuffix(domain, below) || strings.HasSuffix(below, domain))
	}
	if name == s.flow.Name {
		return true
	}
	if s.cookieDomain == "" {
		return false
	}
	rest, ok := strings.CutSuffix(name, s.cookieDomain)
	return ok && (rest == "" || strings.HasSuffix(rest, "."))
}

// ProtectsOrigin reports whether an Origin header names a protected host, or the
// flow's own, over the site's scheme.
func (s *Site) ProtectsOrigin(origin string) bool {
	rest, ok := strings.CutPrefix(origin, s.scheme+"://")
	if !ok {
		return false
	}
	host, err := ParseHost(rest, s.scheme)
	return err == nil && (host.Name == s.flow.Name || s.Protects(host.Name))
}

// Sources are the protected origins, and the flow's, as sources of a content security
// policy.
func (s *Site) Sources() []string {
	if s.cookieDomain == "" {
		return []string{"'self'", s.scheme + "://" + s.flow.Name + ":*"}
	}
	return []string{"'self'", s.scheme + "://" + s.cookieDomain + ":*", s.scheme + "://*." + s.cookieDomain + ":*"}
}

// Endpoint returns the absolute URL of one of the flow's endpoints.
func (s *Site) Endpoint(name string) string {
	return s.scheme + "://" + s.flow.String() + s.prefix + name
}

// LoginURL returns the absolute URL at which a browser signs in and then comes
// back to returnURL; without one, to the default.
func (s *Site) LoginURL(returnURL string) string { return s.FlowURL(Login, returnURL, nil) }

// FlowURL returns the absolute URL of one of the flow's endpoints that leads back to
// returnURL; without one, to the default. options is what else it is told; those that
// are empty are left out.
func (s *Site) FlowURL(name, returnURL string, options map[string]string) string {
	var query []string
	if returnURL != "" {
		query = append(query, "rd="+url.QueryEscape(returnURL))
	}
	for _, option := range slices.Sorted(maps.Keys(options)) {
		if value := options[option]; value != "" {
			query = append(query, option+"="+url.QueryEscape(value))
		}
	}
	if len(query) == 0 {
		return s.Endpoint(name)
	}
	return s.Endpoint(name) + "?" + strings.Join(query, "&")
}

// IsFlowEndpoint reports whether a raw path on a host is exactly one of the
// flow's endpoints. No spelling but the plain one counts.
func (s *Site) IsFlowEndpoint(host Host, rawPath string) bool {
	if host.Name != s.flow.Name {
		return false
	}
	name, ok := strings.CutPrefix(rawPath, s.prefix)
	return ok && s.isEndpointName(name)
}

func (s *Site) isEndpointName(name string) bool {
	return name == Login || name == SignUp || name == Logout || name == Switch || name == s.callback ||
		name == Webhooks && s.HasWebhooks || name == JWKS && s.HasJWKS
}
