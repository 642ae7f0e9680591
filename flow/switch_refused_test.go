package flow

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

// A user without a session signs in to the organization, and arrives at the page.
func TestSwitchWithoutASession(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spoil func(t *testing.T, w *world, b *browser)
	}{
		{"none", func(_ *testing.T, _ *world, b *browser) { b.refuses = refuse("wos-session") }},
		{"unreadable", func(_ *testing.T, _ *world, b *browser) { b.plant(app+"/", "wos-session", "Fe26.2*1*x") }},
		{"a chunk alone", func(_ *testing.T, _ *world, b *browser) { b.plant(app+"/", "wos-session", "k1.2.AAAAAAAAAAAAAAAA.x") }},
		{"signed out elsewhere", func(t *testing.T, w *world, b *browser) { w.Sessions.End(t.Context(), b.header(app+"/")) }},
		{"ended at AuthKit", func(t *testing.T, w *world, b *browser) {
			if err := w.authkit.RevokeSession(w.session(t, b)); err != nil {
				t.Fatal(err)
			}
		}},
		{"superseded", func(_ *testing.T, w *world, b *browser) {
			old := b.sends(app + "/")["wos-session"]
			b.get(switchTo + globex)
			b.get(app + "/")
			w.clock.advance(3 * time.Minute)
			b.plant(app+"/", "wos-session", old)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.signedIn(t, sam, acme)
			tt.spoil(t, w, b)
			a := b.get(switchTo + globex + "&rd=/page")
			if want := login + "?rd=https%3A%2F%2Fapp.example.com%2Fpage&organization_id=" + globex; a.status != http.StatusSeeOther || a.location() != want {
				t.Fatalf("got status %d to %q, want %q", a.status, a.location(), want)
			}
			b.refuses = nil
			if end := b.visit(a.location(), sam); end.url != app+"/page" || end.body != "hello sam@example.com" {
				t.Errorf("got %q at %s", end.body, end.url)
			}
			b.wantIn(sam, globex)
		})
	}
	t.Run("without a page to go to", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, settings{})
		if got, want := w.browser(t).get(switchTo+globex+"&rd=https://evil.example/").location(), login+"?organization_id="+globex; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// A step that AuthKit asks for is done in its hosted pages, which lead back to
