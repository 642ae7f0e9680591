package flow

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// arrival signs in with a return URL and returns where the browser ends up.
func (w *world) arrival(t *testing.T, login, rd string) string {
	t.Helper()
	b := w.browser(t)
	a := b.get(b.begin(login+"?rd="+url.QueryEscape(rd), paula))
	if a.status != http.StatusSeeOther {
		t.Fatalf("%q: got status %d: %s", rd, a.status, a.body)
	}
	return a.location()
}

func TestReturnURLArrives(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ownHost())
	tests := []struct{ name, rd, want string }{
		{"deep link", "https://app.example.com/reports?year=2026&q=a%26b", "https://app.example.com/reports?year=2026&q=a%26b"},
		{"path", "/account?tab=1", "https://auth.example.com/account?tab=1"},
		{"the domain itself", "https://example.com/", "https://example.com/"},
		{"a port", "https://app.example.com:8443/x", "https://app.example.com:8443/x"},
		{"the default port", "https://app.example.com:443/x", "https://app.example.com/x"},
		{"upper case", "https://APP.Example.COM/X", "https://app.example.com/X"},
		{"no path", "https://app.example.com", "https://app.example.com/"},
		{"escapes byte for byte", "https://app.example.com/a%2Fb%20c?x=%zz&y=+&&z=;", "https://app.example.com/a%2Fb%20c?x=%zz&y=+&&z=;"},
		{"a URL in the query", "https://app.example.com/go?to=https://evil.example/", "https://app.example.com/go?to=https://evil.example/"},
		{"markup in the query", `https://app.example.com/?q="><script>`, `https://app.example.com/?q="><script>`},
		{"a fragment is dropped", "https://app.example.com/x#top", "https://app.example.com/x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := w.arrival(t, "https://auth.example.com/login", tt.rd); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Each of these ends at the default. What they are called in peers.md: A9 is
// CVE-2021-21291; A10 CVE-2020-5233, CVE-2020-11053 and CVE-2020-4037.
func TestReturnURLRefused(t *testing.T) {
	t.Parallel()
	s := ownHost()
	s.defaultReturn = "https://app.example.com/home"
	w := newWorld(t, s)
	tests := map[string][]string{
		"a similar domain": {
			"https://evilexample.com/", "https://example.com.evil.io", "https://example.com.evil.io/", "https://app-example.com/",
			"https://evil.example/?.example.com", "https://evil.example/#.example.com", "https://evil.example/.example.com",
		},
		"what browsers read as another host": {
			`/\evil.com`, "//evil.com", "/%09/evil.com", "/\t/evil.com", "/ /evil.com", `/../\evil.com`, "/.//evil.com",
			"https:evil.com", "https:///evil.com", "https://good@evil.com", "https://good%00.evil.com", `\\evil.com`, `/%5cevil.com`,
			`https:\\evil.com`, `https://evil.com\.example.com/`, "https://app.example.com@evil.com/", "https://user:pass@app.example.com/",
			"https://app.example.com%2f@evil.com/", "https://app.example.com\r\nLocation: https://evil.com", "\x00//evil.com", " //evil.com",
			"///evil.com", "////evil.com", "/\n/evil.com", "https://evil.com/https://app.example.com/", "https://[::1]@evil.com/",
			"https://app.example.com:x/", "https://app.example.com:443:443/", "https://app.example.com,evil.com/", "https://app.example.com /",
		},
		"another scheme": {
			"http://app.example.com/", "javascript:alert(1)", "JaVaScript://app.example.com/%0aalert(1)", "data:text/html,x",
			"ftp://app.example.com/", "//app.example.com/", "app.example.com/", "reports", "?x", "#x", "https",
		},
		"the flow itself": {
			"/login", "/logout", "/sign-up", "/callback?code=x&state=y", "/login/", "/%6cogin", "/x/../logout", "/./login", "//login",
			"https://auth.example.com/logout", "https://AUTH.example.com:443/logout", "https://auth.example.com/logout?x#y",
		},
		"nothing": {"", " ", "https://", "https:///"},
	}
	for name, rds := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, rd := range rds {
				if got := w.arrival(t, "https://auth.example.com/login", rd); got != "https://app.example.com/home" {
					t.Errorf("%q: got %q, want the default", rd, got)
				}
			}
		})
	}
}

func TestDefaultReturnURL(t *testing.T) {
	t.Parallel()
	t.Run("configured", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, settings{defaultReturn: "https://app.example.com/start?x=1"})
		if got := w.arrival(t, login, ""); got != "https://app.example.com/start?x=1" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("the root of a host that is shared with an app", func(t *testing.T) {
		t.Parallel()
		if got := newWorld(t, settings{}).arrival(t, login, ""); got != "https://app.example.com/" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("a page on the flow's own host", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, ownHost())
		b := w.browser(t)
		a := b.visit("https://auth.example.com/login", paula)
		if a.status != http.StatusOK || !strings.Contains(a.body, "You are signed in") ||
			a.link("Sign out") != "https://auth.example.com/logout" {
			t.Errorf("got status %d: %s", a.status, a.body)
		}
		// Reloading it exchanges nothing.
		if a := b.get(a.url); a.status != http.StatusOK || !strings.Contains(a.body, "You are signed in") || w.exchanges() != 1 {
			t.Errorf("reloaded: got status %d to %q, exchanges %d", a.status, a.location(), w.exchanges())
		}
	})
}

func TestLongReturnURL(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{defaultReturn: "https://app.example.com/home"})
	long := func(base, filler string, length int) string {
		return (base + strings.Repeat(filler, length))[:length]
	}
	tests := []struct{ name, rd, want string }{
		{"2,048 bytes", long(app+"/a?q=", "x", 2048), long(app+"/a?q=", "x", 2048)},
		{"2,048 bytes that JSON escapes", long(app+"/a?", "&", 2048), long(app+"/a?", "&", 2048)},
		{"2,048 bytes of quotation marks", long(app+"/a?", `"`, 2048), long(app+"/a?", `"`, 2048)},
		{"2,049 bytes", long(app+"/a?q=", "x", 2049), app + "/a"},
		{"15,000 bytes", long(app+"/a?q=", "x", 15_000), app + "/a"},
		{"a path of 2,048 bytes and a query", long(app+"/", "x", 2048) + "?q", long(app+"/", "x", 2048)},
		{"a path of 2,049 bytes", long(app+"/", "x", 2049), app + "/home"},
		{"a path of 15,000 bytes", long(app+"/", "x", 15_000), app + "/home"},
		{"20,000 bytes", long(app+"/a?q=", "x", 20_000), app + "/home"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := w.arrival(t, login, tt.rd); got != tt.want {
				t.Errorf("got %.60q (%d bytes), want %.60q (%d bytes)", got, len(got), tt.want, len(tt.want))
			}
		})
	}
}

// A browser's own request for a page comes back to it, whatever the flow did.
func TestReturnURLIsNotTakenFromTheCallback(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	callback := b.begin(login+"?rd=/mine", paula)
	if a := b.get(callback + "&rd=https%3A%2F%2Fapp.example.com%2Fother&return_to=/other"); a.location() != app+"/mine" {
		t.Errorf("got %q, want the state's", a.location())
	}
}
