package flow

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// plantFor puts a cookie into the jar for a domain and all its hosts.
func (b *browser) plantFor(domain, name, value string) {
	b.t.Helper()
	b.jar.SetCookies(parse(b.t, "https://"+domain+"/"), []*http.Cookie{{Name: name, Value: value, Path: "/", Domain: domain, Secure: true}})
}

// otherSession is a sealed session of zoe's, who signed in elsewhere.
func (w *world) otherSession(t *testing.T) string {
	t.Helper()
	other := w.browser(t)
	other.get(other.begin(w.Site.Endpoint("login"), zoe))
	w.clock.advance(time.Second)
	return other.sends(w.Site.Endpoint("x"))["wos-session"]
}

// sessionLines are the answer's lines about the session's cookies, without attributes
// that are always the same.
func (a *answer) sessionLines() []string {
	var lines []string
	for _, line := range a.header["Set-Cookie"] {
		if strings.HasPrefix(line, "wos-session") {
			line = strings.TrimSuffix(line, "; HttpOnly; Secure; SameSite=Lax")
			if i := strings.Index(line, "Fe26"); i >= 0 {
				line = line[:i+4] + line[strings.Index(line, ";"):]
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// F4: a cookie of a parent domain, left by a changed setting or a sister application, or
// tossed by a sibling host. Neither sign-in nor sign-out ends with two sessions.
func TestOtherScopeCookies(t *testing.T) {
	t.Parallel()
	deep := settings{redirectURI: "https://a.b.example.com/_auth/callback"}
	tests := []struct {
		name     string
		settings settings
		plant    func(b *browser, value string)
		expires  []string
	}{
		{"of the parent domain", settings{}, func(b *browser, value string) { b.plantFor("example.com", "wos-session", value) }, []string{
			"wos-session=; Path=/; Domain=app.example.com; Max-Age=0", "wos-session=; Path=/; Domain=example.com; Max-Age=0",
		}},
		{"of a domain in between", deep, func(b *browser, value string) { b.plantFor("b.example.com", "wos-session", value) }, []string{
			"wos-session=; Path=/; Domain=a.b.example.com; Max-Age=0", "wos-session=; Path=/; Domain=b.example.com; Max-Age=0",
			"wos-session=; Path=/; Domain=example.com; Max-Age=0",
		}},
		{"of the host alone", ownHost(), func(b *browser, value string) { b.plant("https://auth.example.com/", "wos-session", value) }, []string{
			"wos-session=; Path=/; Max-Age=0", "wos-session=; Path=/; Domain=auth.example.com; Max-Age=0",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.settings)
			home := w.Site.Endpoint("x")
			domain := ""
			if tt.settings.cookieDomain != "" {
				domain = "; Domain=" + tt.settings.cookieDomain
			}
			other := w.otherSession(t)

			b := w.browser(t)
			tt.plant(b, other)
			in := b.get(b.begin(w.Site.Endpoint("login"), paula))
			own := "wos-session=Fe26; Path=/" + domain + "; Max-Age=34560000"
			want := append([]string{own}, tt.expires...)
			if domain == "" { // its own scope by the other name goes first
				want[0], want[1] = want[1], want[0]
			}
			if got := in.sessionLines(); !slices.Equal(got, want) {
				t.Errorf("sign-in: got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if a := b.get(home); a.body != "hello paula@example.com" {
				t.Errorf("signed in: got status %d to %q", a.status, a.location())
			}

			tt.plant(b, other)
			out := b.get(w.Site.Endpoint("logout"))
			want = append([]string{"wos-session=; Path=/" + domain + "; Max-Age=0"}, tt.expires...)
			if got := out.sessionLines(); !slices.Equal(got, want) {
				t.Errorf("sign-out: got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if _, left := b.sends(home)["wos-session"]; left {
				t.Error("a session's cookie is left")
			}
		})
	}
}

// A cookie domain that is the flow's host has its twin, too.
func TestOtherScopeOfTheHostAloneBesideItsDomain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{cookieDomain: "app.example.com"})
	b := w.browser(t)
	b.visit(app+"/", zoe)
	got := b.get(b.begin(login+"?prompt=login", paula)).sessionLines()
	want := []string{
		"wos-session=; Path=/; Max-Age=0", "wos-session=Fe26; Path=/; Domain=app.example.com; Max-Age=34560000",
		"wos-session=; Path=/; Domain=example.com; Max-Age=0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// One that doesn't open is another application's.
func TestStrangersCookiesStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	b.plantFor("example.com", "wos-session", "left by an application")
	if got := b.get(b.begin(login, paula)).sessionLines(); len(got) != 1 {
		t.Errorf("sign-in: got %q, want the session's own", got)
	}
	if got := b.get(logout).sessionLines(); len(got) != 1 {
		t.Errorf("sign-out: got %q, want the session's own", got)
	}
	if got := b.sends(app + "/")["wos-session"]; got != "left by an application" {
		t.Errorf("got %q, want the application's cookie", got)
	}
}

// Where the two can't be told apart any more, the loop's page says so.
func TestLoopOfTwoSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	other := w.otherSession(t)
	b := w.browser(t)
	b.visit(app+"/", paula)
	b.plantFor("example.com", "wos-session", other)
	b.plantAttempt(attempt{Page: fingerprint(app + "/x"), Number: 2})
	a := b.get(login + "?rd=/x")
	if a.status != http.StatusForbidden || !strings.Contains(a.body, "the browser sends two sessions, of different users") {
		t.Errorf("got status %d: %s", a.status, a.body)
	}
	if end := b.visit(a.link("Sign out"), paula); end.location() != signedOut {
		t.Errorf("sign-out ends at %q", end.location())
	}
	if end := b.visit(app+"/x", paula); end.body != "hello paula@example.com" {
		t.Errorf("and then: got %q at %s", end.body, end.url)
	}
}
