package e2e

import (
	"net/http"
	"net/url"
	"os/exec"
	"testing"
)

// Users of the emulator's seed.
const (
	paula = "paula@example.com" // no organization
	zoe   = "zoe@acme.example"  // admin and billing at Acme

	zoeID      = "user_01JE28JT97KB6CQ643DZVMXXQK"
	acmeID     = "org_01JSSZ5AWSH8VHTPRE95B9EE0Z"
	deepLink   = "/reports?year=2026&q=a%26b"
	publicPath = "/favicon.ico" // in every example
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)

		a := b.signIn(s.origin+deepLink, zoe)

		if got := a.URL.String(); got != s.origin+deepLink {
			t.Errorf("after sign-in: got %s, want the page that was asked for, %s", got, s.origin+deepLink)
		}
		if got := b.seen(a).URI; got != deepLink {
			t.Errorf("URL at the app: got %s, want %s", got, deepLink)
		}
		if got := b.cookie(s.origin, "app"); got != "1" {
			t.Errorf("the app's own cookie: got %q, want 1", got)
		}
	})
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)
		b.signIn(s.origin+"/", paula)
		stolen := b.cookie(s.origin, "wos-session")

		a := b.open(s.origin + "/_auth/logout")

		if got, want := a.URL.String(), s.origin+publicPath; got != want {
			t.Errorf("after sign-out: got %s, want LOGOUT_RETURN_URL, %s (%s)", got, want, trail(a.Before))
		}
		if got := s.authKit.Calls()["sessions.logout"]; got != 1 {
			t.Errorf("sign-outs at AuthKit: got %d, want 1", got)
		}
		if got := b.cookie(s.origin, "wos-session"); got != "" {
			t.Errorf("session cookie after sign-out: got one, want none")
		}
		b.setCookie(s.origin, "wos-session", stolen)
		wantReason(t, b.fetch(http.MethodGet, s.origin+"/", ""), http.StatusUnauthorized, "session_ended")
	})
}

// A page of another site can't sign anybody out by naming the URL in an image.
func TestSignOutNeedsNavigation(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)
		b.signIn(s.origin+"/", paula)

		b.image(s.origin + "/_auth/logout")

		if a := b.open(s.origin + "/"); a.Status != http.StatusOK || len(a.Before) > 0 {
			t.Errorf("after an image's GET of /_auth/logout: got status %d after %s, want 200: still signed in", a.Status, trail(a.Before))
		}
		page := b.send(http.MethodGet, s.origin+"/_auth/logout", imageHeaders(), "")
		a := b.submit(page.URL, page.URL.String(), url.Values{})
		if got, want := a.URL.String(), s.origin+publicPath; got != want {
			t.Errorf("after the page's button: got %s, want %s", got, want)
		}
	})
}

// Under another name and with TLS, as behind a public gateway.
func TestSignInWithTLS(t *testing.T) {
	t.Parallel()
	s := newStack(t, gateway{"nginx", "nginx", publicOrigin, startNginxWithTLS})
	b := newBrowser(t)
	trustGateway(b, s.at.gateway)

	a := b.signIn(s.origin+deepLink, zoe)

	if got := a.URL.String(); got != s.origin+deepLink {
		t.Errorf("after sign-in: got %s, want %s", got, s.origin+deepLink)
	}
	if got := b.seen(a).Header.Get("X-Forwarded-Proto"); got != "https" {
		t.Errorf("X-Forwarded-Proto at the app: got %q, want https", got)
	}
	for _, hop := range a.Before {
		for _, c := range (&http.Response{Header: hop.Header}).Cookies() {
			if !c.Secure || !c.HttpOnly {
				t.Errorf("cookie %s: got Secure %t and HttpOnly %t, want both", c.Name, c.Secure, c.HttpOnly)
			}
		}
	}
}

// The emulator as a program of its own, as docker-compose.yml runs it.
func TestSignInWithEmulatorCommand(t *testing.T) {
	t.Parallel()
	g := noGateway()
	address, api := freeAddress(t), freeAddress(t)
	s := &stack{origin: localhost(portOf(t, address)), api: localhost(portOf(t, api)), at: addresses{gateway: address, service: address}}
	start(t, api, exec.Command(service, "emulator", "-addr", api, "-client-id", clientID, "-api-key", apiKey,
		"-redirect-uri", s.origin+"/_auth/callback", "-logout-return-url", s.origin+publicPath))
	s.startService(t, g, nil)
	b := newBrowser(t)

	b.signIn(s.origin+"/_auth/login", zoe)

	a := s.verify(t, b, documentHeaders())
	if got := a.Header.Get("X-Auth-Request-User"); a.Status != http.StatusOK || got != zoeID {
		t.Errorf("verify: got status %d for %q, want 200 for %q", a.Status, got, zoeID)
	}
}
