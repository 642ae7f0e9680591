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

// choosing begins a sign-in for which the user has to choose an organization, and
// returns the page.
func (b *browser) choosing() *answer {
	b.t.Helper()
	hosted := b.get(login + "?rd=/page&login_hint=" + url.QueryEscape(sam)).location()
	a := b.get(b.get(hosted).location())
	if _, _, ok := a.form("Globex"); a.status != http.StatusOK || !ok || a.cookie("wos-session") != "" {
		b.t.Fatalf("got status %d, cookies %q: %s", a.status, a.header["Set-Cookie"], a.body)
	}
	return a
}

func TestChooseAnOrganization(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]string{"Acme, Inc.": "org_01JSSZ5AWSH8VHTPRE95B9EE0Z", "Globex": "org_01JBGJ09TQM83XSSSS6YS3C4DW"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.browser(t)
			a := b.press(b.choosing(), name)
			if a.status != http.StatusSeeOther || a.location() != app+"/page" {
				t.Fatalf("got status %d to %q: %s", a.status, a.location(), a.body)
			}
			v, err := w.Sessions.Verify(t.Context(), b.header(app+"/"), false)
			if err != nil || v.Identity.OrganizationID != id || v.Identity.Email != sam {
				t.Errorf("got %+v, %v, want organization %s", v, err, id)
			}
			calls := w.authkit.Calls()
			if calls["authenticate.authorization_code"] != 1 || calls["authenticate.organization_selection"] != 1 {
				t.Errorf("got calls %v", calls)
			}
			for name := range b.sends(callback) {
				if strings.HasPrefix(name, "__Host-authkit-state-") {
					t.Errorf("the state's cookie stays: %s", name)
				}
			}
		})
	}
}

// The choice has ten minutes of its own.
func TestChoosingMayTakeItsTime(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name           string
		before, choice time.Duration
		good           bool
	}{
		{"at AuthKit for nine minutes, then nine more", 9 * time.Minute, 9 * time.Minute, true},
		{"9:59", 0, 10*time.Minute - time.Second, true},
		{"10:00", 0, 10 * time.Minute, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.browser(t)
			hosted := b.get(login + "?rd=/page&login_hint=" + url.QueryEscape(sam)).location()
			w.clock.advance(tt.before)
			page := b.get(b.get(hosted).location())
			w.clock.advance(tt.choice)
			a := b.press(page, "Globex")
			if tt.good && a.location() != app+"/page" {
				t.Errorf("got status %d to %q: %s", a.status, a.location(), a.body)
			}
			if !tt.good {
				w.wantRefusal(t, a, login+"?rd=https%3A%2F%2Fapp.example.com%2Fpage")
			}
		})
	}
}

// wantRefusal checks that a choice was refused without a word to AuthKit.
func (w *world) wantRefusal(t *testing.T, a *answer, again string) {
	t.Helper()
	if a.status != http.StatusBadRequest || a.cookie("wos-session") != "" || a.link("Try again") != again {
		t.Errorf("got status %d, cookies %q, try again %q, want %q", a.status, a.header["Set-Cookie"], a.link("Try again"), again)
	}
	if n := w.authkit.Calls()["authenticate.organization_selection"]; n != 0 {
		t.Errorf("AuthKit was asked %d times, want not at all", n)
	}
}

func TestForgedSelection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	owner := w.browser(t)
	page := owner.choosing()
	action, query, _ := page.form("Globex")
	address := app + action
	genuine := owner.sends(address)["__Host-authkit-selection"]
	flipped := []byte(genuine)
	flipped[len(flipped)/2] ^= 1
	state := query.Get("state")
	plaintext := fmt.Appendf(nil, `{"p":"x","s":%q,"t":%q}`, fingerprint(state), w.clock.Now().Format(time.RFC3339))
	tests := []struct {
		name      string
		selection string
		again     string // where the page leads on
	}{
		{"none", "", login}, {"changed", string(flipped), login}, {"cut", genuine[:len(genuine)-2], login}, {"not sealed", "x", login},
		{"a state's box", w.states.Seal(plaintext), login}, {"an attempts' box", w.attempts.Seal(plaintext), login},
		{"no JSON", w.selections.Seal([]byte("x")), login}, {"too long", strings.Repeat("A", 3900), login},
		{"another browser's, without the state's cookie", genuine, login + "?rd=https%3A%2F%2Fapp.example.com%2Fpage"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := w.browser(t)
			if tt.selection != "" {
				b.plant(app+"/", "__Host-authkit-selection", tt.selection)
			}
			w.wantRefusal(t, b.post(address, nil), tt.again)
		})
	}
	for name, origin := range map[string]string{"foreign": "https://evil.example", "null": "null", "missing": "", "http": "http://app.example.com"} {
		t.Run("origin "+name, func(t *testing.T) {
			t.Parallel()
			w.wantRefusal(t, owner.post(address, nil, "Origin: "+origin), login)
		})
	}
	t.Run("in a body", func(t *testing.T) {
		t.Parallel()
		w.wantRefusal(t, owner.post(callback, query), login)
	})
}

