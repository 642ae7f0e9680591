package flow

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

const logout = app + "/_auth/logout"

// logoutAtAuthKit is AuthKit's logout URL of a session.
func (w *world) logoutAtAuthKit(sid string) string {
	return w.hosted.String() + "/user_management/sessions/logout?return_to=https%3A%2F%2Fwww.example.com%2Fbye&session_id=" + sid
}

// wantSignedIn checks that a browser's session is untouched.
func (b *browser) wantSignedIn(email string) {
	b.t.Helper()
	if a := b.get(app + "/"); a.body != "hello "+email {
		b.t.Errorf("the session is gone: got status %d to %q", a.status, a.location())
	}
}

// wantEnded checks that cookies that were kept from before a sign-out are refused.
func (w *world) wantEnded(t *testing.T, before http.Header) {
	t.Helper()
	for _, ahead := range []bool{false, true} {
		if v, err := w.Sessions.Verify(t.Context(), before, ahead); !errors.Is(err, session.ErrEnded) {
			t.Errorf("the old cookie: got %+v, %v, want %v", v, err, session.ErrEnded)
		}
	}
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"none", "same-origin", "same-site"} {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.browser(t)
			b.visit(app+"/", paula)
			before, sid := b.header(app+"/"), w.session(t, b)
			a := b.get(logout, "Sec-Fetch-Site: "+from)
			if a.location() != w.logoutAtAuthKit(sid) {
				t.Fatalf("got status %d to %q, want %q", a.status, a.location(), w.logoutAtAuthKit(sid))
			}
			if got, want := a.header["Set-Cookie"][0], "wos-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if sent := b.sends(callback); len(sent) != 0 {
				t.Errorf("the browser still has %v", sent)
			}
			w.wantEnded(t, before)
			if end := b.get(a.location()); end.location() != signedOut {
				t.Errorf("AuthKit sends the browser to %q, want %q", end.location(), signedOut)
			}
			if again := b.get(app + "/"); !strings.HasPrefix(again.location(), login) {
				t.Errorf("the page: got status %d to %q", again.status, again.location())
			}
			if log := w.log.String(); !strings.Contains(log, `"event":"sign_out"`) {
				t.Errorf("no audit line: %s", log)
			}
		})
	}
}

type visit struct {
	name    string
	headers []string
}

// notDeliberate are visits that no user has to mean.
func notDeliberate() []visit {
	return []visit{
		{"another site's link", []string{"Sec-Fetch-Site: cross-site"}},
		{"another site's image", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}},
		{"the site's own image", []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}},
		{"the site's own fetch", []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}},
		{"an old browser", []string{"Sec-Fetch-Site:", "Sec-Fetch-Mode:", "Sec-Fetch-Dest:"}},
		{"no site", []string{"Sec-Fetch-Site:"}},
		{"no mode", []string{"Sec-Fetch-Mode:"}},
		{"nonsense", []string{"Sec-Fetch-Site: same-origin, none"}},
		{"upper case", []string{"Sec-Fetch-Site: NONE"}},
	}
}

// Another site's link or image, or an old browser: a page asks first, and its
// button works.
func TestSignOutAsks(t *testing.T) {
	t.Parallel()
	for _, tt := range notDeliberate() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.browser(t)
			b.visit(app+"/", paula)
			sid := w.session(t, b)
			a := b.get(logout, tt.headers...)
			if a.status != http.StatusOK || a.location() != "" || len(a.header["Set-Cookie"]) != 0 {
				t.Fatalf("got status %d to %q, cookies %q", a.status, a.location(), a.header["Set-Cookie"])
			}
			b.wantSignedIn(paula)
			if got := b.press(a, "Sign out", tt.headers...).location(); got != w.logoutAtAuthKit(sid) {
				t.Errorf("the button: got %q, want %q", got, w.logoutAtAuthKit(sid))
			}
		})
	}
}

type origin struct {
	name, origin string
	acts         bool
}

// origins are those of forms that come to the flow of ownHost.
func origins() []origin {
	return []origin{
		{"the flow's own", "https://auth.example.com", true},
		{"a protected host", "https://shop.example.com", true},
		{"a protected host's other port", "https://shop.example.com:8443", true},
		{"the cookie domain", "https://example.com", true},
		{"missing", "", false},
		{"null", "null", false},
		{"foreign", "https://evil.example", false},
		{"a similar one", "https://evilexample.com", false},
		{"the domain in front", "https://example.com.evil.example", false},
		{"http", "http://auth.example.com", false},
		{"another scheme", "chrome-extension://auth.example.com", false},
		{"user information", "https://auth.example.com@evil.example", false},
		{"a path", "https://auth.example.com/x", false},
		{"two", "https://auth.example.com https://evil.example", false},
		{"a list", "https://auth.example.com, https://evil.example", false},
		{"a backslash", `https://evil.example\.example.com`, false},
		{"no scheme", "auth.example.com", false},
	}
}

