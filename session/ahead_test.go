package session_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// When a token is refreshed before it expires.
func TestRefreshAhead(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name           string
		lifetime, left time.Duration
		ahead          bool
		want           int // refreshes
	}{
		{"an hour: 91 s left", time.Hour, 91 * time.Second, true, 0},
		{"an hour: 90 s left", time.Hour, 90 * time.Second, true, 1},
		{"an hour: 90 s left, the answer can't carry a cookie", time.Hour, 90 * time.Second, false, 0},
		{"an hour: 1 s left, the answer can't carry a cookie", time.Hour, time.Second, false, 0},
		{"an hour: expired, the answer can't carry a cookie", time.Hour, -11 * time.Second, false, 1},
		{"10 minutes: 91 s left", 10 * time.Minute, 91 * time.Second, true, 0},
		{"10 minutes: 90 s left", 10 * time.Minute, 90 * time.Second, true, 1},
		{"6 minutes: 91 s left", 6 * time.Minute, 91 * time.Second, true, 0},
		{"6 minutes: 90 s left, a quarter too", 6 * time.Minute, 90 * time.Second, true, 1},
		{"5 minutes and 4 seconds: 77 s left", 304 * time.Second, 77 * time.Second, true, 0},
		{"5 minutes and 4 seconds: 76 s left, a quarter", 304 * time.Second, 76 * time.Second, true, 1},
		{"5 minutes: 61 s left", 5 * time.Minute, 61 * time.Second, true, 0},
		{"5 minutes: 60 s left", 5 * time.Minute, 60 * time.Second, true, 1},
		{"5 minutes: 60 s left, the answer can't carry a cookie", 5 * time.Minute, 60 * time.Second, false, 0},
		{"4 minutes: 61 s left", 4 * time.Minute, 61 * time.Second, true, 0},
		{"4 minutes: 60 s left, a quarter too", 4 * time.Minute, 60 * time.Second, true, 1},
		{"2 minutes: 31 s left", 2 * time.Minute, 31 * time.Second, true, 0},
		{"2 minutes: 30 s left, a quarter", 2 * time.Minute, 30 * time.Second, true, 1},
		{"1 minute: 16 s left", time.Minute, 16 * time.Second, true, 0},
		{"1 minute: 15 s left, a quarter", time.Minute, 15 * time.Second, true, 1},
	}
	for i, tt := range slices.Concat(tests, tests) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, func(o *options) { o.emulator.AccessTokenLifetime = tt.lifetime })
			sealed := w.signIn(t, zoe, "")
			if remembered := i < len(tests); remembered {
				w.valid(t, sealed)
			}
			w.clock.advance(tt.lifetime - tt.left)
			ask := w.valid
			if tt.ahead {
				ask = w.ahead
			}
			v := ask(t, sealed)
			if refreshed := v.Current != ""; refreshed != (tt.want == 1) {
				t.Errorf("got a new cookie: %t, want %t", refreshed, tt.want == 1)
			}
			w.wantRefreshes(t, tt.want)
		})
	}
}

// A refresh that nobody needs yet may fail.
func TestRefreshAheadFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		answer http.HandlerFunc
		after  error // once the token has expired
	}{
		{"rate limit", status(429, "", "Retry-After", "90"), session.ErrUnavailable},
		{"our API key", status(401, `{"message":"Unauthorized"}`), session.ErrUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			sealed := w.signIn(t, zoe, "")
			w.clock.advance(4*time.Minute + 30*time.Second)
			w.authKit.answer(authenticate, tt.answer)
			for range 20 {
				v, err := w.Verify(t.Context(), cookies(sealed), true)
				if err != nil || v.Current != "" || v.Identity.Email != zoe {
					t.Fatalf("got %+v, %v, want the session as it is", v, err)
				}
			}
			w.authKit.wantAsked(t, 1)
			w.clock.advance(time.Minute)
			w.refused(t, sealed, tt.after)
		})
	}
}

func TestRefreshAheadNeedsStep(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, zoe, "")
	w.clock.advance(4*time.Minute + 30*time.Second)
	w.authKit.answer(authenticate, status(400, `{"error":"sso_required"}`))
	if v, err := w.Verify(t.Context(), cookies(sealed), true); err != nil || v.Current != "" {
		t.Errorf("got %+v, %v, want the session as it is", v, err)
	}
}

// A machine whose clock is an hour ahead of AuthKit's: every token has expired when
// it comes. It works for 30 s, which is how often AuthKit is asked.
func TestRefreshedJustNowIsValid(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *options) {
		now := o.emulator.Now
		o.emulator.Now = func() time.Time { return now().Add(-time.Hour) }
	})
	sealed := w.signIn(t, zoe, "")
	next := w.refreshed(t, sealed)
	w.wantRefreshes(t, 1)
	if first, second := w.valid(t, next), w.valid(t, next); first != second {
		t.Error("got another *Verified the second time, want the remembered one")
	}
	if got := w.log.String(); !strings.Contains(got, `"level":"warn"`) || !strings.Contains(got, "check the clock") {
		t.Errorf("got log %s, want a warning about the clock", got)
	}
	for range 29 {
		w.clock.advance(time.Second)
		for _, value := range []string{sealed, next} {
			for _, ahead := range []bool{false, true} {
				v, err := w.Verify(t.Context(), cookies(value), ahead)
				if err != nil || v.Current != map[bool]string{true: next}[value == sealed] {
					t.Fatalf("got %+v, %v, want the session that was refreshed just now", v, err)
				}
			}
		}
	}
	w.wantRefreshes(t, 1)
	w.clock.advance(time.Second)
	if w.refreshed(t, next) == next {
		t.Error("got the same session after 30 s, want another refresh")
	}
	w.wantRefreshes(t, 2)
}

// A token of 20 s is due for a refresh 5 s before its end, but not before 30 s are over.
func TestRefreshNotTwiceIn30Seconds(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *options) { o.emulator.AccessTokenLifetime = 20 * time.Second })
	sealed := w.signIn(t, zoe, "")
	w.clock.advance(15 * time.Second)
	next := w.ahead(t, sealed).Current
	if next == "" {
		t.Fatal("got no refresh ahead of expiry")
	}
	for range 29 {
		w.clock.advance(time.Second)
		for _, value := range []string{sealed, next} {
			if _, err := w.Verify(t.Context(), cookies(value), true); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.wantRefreshes(t, 1)
	w.clock.advance(time.Second)
	if w.ahead(t, next).Current == "" {
		t.Error("got no refresh after 30 s, want the next")
	}
	w.wantRefreshes(t, 2)
}
