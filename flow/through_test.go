package flow

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func throughVerify() settings { return settings{through: true} }

func TestSignInThroughVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t, throughVerify())
	b := w.browser(t)

	a := b.visit(app+"/page?a=1&b=%26", zoe)

	if a.body != "hello "+zoe || a.url != app+"/page?a=1&b=%26" {
		t.Errorf("got status %d at %s: %s", a.status, a.url, a.body)
	}
}

// The sealed part of a choice is in a cookie, as a form's body doesn't come along.
func TestChoiceThroughVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t, throughVerify())
	b := w.browser(t)
	hosted := b.get(login + "?rd=/page&login_hint=" + url.QueryEscape(sam)).location()

	page := b.get(b.get(hosted).location())
	a := b.press(page, "Globex")

	if page.status != http.StatusForbidden || a.location() != app+"/page" {
		t.Errorf("got status %d for the page, then %d to %q: %s", page.status, a.status, a.location(), a.body)
	}
	b.wantIn(sam, globex)
}

func TestSignOutThroughVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t, throughVerify())
	b := w.browser(t)
	b.visit(app+"/page", paula)

	asked := b.get(app+"/_auth/logout", "Sec-Fetch-Site: cross-site")
	a := b.press(asked, "Sign out")

	if asked.status != http.StatusForbidden || !w.isAuthKit(a.location()) {
		t.Fatalf("got status %d, then %d to %q: %s", asked.status, a.status, a.location(), a.body)
	}
	if a.status != http.StatusForbidden || a.header.Get("Refresh") == "" { // to another origin, after a POST
		t.Errorf("after the POST: got status %d, Refresh %q", a.status, a.header.Get("Refresh"))
	}
	if a := b.get(app + "/_auth/logout"); a.status != http.StatusUnauthorized || !strings.Contains(a.body, "You are signed out") {
		t.Errorf("signed out: got status %d: %s", a.status, a.body)
	}
}

func TestSwitchThroughVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t, throughVerify())
	b := w.signedIn(t, sam, acme)

	asked := b.get(switchTo+globex+"&rd=/page", "Sec-Fetch-Site: cross-site")
	a := b.press(asked, "Switch")

	if asked.status != http.StatusForbidden || a.location() != app+"/page" {
		t.Errorf("got status %d, then %d to %q: %s", asked.status, a.status, a.location(), a.body)
	}
	b.wantIn(sam, globex)
}

// A page that moves on by a script is none of the 2xx either.
func TestFragmentThroughVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{through: true, keepFragment: true})
	b := w.browser(t)

	a := b.get(login+"?rd=/page", "Accept: text/html")

	if a.status != http.StatusForbidden || !w.isAuthKit(a.location()) || !strings.Contains(a.body, "<script>") {
		t.Errorf("got status %d to %q: %s", a.status, a.location(), a.body)
	}
}

// Whatever comes to whichever endpoint, the answer lets nobody in, and its JSON says the same status.
func TestNothingIsOKThroughVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t, throughVerify())
	session := w.signedIn(t, sam, acme)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "OPTIONS", "BREW"} {
		for _, path := range []string{"login", "sign-up", "callback", "callback?code=x&state=y", "logout", "switch", "switch?organization_id=" + globex, "other", ""} {
			for _, accept := range []string{"text/html", "application/json"} {
				for cookie := range map[string]bool{"": true, session.header(app + "/").Get("Cookie"): true} {
					r := httptest.NewRequestWithContext(t.Context(), method, app+"/_auth/"+path, nil)
					r.Header.Set("Accept", accept)
					r.Header.Set("Cookie", cookie)
					answer := httptest.NewRecorder()
					w.ThroughVerify().ServeHTTP(answer, r)
					if answer.Code < 300 {
						t.Errorf("%s %s for %s: got status %d", method, path, accept, answer.Code)
					}
					if strings.Contains(answer.Body.String(), `"status":200`) {
						t.Errorf("%s %s: got %s", method, path, answer.Body)
					}
				}
			}
		}
	}
}
