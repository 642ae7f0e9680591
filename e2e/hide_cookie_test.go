package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// startHidingCookie are the gateways with the lines that keep the session cookie from the app, as their READMEs
// have them.
func startHidingCookie() []gateway {
	return []gateway{
		{"nginx", "nginx", localhost, func(t *testing.T, at addresses) {
			startNginxEdited(t, at, func(dir string) {
				const line = "include authkit/hide-session-cookie.conf;\n"
				snippet(t, "nginx", `(?m)^        `+line)
				replace(t, dir, "localhost.conf", "include authkit/protect.conf;\n", "include authkit/protect.conf;\n"+line)
				replace(t, dir, "localhost.conf", "include authkit/answer.conf;\n", "include authkit/answer.conf;\n"+line)
			})
		}},
		{"traefik", "traefik", localhost, func(t *testing.T, at addresses) {
			dir := traefikExample(t, at)
			replace(t, dir, "dynamic.yml", "# - Cookie", "- Cookie")
			runTraefik(t, dir, at.gateway)
		}},
		{"caddy", "caddy", localhost, func(t *testing.T, at addresses) {
			dir := caddyExample(t, at)
			replace(t, dir, "authkit.caddy", "# request_header Cookie", "request_header Cookie")
			runCaddy(t, dir, "Caddyfile", at.gateway)
		}},
		{"haproxy", "haproxy", localhost, func(t *testing.T, at addresses) {
			dir := haproxyExample(t, at)
			replace(t, dir, "haproxy.cfg", "# http-request set-header Cookie", "http-request set-header Cookie")
			runHAProxy(t, dir, at.gateway)
		}},
		{"envoy-http", "envoy", localhost, func(t *testing.T, at addresses) {
			file := envoyExample(t, at, "envoy-http.yaml")
			replace(t, filepath.Dir(file), "envoy-http.yaml", "# - {exact: cookie", "- {exact: cookie")
			runEnvoy(t, file, at.gateway)
		}},
	}
}

// With HIDE_SESSION_COOKIE=true the app gets its own cookies, byte for byte, and not the service's.
func TestHideSessionCookie(t *testing.T) {
	t.Parallel()
	withoutLines := gateway{"envoy", "envoy", localhost, startEnvoy} // gRPC needs none
	for _, g := range append(startHidingCookie(), withoutLines) {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, g, "HIDE_SESSION_COOKIE=true")
			session := "wos-session=" + s.sealedSession(t, zoe)
			for _, test := range []struct{ name, cookie, want string }{
				{"no other", session, ""},
				{"one before", "a=1; " + session, "a=1"},
				{"one behind", session + "; b=2", "b=2"},
				{"on both sides", "a=1; " + session + "; b=2", "a=1; b=2"},
				{"odd values", `a="x, y"; ` + session + `; b=1=2==; c; d={"e":1}`, `a="x, y"; b=1=2==; c; d={"e":1}`},
				{"a similar name", "my-wos-session=1; wos-sessions=2; " + session, "my-wos-session=1; wos-sessions=2"},
				{"a chunk", session + "; wos-session.1=x; a=1", "a=1"},
			} {
				t.Run(test.name, func(t *testing.T) {
					h := fetchHeaders()
					h.Set("Cookie", test.cookie)
					for _, path := range []string{"/", adminPath} {
						b := newBrowser(t) // which has no cookie of the app's yet
						a := b.send(http.MethodGet, s.origin+path, h, "")
						if got := b.seen(a).Header.Get("Cookie"); got != test.want {
							t.Errorf("%s: the app got %q, want %q", path, got, test.want)
						}
					}
				})
			}
		})
	}
}

// The gateway's lines without the variable take all cookies from the app, as the READMEs say: never the session's
// alone left in.
func TestHideSessionCookieWithoutTheVariable(t *testing.T) {
	t.Parallel()
	for _, g := range startHidingCookie() {
		if g.profile == "envoy" { // takes none without it
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, g)
			b := newBrowser(t)
			h := fetchHeaders()
			h.Set("Cookie", "a=1; wos-session="+s.sealedSession(t, zoe))

			got := b.seen(b.send(http.MethodGet, s.origin+"/", h, "")).Header.Get("Cookie")

			if got != "" {
				t.Errorf("the app got %q, want no cookie", got)
			}
			if g.name == "nginx" { // whose example tells the service
				waitUntil(t, "the service says what is missing", func() bool {
					return strings.Contains(s.service.output.String(), "set HIDE_SESSION_COOKIE=true")
				})
			}
		})
	}
}
