package server

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func severalSites(t *testing.T, settings ...string) *world {
	t.Helper()
	return newWorld(t, append([]string{
		"WORKOS_REDIRECT_URI", "http://app.one.localhost:3000/_auth/callback, http://two.localhost:3000/sso/callback, http://*.customers.localhost:3000/_auth/callback",
		"WORKOS_COOKIE_DOMAIN", "one.localhost", "GATEWAY", "caddy",
	}, settings...)...).ready(t)
}

// asked is what a gateway asks about a document.
func asked(host, uri string) string {
	return "X-Forwarded-Method: GET\nX-Forwarded-Proto: http\nX-Forwarded-Host: " + host + "\nX-Forwarded-Uri: " + uri +
		"\nSec-Fetch-Mode: navigate\nSec-Fetch-Dest: document\nAccept: text/html\n"
}

// Each host's sign-in is its own site's, through /verify and by a route to the service.
func TestSignInAtSeveralSites(t *testing.T) {
	t.Parallel()
	w := severalSites(t)
	for host, flow := range map[string]string{
		"app.one.localhost":       "http://app.one.localhost:3000/_auth/",
		"wiki.one.localhost":      "http://app.one.localhost:3000/_auth/",
		"two.localhost":           "http://two.localhost:3000/sso/",
		"a.customers.localhost":   "http://a.customers.localhost:3000/_auth/",
		"b.customers.localhost":   "http://b.customers.localhost:3000/_auth/",
		"evil.localhost":          "",
		"x.two.localhost":         "",
		"a.b.customers.localhost": "",
	} {
		page := ask(t, w.Handler(), "GET", "/verify/forward-auth", asked(host+":3000", "/page"))
		if flow == "" {
			if page.Code != http.StatusForbidden || page.Header().Get("X-Auth-Reason") != "wrong_host" {
				t.Errorf("%s: got %d %q, want 403 wrong_host", host, page.Code, page.Header())
			}
			continue
		}
		if got, want := page.Header().Get("Location"), flow+"login?rd="+url.QueryEscape("http://"+host+":3000/page"); page.Code != http.StatusSeeOther || got != want {
			t.Errorf("%s: got %d to %s, want %s", host, page.Code, got, want)
			continue
		}
		u, err := url.Parse(flow + "login?rd=/page")
		if err != nil {
			t.Fatal(err)
		}
		direct := httptest.NewRequestWithContext(t.Context(), "GET", u.RequestURI(), nil)
		direct.Host = u.Host
		byRoute := httptest.NewRecorder()
		w.Handler().ServeHTTP(byRoute, direct)
		for way, answer := range map[string]*httptest.ResponseRecorder{
			"through /verify": ask(t, w.Handler(), "GET", "/verify/forward-auth", asked(u.Host, u.RequestURI())), "by a route": byRoute,
		} {
			location, err := url.Parse(answer.Header().Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			if got := location.Query().Get("redirect_uri"); answer.Code != http.StatusSeeOther || got != flow+"callback" {
				t.Errorf("%s, %s: got %d with the redirect URI %q, want %scallback", host, way, answer.Code, got, flow)
			}
			for _, line := range answer.Header()["Set-Cookie"] {
				if strings.Contains(line, "Domain=") {
					t.Errorf("%s, %s: got %q, want the state's cookie for the host alone", host, way, line)
				}
			}
		}
	}
}

// No other host starts a flow, however it gets here.
func TestNoFlowAtOtherHosts(t *testing.T) {
	t.Parallel()
	w := severalSites(t)
	for _, tt := range []struct{ host, path string }{
		{"evil.localhost:3000", "/_auth/login"}, {"evil.localhost", "/sso/login"}, {"two.localhost:3000", "/_auth/login"},
		{"app.one.localhost:3000", "/sso/login"}, {"wiki.one.localhost:3000", "/_auth/login"}, {"a.b.customers.localhost", "/_auth/login"},
		{"app.one.localhost, two.localhost", "/_auth/login"}, {"", "/_auth/login"},
	} {
		direct := httptest.NewRequestWithContext(t.Context(), "GET", tt.path, nil)
		direct.Host = tt.host
		answer := httptest.NewRecorder()
		w.Handler().ServeHTTP(answer, direct)
		through := ask(t, w.Handler(), "GET", "/verify/forward-auth", asked(tt.host, tt.path))
		for way, got := range map[string]*httptest.ResponseRecorder{"by a route": answer, "through /verify": through} {
			location := got.Header().Get("Location")
			if len(got.Header()["Set-Cookie"]) > 0 || strings.Contains(location, "authorize") {
				t.Errorf("%s%s %s: got %d to %q with %q", tt.host, tt.path, way, got.Code, location, got.Header())
			}
		}
	}
}

// The session's cookie is the site's: its domain, or the host alone.
func TestCookiesOfSeveralSites(t *testing.T) {
	t.Parallel()
	w := severalSites(t)
	expired := w.signIn(t, paula, 600_000_000_000) // ten minutes ago
	for host, want := range map[string]string{
		"app.one.localhost": "Domain=one.localhost", "wiki.one.localhost": "Domain=one.localhost", "two.localhost": "", "a.customers.localhost": "",
	} {
		answer := ask(t, w.Handler(), "GET", "/verify/forward-auth", asked(host+":3000", "/page")+"Cookie: wos-session="+expired)
		lines := answer.Header()["Set-Cookie"]
		if len(lines) == 0 {
			t.Errorf("%s: got %d %q, want a new cookie", host, answer.Code, answer.Header())
			continue
		}
		_, domain, _ := strings.Cut(lines[0], "Domain=")
		domain, _, _ = strings.Cut(domain, ";")
		if strings.TrimPrefix(want, "Domain=") != domain {
			t.Errorf("%s: got %q, want %q", host, lines[0], want)
		}
	}
}

// With BIND_SESSIONS_TO_SITE a site's cookie, also one that is refreshed there, is nothing at another, and nothing for an app's SDK.
func TestSessionsBoundToTheirSite(t *testing.T) {
	t.Parallel()
	w := severalSites(t, "BIND_SESSIONS_TO_SITE", "true")
	at := func(host, sealed string) *httptest.ResponseRecorder {
		return ask(t, w.Handler(), "GET", "/verify/forward-auth", asked(host+":3000", "/page")+"Cookie: wos-session="+sealed)
	}
	signInAt := func(host string, ago int64) string {
		w.past.Store(ago)
		defer w.past.Store(0)
		response, err := w.authKit.SignIn(paula, "")
		if err != nil {
			t.Fatal(err)
		}
		sealed, _, err := w.bound(w.sites.Of(host)).SignIn(response)
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	hosts := []string{"app.one.localhost", "two.localhost", "a.customers.localhost", "b.customers.localhost"}
	for _, own := range hosts {
		fresh := signInAt(own, 0)
		old := signInAt(own, 600_000_000_000)
		renewed := at(own, old)
		lines := renewed.Header()["Set-Cookie"]
		if renewed.Code != http.StatusSeeOther || len(lines) == 0 {
			t.Fatalf("%s: got %d %q, want a new cookie", own, renewed.Code, renewed.Header())
		}
		next, _, _ := strings.Cut(strings.TrimPrefix(lines[0], "wos-session="), ";")
		for name, sealed := range map[string]string{"fresh": fresh, "old": old, "renewed": next} {
			for _, host := range hosts { // the own one first and last: what is remembered there must not count elsewhere
				got := at(host, sealed)
				if host == own {
					if got.Code != http.StatusOK && name != "old" {
						t.Errorf("%s, %s: got %d %q", own, name, got.Code, got.Header())
					}
					continue
				}
				if got.Code != http.StatusSeeOther || got.Header().Get("X-Auth-Reason") != "bad_session" {
					t.Errorf("%s's %s cookie at %s: got %d %q, want bad_session", own, name, host, got.Code, got.Header())
				}
			}
			if got := at("wiki.one.localhost", sealed); name != "old" && (got.Code == http.StatusOK) != (own == "app.one.localhost") {
				t.Errorf("%s's %s cookie under the first site's domain: got %d", own, name, got.Code)
			}
			if _, err := w.sessions.Seal.Unseal(sealed); err == nil {
				t.Errorf("%s's %s cookie opens with the apps' password", own, name)
			}
		}
	}
	if got := at("app.one.localhost", w.signIn(t, paula, 0)); got.Header().Get("X-Auth-Reason") != "bad_session" {
		t.Errorf("an app's own session: got %d %q, want bad_session", got.Code, got.Header())
	}
}

// Without it one site's cookie is good at another, as apps' SDKs share it.
func TestSessionsAreSharedByDefault(t *testing.T) {
	t.Parallel()
	w := severalSites(t)
	sealed := w.signIn(t, paula, 0)
	for _, host := range []string{"app.one.localhost", "two.localhost"} {
		if got := ask(t, w.Handler(), "GET", "/verify/forward-auth", asked(host+":3000", "/page")+"Cookie: wos-session="+sealed); got.Code != http.StatusOK {
			t.Errorf("%s: got %d %q", host, got.Code, got.Header())
		}
	}
}

// With LOGOUT_EVERYWHERE a sign-out at one site ends the sessions at the others, and AuthKit is told of each. Without it they go on.
func TestSignOutAtSeveralSites(t *testing.T) {
	t.Parallel()
	for _, everywhere := range []bool{true, false} {
		w := severalSites(t, "LOGOUT_EVERYWHERE", map[bool]string{true: "true", false: "false"}[everywhere])
		one, two := w.signIn(t, paula, 0), w.signIn(t, paula, 0)
		at := func(host, uri, sealed string) *httptest.ResponseRecorder {
			return ask(t, w.Handler(), "GET", "/verify/forward-auth", asked(host+":3000", uri)+"Sec-Fetch-Site: none\nCookie: wos-session="+sealed)
		}

		out := at("app.one.localhost", "/_auth/logout", one)

		if !strings.Contains(out.Header().Get("Location"), "/user_management/sessions/logout") {
			t.Fatalf("everywhere %t: got %d %q, want AuthKit's logout", everywhere, out.Code, out.Header())
		}
		if got := at("app.one.localhost", "/", one).Header().Get("X-Auth-Reason"); got != "session_ended" {
			t.Errorf("everywhere %t: the session itself: got %q", everywhere, got)
		}
		if got := at("two.localhost", "/", two); (got.Header().Get("X-Auth-Reason") == "session_ended") != everywhere || (got.Code == http.StatusOK) == everywhere {
			t.Errorf("everywhere %t: at the other site: got %d %q", everywhere, got.Code, got.Header())
		}
		w.sessions.Stop()
		w.sessions.Wait() // until AuthKit knows
		if revoked := w.authKit.Calls()["sessions.revoke"]; everywhere && revoked < 2 || !everywhere && revoked != 1 {
			t.Errorf("everywhere %t: got %d revocations at AuthKit", everywhere, revoked)
		}
	}
}
