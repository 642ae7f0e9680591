package flow

import (
	"net/http"
	"strings"
	"testing"
)

// The exchange has gone wrong: a page, no session, and another try works.
func TestExchangeFails(t *testing.T) {
	t.Parallel()
	answers := func(status int, body string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Retry-After", "7")
			rw.Header().Set("Location", "https://evil.example/")
			rw.WriteHeader(status)
			_, _ = rw.Write([]byte(body))
		}
	}
	const leak = `s3cret <script>alert(1)</script>`
	tests := []struct {
		name   string
		answer http.HandlerFunc
		status int
		want   string // on the page
	}{
		{"down", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 503, "AuthKit can&#39;t be reached right now."},
		{"500", answers(500, leak), 503, "AuthKit can&#39;t be reached right now."},
		{"502 of a proxy", answers(502, "<html>"+leak), 503, "AuthKit can&#39;t be reached right now."},
		{"429", answers(429, `{"message":"`+leak+`"}`), 503, "AuthKit can&#39;t be reached right now."},
		{"408", answers(408, ""), 503, "AuthKit can&#39;t be reached right now."},
		{"200 that is no JSON", answers(200, leak), 503, "AuthKit can&#39;t be reached right now."},
		{"200 without a session", answers(200, `{"user":{"id":"s3cret"}}`), 503, "AuthKit can&#39;t be reached right now."},
		{"200 with a token that is none", answers(200, `{"user":{"id":"u"},"access_token":"s3cret","refresh_token":"s3cret"}`),
			502, "Something went wrong."},
		{"200 with a user that is none", answers(200, `{"user":["s3cret"],"access_token":"s3cret","refresh_token":"s3cret"}`),
			503, "AuthKit can&#39;t be reached right now."},
		{"401", answers(401, `{"message":"`+leak+`"}`), 502, "AuthKit refuses this service."},
		{"invalid_client", answers(400, `{"error":"invalid_client","error_description":"`+leak+`"}`), 502, "AuthKit refuses this service."},
		{"404", answers(404, leak), 502, "AuthKit refuses this service."},
		{"a redirect", answers(302, leak), 502, "AuthKit refuses this service."},
		{"invalid_grant", answers(400, `{"error":"invalid_grant","error_description":"The code 's3cret' is invalid."}`),
			400, "The sign-in took too long or was completed already."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.browser(t)
			callback := b.begin(login+"?rd=/page", paula)
			w.breakAuthKit(tt.answer)
			a := b.get(callback)
			if a.status != tt.status || !strings.Contains(a.body, tt.want) {
				t.Errorf("got status %d, want %d and %q: %s", a.status, tt.status, tt.want, a.body)
			}
			if a.cookie("wos-session") != "" {
				t.Errorf("got a session: %q", a.header["Set-Cookie"])
			}
			hint := "check that this machine reaches WORKOS_API_HOSTNAME"
			switch {
			case strings.Contains(tt.want, "refuses this service"):
				hint = "compare WORKOS_API_KEY and WORKOS_CLIENT_ID"
			case strings.Contains(tt.want, "took too long"):
				hint = "compare WORKOS_CLIENT_ID and WORKOS_REDIRECT_URI"
			case strings.Contains(tt.want, "Something went wrong"):
				hint = ""
			}
			if log := w.log.String(); !strings.Contains(log, hint) || hint == "" && strings.Contains(log, `"hint"`) {
				t.Errorf("the log lacks the hint %q: %s", hint, log)
			}
			for _, leaked := range []string{"s3cret", "alert", "evil", w.hosted.Host, "sk_test"} {
				if strings.Contains(a.body, leaked) {
					t.Errorf("the page holds %q: %s", leaked, a.body)
				}
			}
			if log := w.log.String(); strings.Contains(log, "s3cret") || !strings.Contains(log, `"level":"error"`) {
				t.Errorf("the log holds the secret, or no error: %s", log)
			}
			w.fault.Store(nil)
			if again := b.visit(a.link("Try again"), paula); again.url != app+"/page" || again.body != "hello paula@example.com" {
				t.Errorf("another try: got status %d at %s: %s", again.status, again.url, again.body)
			}
		})
	}
}

func TestWrongAPIKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{wrongKey: true})
	b := w.browser(t)
	a := b.get(b.begin(login, paula))
	if a.status != http.StatusBadGateway || !strings.Contains(a.body, "AuthKit refuses this service.") ||
		!strings.Contains(w.log.String(), "invalid_client") || !strings.Contains(w.log.String(), "compare WORKOS_API_KEY and WORKOS_CLIENT_ID with the WorkOS dashboard") || strings.Contains(w.log.String(), "sk_test") {
		t.Errorf("got status %d: %s, log %s", a.status, a.body, w.log.String())
	}
}

// AuthKit's refusal of a code repeats it; neither page nor log may.
func TestCodeIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	query := parse(t, b.begin(login, paula)).Query()
	query.Set("code", "a-code-that-is-spent-0123456789")
	a := b.get(app + "/_auth/callback?" + query.Encode())
	if a.status != http.StatusBadRequest || !strings.Contains(a.body, "took too long or was completed already") {
		t.Errorf("got status %d: %s", a.status, a.body)
	}
}

// A code that was made for another sign-in's challenge does not pass PKCE, even
// in the right browser with the right state: code injection.
func TestInjectedCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	attacker, victim := w.browser(t), w.browser(t)
	code := parse(t, attacker.begin(login, zoe)).Query().Get("code")
	query := parse(t, victim.begin(login, paula)).Query()
	query.Set("code", code)
	a := victim.get(app + "/_auth/callback?" + query.Encode())
	if a.status != http.StatusBadRequest || a.cookie("wos-session") != "" {
		t.Errorf("got status %d, cookies %q", a.status, a.header["Set-Cookie"])
	}
}

// A step beyond the password is done at AuthKit, once.
func TestStepRequired(t *testing.T) {
	t.Parallel()
	const acme = "org_01JSSZ5AWSH8VHTPRE95B9EE0Z"
	tests := []struct {
		name, query string
		status      int
		body        string
		want        string // organization that the second sign-in is for
	}{
		{"single sign-on", "", 400, `{"error":"sso_required","organization_id":"` + acme + `","pending_authentication_token":"s3cret"}`, acme},
		{"single sign-on for the organization asked for", "&organization_id=" + acme, 400, `{"error":"sso_required","connection_ids":["conn_1"]}`, acme},
		{"a second factor", "", 403, `{"code":"mfa_challenge","pending_authentication_token":"s3cret"}`, ""},
		{"a second factor, OAuth's shape", "&organization_id=" + acme, 400, `{"error":"mfa_enrollment"}`, acme},
		{"verification of the email address", "", 403, `{"code":"email_verification_required","pending_authentication_token":"s3cret"}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.browser(t)
			ask := func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/user_management/authenticate" {
					w.authkit.ServeHTTP(rw, r)
					return
				}
				rw.WriteHeader(tt.status)
				_, _ = rw.Write([]byte(tt.body))
			}
			callback := b.begin(login+"?rd=/page"+tt.query, paula)
			w.breakAuthKit(ask)
			back := b.get(callback)
			if !strings.HasPrefix(back.location(), login+"?") || back.cookie("wos-session") != "" {
				t.Fatalf("got status %d to %q: %s", back.status, back.location(), back.body)
			}
			again := b.get(back.location())
			if got := parse(t, again.location()).Query().Get("organization_id"); !w.isAuthKit(again.location()) || got != tt.want {
				t.Fatalf("got %q for organization %q, want %q", again.location(), got, tt.want)
			}
			callback = b.choose(again.location(), paula)
			a := b.get(callback)
			if a.status != http.StatusForbidden || !strings.Contains(a.body, "AuthKit asks for a step") || strings.Contains(a.body, "s3cret") ||
				a.link("Try again") != login+"?rd=https%3A%2F%2Fapp.example.com%2Fpage" {
				t.Errorf("the second time: got status %d: %s", a.status, a.body)
			}
			if strings.Contains(w.log.String(), "s3cret") {
				t.Errorf("the log holds the pending token")
			}
		})
	}
}
