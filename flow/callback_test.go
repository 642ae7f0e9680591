package flow

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// The whole path over real connections, as on a developer's machine.
func TestSignInOnLocalhost(t *testing.T) {
	t.Parallel()
	var w *world
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.service.ServeHTTP(rw, r) }))
	t.Cleanup(server.Close)
	home := "http://localhost:" + parse(t, server.URL).Port()
	w = newWorld(t, settings{redirectURI: home + "/_auth/callback"})

	b := w.browser(t)
	deep := home + "/reports?year=2026&q=a%26b"
	a := b.visit(deep, zoe)
	if a.status != http.StatusOK || a.body != "hello zoe@acme.example" || a.url != deep {
		t.Fatalf("got status %d at %s: %s", a.status, a.url, a.body)
	}
	if len(a.hops) != 5 { // page, login, AuthKit, callback, page
		t.Errorf("got %d hops, want 5: %q", len(a.hops), a.hops)
	}
	if w.exchanges() != 1 {
		t.Errorf("got %d exchanges, want 1", w.exchanges())
	}
	again := b.get(b.begin(home+"/_auth/login", paula))
	if want := "; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax"; !strings.HasSuffix(again.cookie("wos-session="), want) {
		t.Errorf("got %q, want one that ends %q", again.cookie("wos-session="), want)
	}
	if want := "; Path=/_auth/; Max-Age=60; HttpOnly; SameSite=Lax"; !strings.HasSuffix(again.cookie("authkit-attempts="), want) {
		t.Errorf("got %q, want one that ends %q", again.cookie("authkit-attempts="), want)
	}
}

func TestErrorFromAuthKit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	const script = "<script>alert(1)</script>"
	tests := []struct {
		name, err, description string
		want                   string
	}{
		{"cancelled", "access_denied", "The user cancelled.", "The sign-in was cancelled or access was denied."},
		{"another code", "user_not_found", "No user maria@example.com.", "Error: user_not_found"},
		{"a script as description", "server_error", script, "Error: server_error"},
		{"a script as code", script, script, "Error: unknown"},
		{"a sentence as code", "Your account is locked, call 0900 123", "x", "Error: unknown"},
		{"upper case", "ACCESS_DENIED", "", "Error: unknown"},
		{"a long code", strings.Repeat("a", 65), "", "Error: unknown"},
		{"an empty code", "", script, "AuthKit did not complete the sign-in."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := w.browser(t)
			began := parse(t, b.get(login+"?rd=/page").location()).Query().Get("state")
			for i, state := range []string{began, began, "", "forged"} {
				a := b.get(app + "/_auth/callback?" + url.Values{
					"error": {tt.err}, "error_description": {tt.description}, "error_uri": {"https://evil.example"}, "state": {state}, "code": {"c"},
				}.Encode())
				if a.status != http.StatusBadRequest || !strings.Contains(a.body, tt.want) {
					t.Errorf("got status %d, want 400 and %q: %s", a.status, tt.want, a.body)
				}
				for _, quoted := range []string{"maria", "alert", "0900", "evil"} {
					if strings.Contains(a.body, quoted) || strings.Contains(w.log.String(), quoted) {
						t.Errorf("page or log repeat %q: %s", quoted, a.body)
					}
				}
				want := login
				if state == began {
					want += "?rd=https%3A%2F%2Fapp.example.com%2Fpage"
				}
				if got := a.link("Try again"); got != want {
					t.Errorf("try again: got %q, want %q", got, want)
				}
				if expired := a.cookie("__Host-authkit-state-") != ""; expired != (i == 0) {
					t.Errorf("answer %d: the state's cookie is expired: %v", i, expired)
				}
			}
		})
	}
	t.Cleanup(func() {
		if w.exchanges() != 0 {
			t.Errorf("got %d exchanges, want 0", w.exchanges())
		}
	})
}

func TestCancelThenTryAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	cancelled := b.post(b.get(login+"?rd=/page").location(), url.Values{"cancel": {"1"}}).location()
	a := b.get(cancelled)
	if a.status != http.StatusBadRequest || w.exchanges() != 0 {
		t.Fatalf("got status %d, exchanges %d: %s", a.status, w.exchanges(), a.body)
	}
	if a := b.visit(a.link("Try again"), paula); a.url != app+"/page" || a.body != "hello paula@example.com" {
		t.Errorf("got %q at %s", a.body, a.url)
	}
}

func TestCallbackWithoutCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	state := parse(t, b.get(login+"?rd=/page").location()).Query().Get("state")
	a := b.get(app + "/_auth/callback?state=" + state)
	if a.status != http.StatusBadRequest || a.link("Try again") != login+"?rd=https%3A%2F%2Fapp.example.com%2Fpage" || w.exchanges() != 0 {
		t.Errorf("got status %d, exchanges %d: %s", a.status, w.exchanges(), a.body)
	}
}
