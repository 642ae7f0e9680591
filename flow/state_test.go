package flow

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
)

const callback = app + "/_auth/callback"

// bindState gives a browser the cookie that binds a sealed state to it. Anybody who
// has the state can compute it, so it must not be what makes a state genuine.
func (b *browser) bindState(sealed string) *browser {
	b.t.Helper()
	b.plant(app+"/", "__Host-authkit-state-0-planted", fingerprint(sealed))
	return b
}

// wantRestart checks that a callback exchanged no code and began the sign-in
// anew, with what return URL.
func (w *world) wantRestart(t *testing.T, a *answer, rd string) {
	t.Helper()
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.location(), login+"?") {
		t.Fatalf("got status %d to %q, want 303 to %s: %s", a.status, a.location(), login, a.body)
	}
	if got := parse(t, a.location()).Query().Get("rd"); got != rd {
		t.Errorf("rd: got %q, want %q", got, rd)
	}
	if a.cookie("wos-session") != "" || w.exchanges() != 0 {
		t.Errorf("got cookies %q and %d exchanges, want no session and none", a.header["Set-Cookie"], w.exchanges())
	}
}

// E14. Every byte of the state counts, even where the cookie fits.
func TestChangedState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	sealed := parse(t, b.get(login+"?rd=/page").location()).Query().Get("state")
	if _, opened, fresh := w.openState(sealed); !opened || !fresh {
		t.Fatal("the state does not open as it is")
	}
	changes := map[string]func(byte) byte{
		"another letter": func(c byte) byte {
			if c == 'A' {
				return 'B'
			}
			return 'A'
		},
		"the lowest bit":  func(c byte) byte { return c ^ 1 },
		"the highest bit": func(c byte) byte { return c ^ 0x80 },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range len(sealed) {
				forged := sealed[:i] + string([]byte{change(sealed[i])}) + sealed[i+1:]
				a := w.browser(t).bindState(forged).get(callback + "?code=c&state=" + url.QueryEscape(forged))
				w.wantRestart(t, a, "")
			}
		})
	}
}

func TestForgedState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	genuine := parse(t, w.browser(t).get(login+"?rd=/page").location()).Query().Get("state")
	plaintext, err := json.Marshal(newState(app+"/page", attempt{Number: 1}, w.clock.Now()))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := seal.NewBox("flow state", "another password 0123456789 0123456789")
	if err != nil {
		t.Fatal(err)
	}
	iron, err := w.iron.Seal(plaintext)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, sealed string }{
		{"sealed as attempts", w.attempts.Seal(plaintext)},
		{"sealed for a selection", w.selections.Seal(plaintext)},
		{"sealed under another password", foreign.Seal(plaintext)},
		{"sealed as a session", iron},
		{"not sealed", string(plaintext)},
		{"cut", genuine[:len(genuine)-1]},
		{"cut in front", genuine[1:]},
		{"longer", genuine + "A"},
		{"twice", genuine + genuine},
		{"padded", genuine + "="},
		{"with a line end", genuine + "\n"},
		{"with a space", " " + genuine},
		{"over the limit", strings.Repeat("A", 16<<10+1)},
		{"sealed, but over the limit", w.states.Seal(append(bytes.Repeat([]byte(" "), 12<<10), plaintext...))},
		{"sealed, but no JSON", w.states.Seal([]byte("x"))},
		{"one letter", "A"},
		{"empty", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, opened, fresh := w.openState(tt.sealed); opened || fresh {
				t.Errorf("got opened %v, fresh %v", opened, fresh)
			}
			a := w.browser(t).bindState(tt.sealed).get(callback + "?code=c&state=" + url.QueryEscape(tt.sealed))
			w.wantRestart(t, a, "")
		})
	}
}

func TestStateSurvivesAPasswordRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{passwords: []string{password, oldPassword}})
	old, err := seal.NewBox("flow state", oldPassword)
	if err != nil {
		t.Fatal(err)
	}
	plaintext, err := json.Marshal(newState(app+"/page", attempt{Number: 1}, w.clock.Now()))
	if err != nil {
		t.Fatal(err)
	}
	if s, opened, fresh := w.openState(old.Seal(plaintext)); !opened || !fresh || s.ReturnURL != app+"/page" {
		t.Errorf("got %v, %v, %q", opened, fresh, s.ReturnURL)
	}
	sealed := parse(t, w.browser(t).get(login).location()).Query().Get("state")
	if _, err := old.Open(sealed); err == nil {
		t.Error("the old password seals")
	}
}

func TestStateLivesTenMinutes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		age  time.Duration
		good bool
	}{
		{"at once", 0, true},
		{"9:59", 10*time.Minute - time.Second, true},
		{"10:00", 10 * time.Minute, false},
		{"a day", 24 * time.Hour, false},
		{"a replica's clock is a minute ahead", -time.Minute, true},
		{"from the future", -time.Minute - time.Second, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.browser(t)
			authorize := b.get(login + "?rd=/page").location()
			w.clock.advance(tt.age)
			a := b.get(b.choose(authorize, paula))
			if tt.good {
				if a.location() != app+"/page" || a.cookie("wos-session=Fe26") == "" {
					t.Errorf("got status %d to %q", a.status, a.location())
				}
				return
			}
			w.wantRestart(t, a, app+"/page")
			if a.cookie("__Host-authkit-state-") == "" {
				t.Error("the stale state's cookie stays")
			}
			if end := b.visit(a.location(), paula); end.url != app+"/page" || end.body != "hello paula@example.com" {
				t.Errorf("the new sign-in ends with %q at %s", end.body, end.url)
			}
		})
	}
}

