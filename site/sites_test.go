package site

import (
	"errors"
	"net/url"
	"testing"
)

func newSites(t *testing.T, domains []string, redirectURIs ...string) (*Sites, error) {
	t.Helper()
	var all []*url.URL
	for _, raw := range redirectURIs {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, u)
	}
	return NewSites(all, domains)
}

func TestSiteOfAHost(t *testing.T) {
	t.Parallel()
	s, err := newSites(t, []string{"example.com", "shop.test"},
		"https://auth.example.com/callback", "https://app.example.com/_auth/callback", "https://www.shop.test/_auth/callback",
		"https://*.customers.test:8443/sso/done", "https://alone.test/_auth/callback")
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{ // the redirect URI and cookie domain of the host's site
		"auth.example.com":    "https://auth.example.com/callback example.com",
		"app.example.com":     "https://app.example.com/_auth/callback example.com", // its own, not the first that reaches it
		"wiki.example.com":    "https://auth.example.com/callback example.com",
		"example.com":         "https://auth.example.com/callback example.com",
		"www.shop.test":       "https://www.shop.test/_auth/callback shop.test",
		"shop.test":           "https://www.shop.test/_auth/callback shop.test",
		"alone.test":          "https://alone.test/_auth/callback ",
		"a.customers.test":    "https://a.customers.test:8443/sso/done ",
		"b.customers.test":    "https://b.customers.test:8443/sso/done ",
		"customers.test":      "",
		"a.b.customers.test":  "", // two labels
		".customers.test":     "",
		"evilcustomers.test":  "",
		"x.alone.test":        "",
		"evil.test":           "",
		"evilexample.com":     "",
		"example.com.evil.de": "",
		"":                    "",
	} {
		got := ""
		if one := s.Of(host); one != nil {
			got = one.RedirectURI() + " " + one.CookieDomain()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", host, got, want)
		}
		if reaches := s.Reaches(host); reaches != (want != "") {
			t.Errorf("Reaches(%s): got %t", host, reaches)
		}
	}
	for pattern, want := range map[string]bool{
		"*.example.com": true, "*.customers.test": true, "*.test": true, "*.evil.test": false, "*.alone.test": false, "*.a.customers.test": false,
	} {
		if got := s.Reaches(pattern); got != want {
			t.Errorf("Reaches(%s): got %t", pattern, got)
		}
	}
}

// A site protects its own hosts, and its sign-ins lead to no others.
func TestSitesAreApart(t *testing.T) {
	t.Parallel()
	s, err := newSites(t, nil, "https://one.test/_auth/callback", "https://two.test/_auth/callback", "https://*.customers.test/_auth/callback")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*Site{"one.test": s.Of("one.test"), "two.test": s.Of("two.test"), "a.customers.test": s.Of("a.customers.test"), "b.customers.test": s.Of("b.customers.test")}
	for name, one := range all {
		for other := range all {
			own := name == other
			if _, ok := one.ReturnURL("https://" + other + "/page"); ok != own {
				t.Errorf("%s returns to %s: %t", name, other, ok)
			}
			if got := one.ProtectsOrigin("https://" + other); got != own {
				t.Errorf("%s protects the origin of %s: %t", name, other, got)
			}
			if got := one.IsFlowEndpoint(Host{Name: other}, "/_auth/login"); got != own {
				t.Errorf("%s has an endpoint at %s: %t", name, other, got)
			}
		}
	}
}

func TestSettingsReachWildcards(t *testing.T) {
	t.Parallel()
	s, err := newSites(t, nil, "https://one.test/_auth/callback", "https://*.customers.test/_auth/callback")
	if err != nil {
		t.Fatal(err)
	}
	s.Narrow(func(name string) bool { return name == "a.customers.test" })
	s.TakeWebhooks()
	for name, want := range map[string]bool{"one.test": false, "a.customers.test": true, "b.customers.test": false} {
		if got := s.Of(name).Protects(name); got != want {
			t.Errorf("%s: protected %t, want %t", name, got, want)
		}
		if !s.Of(name).IsFlowEndpoint(Host{Name: name}, "/_auth/webhooks") {
			t.Errorf("%s: webhooks are no endpoint", name)
		}
	}
}

func TestSitesThatCannotBe(t *testing.T) {
	t.Parallel()
	for want, uris := range map[error][]string{
		errNoPlain:  {"https://*.example.com/callback", "https://app.example.com/callback"},
		errSchemes:  {"https://app.example.com/callback", "http://localhost/callback"},
		errSameHost: {"https://app.example.com/callback", "https://app.example.com/_auth/callback"},
		ErrHost:     {"https://app.example.com/callback", "https://*.exa mple.com/callback"},
	} {
		var all []*url.URL
		for _, raw := range uris {
			u, err := url.Parse(raw)
			if err != nil {
				u = &url.URL{Scheme: "https", Host: "*.exa mple.com", Path: "/callback"}
			}
			all = append(all, u)
		}
		if _, err := NewSites(all, nil); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", uris, err, want)
		}
	}
}