func TestSignOutNeedsAProtectedOrigin(t *testing.T) {
	t.Parallel()
	const at = "https://auth.example.com/logout"
	w := newWorld(t, ownHost())
	for _, tt := range origins() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := w.browser(t)
			b.visit("https://app.example.com/", zoe)
			a := b.post(at, nil, "Origin: "+tt.origin)
			if acts := w.isAuthKit(a.location()); acts != tt.acts {
				t.Fatalf("got status %d to %q, want sign-out: %v", a.status, a.location(), tt.acts)
			}
			if tt.acts {
				return
			}
			if _, _, ok := a.form("Sign out"); a.status != http.StatusForbidden || len(a.header["Set-Cookie"]) != 0 || !ok {
				t.Errorf("got status %d, cookies %q, want 403 and the button: %s", a.status, a.header["Set-Cookie"], a.body)
			}
			b.wantSignedIn(zoe)
		})
	}
}

// An expired access token is the common case, and needs no key to sign out with.
func TestSignOutOfAnOldSession(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		age  time.Duration
		down bool
	}{
		{"expired", time.Hour, false},
		{"a month", 31 * 24 * time.Hour, false},
		{"AuthKit is down", 0, true},
		{"AuthKit is down, expired", time.Hour, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.browser(t)
			b.get(b.begin(login, paula)) // no page was visited: no key was fetched
			before, sid := b.header(app+"/"), w.session(t, b)
			w.clock.advance(tt.age)
			if tt.down {
				w.breakAuthKit(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
			}
			if a := b.get(logout); a.location() != w.logoutAtAuthKit(sid) || a.cookie("wos-session=;") == "" {
				t.Errorf("got status %d to %q, cookies %q", a.status, a.location(), a.header["Set-Cookie"])
			}
			w.fault.Store(nil)
			w.wantEnded(t, before)
			if n := w.authkit.Calls()["authenticate.refresh_token"]; n != 0 {
				t.Errorf("got %d refreshes, want none", n)
			}
		})
	}
}

// A refresh that AuthKit made before the sign-out is ended with it.
func TestSignOutEndsTheRefreshedSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	b.visit(app+"/", paula)
	before := b.header(app + "/")
	w.clock.advance(time.Hour)
	v, err := w.Sessions.Verify(t.Context(), before, false)
	if err != nil || v.Current == "" {
		t.Fatalf("got %+v, %v, want a refreshed session", v, err)
	}
	b.get(logout) // with the old cookie
	w.wantEnded(t, before)
	w.wantEnded(t, http.Header{"Cookie": {"wos-session=" + v.Current}})
}

// B2, GHSA-36f2-fcrx-fp4j. Where a sign-out leads is the operator's choice.
func TestSignOutIgnoresReturnURLs(t *testing.T) {
	t.Parallel()
	for _, query := range []string{
		"?rd=https://evil.example", "?rd=https://app.example.com/page", "?return_to=https://evil.example", "?redirect_uri=https://evil.example",
		"?session_id=session_other", "?rd=/x&post_logout_redirect_uri=https://evil.example",
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.browser(t)
			if a := b.get(logout + query); a.status != http.StatusOK || strings.Contains(a.body, "evil") {
				t.Errorf("without a session: got status %d to %q: %s", a.status, a.location(), a.body)
			}
			b.visit(app+"/", paula)
			sid := w.session(t, b)
			if a := b.get(logout + query); a.location() != w.logoutAtAuthKit(sid) {
				t.Errorf("got %q, want %q", a.location(), w.logoutAtAuthKit(sid))
			}
			b.visit(app+"/", paula)
			sid = w.session(t, b)
			if a := b.post(logout+query, url.Values{"rd": {"https://evil.example"}}); a.location() != w.logoutAtAuthKit(sid) {
				t.Errorf("POST: got %q, want %q", a.location(), w.logoutAtAuthKit(sid))
			}
		})
	}
}

func TestSignOutWithoutASession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	for name, cookie := range map[string]string{"none": "", "unreadable": "Fe26.2*1*x", "a chunk alone": "k1.2.AAAAAAAAAAAAAAAA.x"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := w.browser(t)
			if cookie != "" {
				b.plant(app+"/", "wos-session", cookie)
			}
			a := b.get(logout)
			if a.status != http.StatusOK || !strings.Contains(a.body, "You are signed out") || a.link("Sign in") != login {
				t.Errorf("got status %d to %q: %s", a.status, a.location(), a.body)
			}
			if len(b.sends(app+"/")) != 0 {
				t.Errorf("the browser still has %v", b.sends(app+"/"))
			}
		})
	}
	if n := w.authkit.Calls()["sessions.logout"]; n != 0 {
		t.Errorf("got %d sign-outs at AuthKit, want none", n)
	}
}