// the page and to a session in the organization.
func TestSwitchThroughAuthKit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		body   string
	}{
		{"single sign-on", 400, `{"error":"sso_required","error_description":"x","connection_ids":["conn_1"]}`},
		{"single sign-on, with a token", 403, `{"code":"sso_required","pending_authentication_token":"s3cret-pending-token"}`},
		{"a second factor to enroll", 403, `{"code":"mfa_enrollment","pending_authentication_token":"s3cret-pending-token"}`},
		{"the same in the other shape", 400, `{"error":"mfa_enrollment","error_description":"x"}`},
		{"a second factor", 403, `{"code":"mfa_challenge","pending_authentication_token":"s3cret-pending-token"}`},
		{"another way to sign in", 400, `{"error":"organization_authentication_methods_required","error_description":"x"}`},
		{"a choice", 403, `{"code":"organization_selection_required","pending_authentication_token":"s3cret-pending-token","organizations":[]}`},
		{"an email address to verify", 403, `{"code":"email_verification_required","pending_authentication_token":"s3cret-pending-token"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.signedIn(t, sam, acme)
			w.refuseRefresh(t, tt.status, tt.body)
			a := b.get(switchTo + globex + "&rd=/page")
			want := login + "?rd=https%3A%2F%2Fapp.example.com%2Fpage&organization_id=" + globex
			if a.status != http.StatusSeeOther || a.location() != want || len(a.header["Set-Cookie"]) != 0 {
				t.Fatalf("got status %d to %q, cookies %q, want %q", a.status, a.location(), a.header["Set-Cookie"], want)
			}
			b.wantIn(sam, acme)
			hosted := b.get(a.location()).location()
			if got := parse(t, hosted).Query().Get("organization_id"); got != globex {
				t.Errorf("AuthKit is asked for organization %q, want %q", got, globex)
			}
			if end := b.visit(b.choose(hosted, sam), sam); end.url != app+"/page" || end.body != "hello sam@example.com" {
				t.Errorf("got status %d at %s: %s", end.status, end.url, end.body)
			}
			b.wantIn(sam, globex)
		})
	}
}

func TestSwitchToAnOrganizationThatAsksForAStep(t *testing.T) {
	t.Parallel()
	for _, requires := range []string{"sso_required", "mfa_enrollment"} {
		t.Run(requires, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{requires: requires})
			b := w.signedIn(t, sam, acme)
			a := b.visit(switchTo+globex+"&rd=/page%3Fa%3Db", sam)
			if a.url != app+"/page?a=b" || a.body != "hello sam@example.com" {
				t.Errorf("got status %d by %q: %s", a.status, a.hops, a.body)
			}
			b.wantIn(sam, globex)
			sid := w.session(t, b)
			b.get(switchTo + acme)
			if a := b.get(switchTo + globex + "&rd=/page"); a.location() != app+"/page" { // that sign-in holds
				t.Errorf("again: got status %d to %q", a.status, a.location())
			}
			b.wantIn(sam, globex)
			if got := w.session(t, b); got != sid {
				t.Errorf("got session %s, want %s", got, sid)
			}
		})
	}
}

func TestSwitchToAnothersOrganization(t *testing.T) {
	t.Parallel()
	const other = login + "?rd=https%3A%2F%2Fapp.example.com%2Fpage&prompt=login"
	tests := []struct{ name, to, body string }{
		{"another's", globex, ""},
		{"nobody's", "org_none", ""},
		{"AuthKit calls it no id", "x", `{"code":"invalid_organization_id","message":"x"}`},
		{"an unknown code", globex, `{"error":"organization_suspended","error_description":"x"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.signedIn(t, zoe, acme)
			before := b.sends(app + "/")["wos-session"]
			if tt.body != "" {
				w.refuseRefresh(t, 400, tt.body)
			}
			a := b.get(switchTo + tt.to + "&rd=/page")
			if a.status != http.StatusForbidden || !strings.Contains(unescaped(a.body), "You don't belong to that organization") ||
				len(a.header["Set-Cookie"]) != 0 || a.link("Back") != app+"/page" || a.link("Sign in as someone else") != other {
				t.Fatalf("got status %d to %q, cookies %q: %s", a.status, a.location(), a.header["Set-Cookie"], a.body)
			}
			b.wantIn(zoe, acme)
			if after := b.sends(app + "/")["wos-session"]; after != before {
				t.Error("the cookie has changed")
			}
			if strings.Contains(w.log.String(), `"level":"error"`) {
				t.Errorf("a user's mistake is logged as an error: %s", w.log.String())
			}
			hosted := b.get(a.link("Sign in as someone else")).location()
			if got := parse(t, hosted).Query().Get("prompt"); got != "login" {
				t.Errorf("prompt: got %q", got)
			}
		})
	}
	t.Run("on a host of its own there is nothing to go back to", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, ownHost())
		a := w.signedIn(t, zoe, acme).get("https://auth.example.com/switch?organization_id=" + globex)
		if a.status != http.StatusForbidden || a.link("Back") != "" || a.link("Sign in as someone else") != "https://auth.example.com/login?prompt=login" {
			t.Errorf("got status %d: %s", a.status, a.body)
		}
	})
	t.Run("JSON", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, settings{})
		a := w.signedIn(t, zoe, acme).post(app+"/_auth/switch", url.Values{"organization_id": {globex}, "rd": {"/page"}}, "Accept: application/json")
		w.wantProblem(t, a, 403, "Your session stays", other)
	})
}