// E15, login CSRF: somebody else's code and state must not sign this browser in.
func TestAnotherBrowsersCallback(t *testing.T) {
	t.Parallel()
	t.Run("no session", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, settings{})
		planted := w.browser(t).begin(login+"?rd=/account", zoe)
		victim := w.browser(t)
		a := victim.get(planted)
		w.wantRestart(t, a, app+"/account")
		if end := victim.visit(a.location(), paula); end.body != "hello paula@example.com" {
			t.Errorf("the victim is %q", end.body)
		}
	})
	t.Run("in the middle of a sign-in", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, settings{})
		planted := w.browser(t).begin(login+"?rd=/account", zoe)
		victim := w.browser(t)
		own := victim.begin(login+"?rd=/mine", paula)
		w.wantRestart(t, victim.get(planted), app+"/account")
		if end := victim.visit(own, paula); end.url != app+"/mine" || end.body != "hello paula@example.com" {
			t.Errorf("the victim's own sign-in ends with %q at %s", end.body, end.url)
		}
	})
	t.Run("with a session", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, settings{})
		planted := w.browser(t).begin(login+"?rd=/account", zoe)
		victim := w.browser(t)
		victim.visit(app+"/", paula)
		a := victim.get(planted)
		if a.location() != app+"/account" || a.cookie("wos-session") != "" || w.exchanges() != 1 {
			t.Errorf("got status %d to %q, exchanges %d", a.status, a.location(), w.exchanges())
		}
		if got := victim.get(a.location()).body; got != "hello paula@example.com" {
			t.Errorf("the victim is %q", got)
		}
	})
	t.Run("with a session, changed state", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, settings{})
		victim := w.browser(t)
		victim.visit(app+"/", paula)
		a := victim.get(callback + "?code=c&state=forged")
		if !strings.HasPrefix(a.location(), login+"?") || w.exchanges() != 1 {
			t.Errorf("got status %d to %q, exchanges %d", a.status, a.location(), w.exchanges())
		}
	})
}

// A sealed state may be older than the configuration: a return URL that is not
// allowed any more leads to the default.
func TestDestinationIsCheckedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	for _, rd := range []string{"https://evil.example/", "http://app.example.com/x", "https://app.example.com/_auth/logout", "//evil.example"} {
		plaintext, err := json.Marshal(newState(rd, attempt{Number: 1}, w.clock.Now()))
		if err != nil {
			t.Fatal(err)
		}
		sealed := w.states.Seal(plaintext)
		b := w.browser(t)
		b.visit(app+"/", paula)
		if a := b.get(callback + "?code=c&state=" + sealed); a.location() != app+"/" {
			t.Errorf("%s, signed in: got status %d to %q", rd, a.status, a.location())
		}
		var s state
		if err := json.Unmarshal(plaintext, &s); err != nil {
			t.Fatal(err)
		}
		begun := parse(t, w.browser(t).get(login).location())
		query := begun.Query()
		query.Set("state", sealed)
		query.Set("code_challenge", s.challenge())
		begun.RawQuery = query.Encode()
		b = w.browser(t).bindState(sealed)
		if a := b.get(b.choose(begun.String(), paula)); a.location() != app+"/" || a.cookie("wos-session=Fe26") == "" {
			t.Errorf("%s, exchanged: got status %d to %q", rd, a.status, a.location())
		}
	}
}

// The cookie of one state does not vouch for another.
func TestStatesOfOneBrowserAreNotMixed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	first := parse(t, b.begin(login+"?rd=/first", paula)).Query()
	second := parse(t, b.begin(login+"?rd=/second", zoe)).Query()
	b.get(callback + "?" + second.Encode()) // its cookie is used up
	first.Set("state", second.Get("state"))
	a := b.get(callback + "?" + first.Encode())
	if a.location() != app+"/second" || a.cookie("wos-session") != "" || w.exchanges() != 1 {
		t.Errorf("got status %d to %q, exchanges %d", a.status, a.location(), w.exchanges())
	}
}

// A sibling host can set a cookie for the parent domain, but none whose name begins
// with __Host-: a state that came with such a cookie is somebody else's.
func TestTossedStateCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ownHost())
	planted := w.browser(t).begin("https://auth.example.com/login?rd=/account", zoe)
	sealed := parse(t, planted).Query().Get("state")
	victim := w.browser(t)
	victim.plant("https://auth.example.com/", "authkit-state-0-tossed", fingerprint(sealed))
	if a := victim.get(planted); a.cookie("wos-session") != "" || w.exchanges() != 0 || !strings.HasPrefix(a.location(), "https://auth.example.com/login?") {
		t.Errorf("got status %d to %q, %d exchanges", a.status, a.location(), w.exchanges())
	}
}

func TestStateCookieIsShort(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	a := w.browser(t).get(login + "?rd=" + url.QueryEscape("/"+strings.Repeat("x", 2000)))
	if line := a.cookie("__Host-authkit-state-"); line == "" || len(line) >= 200 {
		t.Errorf("got %d bytes, want fewer than 200: %s", len(line), line)
	}
}