// The session's line first, then its chunks, then the other scopes.
func TestSignOutTakesEveryCookie(t *testing.T) {
	t.Parallel()
	s := ownHost()
	s.users = []emulator.User{withMetadata("user_large", "large@example.com", 6000)}
	w := newWorld(t, s)
	b := w.browser(t)
	b.get(b.begin("https://auth.example.com/login", "large@example.com"))
	a := b.get("https://auth.example.com/logout")
	want := []string{
		"wos-session=; Path=/; Domain=example.com; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		"wos-session.1=; Path=/; Domain=example.com; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		"wos-session.2=; Path=/; Domain=example.com; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		"wos-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		"wos-session.1=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		"wos-session.2=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		"wos-session=; Path=/; Domain=auth.example.com; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		"wos-session.1=; Path=/; Domain=auth.example.com; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		"wos-session.2=; Path=/; Domain=auth.example.com; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		"authkit-attempts=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
	}
	if got := strings.Join(a.header["Set-Cookie"], "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if sent := b.sends("https://auth.example.com/"); len(sent) != 0 {
		t.Errorf("the browser still has %v", sent)
	}
}

// Where two sessions got into one browser, neither is left.
func TestSignOutEndsEverySession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ownHost())
	other := w.browser(t)
	other.visit("https://app.example.com/", zoe)
	w.clock.advance(time.Second)
	b := w.browser(t)
	b.get(b.begin("https://auth.example.com/login", paula))
	sid := w.session(t, b)
	paulas, zoes := b.header("https://app.example.com/"), other.header("https://app.example.com/")
	b.plant("https://auth.example.com/", "wos-session", other.sends("https://app.example.com/")["wos-session"])
	if a := b.get("https://auth.example.com/logout"); a.location() != w.logoutAtAuthKit(sid) {
		t.Errorf("got %q, want the newest session's %q", a.location(), w.logoutAtAuthKit(sid))
	}
	w.wantEnded(t, paulas)
	w.wantEnded(t, zoes)
}

// F4: a session cookie that no answer can take away, here one for a directory. The
// sign-out ends in one round, and the page that it ends at is always the same.
func TestSignOutEndsInOneRound(t *testing.T) {
	t.Parallel()
	for name, headers := range map[string][]string{
		"typed": nil, "by a link of the site": {"Sec-Fetch-Site: same-origin"}, "as Chromium comes back from AuthKit": {"Sec-Fetch-Site: cross-site"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{logoutReturn: logout})
			b := w.browser(t)
			b.visit(app+"/", paula)
			stays := b.sends(app + "/")["wos-session"]
			b.plant(callback, "wos-session", stays)
			out := b.get(logout)
			if !w.isAuthKit(out.location()) {
				t.Fatalf("got status %d to %q: %s", out.status, out.location(), out.body)
			}
			back := b.get(out.location()).location()
			end := b.get(back, headers...)
			if back != logout || end.status != http.StatusOK || end.location() != "" || !strings.Contains(end.body, "You are signed out") {
				t.Errorf("back at %s: got status %d to %q: %s", back, end.status, end.location(), end.body)
			}
			if _, left := b.sends(logout)["wos-session"]; !left {
				t.Fatal("the cookie that was to stay is gone")
			}
			w.wantEnded(t, http.Header{"Cookie": {"wos-session=" + stays}})
		})
	}
}

// The mark of a sign-out is for its own way back: a sign-in takes it away, it ends
// with its minute, and nobody else can write it.
func TestSignOutAfterASignOut(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		between func(w *world, b *browser)
	}{
		{"another session", func(*world, *browser) {}},
		{"a minute later", func(w *world, b *browser) {
			mark := b.sends(app + "/")["__Host-authkit-sign-out"]
			w.clock.advance(time.Minute)
			b.plant(app+"/", "__Host-authkit-sign-out", mark)
		}},
		{"a forged mark", func(_ *world, b *browser) { b.plant(app+"/", "__Host-authkit-sign-out", "x") }},
		{"a mark from another box", func(w *world, b *browser) {
			b.plant(app+"/", "__Host-authkit-sign-out", w.states.Seal([]byte(w.clock.Now().Format(time.RFC3339))))
		}},
		{"a tossed mark", func(w *world, b *browser) {
			b.plant(app+"/", "authkit-sign-out", w.signOuts.Seal([]byte(w.clock.Now().Format(time.RFC3339))))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{logoutReturn: logout})
			b := w.browser(t)
			b.visit(app+"/", paula)
			if mark := b.get(logout).cookie("__Host-authkit-sign-out="); !strings.HasSuffix(mark, "; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax") {
				t.Errorf("got the mark %q", mark)
			}
			b.visit(app+"/", paula)
			tt.between(w, b)
			if a := b.get(logout); !w.isAuthKit(a.location()) {
				t.Errorf("the second sign-out: got status %d: %s", a.status, a.body)
			}
		})
	}
}

func TestSignOutElsewhereLeavesNoMark(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"https://www.example.com/bye", "https://app.example.com/bye", "https://www.example.com/_auth/logout"} {
		w := newWorld(t, settings{logoutReturn: to})
		b := w.browser(t)
		b.visit(app+"/", paula)
		if mark := b.get(logout).cookie("__Host-authkit-sign-out"); mark != "" {
			t.Errorf("%s: got the mark %q", to, mark)
		}
	}
}
