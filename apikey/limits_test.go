package apikey

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

func TestClientLimit(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.valid(t, key, address(1)) // known from now on
	for i := range 10 {
		w.refused(t, unknown(i), client, ErrInvalid)
	}
	w.limited(t, unknown(10), client, 6*time.Second)
	w.advance(2 * time.Second)
	w.limited(t, unknown(10), client, 4*time.Second)

	for i := range 10 {
		w.refused(t, unknown(i), client, ErrInvalid) // remembered
	}
	w.refused(t, unknown(10), address(2), ErrInvalid) // another client
	w.valid(t, key, client)                           // remembered
	w.advance(58 * time.Second)
	w.wantCalls(t, 12)

	for i := range 10 {
		w.refused(t, unknown(100+i), client, ErrInvalid) // full again
	}
	w.limited(t, unknown(111), client, 6*time.Second)
	w.valid(t, key, client) // asked about anew, as a known key
	w.wantCalls(t, 23)
	w.advance(6 * time.Second)
	w.refused(t, unknown(111), client, ErrInvalid)
	w.limited(t, unknown(112), client, 6*time.Second)
}

// After a restart every key is unknown. Whoever has many good ones is no flood.
func TestManyGoodKeysOfOneClient(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.set(func() {
		for i := range 30 {
			w.keys[unknown(i)] = acme
		}
	})
	for i := range 30 {
		w.valid(t, unknown(i), client)
	}
	for i := range 10 {
		w.refused(t, unknown(100+i), client, ErrInvalid)
	}
	w.limited(t, unknown(110), client, 6*time.Second)
}

func TestClients(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, one, other string
		same             bool
	}{
		{"neighbours", "192.0.2.7", "192.0.2.8", false},
		{"mapped to IPv6", "192.0.2.7", "::ffff:192.0.2.7", true},
		{"mapped neighbours", "::ffff:192.0.2.7", "::ffff:192.0.2.8", false},
		{"one /64", "2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
		{"another /64", "2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"zones", "fe80::1%eth0", "fe80::2%eth1", true},
		{"invalid ones", "", "", true},
		{"invalid and 0.0.0.0", "", "0.0.0.0", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			one, _ := netip.ParseAddr(tt.one)
			other, _ := netip.ParseAddr(tt.other)
			w := start(t, nil)
			for i := range 10 {
				w.refused(t, unknown(i), one, ErrInvalid)
			}
			if tt.same {
				w.limited(t, unknown(10), other, 6*time.Second)
			} else {
				w.refused(t, unknown(10), other, ErrInvalid)
			}
		})
	}
}

// The budgets of unknown and known keys, with every key from a client of its own.
func TestBudgets(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	ask := func(from, n int) {
		t.Helper()
		for i := range n {
			w.refused(t, unknown(from+i), address(from+i), ErrInvalid)
		}
		w.unavailable(t, unknown(from+n), address(from+n), time.Second)
	}
	ask(0, 40)
	w.advance(time.Second)
	ask(100, 20)
	w.advance(500 * time.Millisecond)
	ask(200, 10)
	w.advance(time.Hour)
	ask(300, 40)
	w.wantCalls(t, 110)
}

func TestBudgetOfKnownKeys(t *testing.T) {
	t.Parallel()
	w := start(t, func(w *world, _ *Config) {
		for i := range 160 {
			w.keys[unknown(i)] = acme
		}
	})
	for i := range 160 {
		w.valid(t, unknown(i), address(i))
		w.advance(50 * time.Millisecond) // 20 a second
	}
	w.advance(time.Minute)
	for i := range 100 {
		w.valid(t, unknown(i), client)
	}
	w.unavailable(t, unknown(100), client, time.Second)
	w.valid(t, unknown(99), client) // remembered
	w.advance(time.Second)
	for i := range 50 {
		w.valid(t, unknown(100+i), client)
	}
	w.unavailable(t, unknown(150), client, time.Second)
	w.wantCalls(t, 310)
}

// An hour after WorkOS last held it for valid, a key is like any other.
func TestKnownForAnHour(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.valid(t, key, client)
	exhaust := func(from int) {
		for i := range 10 {
			w.refused(t, unknown(from+i), client, ErrInvalid)
		}
	}
	w.advance(time.Hour - time.Nanosecond)
	exhaust(0)
	w.valid(t, key, client)
	w.advance(time.Hour)
	exhaust(10)
	w.limited(t, key, client, 6*time.Second)
}

// A key that was refused is not known any more.
func TestRefusedKeyIsUnknown(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.valid(t, key, client)
	w.set(func() { delete(w.keys, key) })
	w.advance(time.Minute)
	w.refused(t, key, client, ErrInvalid)
	w.advance(time.Minute)
	for i := range 10 {
		w.refused(t, unknown(i), client, ErrInvalid)
	}
	w.limited(t, key, client, 6*time.Second)
}

// 10,000 random keys from 5 addresses, and a good key meanwhile.
func TestFlood(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.valid(t, key, client)
	flood := func(from, n int) {
		for i := range n {
			_, err := w.Verify(t.Context(), unknown(from+i), address(i%5))
			if err == nil {
				t.Fatal("got an identity, want none")
			}
			if i%500 == 0 {
				w.valid(t, key, client)
			}
		}
	}
	w.advance(time.Minute)
	flood(0, 10_000)
	w.wantCalls(t, 42) // twice the good key, and the budget at once
	for i := range 5 {
		w.advance(time.Minute)
		flood(10_000*(i+1), 1000)
	}
	w.wantCalls(t, 247) // five times the good key, and the budget again
}

