package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The tests of this file are about how long things wait. They run in synctest's
// bubbles, where time passes when everybody waits.

func TestAskersWaitFiveSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(8*time.Second))
		request := b.cookie(t, "r")
		pass(time.Hour)
		begin := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				var outage *Outage
				if _, err := b.Verify(t.Context(), request, false); !errors.As(err, &outage) || outage.RetryAfter <= 0 {
					t.Errorf("got %v, want an *Outage that says when to ask again", err)
				}
				took(t, begin, 5*time.Second)
			})
			pass(0)
		}
		wg.Wait()

		// Who asks later waits for the same refresh, and gets it.
		v, err := b.Verify(t.Context(), request, false)
		if err != nil || v.Current == "" {
			t.Errorf("got %v, %v, want the refreshed session", v, err)
		}
		took(t, begin, 8*time.Second)
		b.wantCalls(t, 3) // it wasn't answered after 3 s, nor after 6
	})
}

// The refresh goes on after its askers have gone, and what it brings is kept.
func TestRefreshIsStoredForLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(8*time.Second))
		request := b.cookie(t, "r")
		pass(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if _, err := b.Verify(ctx, request, false); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want ErrUnavailable and context.DeadlineExceeded", err)
		}
		took(t, begin, time.Second)
		b.Wait()
		took(t, begin, 10*time.Second) // for the calls beside it, too
		if v, err := b.Verify(t.Context(), request, false); err != nil || v.Current == "" {
			t.Errorf("got %v, %v, want the refreshed session", v, err)
		}
		took(t, begin, 10*time.Second)
		b.wantCalls(t, 3)
	})
}

// A stop waits for a refresh: its token is spent, and what it brings must be stored.
func TestWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := newBubble(t, func(context.Context) error { <-release; return nil })
		request := b.cookie(t, "r")
		b.Wait() // nothing is under way
		if _, err := b.Verify(t.Context(), request, false); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.Verify(ctx, request, false); !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
		var stopped atomic.Bool
		go func() {
			b.Wait()
			stopped.Store(true)
		}()
		synctest.Wait()
		if stopped.Load() {
			t.Error("got a stop during a refresh, want it to wait")
		}
		close(release)
		synctest.Wait()
		if !stopped.Load() {
			t.Error("got no stop after the refresh")
		}
	})
}

// A call that isn't answered is made again beside it after 3 s and after 6 s, all of them are
// given up after 10 s, and what became of the token is asked again after 1, 2 and 4 s.
func TestUnansweredCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var calls []time.Duration
		begin := time.Now().Add(2 * time.Hour)
		b := newBubble(t, func(ctx context.Context) error {
			mu.Lock()
			calls = append(calls, time.Since(begin))
			mu.Unlock()
			<-ctx.Done()
			return ctx.Err()
		})
		request := b.cookie(t, "r")
		pass(2 * time.Hour)
		for wait := range 9 {
			var outage *Outage
			if _, err := b.Verify(t.Context(), request, false); !errors.As(err, &outage) || errors.Is(err, ErrEnded) {
				t.Errorf("got %v, want an *Outage", err)
			}
			took(t, begin, time.Duration(wait+1)*5*time.Second)
		}
		b.Wait()
		took(t, begin, 47*time.Second)
		seconds := fmt.Sprint(calls)
		if want := "[0s 3s 6s 11s 14s 17s 23s 26s 29s 37s 40s 43s]"; seconds != want {
			t.Errorf("got calls at %s, want %s", seconds, want)
		}
		b.refresh = slow(0)
		if v, err := b.Verify(t.Context(), request, false); err != nil || v.Current == "" { // the pause is for known outcomes
			t.Errorf("got %v, %v, want the session to work again", v, err)
		}
	})
}

// A refresh that nobody needs yet, but that comes in time.
func TestRefreshAheadInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(900*time.Millisecond))
		request := b.cookie(t, "r")
		pass(4*time.Minute + 10*time.Second)
		begin := time.Now()
		if v, err := b.Verify(t.Context(), request, true); err != nil || v.Current == "" {
			t.Errorf("got %v, %v, want the refreshed session", v, err)
		}
		took(t, begin, 900*time.Millisecond)
	})
}

// Otherwise it holds a request up for a second.
func TestRefreshAheadIsWaitedForASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(2*time.Second))
		request := b.cookie(t, "r")
		pass(4*time.Minute + 10*time.Second)
		begin := time.Now()
		if v, err := b.Verify(t.Context(), request, true); err != nil || v.Current != "" {
			t.Errorf("got %v, %v, want the session as it is", v, err)
		}
		took(t, begin, time.Second)
		if v, err := b.Verify(t.Context(), request, false); err != nil || v.Current != "" { // needs no cookie
			t.Errorf("got %v, %v, want the session as it is", v, err)
		}
		took(t, begin, time.Second)
		b.Wait()
		took(t, begin, 2*time.Second)
		if v, err := b.Verify(t.Context(), request, false); err != nil || v.Current == "" {
			t.Errorf("got %v, %v, want the refreshed session", v, err)
		}
		b.wantCalls(t, 1)
	})
}

