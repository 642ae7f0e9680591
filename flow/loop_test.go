package flow

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A page that asks for sign-in again and again: the third time round there is a
// page that says which cookie was set for which domain, and what is wrong.
func TestLoopIsExplained(t *testing.T) {
	t.Parallel()
	otherIssuer := settings{issuers: []string{"https://other.example.com"}}
	tests := []struct {
		name     string
		settings settings
		page     string
		refuses  func(string) bool
		blind    bool // the gateway drops cookies
		want     string
	}{
		{"the browser does not keep the session", settings{}, app + "/reports?a=b", refuse("wos-session"), false,
			"The sign-in set the cookie wos-session for the host app.example.com, and the browser did not send it back. " +
				"It may refuse cookies, or the page was opened over http: the cookie is sent over https only."},
		{"the same with a domain", ownHost(), "https://shop.example.com/", refuse("wos-session"), false,
			"The sign-in set the cookie wos-session for the domain example.com, and the browser did not send it back. " +
				"It may refuse cookies, or the page was opened over http: the cookie is sent over https only."},
		{"the session is refused", otherIssuer, app + "/reports?a=b", nil, false,
			"The sign-in set the cookie wos-session for the host app.example.com and the browser sent it back, " +
				"but the session is refused: its issuer is not the configured one (WORKOS_ISSUER)."},
		{"the gateway drops cookies", settings{}, app + "/reports?a=b", nil, true,
			"The sign-in set the cookie wos-session for the host app.example.com and it is good here, but it does not arrive with the page's requests: " +
				"the gateway must pass the Cookie header on, and the page's host must be under the cookie's domain (WORKOS_COOKIE_DOMAIN)."},
		{"the same, and the browser loses the states", settings{}, app + "/reports?a=b", refuse("__Host-authkit-state-"), true,
			"The browser may refuse cookies for app.example.com."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.settings)
			b := w.browser(t)
			b.refuses = tt.refuses
			w.gateway.dropsCookies.Store(tt.blind)
			a := b.visit(tt.page, paula)
			if a.status != http.StatusForbidden && a.status != http.StatusBadRequest || !strings.Contains(unescaped(a.body), tt.want) {
				t.Fatalf("got status %d at %s, want %q: %s", a.status, a.url, tt.want, a.body)
			}
			if strings.Contains(tt.want, "The sign-in set the cookie") {
				if a.status != http.StatusForbidden || w.exchanges() != 2 {
					t.Errorf("got status %d after %d exchanges, want 403 after 2", a.status, w.exchanges())
				}
				if a.link("Sign out") != w.Site.Endpoint("logout") {
					t.Errorf("sign out: got %q", a.link("Sign out"))
				}
			}
			if got, want := a.link("Try again"), w.Site.Endpoint("login")+"?rd="+url.QueryEscape(tt.page); got != want {
				t.Errorf("try again: got %q, want %q", got, want)
			}
		})
	}
}

func TestLoopCauseOfAnEndedSession(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spoil func(t *testing.T, w *world, b *browser)
		want  string
	}{
		{"signed out elsewhere", func(t *testing.T, w *world, b *browser) { w.Sessions.End(t.Context(), b.header(app+"/")) }, "it has ended"},
		{"sealed under another password", func(_ *testing.T, _ *world, b *browser) { b.plant(app+"/", "wos-session", "Fe26.2*x") },
			"it can't be opened, or its access token is not valid"},
		{"AuthKit is down", func(_ *testing.T, w *world, _ *browser) {
			w.clock.advance(10 * time.Minute)
			w.breakAuthKit(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		}, "AuthKit can't be reached to check it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.browser(t)
			b.visit(app+"/", paula)
			tt.spoil(t, w, b)
			b.plantAttempt(attempt{Page: fingerprint(app + "/x"), Number: 2})
			a := b.get(login + "?rd=/x")
			if a.status != http.StatusForbidden || !strings.Contains(unescaped(a.body), "but the session is refused: "+tt.want+".") {
				t.Errorf("got status %d: %s", a.status, a.body)
			}
		})
	}
}

// plantAttempt gives the browser the record of an earlier sign-in, as of now.
func (b *browser) plantAttempt(t attempt) {
	b.t.Helper()
	t.At = b.w.clock.Now()
	plaintext, err := json.Marshal([]attempt{t})
	if err != nil {
		b.t.Fatal(err)
	}
	b.plant(callback, "authkit-attempts", b.w.attempts.Seal(plaintext))
}