// While WorkOS is down, it is asked about one key a second of each kind. Keys whose
// results are remembered go on to the end of their minute.
func TestOutage(t *testing.T) {
	t.Parallel()
	w := start(t, func(w *world, _ *Config) {
		for i := range 5 {
			w.keys[unknown(i)] = acme
		}
	})
	for i := range 5 {
		w.valid(t, unknown(i), client)
	}
	w.advance(30 * time.Second)
	w.valid(t, key, client)
	w.set(func() { w.down = &session.Outage{Status: 503} })
	w.advance(30 * time.Second)
	w.wantCalls(t, 6)

	for i := range 5 {
		w.unavailable(t, unknown(i), client, 0)
		w.unavailable(t, unknown(i), client, time.Second) // the key pauses
	}
	w.wantCalls(t, 11)
	w.unavailable(t, unknown(100), client, time.Second) // the breaker is open, for unknown keys too
	w.wantCalls(t, 11)
	for i := range 29 {
		w.advance(time.Second)
		w.valid(t, key, client) // remembered
		w.unavailable(t, unknown(200+i), client, 0)
		w.unavailable(t, unknown(300), client, time.Second)
	}
	w.wantCalls(t, 40)
	w.advance(time.Second)
	w.unavailable(t, key, client, 0) // its minute is over
	w.wantCalls(t, 41)

	w.set(func() { w.down = nil })
	w.advance(time.Second - time.Nanosecond)
	w.unavailable(t, key, client, time.Nanosecond)
	w.advance(time.Second + time.Nanosecond)
	w.valid(t, key, client)
	w.valid(t, unknown(0), client)
	w.refused(t, unknown(100), client, ErrInvalid)
	w.refused(t, unknown(300), client, ErrInvalid)
}

// A key that WorkOS can't validate is that key's trouble, known or not, and be it asked
// for all the time.
func TestOneKeysTroubleIsNoOutage(t *testing.T) {
	t.Parallel()
	w := start(t, func(w *world, _ *Config) {
		for i := range 4 {
			w.keys[unknown(i)] = acme
		}
	})
	for i := range 4 {
		w.valid(t, unknown(i), client)
	}
	w.advance(time.Minute)
	w.set(func() {
		w.broken = func(key string) error {
			if key < unknown(4) && strings.HasPrefix(key, "sk_unknown") {
				return &session.Outage{Status: 500}
			}
			return nil
		}
		for i := range 40 {
			w.keys[unknown(1000+i)] = acme
		}
	})
	for i := range 40 {
		for j := range 4 {
			w.refused(t, unknown(j), client, session.ErrUnavailable)
		}
		w.valid(t, unknown(1000+i), client)
		w.advance(time.Second / 4)
	}
	if w.calls > 4+4*12+40 { // 10 s, in each of which a key may be tried once
		t.Errorf("got %d calls to WorkOS, want %d at most", w.calls, 4+4*12+40)
	}
}

// An outage isn't counted against a client.
func TestOutageCostsNothing(t *testing.T) {
	t.Parallel()
	w := start(t, func(w *world, _ *Config) { w.down = &session.Outage{} })
	for i := range 30 {
		w.unavailable(t, unknown(i), client, map[bool]time.Duration{true: 0, false: time.Second}[i < 5])
	}
	w.set(func() { w.down = nil })
	w.advance(time.Second)
	for i := range 10 {
		w.refused(t, unknown(100+i), client, ErrInvalid)
	}
	w.limited(t, unknown(110), client, 6*time.Second)
}

// A flood from many clients takes the budget of unknown keys. A customer whose keys
// aren't known yet is answered with 503 meanwhile, which costs nothing, and is served
// as soon as the flood is over.
func TestCustomerAfterAFlood(t *testing.T) {
	t.Parallel()
	w := start(t, func(w *world, _ *Config) {
		for i := range 14 {
			w.keys[unknown(i)] = acme
		}
	})
	for second := range 30 {
		for i := range 200 {
			_, _ = w.Verify(t.Context(), unknown(1000+1000*second+i), address(1000*second+i))
		}
		for i := range 14 {
			w.unavailable(t, unknown(i), client, time.Second)
		}
		w.advance(time.Second)
	}
	for i := range 14 {
		w.valid(t, unknown(i), client)
	}
	for i := range 6 { // and its own limit is whole
		w.refused(t, unknown(100+i), client, ErrInvalid)
	}
	w.advance(time.Second)
	for i := range 4 {
		w.refused(t, unknown(200+i), client, ErrInvalid)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	over := func() {
		for i := range 200 {
			_, _ = w.Verify(t.Context(), unknown(i), client)
			_, _ = w.Verify(t.Context(), unknown(1000+i), address(i))
		}
	}
	counts := func(want int) {
		t.Helper()
		for _, line := range []string{
			`{"level":"warn","client":"192.0.2.7","message":"too many unknown API keys from a client; more of them are answered with 429"}`,
			`{"level":"warn","keys":"unknown","message":"too many API keys to validate at WorkOS; some requests are answered with 503"}`,
		} {
			if got := strings.Count(w.log.String(), line); got != want {
				t.Errorf("got %d times %s, want %d", got, line, want)
			}
		}
	}
	over()
	w.advance(time.Minute - time.Second)
	over()
	counts(1)
	w.advance(time.Second)
	over()
	counts(2)
}

func TestBounds(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	for name, bounded := range map[string]any{
		"valid keys": w.memory.good, "refused keys": w.memory.bad, "known keys": w.memory.seen, "clients": w.limits.clients,
	} {
		if got := bounded.(interface{ GetMaximum() uint64 }).GetMaximum(); got != 50_000 {
			t.Errorf("%s: got %d, want 50000", name, got)
		}
	}
}