// An outage keeps the session, and says when to try again.
func TestSwitchWhileAuthKitIsDown(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, wait string
		fault      emulator.Fault
	}{
		{"no answer", "1", emulator.Fault{Drop: true}},
		{"502", "1", emulator.Fault{Status: 502, Body: "<html>"}},
		{"429", "7", emulator.Fault{Status: 429, RetryAfter: "7", Body: "{}"}},
		{"our own credentials are refused", "1", emulator.Fault{Status: 401, Body: "{}"}},
		{"our client is refused", "1", emulator.Fault{Status: 400, Body: `{"error":"invalid_client"}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.signedIn(t, sam, acme)
			tt.fault.Endpoint = "authenticate"
			if err := w.authkit.AddFault(tt.fault); err != nil {
				t.Fatal(err)
			}
			a := b.get(switchTo + globex + "&rd=/page")
			if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") != tt.wait || len(a.header["Set-Cookie"]) != 0 {
				t.Fatalf("got status %d, Retry-After %q, cookies %q: %s", a.status, a.header.Get("Retry-After"), a.header["Set-Cookie"], a.body)
			}
			if a.link("Back") != app+"/page" || a.link("Sign in again") != login+"?rd=https%3A%2F%2Fapp.example.com%2Fpage&organization_id="+globex {
				t.Errorf("got links back %q, again %q", a.link("Back"), a.link("Sign in again"))
			}
			b.wantIn(sam, acme)
			w.authkit.ClearFaults("")
			w.clock.advance(10 * time.Second)
			if again := b.get(a.link("Try again")); again.location() != app+"/page" {
				t.Errorf("try again: got status %d to %q: %s", again.status, again.location(), again.body)
			}
			b.wantIn(sam, globex)
		})
	}
}

func TestSwitchToASessionThatIsTooLarge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.signedIn(t, sam, acme)
	w.breakAuthKit(func(rw http.ResponseWriter, r *http.Request) {
		recorder := httptest.NewRecorder()
		w.authkit.ServeHTTP(recorder, r)
		var response map[string]any
		if json.Unmarshal(recorder.Body.Bytes(), &response) == nil && response["user"] != nil {
			response["user"].(map[string]any)["metadata"] = map[string]string{"notes": strings.Repeat("x", 32_000)}
			recorder.Body.Reset()
			_ = json.NewEncoder(recorder.Body).Encode(response)
		}
		replay(rw, recorder)
	})
	a := b.get(switchTo + globex + "&rd=/page")
	if a.status != http.StatusForbidden || !strings.Contains(a.body, "Your session is too large") || len(a.header["Set-Cookie"]) != 0 {
		t.Errorf("got status %d to %q, cookies %q: %s", a.status, a.location(), a.header["Set-Cookie"], a.body)
	}
}

// A token of another issuer is the operator's mistake, which no sign-in mends.
func TestSwitchWithAnotherIssuer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{issuers: []string{"https://other.example.com"}})
	b := w.browser(t)
	b.get(b.begin(login, paula))
	a := b.get(switchTo + globex + "&rd=/page")
	if a.status != http.StatusForbidden || a.location() != "" || len(a.header["Set-Cookie"]) != 0 || !strings.Contains(a.body, "The operator finds the details in the log") {
		t.Errorf("got status %d to %q: %s", a.status, a.location(), a.body)
	}
}

// A page that sends its users to a switch, and a sign-in that leads to another
// organization than asked for: that comes to an end like every loop.
func TestSwitchLoopEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.signedIn(t, zoe, acme)
	for round := range 3 {
		w.refuseRefresh(t, 400, `{"error":"sso_required","error_description":"x"}`)
		a := b.visit(switchTo+globex+"&rd=/page", zoe)
		if loop := a.status == http.StatusForbidden && strings.Contains(a.body, "again and again"); loop != (round == 2) {
			t.Errorf("round %d: got status %d at %s", round, a.status, a.url)
		}
	}
}
