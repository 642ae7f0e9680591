package session_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// Several session cookies in one request.
func TestVerifySeveralCookies(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	older := w.signIn(t, sam, acmeID)
	w.clock.advance(time.Minute)
	newer := w.signIn(t, sam, globexID)
	somebodyElse := w.signIn(t, zoe, "")
	wrongUser := w.resign(t, somebodyElse, signingKey(), map[string]any{"sub": "user_01OTHER"})
	junk := strings.Split(strings.Repeat("junk ", 100), " ")
	for i := range junk {
		junk[i] = fmt.Sprint("junk", i)
	}
	tests := []struct {
		name    string
		cookies []string
		want    string // organization
		err     error
	}{
		{"newest last", []string{older, newer}, globexID, nil},
		{"newest first", []string{newer, older}, globexID, nil},
		{"one of them twice", []string{newer, older, newer}, globexID, nil},
		{"unreadable ones", []string{"garbage", older, newer[:100]}, acmeID, nil},
		{"unreadable ones alone", []string{"garbage", newer[:100]}, "", session.ErrBad},
		{"sealed without a usable token", []string{w.withAccessToken(t, w.open(t, newer), "opaque"), older}, acmeID, nil},
		{"different users", []string{newer, somebodyElse}, "", session.ErrBad},
		{"different users, one of them twice", []string{older, newer, somebodyElse}, "", session.ErrBad},
		{"one user's session and another's sealed to a third", []string{older, wrongUser}, "", session.ErrBad},
		{"a hundred unreadable ones behind it", append([]string{older}, junk...), acmeID, nil},
		{"a hundred unreadable ones before it", append(junk, older), "", session.ErrBad},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for range 2 { // the second time, they are remembered
				v, err := w.verify(t, tt.cookies...)
				if !errors.Is(err, tt.err) {
					t.Fatalf("got %v, want %v", err, tt.err)
				}
				if err == nil && v.Identity.OrganizationID != tt.want {
					t.Errorf("got organization %s, want %s", v.Identity.OrganizationID, tt.want)
				}
			}
		})
	}
}

// A session of 12 KB goes to the browser and comes back in chunks, and is one session.
func TestVerifyChunks(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	request := func(sealed string) http.Header {
		lines, err := w.Cookie.SetLines(sealed, nil)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		for _, line := range lines {
			pair, _, _ := strings.Cut(line, ";")
			h.Add("Cookie", pair)
		}
		return h
	}
	s := w.open(t, w.signIn(t, zoe, ""))
	large := w.seal(t, map[string]any{"accessToken": s.AccessToken, "refreshToken": s.RefreshToken,
		"user": map[string]any{"id": s.User.ID, "metadata": strings.Repeat("x", 8<<10)}})
	h := request(large)
	if len(h["Cookie"]) != 4 {
		t.Fatalf("got %d cookies, want 4", len(h["Cookie"]))
	}
	if _, err := w.Verify(t.Context(), h, false); err != nil {
		t.Errorf("got %v, want a session", err)
	}
	h["Cookie"] = h["Cookie"][:3]
	if _, err := w.Verify(t.Context(), h, false); !errors.Is(err, session.ErrBad) {
		t.Errorf("a chunk missing: got %v, want ErrBad", err)
	}

	w.clock.advance(time.Hour)
	v, err := w.Verify(t.Context(), request(large), false)
	if err != nil || v.Current == "" {
		t.Fatalf("got %v, want a refreshed session", err)
	}
	if _, err := w.Verify(t.Context(), request(v.Current), false); err != nil {
		t.Errorf("refreshed: got %v, want a session", err)
	}
}

// What made the cookie large is in the log, and nothing of its content.
func TestLargeSessionIsLogged(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	answer, err := w.authKit.SignIn(zoe, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.SignIn(answer); err != nil || w.log.String() != "" {
		t.Fatalf("got %v, log %s, want nothing logged", err, w.log)
	}
	secret := strings.Repeat("confidential", 400)
	large := strings.Replace(string(answer), `"metadata":{`, `"metadata":{"note":"`+secret+`",`, 1)
	if _, _, err := w.SignIn([]byte(large)); err != nil {
		t.Fatal(err)
	}
	got := w.log.String()
	for _, want := range []string{`"level":"warn"`, `"user":`, `"accessToken.permissions":`, "SDKs can't read"} {
		if !strings.Contains(got, want) {
			t.Errorf("got log %s, want %s in it", got, want)
		}
	}
	if strings.Contains(got, "confidential") {
		t.Errorf("got log %s, want no content of the session in it", got)
	}
}
