package redis

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

func TestLock(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	stores := []*Store{open(t, "redis://"+m.Addr()), open(t, "redis://"+m.Addr())}
	var inside, total atomic.Int64
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			release, err := stores[i%2].Lock(t.Context(), "token")
			if err != nil {
				t.Error(err)
				return
			}
			if n := inside.Add(1); n != 1 {
				t.Errorf("got %d holders at a time", n)
			}
			total.Add(1)
			inside.Add(-1)
			release()
		})
	}
	wg.Wait()
	if total.Load() != 6 || m.Exists("authkit-forward-auth:lock:token") {
		t.Errorf("got %d holders, lock left: %t, want 6 and none", total.Load(), m.Exists("authkit-forward-auth:lock:token"))
	}
}

// A lease is extended as long as it is held.
func TestLockIsExtended(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	release, err := open(t, "redis://"+m.Addr()).Lock(t.Context(), "token")
	if err != nil {
		t.Fatal(err)
	}
	if got := m.TTL("authkit-forward-auth:lock:token"); got != 3*time.Second {
		t.Errorf("got a lease of %s, want 3s", got)
	}
	m.SetTTL("authkit-forward-auth:lock:token", time.Minute)
	eventually(t, "another lease", func() bool { return m.TTL("authkit-forward-auth:lock:token") == 3*time.Second })
	release()
	if m.Exists("authkit-forward-auth:lock:token") {
		t.Error("got a lock after its release, want none")
	}
}

// The lease of a dead holder ends; a late release takes nothing from the next one.
func TestLockOfTheDead(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	s := open(t, "redis://"+m.Addr())
	if err := m.Set("authkit-forward-auth:lock:token", "somebody"); err != nil {
		t.Fatal(err)
	}
	m.SetTTL("authkit-forward-auth:lock:token", 3*time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Lock(ctx, "token"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want to give up with the context", err)
	}
	if err := s.Err(); err != nil {
		t.Errorf("got %v: a caller that gives up says nothing about Redis", err)
	}
	m.FastForward(3 * time.Second)
	release, err := s.Lock(t.Context(), "token")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Set("authkit-forward-auth:lock:token", "the next"); err != nil {
		t.Fatal(err)
	}
	release()
	if got, _ := m.Get(prefix + "lock:token"); got != "the next" {
		t.Errorf("got lock %q after a late release, want the next holder's", got)
	}
}
