package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// A session in several cookies is renewed by a page, through nginx on the way over
// its sign-in location, and AuthKit's pages are not in it. Nothing but a page is
// held up for that.
func TestChunksAreRenewed(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)
		b.setSession(s.origin, s.expiredSession(t, large))
		old := generation(t, b.chunks(s.origin))
		before := s.authKit.Calls()

		answers := []answer{b.image(s.origin + "/logo.png")}
		if !g.traits().allCookies { // else the first script's answer renews it
			answers = append(answers, b.fetch(http.MethodGet, s.origin+"/api", ""), b.fetch(http.MethodPost, s.origin+"/api", "{}"))
		}
		for _, a := range answers {
			b.seen(a)
			if setsSession(a) {
				t.Errorf("%s: got a session cookie, want none before the page", a.URL.Path)
			}
		}
		a := b.open(s.origin + deepLink)

		if got := b.seen(a); got.URI != deepLink || got.Header.Get("X-Auth-Request-Email") != large {
			t.Errorf("at the app: got %s for %q, want %s for %q", got.URI, got.Header.Get("X-Auth-Request-Email"), deepLink, large)
		}
		if len(a.Before) != 1 || a.Before[0].URL.String() != s.origin+deepLink || a.Before[0].Status != http.StatusSeeOther {
			t.Errorf("before the page: got %s, want one 303 of the same URL", trail(a.Before))
		}
		if got := generation(t, b.chunks(s.origin)); got == old {
			t.Errorf("the session's cookies: got the old ones, want new ones")
		}
		if again := b.open(s.origin + deepLink); again.Status != http.StatusOK || len(again.Before) > 0 || setsSession(again) {
			t.Errorf("the second page: got %d after %s and new cookies %t, want the page alone", again.Status, trail(again.Before), setsSession(again))
		}
		s.wantCalls(t, before, 1)
	})
}

// A session that got smaller leaves no chunk behind, and one that grew has as many
// as it needs.
func TestChunksShrinkAndGrow(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)
		permissions := 0
		for _, step := range []struct {
			name        string
			permissions int
			from, to    int // cookies
		}{
			{"grows from one cookie", 400, 1, 5},
			{"shrinks to fewer chunks", 100, 5, 2},
			{"grows again", 200, 2, 3},
			{"shrinks to one cookie", 0, 3, 1},
		} {
			s.setPermissions(t, permissions)
			b.setSession(s.origin, s.expiredSession(t, zoe))
			permissions = step.permissions
			if got := len(b.chunks(s.origin)); got != step.from {
				t.Errorf("%s: got %d cookies before it, want %d", step.name, got, step.from)
			}
			old := generation(t, b.chunks(s.origin))
			s.setPermissions(t, permissions)

			a := b.open(s.origin + deepLink)

			got := b.seen(a).Header.Get("X-Auth-Request-Permissions")
			if n := strings.Count(got, "reports:read-"); n != step.permissions {
				t.Errorf("%s: got %d permissions at the app, want %d", step.name, n, step.permissions)
			}
			if got := len(b.chunks(s.origin)); got != step.to {
				t.Errorf("%s: got %d cookies, want %d", step.name, got, step.to)
			}
			if generation(t, b.chunks(s.origin)) == old {
				t.Errorf("%s: got the old cookies, want new ones", step.name)
			}
			if again := b.open(s.origin + deepLink); again.Status != http.StatusOK || len(again.Before) > 0 {
				t.Errorf("%s: the second page: got %d after %s, want the page alone", step.name, again.Status, trail(again.Before))
			}
		}
	})
}

// A browser that stores none of the new cookies gets its pages, and one that stores
// some of them signs in again. Neither goes round in circles.
func TestChunksThatAreNotStored(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		for _, test := range []struct {
			name   string
			stores func(name string) bool
			page   bool // else AuthKit's
		}{
			{"none", func(string) bool { return false }, true},
			{"the first alone", func(name string) bool { return name == "wos-session" }, false},
			{"all but the first", func(name string) bool { return name != "wos-session" }, false},
			{"some", func(name string) bool { return name == "wos-session" || name == "wos-session.2" }, false},
		} {
			b := newBrowser(t)
			b.setSession(s.origin, s.expiredSession(t, large))
			before := s.authKit.Calls()
			b.client.Jar = pickyJar{b.client.Jar, test.stores}

			a := b.open(s.origin + deepLink) // fails after ten redirects

			if !test.page {
				if a.URL.Path != "/user_management/authorize" {
					t.Errorf("%s: got %s after %s, want AuthKit's page", test.name, a.URL, trail(a.Before))
				}
				continue
			}
			b.seen(a)
			if len(a.Before) != 1 {
				t.Errorf("%s: before the page: got %s, want one redirect", test.name, trail(a.Before))
			}
			for _, path := range []string{deepLink, "/other"} {
				if a := b.open(s.origin + path); a.Status != http.StatusOK || len(a.Before) > 0 {
					t.Errorf("%s: %s: got %d after %s, want the page alone", test.name, path, a.Status, trail(a.Before))
				}
			}
			s.wantCalls(t, before, 1)
		}
	})
}

