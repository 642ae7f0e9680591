package flow

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// A callback is good once. Back and reload lead on, and exchange nothing.
func TestCallbackTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	address := b.begin(login+"?rd=/page", paula)
	b.get(address)
	for range 3 {
		a := b.get(address)
		if a.location() != app+"/page" || a.cookie("wos-session") != "" || w.exchanges() != 1 {
			t.Errorf("got status %d to %q, cookies %q, exchanges %d", a.status, a.location(), a.header["Set-Cookie"], w.exchanges())
		}
	}
	b.get(app + "/_auth/logout")
	if a := b.get(address); !strings.HasPrefix(a.location(), login+"?") || w.exchanges() != 1 {
		t.Errorf("signed out: got status %d to %q, exchanges %d", a.status, a.location(), w.exchanges())
	}
}

// An expired session counts where AuthKit still refreshes it, and not where it
// has ended.
func TestStaleCallbackWithAnOldSession(t *testing.T) {
	t.Parallel()
	for name, ended := range map[string]bool{"refreshed": false, "ended": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.browser(t)
			address := b.begin(login+"?rd=/page", paula)
			b.get(address)
			w.clock.advance(time.Hour)
			want := app + "/page"
			if ended {
				b.must(w.browser(t).send(http.MethodGet, w.hosted.String()+"/user_management/sessions/logout?session_id="+w.session(t, b), nil))
				want = login + "?"
			}
			exchanged := w.authkit.Calls()["authenticate.authorization_code"]
			a := b.get(address)
			if !strings.HasPrefix(a.location(), want) || w.authkit.Calls()["authenticate.authorization_code"] != exchanged {
				t.Errorf("got status %d to %q, want %q", a.status, a.location(), want)
			}
		})
	}
}

// Impersonation, bookmarks and links in mails come without a state, whoever is
// signed in: the code is left alone, and the sign-in begins here once.
func TestCallbackWithoutState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	b.visit(app+"/", paula)
	code := parse(t, w.browser(t).begin(login, iris)).Query().Get("code")
	a := b.get(callback + "?code=" + code)
	if !strings.HasPrefix(a.location(), login+"?attempts=") || w.exchanges() != 1 {
		t.Fatalf("got status %d to %q, exchanges %d", a.status, a.location(), w.exchanges())
	}
	if end := b.visit(a.location(), iris); end.url != app+"/" || end.body != "hello iris@acme.example" {
		t.Errorf("got %q at %s", end.body, end.url)
	}
	v, err := w.Sessions.Verify(t.Context(), b.header(app+"/"), false)
	if err != nil || v.Identity.Impersonator != "support@example.com" {
		t.Errorf("got %+v, %v, want the impersonator", v, err)
	}
	if !strings.Contains(w.log.String(), `"impersonator":"support@example.com"`) {
		t.Errorf("the log does not say so: %s", w.log.String())
	}
}

func TestCallbackWithoutStateTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	w.wantRestart(t, b.get(callback+"?code=c"), "")
	a := b.get(callback + "?code=c")
	if a.status != http.StatusBadRequest || a.link("Try again") != login || w.exchanges() != 0 ||
		!strings.Contains(a.body, "The browser may refuse cookies for app.example.com.") ||
		!strings.Contains(a.body, "The sign-in may have begun elsewhere") {
		t.Errorf("got status %d: %s", a.status, a.body)
	}
	// The page is the end of it: the next time it begins anew.
	w.wantRestart(t, b.get(callback+"?code=c"), "")
	w.clock.advance(time.Minute)
	w.wantRestart(t, b.get(callback+"?code=c"), "")
}

// One tab's second start takes none from another.
func TestRestartsOfPagesDontCountTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	foreign := w.browser(t).begin(login+"?rd=/account", zoe)
	w.wantRestart(t, b.get(foreign), app+"/account")
	w.wantRestart(t, b.get(callback+"?code=c"), "")
}

// A browser that keeps no cookies goes round once more, and then reads why.
func TestBrowserWithoutCookies(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		refuses func(string) bool
	}{
		{"none at all", refuseAll},
		{"none of the flow's", refuseFlow},
		{"none of the states", refuse("__Host-authkit-state-")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.browser(t)
			b.refuses = tt.refuses
			for _, start := range []string{app + "/reports?a=b", login + "?rd=/reports%3Fa%3Db"} {
				a := b.visit(start, paula)
				if a.status != http.StatusBadRequest || !strings.Contains(a.body, "The browser may refuse cookies for app.example.com.") {
					t.Errorf("got status %d at %s: %s", a.status, a.url, a.body)
				}
				if got, want := a.link("Try again"), login+"?rd=https%3A%2F%2Fapp.example.com%2Freports%3Fa%3Db"; got != want {
					t.Errorf("try again: got %q, want %q", got, want)
				}
				if len(a.hops) > 7 {
					t.Errorf("got %d hops: %q", len(a.hops), a.hops)
				}
			}
			if w.exchanges() != 0 {
				t.Errorf("got %d exchanges, want 0", w.exchanges())
			}
		})
	}
	t.Run("and links without a state", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, settings{})
		b := w.browser(t)
		b.refuses = refuseAll
		if a := b.visit(callback+"?code=c", paula); a.status != http.StatusBadRequest || w.exchanges() != 0 {
			t.Errorf("got status %d, exchanges %d: %s", a.status, w.exchanges(), a.body)
		}
	})
}

// session is the id of the browser's session.
func (w *world) session(t *testing.T, b *browser) string {
	t.Helper()
	var sealed struct{ AccessToken string }
	if err := json.Unmarshal([]byte(w.unsealed(t, b)), &sealed); err != nil {
		t.Fatal(err)
	}
	access, err := token.Parse(sealed.AccessToken)
	if err != nil || access.Unverified().SessionID == "" {
		t.Fatalf("got %v, %v, want a session id", access, err)
	}
	return access.Unverified().SessionID
}