// A selection belongs to the sign-in that it was made for.
func TestSelectionOfAnotherSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	first, _, _ := b.choosing().form("Globex")
	w.clock.advance(time.Second)
	second := b.choosing()

	w.wantRefusal(t, b.post(app+first, nil), login+"?rd=https%3A%2F%2Fapp.example.com%2Fpage")

	if a := b.press(second, "Globex"); a.location() != app+"/page" {
		t.Errorf("the latest: got status %d to %q", a.status, a.location())
	}
}

func TestSelectionTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	page := b.choosing()
	b.press(page, "Globex")
	a := b.press(page, "Acme, Inc.")
	if a.status != http.StatusBadRequest || a.cookie("wos-session") != "" || w.authkit.Calls()["authenticate.organization_selection"] != 1 {
		t.Errorf("got status %d, calls %v", a.status, w.authkit.Calls())
	}
	b.wantSignedIn(sam)
}

// Whose member the user is, AuthKit decides.
func TestSelectionOfAnotherOrganization(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"org_other", "", `"><script>`} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.browser(t)
			_, query, _ := b.choosing().form("Globex")
			query.Set("organization_id", id)
			a := b.post(callback+"?"+query.Encode(), nil)
			if a.cookie("wos-session") != "" || !strings.HasPrefix(a.location(), login+"?") {
				t.Fatalf("got status %d to %q, cookies %q", a.status, a.location(), a.header["Set-Cookie"])
			}
			// The way on ends, too.
			if end := b.visit(a.location(), paula); end.body != "hello paula@example.com" {
				t.Errorf("got status %d at %s: %s", end.status, end.url, end.body)
			}
		})
	}
}

func TestSelectionWhileAuthKitIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	page := b.choosing()
	w.breakAuthKit(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	a := b.press(page, "Globex")
	if a.status != http.StatusServiceUnavailable || a.cookie("wos-session") != "" ||
		a.link("Try again") != login+"?rd=https%3A%2F%2Fapp.example.com%2Fpage" {
		t.Errorf("got status %d, cookies %q: %s", a.status, a.header["Set-Cookie"], a.body)
	}
}

// The organizations' names come from AuthKit.
func TestOrganizationNamesAreEscaped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	address := b.begin(login, paula)
	w.breakAuthKit(func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(rw).Encode(map[string]any{
			"code": "organization_selection_required", "pending_authentication_token": "s3cret-pending-token",
			"organizations": []map[string]string{{"id": `"><script>alert(1)</script>`, "name": `<script>alert(2)</script>`}, {"id": "org_2"}},
		})
	})
	a := b.get(address) // the browser looks for scripts
	if _, query, ok := a.form("<script>alert(2)</script>"); !ok || query.Get("organization_id") != `"><script>alert(1)</script>` {
		t.Errorf("got status %d: %s", a.status, a.body)
	}
	if strings.Contains(a.body, "s3cret") {
		t.Error("the page holds the pending token as it is")
	}
}

// Choosing does not pile up cookies.
func TestChoosingKeepsOneCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	for range 7 {
		b.choosing()
		w.clock.advance(time.Second)
	}
	count := 0
	for name := range b.sends(callback) {
		if strings.HasPrefix(name, "__Host-authkit-state-") {
			count++
		}
	}
	if count > maxStates {
		t.Errorf("got %d cookies, want at most %d", count, maxStates)
	}
}
