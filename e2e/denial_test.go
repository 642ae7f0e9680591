package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// wantReason checks a denial.
func wantReason(t *testing.T, a answer, status int, reason string) {
	t.Helper()
	if a.Status != status {
		t.Errorf("%s: status: got %d, want %d: %s", a.URL.Path, a.Status, status, a.Body)
	}
	if got := a.Header.Get("X-Auth-Reason"); got != reason {
		t.Errorf("%s: X-Auth-Reason: got %q, want %q", a.URL.Path, got, reason)
	}
}

func TestWithoutSession(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)
		before := s.app.requests.Load()
		xhr := http.Header{"X-Requested-With": {"XMLHttpRequest"}, "Accept": {"text/html, */*"}}
		form := longForm(g).Encode()

		for _, test := range []struct {
			name, method, body string
			header             http.Header
		}{
			{name: "fetch", method: http.MethodGet, header: fetchHeaders()},
			{name: "fetch with a body", method: http.MethodPost, header: fetchHeaders(), body: `{"a":1}`},
			{name: "fetch with a long form", method: http.MethodPut, header: fetchHeaders(), body: form},
			{name: "XHR of an old browser", method: http.MethodGet, header: xhr},
			{name: "image", method: http.MethodGet, header: imageHeaders()},
			{name: "curl", method: http.MethodGet, header: http.Header{"Accept": {"*/*"}}},
			{name: "DELETE", method: http.MethodDelete, header: fetchHeaders()},
		} {
			t.Run(test.name, func(t *testing.T) {
				a := b.send(test.method, s.origin+"/api/reports", test.header, test.body)

				wantReason(t, a, http.StatusUnauthorized, "no_session")
				if got, want := a.Header.Get("Content-Type"), "application/problem+json"; got != want {
					t.Errorf("Content-Type: got %q, want %q", got, want)
				}
				var problem struct {
					LoginURL string `json:"login_url"`
				}
				if err := json.Unmarshal([]byte(a.Body), &problem); err != nil {
					t.Fatalf("body: %v: %s", err, a.Body)
				}
				if want := s.origin + "/_auth/login"; problem.LoginURL != want {
					t.Errorf("login_url: got %q, want %q", problem.LoginURL, want)
				}
			})
		}
		if got := s.app.requests.Load(); got != before {
			t.Errorf("requests at the app: got %d, want none", got-before)
		}
	})
}

// A form that is sent after the session has ended gets a page that says so, from which a
// sign-in in a new tab leads to the form's page: a redirect would lose what was typed, and
// an app's form-action would stop it without a word.
func TestFormWithoutSession(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)
		page, err := url.Parse(s.origin + "/edit?id=7")
		if err != nil {
			t.Fatal(err)
		}

		a := b.post(page, s.origin+"/save", longForm(g))

		if a.Status != http.StatusUnauthorized || a.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Fatalf("got %d %s, want a 401 page: %s", a.Status, a.Header.Get("Content-Type"), a.Body)
		}
		login := s.origin + "/_auth/login?rd=" + url.QueryEscape(page.String())
		for _, want := range []string{"What you typed was not sent.", `<a href="` + login + `" target="_blank">Sign in</a>`} {
			if !strings.Contains(string(a.Body), want) {
				t.Errorf("got %s, want %s in it", a.Body, want)
			}
		}
		if got := a.Header.Get("X-Auth-Login-Url"); got != login {
			t.Errorf("X-Auth-Login-URL: got %s, want %s", got, login)
		}
	})
}

// longForm is more than nginx reads ahead. Others may end the connection while such a form is sent, see TestUploads: theirs is
// shorter.
func longForm(g gateway) url.Values {
	words := 1000
	if g.profile == "nginx" {
		words = 50_000
	}
	return url.Values{"text": {strings.Repeat("long ", words)}}
}

func TestWebSocket(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)
		b.signIn(s.origin+"/", zoe)
		handshake := "GET /live HTTP/1.1\r\nHost: localhost:" + portOf(t, s.at.gateway) + "\r\nConnection: Upgrade\r\n" +
			"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: " + s.origin + "\r\n"

		denied := raw(t, s.at.gateway, handshake+"\r\n")
		if denied.StatusCode != http.StatusUnauthorized {
			t.Errorf("without a session: got status %d, want 401", denied.StatusCode)
		}
		accepted := raw(t, s.at.gateway, handshake+"Cookie: wos-session="+b.cookie(s.origin, "wos-session")+"\r\n\r\n")
		if accepted.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("with a session: got status %d, want 101", accepted.StatusCode)
		}
		var got seen
		if err := json.NewDecoder(accepted.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		if user := got.Header.Get("X-Auth-Request-User"); user != zoeID {
			t.Errorf("X-Auth-Request-User: got %q, want %q", user, zoeID)
		}
	})
}

func TestServiceDown(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)
		b.signIn(s.origin+"/", paula)
		s.service.stop(t)
		before := s.app.requests.Load()

		for _, a := range []answer{b.open(s.origin + "/"), b.fetch(http.MethodPost, s.origin+"/api", "{}"), b.image(s.origin + "/logo.png")} {
			if want := g.traits().closed; a.Status != want {
				t.Errorf("%s: got status %d, want %d", a.URL.Path, a.Status, want)
			}
		}
		if got := s.app.requests.Load(); got != before {
			t.Errorf("requests at the app: got %d, want none", got-before)
		}
		if a := b.image(s.origin + publicPath); a.Status != http.StatusOK {
			t.Errorf("public path: got status %d, want 200", a.Status)
		}
	})
}

// The gateway leads to the flow's endpoints and to nothing else of the service.
func TestOnlyTheFlowIsReachable(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)
		b.signIn(s.origin+"/", paula)
		for path, want := range map[string]int{
			"/healthz": http.StatusOK, "/readyz": http.StatusOK, "/verify": http.StatusOK, "/_auth/": http.StatusOK, // the app's
			"/verify/forward-auth": http.StatusForbidden, "/verify/auth-request": http.StatusForbidden, "/verify/sign-in": http.StatusForbidden,
		} {
			a := b.fetch(http.MethodGet, s.origin+path, "")
			if a.Status != want {
				t.Errorf("%s: got status %d, want %d", path, a.Status, want)
			}
			if want == http.StatusOK {
				if got := b.seen(a).URI; got != path {
					t.Errorf("%s: the app got %s", path, got)
				}
			}
		}
	})
}

func TestNginxQuestionIsInternal(t *testing.T) {
	t.Parallel()
	s := newStack(t, gateways()[0])
	b := newBrowser(t)
	b.signIn(s.origin+"/", paula)

	if a := b.fetch(http.MethodGet, s.origin+"/_authkit/verify", ""); a.Status != http.StatusNotFound {
		t.Errorf("/_authkit/verify: got status %d, want 404", a.Status)
	}
}
