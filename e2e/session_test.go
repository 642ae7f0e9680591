package e2e

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A page renews an old session. nginx passes the new cookie on with the page,
// Traefik only on a redirect, which leads to the same page.
func TestRefreshReachesTheBrowser(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)
		old := s.expiredSession(t, zoe)
		b.setSession(s.origin, old)

		a := b.open(s.origin + deepLink)

		if got := b.seen(a); got.URI != deepLink || got.Header.Get("X-Auth-Request-User") != zoeID {
			t.Errorf("at the app: got %s for %q, want %s for %q", got.URI, got.Header.Get("X-Auth-Request-User"), deepLink, zoeID)
		}
		if got := b.cookie(s.origin, "wos-session"); got == "" || got == old {
			t.Errorf("session cookie after a page: got the old one or none, want a new one")
		}
		if g.profile == "nginx" {
			wantNotCached(t, a)
		} else {
			if len(a.Before) != 1 || a.Before[0].Status != http.StatusSeeOther {
				t.Errorf("before the page: got %s, want one 303", trail(a.Before))
			}
		}
		again := b.open(s.origin + deepLink)
		if len(again.Before) > 0 || setsSession(again) {
			t.Errorf("the second page: got %s and a new cookie %t, want the page alone", trail(again.Before), setsSession(again))
		}
		if got := s.authKit.Calls()["authenticate.refresh_token"]; got != 1 {
			t.Errorf("refreshes at AuthKit: got %d, want 1", got)
		}
	})
}

// A script goes on with an old session. Through most gateways it gets the new cookie,
// through Traefik the next page does.
func TestRefreshByScript(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)
		b.setSession(s.origin, s.expiredSession(t, zoe))

		a := b.fetch(http.MethodPost, s.origin+"/api", `{"a":1}`)

		if got := b.seen(a).Body; got != `{"a":1}` {
			t.Errorf("body at the app: got %q, want %q", got, `{"a":1}`)
		}
		if got, want := setsSession(a), g.traits().renewsOn200; got != want {
			t.Errorf("answer sets the session cookie: got %t, want %t", got, want)
		}
		if setsSession(a) {
			wantNotCached(t, a)
		}
		if a := b.open(s.origin + "/"); a.Status != http.StatusOK {
			t.Errorf("the next page: got status %d, want 200", a.Status)
		}
		if got := s.authKit.Calls()["authenticate.refresh_token"]; got != 1 {
			t.Errorf("refreshes at AuthKit: got %d, want 1", got)
		}
	})
}

// An answer that a cache may keep never carries a session cookie.
func TestSubResourceCarriesNoCookie(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)
		b.setSession(s.origin, s.expiredSession(t, zoe))

		a := b.image(s.origin + "/logo.png")

		b.seen(a)
		if setsSession(a) {
			t.Errorf("an image's answer sets the session cookie")
		}
		if got, want := a.Header.Values("Cache-Control"), []string{"public, max-age=60"}; !slices.Equal(got, want) {
			t.Errorf("Cache-Control: got %q, want the app's, %q", got, want)
		}
	})
}

// A page's many requests arrive with one old cookie: one refresh, all get in.
func TestParallelRequestsRefreshOnce(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		old := s.expiredSession(t, zoe)
		var group sync.WaitGroup
		statuses := make(chan int, 50)
		for range cap(statuses) {
			b := newBrowser(t)
			b.setSession(s.origin, old)
			group.Go(func() { statuses <- b.tryFetch(s.origin + "/api") })
		}
		group.Wait()
		close(statuses)
		for got := range statuses {
			if got != http.StatusOK {
				t.Errorf("status: got %d, want 200", got)
			}
		}
		if got := s.authKit.Calls()["authenticate.refresh_token"]; got != 1 {
			t.Errorf("refreshes at AuthKit: got %d, want 1", got)
		}
	})
}

// A session that needs several cookies: set by the callback, sent with every
// request, ended by a sign-out.
func TestLargeSession(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)

		a := b.signIn(s.origin+deepLink, large)

		if got := b.seen(a); got.URI != deepLink || got.Header.Get("X-Auth-Request-Email") != large {
			t.Errorf("at the app: got %s for %q, want %s for %q", got.URI, got.Header.Get("X-Auth-Request-Email"), deepLink, large)
		}
		if got := strings.Count(b.seen(a).Header.Get("X-Auth-Request-Permissions"), "reports:read-"); got != 400 {
			t.Errorf("permissions at the app: got %d, want 400", got)
		}
		size := 0
		cookies := b.sessionCookies(s.origin)
		for _, c := range cookies {
			if n := len(c.Name) + len(c.Value); n > 4096 {
				t.Errorf("cookie %s: got %d bytes, want at most 4096", c.Name, n)
			}
			size += len(c.Value)
		}
		if size < 12<<10 {
			t.Errorf("session: got %d bytes in %d cookies, want over 12 KB", size, len(cookies))
		}

		b.open(s.origin + "/_auth/logout")
		if got := b.sessionCookies(s.origin); len(got) > 0 {
			t.Errorf("after sign-out: got %d session cookies, want none", len(got))
		}

		for _, c := range cookies { // a browser that has missed the sign-out
			b.setCookie(s.origin, c.Name, c.Value)
		}
		if a := b.open(s.origin + "/"); a.URL.Path != "/user_management/authorize" {
			t.Errorf("with the ended session: got %s, want AuthKit's page", a.URL)
		}
		if got := b.sessionCookies(s.origin); len(got) > 0 {
			t.Errorf("with the ended session: got %d session cookies afterwards, want none", len(got))
		}
	})
}
