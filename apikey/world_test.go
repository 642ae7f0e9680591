package apikey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

const key = "sk_customer_0123456789"

var (
	client = netip.MustParseAddr("192.0.2.7")
	acme   = authkit.APIKey{ID: "api_key_1", Name: "Production", OrganizationID: "org_1", Permissions: []string{"posts:read"}}
)

// world is a Validator with the WorkOS that it asks, and the clock.
type world struct {
	*Validator
	mu     sync.Mutex
	now    time.Time
	keys   map[string]authkit.APIKey
	down   error                  // of all keys
	broken func(key string) error // of one key, may be nil
	calls  int
	before func(ctx context.Context) error // runs within a call, may be nil
	log    bytes.Buffer
}

// start makes a world at noon, where key is valid. change may be nil.
func start(t *testing.T, change func(*world, *Config)) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), keys: map[string]authkit.APIKey{key: acme}}
	c := Config{AuthKit: w, HashKey: []byte("0123456789abcdef"), Log: zerolog.New(zerolog.SyncWriter(&w.log)), Now: w.clock}
	if change != nil {
		change(w, &c)
	}
	w.Validator = New(c)
	t.Cleanup(func() { // otter's goroutines would keep a bubble open
		for _, cache := range []any{w.memory.good, w.memory.bad, w.memory.seen, w.memory.failed, w.limits.clients} {
			if stop, ok := cache.(interface{ StopAllGoroutines() bool }); ok && !stop.StopAllGoroutines() {
				t.Error("otter's goroutines had stopped already")
			}
		}
	})
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// set changes what WorkOS knows.
func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// ValidateAPIKey implements AuthKit. It answers what was right when the call began.
func (w *world) ValidateAPIKey(ctx context.Context, value string) (authkit.APIKey, bool, error) {
	w.mu.Lock()
	w.calls++
	k, ok := w.keys[value]
	before, err := w.before, w.down
	if w.broken != nil && err == nil {
		err = w.broken(value)
	}
	w.mu.Unlock()
	if before != nil {
		if err := before(ctx); err != nil {
			return authkit.APIKey{}, false, &session.Outage{Err: err}
		}
	}
	return k, ok, err
}

// valid fails the test unless the key is good.
func (w *world) valid(t *testing.T, key string, from netip.Addr) *identity.Identity {
	t.Helper()
	id, err := w.Verify(t.Context(), key, from)
	if err != nil || id == nil {
		t.Fatalf("got %v, %v, want an identity", id, err)
	}
	return id
}

// refused fails the test unless the key is refused with want.
func (w *world) refused(t *testing.T, key string, from netip.Addr, want error) {
	t.Helper()
	if id, err := w.Verify(t.Context(), key, from); id != nil || !errors.Is(err, want) {
		t.Fatalf("got %v, %v, want %v", id, err, want)
	}
}

// limited fails the test unless the client is over its limit.
func (w *world) limited(t *testing.T, key string, from netip.Addr, want time.Duration) {
	t.Helper()
	id, err := w.Verify(t.Context(), key, from)
	if limited, ok := errors.AsType[*LimitedError](err); id != nil || !ok || limited.RetryAfter != want {
		t.Fatalf("got %v, %v, want a limit for %s", id, err, want)
	}
}

// unavailable fails the test unless WorkOS can't be asked, and the wait is this.
func (w *world) unavailable(t *testing.T, key string, from netip.Addr, want time.Duration) {
	t.Helper()
	id, err := w.Verify(t.Context(), key, from)
	if outage, ok := errors.AsType[*session.Outage](err); id != nil || !ok || outage.RetryAfter != want {
		t.Fatalf("got %v, %v, want an outage for %s", id, err, want)
	}
}

func (w *world) wantCalls(t *testing.T, want int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls != want {
		t.Errorf("got %d calls to WorkOS, want %d", w.calls, want)
	}
}

// unknown is the i-th of many keys that WorkOS doesn't know.
func unknown(i int) string { return fmt.Sprintf("sk_unknown_%010d", i) }

// address is the i-th of many clients.
func address(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}