// 64 calls to AuthKit at a time, 1,000 refreshes waiting for one, however many ask
// for each. What is remembered waits for nobody.
func TestRefreshesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(0))
		expired := b.cookie(t, "r")
		valid := b.request(t, b.mint("session_valid", "", 100*24*time.Hour), "")
		if _, err := b.Verify(t.Context(), valid, true); err != nil {
			t.Fatal(err)
		}
		var requests []http.Header
		for i := range 1064 {
			requests = append(requests, b.cookieOf(t, fmt.Sprint("r", i), fmt.Sprint("session_", i)))
		}
		pass(time.Hour)
		begin := time.Now()

		release := make(chan struct{})
		var inFlight atomic.Int64
		b.refresh = func(context.Context) error {
			inFlight.Add(1)
			<-release
			inFlight.Add(-1)
			return nil
		}
		var askers sync.WaitGroup
		for i, request := range requests {
			for range 1 + i%2 { // some more than once
				ctx, cancel := context.WithCancel(t.Context())
				askers.Go(func() { _, _ = b.Verify(ctx, request, false) })
				defer cancel()
			}
		}
		synctest.Wait()
		if got, pending := inFlight.Load(), b.refresher.pending(); got != 64 || pending != 1064 {
			t.Errorf("got %d of %d refreshes in flight, want 64 of 1064", got, pending)
		}

		var outage *Outage
		if _, err := b.Verify(t.Context(), expired, false); !errors.As(err, &outage) || outage.RetryAfter <= 0 {
			t.Errorf("got %v for one more, want an *Outage that says when to ask again", err)
		}
		if _, err := b.Verify(t.Context(), valid, false); err != nil {
			t.Errorf("got %v for a remembered session, want it at once", err)
		}
		took(t, begin, 0)
		b.wantCalls(t, 64)

		close(release)
		b.Wait()
		askers.Wait()
		if _, err := b.Verify(t.Context(), expired, false); err != nil {
			t.Errorf("got %v afterwards, want a refreshed session", err)
		}
		b.wantCalls(t, 1065)
		took(t, begin, 0)
	})
}

// The 10 s of a call begin when it has its slot: those that wait are not cut short.
func TestLimitBeginsWithTheSlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(4*time.Second))
		var requests []http.Header
		for i := range 260 {
			requests = append(requests, b.cookieOf(t, fmt.Sprint("r", i), fmt.Sprint("session_", i)))
		}
		pass(time.Hour)
		var wg sync.WaitGroup
		var signedOut atomic.Int64
		for _, request := range requests {
			wg.Go(func() {
				for {
					_, err := b.Verify(t.Context(), request, false)
					var outage *Outage
					if !errors.As(err, &outage) {
						if err != nil {
							signedOut.Add(1)
						}
						return
					}
					pass(max(outage.RetryAfter, time.Second))
				}
			})
		}
		begin := time.Now()
		wg.Wait()
		if got := signedOut.Load(); got != 0 {
			t.Errorf("got %d signed out, want nobody", got)
		}
		if got := time.Since(begin); got > 30*time.Second {
			t.Errorf("took %s, want five rounds of 4 s, and what calls beside them cost", got)
		}
	})
}

// A request that looked a token up before AuthKit refused it doesn't ask again.
func TestRefusalReachesWhoLookedBefore(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		refusal error
		want    error
	}{
		{"invalid_grant", ErrInvalidGrant, ErrRejected},
		{"outage", &Outage{Status: 429}, ErrUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, func(context.Context) error { return tt.refusal })
				request := b.cookie(t, "r")
				pass(time.Hour)
				if _, err := b.Verify(t.Context(), request, false); !errors.Is(err, tt.want) {
					t.Fatalf("got %v, want %v", err, tt.want)
				}
				values, _ := b.Cookie.Read(request)
				o, err := b.open(b.newSealed(values[0]))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := b.refresher.refresh(t.Context(), refreshRequest{opened: o}); !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				b.wantCalls(t, 1)
			})
		})
	}
}

// An old cookie is forgotten when nobody has sent it for 30 days.
func TestRecordIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubbleWith(t, slow(0), func(c *Config) { c.RotationTTL = 2 * time.Hour })
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go b.Run(ctx)
		request := b.cookie(t, "r")
		pass(6 * time.Minute)
		for range 3 {
			if v, err := b.Verify(t.Context(), request, false); err != nil || v.Current == "" {
				t.Errorf("got %v, %v, want the refreshed session", v, err)
			}
			pass(2*time.Hour - time.Minute)
		}
		b.wantCalls(t, 1)
		pass(10 * time.Minute)
		_, _ = b.Verify(t.Context(), request, false)
		b.wantCalls(t, 2) // nothing is known of the token any more
	})
}
