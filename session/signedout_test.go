package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A sign-out whose browser doesn't go on to AuthKit's logout ends the session there all the same:
// half a minute later, or at a stop.
func TestSignOutIsToldToAuthKit(t *testing.T) {
	t.Parallel()
	for _, stopped := range []bool{false, true} {
		t.Run(fmt.Sprint("stopped ", stopped), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, slow(0))
				var mu sync.Mutex
				var revoked []string
				b.RevokeSession = func(_ context.Context, sessionID string) error {
					mu.Lock()
					defer mu.Unlock()
					revoked = append(revoked, sessionID)
					return nil
				}
				told := func() []string {
					mu.Lock()
					defer mu.Unlock()
					return slices.Clone(revoked)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go b.Run(ctx)
				if _, ok := b.End(t.Context(), b.cookie(t, "r")); !ok {
					t.Fatal("got nothing to end")
				}
				pass(29 * time.Second)
				if got := told(); len(got) != 0 {
					t.Errorf("got %v told at once, want the browser's logout first", got)
				}
				if stopped {
					b.Wait()
				} else {
					pass(2 * time.Second)
				}
				if got := told(); !slices.Equal(got, []string{"session_01TEST"}) {
					t.Errorf("got %v revoked, want session_01TEST", got)
				}
			})
		})
	}
}

// A sign-out during a refresh that changes the sid ends both.
func TestSignOutDuringARefreshOfAnotherSID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(0))
		var revoked []string
		b.RevokeSession = func(_ context.Context, sessionID string) error {
			revoked = append(revoked, sessionID)
			return nil
		}
		other := b.mint("session_other", "", time.Hour)
		b.answer = func(string) (json.RawMessage, error) {
			pass(2 * time.Second)
			other = b.mint("session_other", "", time.Hour)
			return json.Marshal(map[string]any{"access_token": other, "refresh_token": "next"})
		}
		old := b.cookie(t, "r")
		pass(time.Hour)
		var refresh sync.WaitGroup
		refresh.Go(func() {
			if _, err := b.Verify(t.Context(), old, false); !errors.Is(err, ErrEnded) {
				t.Errorf("got %v from the refresh, want ErrEnded", err)
			}
		})
		pass(time.Second)
		b.End(t.Context(), old)
		refresh.Wait()
		b.Wait()
		for name, request := range map[string][2]string{"old": {"", ""}, "new": {other, "next"}} {
			cookie := old
			if name == "new" {
				cookie = b.request(t, request[0], request[1])
			}
			if _, err := b.Verify(t.Context(), cookie, false); !errors.Is(err, ErrEnded) {
				t.Errorf("%s cookie: got %v, want ErrEnded", name, err)
			}
		}
		if !slices.Contains(revoked, "session_other") {
			t.Errorf("got %v revoked, want the new session among them", revoked)
		}
	})
}

// Ending a session, or what it became under another sid, ends both.
func TestEndOfASuccessor(t *testing.T) {
	t.Parallel()
	for _, which := range []string{"old", "new"} {
		t.Run(which, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, slow(0))
				var next string
				b.answer = func(string) (json.RawMessage, error) {
					next = b.mint("session_other", "", time.Hour)
					return json.Marshal(map[string]any{"access_token": next, "refresh_token": "next"})
				}
				old := b.cookie(t, "r")
				pass(time.Hour)
				if _, err := b.Verify(t.Context(), old, false); err != nil {
					t.Fatal(err)
				}
				after := b.request(t, next, "next")
				if _, err := b.Verify(t.Context(), after, false); err != nil {
					t.Fatal(err)
				}
				if which == "old" {
					b.End(t.Context(), old)
				} else {
					b.End(t.Context(), after)
				}
				for _, request := range []map[string][]string{old, after} {
					if _, err := b.Verify(t.Context(), request, false); !errors.Is(err, ErrEnded) {
						t.Errorf("got %v, want ErrEnded", err)
					}
				}
			})
		})
	}
}

// Sessions without a refresh token have nothing in common: a replica that starts after the
// sign-out of one knows which.
func TestSignOutWithoutRefreshToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(0))
		out, in := b.request(t, b.mint("session_out", "", time.Hour), ""), b.request(t, b.mint("session_in", "", time.Hour), "")
		if _, err := b.Verify(t.Context(), in, false); err != nil {
			t.Fatal(err)
		}
		b.End(t.Context(), out)
		for range 2 {
			if _, err := b.Verify(t.Context(), in, false); err != nil {
				t.Errorf("got %v, want the other session", err)
			}
			if _, err := b.Verify(t.Context(), out, false); !errors.Is(err, ErrEnded) {
				t.Errorf("got %v, want ErrEnded", err)
			}
		}
		pass(2 * time.Hour)
		if _, err := b.Verify(t.Context(), in, false); !errors.Is(err, ErrRejected) {
			t.Errorf("got %v once it has expired, want ErrRejected", err)
		}
	})
}

// At a stop, AuthKit is told of many sign-outs a few at a time, and not for longer than the stop may take.
func TestManySignOutsAtAStop(t *testing.T) {
	t.Parallel()
	for _, hangs := range []bool{false, true} {
		t.Run(fmt.Sprint("hangs ", hangs), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, slow(0))
				var mu sync.Mutex
				calls, now, most := 0, 0, 0
				b.RevokeSession = func(ctx context.Context, _ string) error {
					mu.Lock()
					calls++
					now++
					most = max(most, now)
					mu.Unlock()
					defer func() { mu.Lock(); defer mu.Unlock(); now-- }()
					if hangs {
						<-ctx.Done()
						return ctx.Err()
					}
					pass(10 * time.Millisecond)
					return nil
				}
				for i := range 200 {
					b.End(t.Context(), b.cookieOf(t, "r", fmt.Sprint("session_", i)))
				}
				begin := time.Now()
				b.Wait()
				if took := time.Since(begin); took > 5*time.Second {
					t.Errorf("took %s, want 5s at most", took)
				}
				if most > 16 {
					t.Errorf("got %d calls at one time, want 16 at most", most)
				}
				if !hangs && calls != 200 {
					t.Errorf("got %d calls, want 200", calls)
				}
			})
		})
	}
}
