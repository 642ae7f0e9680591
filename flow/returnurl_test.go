package flow

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
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
		{"2,049 bytes", long(app+"/a?q=", "x", 2049), long(app+"/a?q=", "x", 2049)},
		{"8,192 bytes", long(app+"/a?q=", "x", 8192), long(app+"/a?q=", "x", 8192)},
		{"8,192 bytes that hardly compress", noise(8192), noise(8192)},
		{"8,193 bytes", long(app+"/a?q=", "x", 8193), app + "/a"},
		{"15,000 bytes", long(app+"/a?q=", "x", 15_000), app + "/a"},
		{"a path of 8,192 bytes", long(app+"/", "x", 8192), long(app+"/", "x", 8192)},
		{"a path of 8,192 bytes and a query", long(app+"/", "x", 8192) + "?q", long(app+"/", "x", 8192)},
		{"a path of 8,193 bytes", long(app+"/", "x", 8193), app + "/home"},
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

// noise is a return URL of random characters, the same each time.
func noise(length int) string {
	const alphabet = "!$'()*+,-./0123456789:;<=>@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~"
	random := rand.NewChaCha8([32]byte{1})
	b := []byte(app + "/a?")
	for len(b) < length {
		b = append(b, alphabet[random.Uint64()%uint64(len(alphabet))])
	}
	return string(b)
}

// The cookies of a long return URL stay on the flow's path, go with the sign-in, and are
// missed by nobody but the query.
func TestLongReturnURLsCookies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{defaultReturn: app + "/home"})
	b := w.browser(t)
	a := b.get(login + "?rd=" + url.QueryEscape(noise(8000)))
	state := parse(t, a.location()).Query().Get("state")
	if len(state) > 4000 {
		t.Errorf("the state has %d bytes", len(state))
	}
	var names []string
	for _, line := range a.header["Set-Cookie"] {
		if name, rest, _ := strings.Cut(line, "="); strings.HasPrefix(name, "authkit-return-") {
			names = append(names, name)
			if !strings.HasSuffix(rest, "; Path=/_auth/; Max-Age=600; HttpOnly; Secure; SameSite=Lax") || len(line) > 4096 {
				t.Errorf("got %d bytes: %s", len(line), line)
			}
		}
	}
	prefix := "authkit-return-" + fingerprint(state)[:16]
	if want := []string{prefix + ".0", prefix + ".1", prefix + ".2"}; !slices.Equal(names, want) {
		t.Errorf("got cookies %q, want %q", names, want)
	}
	end := b.get(b.choose(a.location(), paula))
	if end.location() != noise(8000) {
		t.Errorf("got %.60q", end.location())
	}
	for name := range b.sends(callback) {
		if strings.HasPrefix(name, "authkit-return-") {
			t.Errorf("%s stays", name)
		}
	}
}

func TestLongReturnURLIsLost(t *testing.T) {
	t.Parallel()
	otherBox := func(w *world, _ string) string { return w.states.Seal([]byte("x")) }
	tests := []struct {
		name, rd string
		cookie   func(w *world, value string) string // instead of each one's value; "": none
		want     string
	}{
		{"no cookies", noise(8000), func(*world, string) string { return "" }, app + "/a"},
		{"changed", noise(8000), func(_ *world, value string) string { return value[1:] }, app + "/a"},
		{"another box", noise(3000), otherBox, app + "/a"},
		{"of another state", noise(3000), func(w *world, _ string) string {
			recorder := httptest.NewRecorder()
			w.carryReturnURL(recorder, httptest.NewRequest("GET", login, nil), "another state", noise(3001))
			return recorder.Result().Cookies()[0].Value
		}, app + "/a"},
		{"no cookies, and a long path", app + "/" + strings.Repeat("x", 3000), func(*world, string) string { return "" }, app + "/home"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{defaultReturn: app + "/home"})
			b := w.browser(t)
			address := b.begin(login+"?rd="+url.QueryEscape(tt.rd), paula)
			for name, value := range b.sends(callback) {
				if strings.HasPrefix(name, "authkit-return-") {
					b.plant(callback, name, tt.cookie(w, value))
				}
			}
			if a := b.get(address); a.location() != tt.want || a.cookie("wos-session=Fe26") == "" {
				t.Errorf("got status %d to %.60q, want %q", a.status, a.location(), tt.want)
			}
		})
	}
}

// A restart, a choice of an organization and a failed sign-in keep it.
func TestLongReturnURLSurvives(t *testing.T) {
	t.Parallel()
	long := noise(6000)
	rd := "?rd=" + url.QueryEscape(long)
	w := newWorld(t, settings{})

	b := w.browser(t)
	late := b.begin(login+rd, paula)
	b.refuses = refuse("__Host-authkit-state-")
	if a := b.get(late); parse(t, a.location()).Query().Get("rd") != long {
		t.Errorf("a restart: got status %d to %.80q", a.status, a.location())
	}

	b = w.browser(t)
	choice := b.get(b.get(b.get(login + rd + "&login_hint=" + url.QueryEscape(sam)).location()).location())
	if a := b.press(choice, "Globex"); a.location() != long {
		t.Errorf("a choice: got status %d to %.80q", a.status, a.location())
	}

	b = w.browser(t)
	cancelled := b.post(b.get(login+rd).location(), url.Values{"cancel": {"1"}}).location()
	if a := b.get(cancelled); parse(t, a.link("Try again")).Query().Get("rd") != long {
		t.Errorf("cancelled: got status %d: %.80q", a.status, a.link("Try again"))
	}
}

// Tabs with long return URLs: all of their cookies together stay small.
func TestLongReturnURLsDontPileUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	var last string
	for i := range 5 {
		last = b.begin(login+"?rd="+url.QueryEscape(noise(5000+i)), paula)
		w.clock.advance(time.Second)
		if n := len(b.header(callback).Get("Cookie")); n > 12_500 {
			t.Errorf("tab %d: %d bytes of cookies", i+1, n)
		}
	}
	if a := b.get(last); a.location() != noise(5004) {
		t.Errorf("the last one: got status %d to %.60q", a.status, a.location())
	}
}

// A loop is noticed whether the cookies come back or not.
func TestLongReturnURLLoops(t *testing.T) {
	t.Parallel()
	for name, refuses := range map[string]func(string) bool{"with the cookies": nil, "without": refuse("authkit-return-")} {
		w := newWorld(t, settings{})
		b := w.browser(t)
		b.refuses = refuses
		for range 2 {
			b.get(b.begin(login+"?rd="+url.QueryEscape(noise(5000)), paula))
		}
		if a := b.get(login + "?rd=" + url.QueryEscape(noise(5000))); a.status != http.StatusForbidden {
			t.Errorf("%s: got status %d to %.60q", name, a.status, a.location())
		}
	}
}
