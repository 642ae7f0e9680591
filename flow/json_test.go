package flow

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestJSONClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	const accept = "Accept: application/json"
	tests := []struct {
		name, address string
		headers       []string
		status        int
		detail, login string
	}{
		{"an error of AuthKit's", app + "/_auth/callback?error=access_denied", nil, 400, "cancelled or access was denied", login},
		{"a prefetch", login, []string{"Sec-Purpose: prefetch"}, 403, "acts when it is visited", ""},
		{"sign-out", app + "/_auth/logout", []string{"Sec-Fetch-Mode: cors", "Cookie: wos-session=x"}, 200, "This ends your session", ""},
		{"a switch", switchTo + globex, []string{"Sec-Fetch-Mode: cors"}, 200, "the organization org_01JBGJ09TQM83XSSSS6YS3C4DW", ""},
		{"a switch to nowhere", switchTo, nil, 400, "organization_id", ""},
		{"sign-out without a session", app + "/_auth/logout", nil, 200, "no session in this browser", login},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w.wantProblem(t, w.browser(t).get(tt.address, append(tt.headers, accept)...), tt.status, tt.detail, tt.login)
		})
	}
	t.Run("a lost state", func(t *testing.T) {
		t.Parallel()
		b := w.browser(t)
		restart := b.get(app+"/_auth/callback?code=c", accept)
		if !strings.HasPrefix(restart.location(), login) {
			t.Fatalf("got status %d", restart.status)
		}
		w.wantProblem(t, b.get(app+"/_auth/callback?code=c", accept), 400, "The browser may refuse cookies for app.example.com.", login)
	})
	t.Run("the loop", func(t *testing.T) {
		t.Parallel()
		b := w.browser(t)
		b.refuses = refuse("wos-session")
		for range 2 {
			b.get(b.begin(login+"?rd=/x", paula))
		}
		w.wantProblem(t, b.get(login+"?rd=/x", accept), 403, "The sign-in set the cookie wos-session for the host app.example.com",
			login+"?rd=https%3A%2F%2Fapp.example.com%2Fx")
	})
	t.Run("both are welcome", func(t *testing.T) {
		t.Parallel()
		a := w.browser(t).get(app+"/_auth/callback?error=access_denied", "Accept: application/json, text/html")
		if got := a.header.Get("Content-Type"); got != "text/html; charset=utf-8" {
			t.Errorf("got %q", got)
		}
	})
}

func (w *world) wantProblem(t *testing.T, a *answer, status int, detail, login string) {
	t.Helper()
	var p struct {
		Title, Detail string
		Status        int
		LoginURL      string `json:"login_url"`
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("got %v, %q: %s", err, a.header.Get("Content-Type"), a.body)
	}
	if a.status != status || p.Status != status || p.Title == "" || !strings.Contains(p.Detail, detail) || p.LoginURL != login {
		t.Errorf("got status %d, %s, want %d, %q and login_url %q", a.status, a.body, status, detail, login)
	}
}
