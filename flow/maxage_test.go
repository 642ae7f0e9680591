package flow

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestMaxAge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	for value, want := range map[string]string{
		"0": "0", "900": "900", "2147483647": "2147483647", "0060": "60",
		"": "", "-1": "", "+1": "", "2147483648": "", "99999999999999999999": "", "1.5": "", "1e3": "", "0x10": "", "1_000": "", "15m": "", " 1": "", "1 ": "", "1\n": "", "١": "",
	} {
		hosted := parse(t, w.browser(t).get(login+"?rd=/x&max_age="+url.QueryEscape(value)).location()).Query()
		if got := hosted.Get("max_age"); got != want || hosted.Has("max_age") != (want != "") {
			t.Errorf("%q: got %q, want %q", value, hosted["max_age"], want)
		}
	}
}

// A sign-in that begins anew is as fresh as the first was to be.
func TestMaxAgeSurvivesARestart(t *testing.T) {
	t.Parallel()
	for _, age := range []string{"0", "900"} {
		t.Run(age, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.browser(t)
			callback := b.begin(login+"?rd=/page&organization_id=org_1&max_age="+age, paula)
			b.refuses = refuse("__Host-authkit-state-")
			restarted := b.get(callback)
			b.refuses = nil
			again := parse(t, b.get(restarted.location()).location()).Query()
			if again.Get("max_age") != age || again.Get("organization_id") != "org_1" {
				t.Errorf("got max_age %q and organization %q of %q", again["max_age"], again["organization_id"], restarted.location())
			}
		})
	}
	t.Run("for a step", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, settings{})
		b := w.browser(t)
		callback := b.begin(login+"?rd=/page&max_age=60", paula)
		w.breakAuthKit(func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(http.StatusBadRequest)
			_, _ = rw.Write([]byte(`{"error":"sso_required","organization_id":"org_1"}`))
		})
		query := parse(t, b.get(callback).location()).Query()
		if query.Get("max_age") != "60" || query.Get("organization_id") != "org_1" || query.Get("rd") != app+"/page" {
			t.Errorf("got %v", query)
		}
	})
	t.Run("not where nobody asked", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, settings{})
		if a := w.browser(t).get(w.browser(t).begin(login+"?rd=/page", paula)); strings.Contains(a.location(), "max_age") {
			t.Errorf("got %q", a.location())
		}
	})
}

func TestStepUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.gateway.maxAge.Store(900)
	b := w.browser(t)
	if a := b.visit(app+"/page", paula); a.body != "hello paula@example.com" || w.exchanges() != 1 {
		t.Fatalf("got status %d at %s after %d exchanges", a.status, a.url, w.exchanges())
	}
	w.clock.advance(16 * time.Minute)
	a := b.visit(app+"/page", paula)
	if a.url != app+"/page" || a.body != "hello paula@example.com" || !strings.HasSuffix(a.hops[1], "&max_age=900") {
		t.Errorf("got status %d by %q: %s", a.status, a.hops, a.body)
	}
	// Back and reload lead on: that session is fresh enough.
	codes := w.authkit.Calls()["authenticate.authorization_code"]
	if again := b.get(a.hops[3]); !strings.HasPrefix(a.hops[3], callback) || again.location() != app+"/page" {
		t.Errorf("reloaded %q: got status %d to %q", a.hops[3], again.status, again.location())
	}
	if n := w.authkit.Calls()["authenticate.authorization_code"]; n != codes {
		t.Errorf("got %d codes exchanged, want %d", n, codes)
	}
}

// A session that is too old for the step-up is none: a browser that loses every
// cookie of the flow's would go round for ever.
func TestStepUpWithoutTheFlowsCookies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.gateway.maxAge.Store(900)
	b := w.browser(t)
	b.visit(app+"/page", paula)
	w.clock.advance(16 * time.Minute)
	b.refuses = refuseFlow
	a := b.visit(app+"/page", paula)
	if a.status != http.StatusBadRequest || !strings.Contains(a.body, "The browser may refuse cookies for app.example.com.") {
		t.Errorf("got status %d at %s: %s", a.status, a.url, a.body)
	}
}

// An AuthKit that lets the user through without a new sign-in: the page says so.
func TestStepUpLoop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.gateway.maxAge.Store(60)
	var first *httptest.ResponseRecorder
	w.breakAuthKit(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/user_management/authenticate" {
			w.authkit.ServeHTTP(rw, r)
			return
		}
		if first == nil {
			first = httptest.NewRecorder()
			w.authkit.ServeHTTP(first, r)
		}
		replay(rw, first)
	})
	b := w.browser(t)
	b.visit(app+"/page", paula)
	w.clock.advance(61 * time.Second)
	a := b.visit(app+"/page", paula)
	const cause = "it is good here, but the page wants a sign-in of at most 60 seconds ago: AuthKit did not report a new sign-in time (auth_time)."
	if a.status != http.StatusForbidden || !strings.Contains(a.body, cause) {
		t.Errorf("got status %d at %s: %s", a.status, a.url, a.body)
	}
}

// The cause is named only where it is one.
func TestLoopCauseOfAStepUp(t *testing.T) {
	t.Parallel()
	const auth, gateway = "auth_time", "does not arrive with the page"
	tests := []struct {
		name, query, want string
		age               time.Duration // of the sign-in
	}{
		{"too old", "&max_age=60", auth, 61 * time.Second},
		{"just fresh enough", "&max_age=60", gateway, 60 * time.Second},
		{"none was asked for", "", gateway, time.Hour},
		{"an expired session's sign-in stays", "&max_age=900", auth, time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.browser(t)
			b.get(b.begin(login, paula))
			w.clock.advance(tt.age)
			b.plantAttempt(attempt{Page: fingerprint(app + "/x"), Number: 2})
			a := b.get(login + "?rd=/x" + tt.query)
			if a.status != http.StatusForbidden || !strings.Contains(unescaped(a.body), tt.want) {
				t.Errorf("got status %d, want %q: %s", a.status, tt.want, a.body)
			}
		})
	}
}
