package apikey

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// slow takes a while for each call.
func slow(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// bubbled makes a world in a bubble, with its time, where a call takes so long.
func bubbled(t *testing.T, d time.Duration, change func(*world, *Config)) *world {
	return start(t, func(w *world, c *Config) {
		w.before, c.Now = slow(d), time.Now
		if change != nil {
			change(w, c)
		}
	})
}

func TestOneCallAKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := bubbled(t, time.Second, nil)
		begin := time.Now()
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				w.valid(t, key, client) // counts once
				w.refused(t, unknown(i%4), address(i), ErrInvalid)
			})
		}
		wg.Wait()
		w.wantCalls(t, 5)
		if got := time.Since(begin); got != 2*time.Second {
			t.Errorf("took %s, want 2s", got)
		}
	})
}

// The call goes on when whoever began it has left, and its answer is remembered.
func TestAskerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := bubbled(t, 3*time.Second, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.Verify(ctx, key, client); !errors.Is(err, session.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want an outage", err)
		}
		begin := time.Now()
		w.valid(t, key, client)
		if got := time.Since(begin); got != 2*time.Second {
			t.Errorf("took %s, want 2s", got)
		}
		w.valid(t, key, client)
		w.wantCalls(t, 1)
	})
}

func TestWorkOSHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := bubbled(t, time.Hour, nil)
		for _, want := range []time.Duration{5 * time.Second, 0} { // the second time the key pauses
			begin := time.Now()
			w.refused(t, key, client, session.ErrUnavailable)
			if got := time.Since(begin); got != want {
				t.Errorf("took %s, want %s", got, want)
			}
		}
		w.wantCalls(t, 1)
		synctest.Wait()
	})
}

// Nobody waits for longer than 5 s, be it for two answers.
func TestTimeout(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		call   func(context.Context) error
		joined bool
		want   time.Duration
	}{
		{"a call that doesn't heed its limit", func(context.Context) error { <-time.After(7 * time.Second); return nil }, false, 5 * time.Second},
		{"two calls", slow(4 * time.Second), true, 5 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := bubbled(t, 0, func(w *world, c *Config) {
					w.before = tt.call
					c.Revoked = func(*identity.Identity, string, time.Time) bool { return true }
				})
				if tt.joined {
					go func() { _, _ = w.Verify(t.Context(), key, client) }()
					synctest.Wait()
				}
				begin := time.Now()
				w.refused(t, key, client, session.ErrUnavailable)
				if got := time.Since(begin); got != tt.want {
					t.Errorf("took %s, want %s", got, tt.want)
				}
				<-time.After(10 * time.Second) // until all calls have ended
			})
		})
	}
}

// While the breaker is open one key a second is tried, however many there are.
func TestOneTrial(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := bubbled(t, 0, func(w *world, _ *Config) { w.down = &session.Outage{Status: 500} })
		for i := range 5 {
			w.refused(t, unknown(i), client, session.ErrUnavailable)
		}
		w.set(func() { w.before = slow(4 * time.Second) })
		for range 3 {
			<-time.After(time.Second)
			var wg sync.WaitGroup
			for i := range 30 {
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
					defer cancel()
					if _, err := w.Verify(ctx, unknown(i), address(i)); !errors.Is(err, session.ErrUnavailable) {
						t.Errorf("got %v, want an outage", err)
					}
				})
			}
			wg.Wait()
		}
		<-time.After(time.Minute)
		w.wantCalls(t, 8) // the first five, and one in each of the three waves, though none is answered in time
	})
}

// A request after the news doesn't get the answer of an earlier call.
func TestNewsDuringACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var news atomic.Pointer[time.Time]
		w := bubbled(t, 2*time.Second, func(_ *world, c *Config) {
			c.Revoked = func(_ *identity.Identity, _ string, since time.Time) bool {
				at := news.Load()
				return at != nil && !since.After(*at)
			}
		})
		var wg sync.WaitGroup
		wg.Go(func() { w.valid(t, key, client) }) // asked before
		<-time.After(time.Second)
		w.set(func() { delete(w.keys, key) })
		now := time.Now()
		news.Store(&now)
		w.refused(t, key, client, ErrInvalid)
		wg.Wait()
		w.refused(t, key, client, ErrInvalid)
		w.wantCalls(t, 2)
	})
}

// Many at once, for the race detector: what is good stays good, what is bad stays bad.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	w := start(t, func(_ *world, c *Config) {
		var n atomic.Int64
		c.Revoked = func(*identity.Identity, string, time.Time) bool { return n.Add(1)%7 == 0 }
	})
	w.valid(t, key, client)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			for j := range 10 {
				if id, err := w.Verify(t.Context(), key, address(i)); err == nil && id.Subject != "api_key_1" {
					t.Errorf("got %+v, want api_key_1", *id)
				} else if err != nil && !errors.Is(err, session.ErrUnavailable) {
					t.Errorf("got %v, want an identity or a budget that is spent", err)
				}
				if _, err := w.Verify(t.Context(), unknown(i*10+j), address(i)); err == nil {
					t.Error("got an identity for an unknown key")
				}
			}
		})
	}
	wg.Wait()
}