// round signs in once for a page, which then asks again.
func (b *browser) signInOnce(page string) {
	b.t.Helper()
	if a := b.get(b.begin(login+"?rd="+url.QueryEscape(page), paula)); a.status != http.StatusSeeOther {
		b.t.Fatalf("got status %d: %s", a.status, a.body)
	}
}

func (b *browser) wantLoop(page string, want bool) {
	b.t.Helper()
	a := b.get(login + "?rd=" + url.QueryEscape(page))
	if got := a.status == http.StatusForbidden && strings.Contains(a.body, "again and again"); got != want {
		b.t.Errorf("%s: got the loop page: %v, want %v: status %d", page, got, want, a.status)
	}
}

func TestThirdTimeRound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	b.signInOnce("/x")
	b.signInOnce("/x")
	b.wantLoop("/x", true)
	b.wantLoop("/x", false) // asking once more, say by reloading, begins afresh
}

func TestTryAgainStartsAfresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.gateway.dropsCookies.Store(true)
	b := w.browser(t)
	first := b.visit(app+"/page", paula)
	second := b.visit(first.link("Try again"), paula)
	if first.status != 403 || second.status != 403 || w.exchanges() != 4 {
		t.Errorf("got status %d, then %d, exchanges %d, want 403 twice after two each", first.status, second.status, w.exchanges())
	}
	w.gateway.dropsCookies.Store(false)
	if a := b.visit(second.link("Try again"), paula); a.url != app+"/page" || a.body != "hello paula@example.com" {
		t.Errorf("mended: got %q at %s", a.body, a.url)
	}
}

func TestSignOutStartsAfresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	b.signInOnce("/x")
	b.signInOnce("/x")
	if a := b.get(app + "/_auth/logout"); a.cookie("authkit-attempts=; Path=/_auth/; Max-Age=0; HttpOnly; Secure; SameSite=Lax") == "" {
		t.Errorf("got %q, want the attempts' end", a.header["Set-Cookie"])
	}
	b.wantLoop("/x", false)
}

func TestLoopIsForgottenAfterAMinute(t *testing.T) {
	t.Parallel()
	for pause, want := range map[time.Duration]bool{59 * time.Second: true, 60 * time.Second: false} {
		t.Run(pause.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.browser(t)
			b.signInOnce("/x")
			w.clock.advance(pause)
			b.signInOnce("/x")
			w.clock.advance(pause)
			b.wantLoop("/x", want)
		})
	}
}

func TestPagesDontCountTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	for i := range 8 {
		b.signInOnce(fmt.Sprintf("/page/%d", i))
	}
	b.signInOnce("/x")
	b.signInOnce("/x?other")
	b.wantLoop("/x", false)
	b.wantLoop("/", false)
	b.wantLoop("", false)
}

// How a return URL is spelt makes no difference.
func TestSpellingsCountTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	b.signInOnce("/x")
	b.signInOnce("https://APP.example.com:443/x")
	b.wantLoop("https://app.example.com/x#f", true)

	b = w.browser(t)
	b.signInOnce("")
	b.signInOnce("https://evil.example/")
	b.wantLoop("/", true)
}

// Two tabs that loop in turn end both.
func TestTwoTabsLoop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.gateway.dropsCookies.Store(true)
	b := w.browser(t)
	tabs := []string{app + "/first", app + "/second", app + "/third"}
	ended := 0
	for round := 0; ended < len(tabs); round++ {
		if round == 10 {
			t.Fatal("the tabs still loop after ten rounds")
		}
		for i, address := range tabs {
			if address == "" {
				continue
			}
			for hop := true; hop; hop = address != "" && !strings.HasPrefix(address, login) { // to its next /login
				a := b.get(address)
				switch {
				case a.status == http.StatusOK && w.isAuthKit(address):
					address = b.choose(address, paula)
				case a.status == http.StatusForbidden:
					address, ended = "", ended+1
				default:
					address = a.location()
				}
			}
			tabs[i] = address
		}
	}
}

