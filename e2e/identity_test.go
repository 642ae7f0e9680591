package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/verify"
)

func TestIdentityHeaders(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)

		h := b.seen(b.signIn(s.origin+"/", zoe)).Header

		for name, want := range map[string]string{
			"X-Auth-Request-User":         zoeID,
			"X-Auth-Request-Email":        zoe,
			"X-Auth-Request-Name":         "Zo%C3%AB %C3%85ngstr%C3%B6m",
			"X-Auth-Request-Groups":       "admin,billing",
			"X-Auth-Request-Organization": acmeID,
			"X-Auth-Request-Role":         "admin",
			"X-Auth-Request-Permissions":  "reports:read,reports:write,users:manage",
			"X-Auth-Request-Entitlements": "audit-logs,sso",
			"X-Auth-Request-Impersonator": "",
			"X-Auth-Request-Scopes":       "",
			"X-Auth-Request-Client":       "",
			"X-Auth-Request-Actor":        "",
			"X-Auth-Request-Access-Token": "",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		if got := h.Get("X-Auth-Request-Session"); !strings.HasPrefix(got, "session_") {
			t.Errorf("X-Auth-Request-Session: got %q, want session_…", got)
		}
	})
}

func TestRemoteHeaders(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g, "IDENTITY_HEADERS=remote,access-token")
		b := newBrowser(t)

		h := b.seen(b.signIn(s.origin+"/", zoe)).Header

		for name, want := range map[string]string{
			"Remote-User":         zoe,
			"Remote-Email":        zoe,
			"Remote-Name":         "Zo%C3%AB %C3%85ngstr%C3%B6m",
			"Remote-Groups":       "admin,billing",
			"X-Auth-Request-User": "",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		if got := h.Get("X-Auth-Request-Access-Token"); strings.Count(got, ".") != 2 {
			t.Errorf("X-Auth-Request-Access-Token: got %q, want a JWT", got)
		}
	})
}

// A client's own claims about itself never reach the app, on protected and on
// public paths, however the header's name is spelt.
func TestSpoofedHeaders(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)
		b.signIn(s.origin+"/", paula) // has no organization: most headers are empty
		for _, path := range []string{"/", publicPath} {
			for _, name := range append(verify.DefaultHeaders().Names(), verify.RemoteHeaders().Names()...) {
				for _, spelling := range spellings(name) {
					h := fetchHeaders()
					h[spelling] = []string{"mallory"}
					got := b.seen(b.send(http.MethodGet, s.origin+path, h, ""))
					wantNobody(t, path, spelling, got.Header)
				}
			}
		}
	})
}

// A client can't have its identity taken away by calling the header hop-by-hop.
func TestConnectionHeaderNamesIdentity(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)
		b.signIn(s.origin+"/", zoe)
		h := fetchHeaders()
		h.Set("Connection", "X-Auth-Request-User, X-Forwarded-Host, X-Original-URL")

		got := b.seen(b.send(http.MethodGet, s.origin+"/", h, "")).Header.Get("X-Auth-Request-User")

		if got != zoeID {
			t.Errorf("X-Auth-Request-User: got %q, want %q", got, zoeID)
		}
	})
}

// spellings returns what many an app can't tell from a header's name: CGI
// variables, for one, have the same name for all of them.
func spellings(name string) []string {
	return []string{
		name,
		strings.ToLower(name),
		strings.ReplaceAll(name, "-", "_"),
		strings.ReplaceAll(name, "-", "."),
		strings.Replace(name, "-", "_", 1),
	}
}

func wantNobody(t *testing.T, path, spelling string, h http.Header) {
	t.Helper()
	for name, values := range h {
		if strings.Contains(strings.Join(values, ","), "mallory") {
			t.Errorf("%s with %s: mallory: the app got %s: %q, want nothing of it", path, spelling, name, values)
		}
	}
}