// A browser that keeps an older session's chunks of another path sends both.
func TestChunksOfTwoGenerations(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)
		s.setPermissions(t, 200) // three cookies: nginx takes 32 KB of them
		b.setSession(s.origin, s.expiredSession(t, zoe))
		older := b.chunks(s.origin)
		b.signIn(s.origin+"/_auth/login?rd="+url.QueryEscape(s.origin+deepLink), zoe)
		at, err := url.Parse(s.origin + "/")
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range older {
			b.client.Jar.SetCookies(at, []*http.Cookie{{Name: name, Value: value, Path: deepPath}})
		}

		a := b.open(s.origin + deepLink)

		if got := b.seen(a).Header.Values("Cookie"); strings.Count(strings.Join(got, "; "), "wos-session=") != 2 {
			t.Fatalf("at the app: got not two sessions, the test is wrong")
		}
		if len(a.Before) > 0 {
			t.Errorf("before the page: got %s, want nothing: the newest session is good", trail(a.Before))
		}
		if got := s.authKit.Calls()["authenticate.refresh_token"]; got != 0 {
			t.Errorf("refreshes at AuthKit: got %d, want 0", got)
		}
	})
}

// A WebSocket's handshake is answered without a cookie.
func TestChunksAndWebSocket(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)
		for _, email := range []string{large, zoe} {
			b.setSession(s.origin, s.expiredSession(t, email))
			var cookies []string
			for name, value := range b.chunks(s.origin) {
				cookies = append(cookies, name+"="+value)
			}
			a := raw(t, s.at.gateway, "GET /live HTTP/1.1\r\nHost: localhost:"+portOf(t, s.at.gateway)+"\r\nConnection: Upgrade\r\n"+
				"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: "+s.origin+"\r\n"+
				"Cookie: "+strings.Join(cookies, "; ")+"\r\n\r\n")
			if a.StatusCode != http.StatusSwitchingProtocols || setsSession(answer{Header: a.Header}) {
				t.Errorf("%s: got status %d and a session cookie %t, want 101 without", email, a.StatusCode, setsSession(answer{Header: a.Header}))
			}
			for _, c := range b.sessionCookies(s.origin) {
				b.removeCookie(s.origin, c.Name)
			}
		}
	})
}

// deepPath is the path of deepLink.
const deepPath = "/reports"

// chunks are the session's cookies by name.
func (b *browser) chunks(origin string) map[string]string {
	b.t.Helper()
	chunks := map[string]string{}
	for _, c := range b.sessionCookies(origin) {
		chunks[c.Name] = c.Value
	}
	return chunks
}

func (b *browser) removeCookie(origin, name string) {
	b.t.Helper()
	u, err := url.Parse(origin + "/")
	if err != nil {
		b.t.Fatal(err)
	}
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Path: "/", MaxAge: -1}})
}

// generation checks that the cookies are one session in as many as there are, and
// returns what tells it from others: what all begin with (mark, count and hash), or
// the one cookie's value.
func generation(t *testing.T, chunks map[string]string) string {
	t.Helper()
	if value, ok := chunks["wos-session"]; ok && len(chunks) == 1 && strings.HasPrefix(value, "Fe26.2*") {
		return value
	}
	const length = len("k1.3.f2yZ8bqN1mB4dQ0x.")
	starts := map[string]bool{}
	for _, value := range chunks {
		starts[value[:min(len(value), length)]] = true
	}
	start := slices.Collect(maps.Keys(starts))
	if len(start) != 1 || !strings.HasPrefix(start[0], fmt.Sprintf("k1.%d.", len(chunks))) {
		t.Fatalf("session cookies: got %d that begin with %q, want one generation", len(chunks), start)
	}
	return start[0]
}

// setPermissions changes the permissions in zoe's tokens from now on.
func (s *stack) setPermissions(t *testing.T, n int) {
	t.Helper()
	var permissions []string
	for i := range n {
		permissions = append(permissions, fmt.Sprintf("reports:read-%d", i))
	}
	if err := s.authKit.SetRole(acmeID, "admin", permissions); err != nil {
		t.Fatal(err)
	}
}

// wantCalls checks what AuthKit was asked since: refreshes, and no page of its.
func (s *stack) wantCalls(t *testing.T, before map[string]int, refreshes int) {
	t.Helper()
	calls := s.authKit.Calls()
	if got := calls["authenticate.refresh_token"] - before["authenticate.refresh_token"]; got != refreshes {
		t.Errorf("refreshes at AuthKit: got %d, want %d", got, refreshes)
	}
	if got := calls["authorize"] - before["authorize"]; got != 0 {
		t.Errorf("visits to AuthKit's page: got %d, want 0", got)
	}
}

// pickyJar drops some of the session cookies that it is to store.
type pickyJar struct {
	http.CookieJar
	stores func(name string) bool
}

func (j pickyJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.CookieJar.SetCookies(u, slices.DeleteFunc(cookies, func(c *http.Cookie) bool {
		return strings.HasPrefix(c.Name, "wos-session") && !j.stores(c.Name)
	}))
}