// A second sign-in that took too long is no loop.
func TestSlowUserIsNoLoop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	b.signInOnce("/x")
	slow := b.get(login + "?rd=/x").location()
	b.get(app + "/_auth/logout")
	w.clock.advance(11 * time.Minute)
	a := b.visit(b.choose(slow, paula), paula)
	if a.url != app+"/x" || a.body != "hello paula@example.com" {
		t.Errorf("got status %d at %s: %s", a.status, a.url, a.body)
	}
}

// It also counts when the callback has nothing to exchange: here the browser
// loses the states but is signed in.
func TestLoopThroughForeignCallbacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	b.visit(login, paula)
	b.refuses = refuse("__Host-authkit-state-")
	w.gateway.dropsCookies.Store(true)
	a := b.visit(app+"/page", paula)
	if a.status != http.StatusForbidden || !strings.Contains(a.body, "does not arrive with the page") || w.exchanges() != 1 {
		t.Errorf("got status %d at %s after %d exchanges: %s", a.status, a.url, w.exchanges(), a.body)
	}
}

// AuthKit's prompt is asked for by a person, such as one who signs in as
// somebody else.
func TestPromptIsNoLoop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	asked := func() {
		t.Helper()
		if a := b.get(b.begin(login+"?rd=/x&prompt=login", paula)); a.location() != app+"/x" {
			t.Fatalf("got status %d to %q: %s", a.status, a.location(), a.body)
		}
	}
	for range 3 {
		asked()
	}
	b.signInOnce("/x") // the second in a row
	asked()            // begins the count afresh
	b.signInOnce("/x")
	b.wantLoop("/x", true)
}

// Attempts that this service did not seal count as none.
func TestForgedAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	plaintext := fmt.Appendf(nil, `[{"p":%q,"a":9,"s":true,"t":%q}]`, fingerprint(app+"/x"), w.clock.Now().Format(time.RFC3339))
	for name, sealed := range map[string]string{
		"not sealed": "x", "a state's box": w.states.Seal(plaintext), "a selection's box": w.selections.Seal(plaintext),
		"no JSON": w.attempts.Seal([]byte("x")), "another shape": w.attempts.Seal([]byte(`"x"`)), "too long": strings.Repeat("A", 1<<15),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := w.browser(t)
			b.plant(callback, "authkit-attempts", sealed)
			b.wantLoop("/x", false)
			if a := w.browser(t).get(login + "?rd=/x&attempts=" + url.QueryEscape(sealed)); !w.isAuthKit(a.location()) {
				t.Errorf("in the URL: got status %d to %q", a.status, a.location())
			}
		})
	}
	b := w.browser(t) // it opens where it is genuine
	b.plant(callback, "authkit-attempts", w.attempts.Seal(plaintext))
	b.wantLoop("/x", true)
}

// The clocks of two replicas may differ a little.
func TestAttemptsOfAReplicaAhead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	b.signInOnce("/x")
	b.signInOnce("/x")
	w.clock.advance(-5 * time.Second)
	b.wantLoop("/x", true)
}

func unescaped(body string) string {
	return strings.NewReplacer("&#39;", "'", "&#34;", `"`, "&amp;", "&").Replace(body)
}

// A stranger's link shows nobody the loop page, and a stranger's restart doesn't keep
// this browser from one of its own.
func TestStrangersAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	sealed := url.QueryEscape(w.sealAttempts(attempt{Page: fingerprint(app + "/x"), Number: 9, Restarted: true, At: w.clock.Now()}))
	victim := w.browser(t)
	if a := victim.visit(login+"?rd=/x&attempts="+sealed, paula); a.url != app+"/x" || a.body != "hello paula@example.com" {
		t.Errorf("got status %d at %s: %s", a.status, a.url, a.body)
	}
	w.wantRestartAfter(t, w.browser(t).get(callback+"?code=c&attempts="+sealed), 1)
	stranger := w.browser(t).begin(login+"?rd=/x", zoe)
	w.wantRestartAfter(t, w.browser(t).get(stranger+"&attempts="+sealed), 1)
}

// wantRestartAfter checks that a callback began the sign-in anew, after so many exchanges.
func (w *world) wantRestartAfter(t *testing.T, a *answer, exchanges int) {
	t.Helper()
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.location(), login+"?") || w.exchanges() != exchanges {
		t.Errorf("got status %d to %q after %d exchanges: %s", a.status, a.location(), w.exchanges(), a.body)
	}
}
