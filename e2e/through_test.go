package e2e

import (
	"html"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// withoutRoutes are the gateways that hand the service's denials on as they are, with the middleware alone: WorkOS's webhooks
// have the only route to the service.
func withoutRoutes() []gateway {
	const endpoints = "/_auth/login /_auth/sign-up /_auth/callback /_auth/switch /_auth/logout "
	return []gateway{
		{"traefik", "traefik", localhost, func(t *testing.T, at addresses) {
			dir := traefikExample(t, at)
			for path := range strings.FieldsSeq(endpoints) {
				replace(t, dir, "dynamic.yml", "Path(`"+path+"`) || ", "")
			}
			runTraefik(t, dir, at.gateway)
		}},
		{"caddy", "caddy", localhost, func(t *testing.T, at addresses) {
			dir := caddyExample(t, at)
			replace(t, dir, "authkit.caddy", endpoints, "")
			runCaddy(t, dir, "Caddyfile", at.gateway)
		}},
		{"haproxy", "haproxy", localhost, func(t *testing.T, at addresses) {
			dir := haproxyExample(t, at)
			replace(t, dir, "haproxy.cfg", endpoints, "")
			runHAProxy(t, dir, at.gateway)
		}},
		{"envoy", "envoy", localhost, func(t *testing.T, at addresses) {
			file := envoyExample(t, at, "envoy.yaml")
			replace(t, filepath.Dir(file), "envoy.yaml", "(login|sign-up|callback|switch|logout|jwks[.]json|webhooks)", "webhooks")
			runEnvoy(t, file, at.gateway)
		}},
		{"envoy-http", "envoy", localhost, func(t *testing.T, at addresses) {
			file := envoyExample(t, at, "envoy-http.yaml")
			replace(t, filepath.Dir(file), "envoy-http.yaml", "(login|sign-up|callback|switch|logout|jwks[.]json|webhooks)", "webhooks")
			runEnvoy(t, file, at.gateway)
		}},
	}
}

// The middleware alone signs people in and out.
func TestFlowThroughVerify(t *testing.T) {
	t.Parallel()
	each(t, withoutRoutes(), func(t *testing.T, g gateway) {
		s := newStack(t, g)

		b := newBrowser(t)
		target := s.origin + "/reports?year=2026&q=a%26b"
		if got := b.seen(b.signIn(target, zoe)); got.URI != "/reports?year=2026&q=a%26b" {
			t.Errorf("after sign-in the app got %s", got.URI)
		}

		chooser := newBrowser(t)
		choice := chooser.open(s.origin + "/_auth/login?rd=/page&login_hint=" + url.QueryEscape(sam))
		if choice.Status != http.StatusForbidden || !strings.Contains(choice.Body, "Choose an organization") {
			t.Fatalf("got status %d at %s, want the choice: %s", choice.Status, choice.URL, choice.Body)
		}
		if got := chooser.seen(chooser.press(choice, "Globex")); got.URI != "/page" || got.Header.Get("X-Auth-Request-Organization") != globexID {
			t.Errorf("after the choice the app got %s with %q", got.URI, got.Header)
		}

		if got := chooser.seen(chooser.open(s.origin + "/_auth/switch?rd=/page&organization_id=" + acmeID)); got.Header.Get("X-Auth-Request-Organization") != acmeID {
			t.Errorf("after the switch the app got %q", got.Header)
		}

		out := b.open(s.origin + "/_auth/logout")
		if out.URL.Path != "/favicon.ico" || b.cookie(s.origin, "wos-session") != "" {
			t.Errorf("after sign-out: got %s and a session cookie %t", out.URL, b.cookie(s.origin, "wos-session") != "")
		}
		wantReason(t, b.send(http.MethodGet, s.origin+"/reports", fetchHeaders(), ""), http.StatusUnauthorized, "no_session")

		foreign := raw(t, s.at.gateway, "GET /_auth/login HTTP/1.1\r\nHost: evil.test\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nConnection: close\r\n\r\n")
		if foreign.StatusCode != http.StatusForbidden || foreign.Header.Get("X-Auth-Reason") != "wrong_host" || len(foreign.Header["Set-Cookie"]) > 0 {
			t.Errorf("another host: got status %d with %q", foreign.StatusCode, foreign.Header)
		}
	})
}

var formOfPage = regexp.MustCompile(`<form method="post" action="([^"]*)"><button>([^<]*)</button>`)

// press sends the form of one of the service's pages.
func (b *browser) press(page answer, button string) answer {
	b.t.Helper()
	for _, form := range formOfPage.FindAllStringSubmatch(page.Body, -1) {
		if html.UnescapeString(form[2]) == button {
			target, err := page.URL.Parse(html.UnescapeString(form[1]))
			if err != nil {
				b.t.Fatal(err)
			}
			return b.submit(page.URL, target.String(), nil)
		}
	}
	b.t.Fatalf("%s: no button %q on the page: %s", page.URL, button, page.Body)
	return answer{}
}
