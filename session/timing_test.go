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
		b.wantCalls(t, 1)
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
		took(t, begin, 8*time.Second)
		if v, err := b.Verify(t.Context(), request, false); err != nil || v.Current == "" {
			t.Errorf("got %v, %v, want the refreshed session", v, err)
		}
		took(t, begin, 8*time.Second)
		b.wantCalls(t, 1)
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

func TestRefreshLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(time.Hour))
		request := b.cookie(t, "r")
		pass(2 * time.Hour)
		begin := time.Now()
		var outage *Outage
		ask := func() {
			if _, err := b.Verify(t.Context(), request, false); !errors.As(err, &outage) || errors.Is(err, ErrEnded) {
				t.Errorf("got %v, want an *Outage", err)
			}
		}
		ask()
		took(t, begin, 5*time.Second)
		pass(time.Second)
		ask() // gets the refresh's own end
		took(t, begin, 10*time.Second)
		if !errors.Is(outage, context.DeadlineExceeded) {
			t.Errorf("got %v, want the refresh to have been given up", outage)
		}
		ask() // at once: AuthKit has a second to recover
		took(t, begin, 10*time.Second)
		b.wantCalls(t, 1)
		pass(time.Second)
		b.refresh = slow(0)
		if v, err := b.Verify(t.Context(), request, false); err != nil || v.Current == "" {
			t.Errorf("got %v, %v, want the session to work again", v, err)
		}
		b.wantCalls(t, 2)
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
		b := newBubble(t, slow(3*time.Second))
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
		took(t, begin, 3*time.Second)
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
		sealed, err := b.Seal.Seal(fmt.Appendf(nil, `{"accessToken":%q,"user":{"id":%q}}`, b.tokens[1], b.user))
		if err != nil {
			t.Fatal(err)
		}
		valid := http.Header{"Cookie": {"wos-session=" + sealed}}
		if _, err := b.Verify(t.Context(), valid, true); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour - time.Minute)
		begin := time.Now()

		release := make(chan struct{})
		var inFlight atomic.Int64
		refresh := func(context.Context) (string, bool, error) {
			inFlight.Add(1)
			<-release
			inFlight.Add(-1)
			return "", false, nil
		}
		flights := map[*flight]bool{}
		for i := range 1064 {
			for range 3 {
				flights[b.flights.join(tokenHash{byte(i >> 8), byte(i)}, "", refresh)] = true
			}
		}
		synctest.Wait()
		if got := inFlight.Load(); got != 64 || len(flights) != 1064 || flights[nil] {
			t.Errorf("got %d of %d refreshes in flight, want 64 of 1064", got, len(flights))
		}

		var outage *Outage
		if _, err := b.Verify(t.Context(), expired, false); !errors.As(err, &outage) || outage.RetryAfter <= 0 {
			t.Errorf("got %v for one more, want an *Outage that says when to ask again", err)
		}
		if _, err := b.Verify(t.Context(), valid, false); err != nil {
			t.Errorf("got %v for a remembered session, want it at once", err)
		}
		took(t, begin, 0)
		b.wantCalls(t, 0)

		close(release)
		b.Wait()
		if _, err := b.Verify(t.Context(), expired, false); err != nil {
			t.Errorf("got %v afterwards, want a refreshed session", err)
		}
		b.wantCalls(t, 1)
		took(t, begin, 0)
	})
}

// A refresh that got no turn within its 10 s costs no refresh token.
func TestRefreshWithoutATurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := newBubble(t, func(context.Context) error { <-release; return nil })
		var wg sync.WaitGroup
		var requests []http.Header
		for i := range 65 {
			requests = append(requests, b.cookie(t, fmt.Sprint("r", i)))
		}
		pass(time.Hour)
		for _, request := range requests[:64] {
			wg.Go(func() { _, _ = b.Verify(t.Context(), request, false) })
		}
		synctest.Wait()
		if _, err := b.Verify(t.Context(), requests[64], false); !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
		pass(6 * time.Second)
		close(release)
		wg.Wait()
		b.Wait()
		b.wantCalls(t, 64)
		if _, err := b.Verify(t.Context(), requests[64], false); err != nil {
			t.Errorf("got %v, want the session to work afterwards", err)
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
		{"invalid_grant", ErrInvalidGrant, ErrEnded},
		{"outage", &Outage{Status: 500}, ErrUnavailable},
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
				o, err := b.open(newSealed(values[0]))
				if err != nil {
					t.Fatal(err)
				}
				claims := o.access.Unverified()
				if _, err := b.renew(t.Context(), renewal{o, claims, claims.OrganizationID}, place{}, askerWait); !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				b.wantCalls(t, 1)
			})
		})
	}
}

