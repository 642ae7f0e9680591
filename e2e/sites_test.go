package e2e

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
)

const (
	siteOne      = "app.one.localhost"
	siteWiki     = "wiki.one.localhost" // under the cookie domain of the first
	siteTwo      = "shop.two.localhost"
	siteCustomer = "acme.customers.localhost" // a wildcard's
)

// newSites is a service of two unrelated domains and a wildcard, behind a middleware alone.
func newSites(t *testing.T, g gateway, app string) (s *stack, at func(host string) string) {
	t.Helper()
	g.origin = func(port string) string { return "http://" + siteOne + ":" + port }
	s = newSite(t, g)
	if app != "" {
		s.at.app = app
	}
	at = func(host string) string { return "http://" + host + ":" + portOf(t, s.at.gateway) }
	s.sites = []string{at(siteTwo) + "/_auth/callback", at(siteCustomer) + "/_auth/callback"}
	s.startAuthKit(t)
	s.sites[1] = at("*.customers.localhost") + "/_auth/callback"
	s.open(t, g, "WORKOS_COOKIE_DOMAIN=one.localhost", "LOGOUT_RETURN_URL="+at(siteOne)+"/favicon.ico")
	return s, at
}

// dialGateway has a browser find every *.localhost at the gateway.
func (b *browser) dialGateway(address string) {
	b.client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, to string) (net.Conn, error) {
		if host, _, err := net.SplitHostPort(to); err == nil && strings.HasSuffix(host, ".localhost") {
			to = address
		}
		return (&net.Dialer{}).DialContext(ctx, network, to)
	}
}

// One middleware protects apps on unrelated domains, each a site of its own.
func TestSeveralDomains(t *testing.T) {
	t.Parallel()
	each(t, withoutRoutes(), func(t *testing.T, g gateway) {
		s, at := newSites(t, g, "")
		b := newBrowser(t)
		b.dialGateway(s.at.gateway)

		for _, host := range []string{siteOne, siteTwo, siteCustomer} {
			a := b.signIn(at(host)+deepLink, zoe)
			if got := b.seen(a); a.URL.String() != at(host)+deepLink || got.Host != strings.TrimPrefix(at(host), "http://") || got.Header.Get("X-Auth-Request-User") != zoeID {
				t.Errorf("after sign-in: got %s with %q, want %s%s", a.URL, got.Header, at(host), deepLink)
			}
		}
		if a := b.open(at(siteWiki) + "/"); len(a.Before) > 0 || b.seen(a).Header.Get("X-Auth-Request-User") != zoeID {
			t.Errorf("under the first site's domain: got %s, want it at once", trail(a.Before))
		}
		if one, two := b.cookie(at(siteOne), "wos-session"), b.cookie(at(siteTwo), "wos-session"); one == "" || two == "" || one == two {
			t.Errorf("got the sessions %q and %q, want one for each site", one, two)
		}

		// Where a sign-in may lead is the site's own.
		a := newBrowserAt(t, s).signIn(at(siteOne)+"/_auth/login?rd="+at(siteTwo)+"/page", paula)
		if a.URL.Hostname() != siteOne {
			t.Errorf("a sign-in at one site led to %s", a.URL)
		}

		b.open(at(siteOne) + "/_auth/logout")
		wantReason(t, b.fetch(http.MethodGet, at(siteOne)+"/", ""), http.StatusUnauthorized, "no_session")
		for _, host := range []string{siteTwo, siteCustomer} {
			if got := b.seen(b.open(at(host) + "/")).Header.Get("X-Auth-Request-User"); got != zoeID {
				t.Errorf("%s after a sign-out elsewhere: the app got the user %q", host, got)
			}
		}

		for _, host := range []string{"evil.localhost", "two.localhost", "x.shop.two.localhost", "a.b.customers.localhost", "customers.localhost"} {
			for _, path := range []string{"/", "/_auth/login", "/_auth/callback?code=x&state=y"} {
				a := b.send(http.MethodGet, at(host)+path, documentHeaders(), "")
				if a.Status != http.StatusForbidden || a.Header.Get("X-Auth-Reason") != "wrong_host" || len(a.Header["Set-Cookie"]) > 0 || a.Header.Get("Location") != "" {
					t.Errorf("%s%s: got status %d with %q", host, path, a.Status, a.Header)
				}
			}
		}
	})
}

func newBrowserAt(t *testing.T, s *stack) *browser {
	t.Helper()
	b := newBrowser(t)
	b.dialGateway(s.at.gateway)
	return b
}

// The same in a real browser.
func TestChromiumSeveralDomains(t *testing.T) {
	t.Parallel()
	each(t, withoutRoutes(), func(t *testing.T, g gateway) {
		s, at := newSites(t, g, startPages(t))
		var got struct {
			Seen []struct {
				URL, Text string
				Cookies   []string
			}
			After []string
		}

		s.chromium(t, "sites", map[string]any{"sites": []string{at(siteOne), at(siteTwo)}}, &got)

		for i, host := range []string{siteOne, siteTwo} {
			if seen := got.Seen[i]; seen.URL != at(host)+"/page?a=1" || seen.Text != "the page" || len(seen.Cookies) == 0 {
				t.Errorf("%s: got %+v, want its page", host, seen)
			}
		}
		if got.After[0] != "AuthKit" || got.After[1] != "the page" {
			t.Errorf("after the sign-out at the first: got %q, want AuthKit, and the second as before", got.After)
		}
	})
}