// A request that verified a token while another one spent it doesn't have the old
// cookie remembered: it would never be superseded.
func TestSpentTokenIsNotRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(0))
		request := b.cookie(t, "r")
		values, _ := b.Cookie.Read(request)
		o, err := b.open(newSealed(values[0]))
		if err != nil {
			t.Fatal(err)
		}
		v, err := b.Verify(t.Context(), request, false)
		if err != nil {
			t.Fatal(err)
		}
		b.remember(o, v)
		if b.recall(o.hash, false) != v {
			t.Error("got nothing remembered before the refresh")
		}
		pass(4*time.Minute + 30*time.Second)
		if v, err := b.Verify(t.Context(), request, true); err != nil || v.Current == "" {
			t.Fatalf("got %v, %v, want a refresh", v, err)
		}
		b.remember(o, v)
		if b.recall(o.hash, false) != nil {
			t.Error("got the spent token's session remembered")
		}
	})
}

// An old cookie is forgotten when nobody has sent it for 30 days.
func TestRotationIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(0))
		request := b.cookie(t, "r")
		left := func() time.Duration {
			entry, ok := b.rotations.turns.GetEntryQuietly(hashToken("r"))
			if !ok {
				t.Fatal("got no rotation")
			}
			return entry.ExpiresAfter()
		}
		pass(6 * time.Minute)
		for range 2 {
			if v, err := b.Verify(t.Context(), request, false); err != nil || v.Current == "" {
				t.Errorf("got %v, %v, want the refreshed session", v, err)
			}
			if got := left(); got != 720*time.Hour {
				t.Errorf("got %s until it is forgotten, want 720h", got)
			}
			pass(time.Minute)
			if got := left(); got != 719*time.Hour+59*time.Minute {
				t.Errorf("got %s a minute later, want 719h59m", got)
			}
		}
		b.wantCalls(t, 1)
	})
}

func TestMemoriesAreBounded(t *testing.T) {
	t.Parallel()
	m, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][2]uint64{
		"bytes of remembered sessions": {m.remembered.GetMaximum(), 100 << 20},
		"turns":                        {m.rotations.turns.GetMaximum(), 500_000},
		"bytes of lines":               {m.rotations.lines.GetMaximum(), 256 << 20},
		"marks":                        {m.marks.byKey.GetMaximum(), 200_000},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: got %d at most, want %d", name, got[0], got[1])
		}
	}
}

// A line keeps the runs and sightings that matter, however many there are.
func TestLineIsBounded(t *testing.T) {
	t.Parallel()
	r := newRotations(time.Hour)
	key := lineKey{"user", "sid"}
	now := time.Unix(1_000_000, 0)
	for i := range 100 { // one token exchanged again and again: a run each
		r.record(rotation{line: key, spent: tokenHash{1}, next: tokenHash{2, byte(i)}, issued: now}, now, now)
	}
	for range 1000 {
		r.arrived(tokenHash{2, 99}, now)
	}
	l, _ := r.lines.GetIfPresent(key)
	if len(l.Runs) != maxRuns || len(l.Runs[maxRuns-1].Seen) != 1 {
		t.Errorf("got %d runs, %d sightings in the last, want %d and 1", len(l.Runs), len(l.Runs[maxRuns-1].Seen), maxRuns)
	}
	if p := r.find(tokenHash{2, 0}, "", now); !p.superseded {
		t.Error("got a token whose run was dropped that isn't superseded")
	}
	if p := r.find(tokenHash{2, 99}, "", now); p.superseded {
		t.Error("got the latest token superseded")
	}
}
