package redis

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

var (
	_ session.Store = (*Store)(nil)
	_ session.Bus   = (*Store)(nil)
)

const ttl = time.Hour

// schemes are the ways to reach a Redis, with what stands after the host.
var schemes = map[string]string{"redis": "/0", "redis+sentinel": "/mymaster/0", "redis+cluster": ""}

// start starts a Redis, which is also its own Sentinel and a cluster of one node.
func start(t *testing.T) *miniredis.Miniredis {
	t.Helper()
	m := miniredis.RunT(t)
	err := m.Server().Register("SENTINEL", func(c *server.Peer, _ string, args []string) {
		switch {
		case !strings.EqualFold(args[0], "get-master-addr-by-name"):
			c.WriteLen(0)
		case args[1] != "mymaster":
			c.WriteNull()
		default:
			c.WriteStrings([]string{m.Host(), m.Port()})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// open makes a Store that reaches a server by URL.
func open(t *testing.T, rawURL string) *Store {
	t.Helper()
	s, err := New(rawURL, "bus")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// set is an Update that doesn't look at what is there.
func set(t *testing.T, s *Store, key, value string) {
	t.Helper()
	if err := s.Update(t.Context(), key, ttl, func([]byte) []byte { return []byte(value) }); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what another goroutine does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	t.Log("waiting: " + what)
	for !ok() {
		time.Sleep(time.Millisecond)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	for scheme, tail := range schemes {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			m := start(t)
			s := open(t, scheme+"://"+m.Addr()+tail)
			set(t, s, "one", "1")
			set(t, s, "two", "\x00\xff")
			values, err := s.Load(t.Context(), 2*ttl, "one", "none", "two", "one")
			if err != nil || len(values) != 4 || string(values[0]) != "1" || values[1] != nil || string(values[2]) != "\x00\xff" || string(values[3]) != "1" {
				t.Errorf("got %q, %v, want 1, none, two bytes, 1", values, err)
			}
			if got := m.TTL("authkit-forward-auth:one"); got != 2*ttl {
				t.Errorf("got %s to live after a Load, want %s", got, 2*ttl)
			}
			m.FastForward(2 * ttl)
			if values, err := s.Load(t.Context(), ttl, "one"); err != nil || values[0] != nil {
				t.Errorf("got %q, %v after its time, want none", values, err)
			}
		})
	}
}

// A master that no Sentinel knows is an error, not a store without values.
func TestUnknownMaster(t *testing.T) {
	t.Parallel()
	s := open(t, "redis+sentinel://"+start(t).Addr()+"/other")
	if values, err := s.Load(t.Context(), ttl, "one"); err == nil {
		t.Errorf("got %q, want an error", values)
	}
	if err := s.Update(t.Context(), "one", ttl, func([]byte) []byte { return nil }); err == nil {
		t.Error("got an update, want an error")
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	m := start(t)
	s := open(t, "redis://"+m.Addr())
	calls := 0
	err := s.Update(t.Context(), "key", ttl, func(old []byte) []byte {
		if calls++; calls == 1 { // somebody else is faster
			if old != nil {
				t.Errorf("got old value %q, want none", old)
			}
			set(t, s, "key", "theirs")
		}
		return append(old, "+ours"...)
	})
	if got, _ := m.Get("authkit-forward-auth:key"); err != nil || calls != 2 || got != "theirs+ours" {
		t.Errorf("got %q, %v after %d calls, want theirs+ours after 2", got, err, calls)
	}
	if got := m.TTL("authkit-forward-auth:key"); got != ttl {
		t.Errorf("got %s to live, want %s", got, ttl)
	}
	if err := s.Update(t.Context(), "key", ttl, func([]byte) []byte { return nil }); err != nil {
		t.Error(err)
	}
	if got, _ := m.Get("authkit-forward-auth:key"); got != "theirs+ours" {
		t.Errorf("got %q after an update that leaves the value, want theirs+ours", got)
	}
	n := 0
	err = s.Update(t.Context(), "key", ttl, func([]byte) []byte { // somebody else always is
		n++
		set(t, s, "key", strconv.Itoa(n))
		return []byte("ours")
	})
	if got, _ := m.Get("authkit-forward-auth:key"); err == nil || got != "20" || s.Err() != nil {
		t.Errorf("got %q, %v, %v, want to give up after 20, with the store in use", got, err, s.Err())
	}
}

func TestUpdateLosesNothing(t *testing.T) {
	t.Parallel()
	for scheme, tail := range schemes {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			m := start(t)
			rawURL := scheme + "://" + m.Addr() + tail
			stores := []*Store{open(t, rawURL), open(t, rawURL), open(t, rawURL)}
			var wg sync.WaitGroup
			var done atomic.Int64
			for i := range 12 {
				wg.Go(func() {
					for range 5 {
						err := stores[i%3].Update(t.Context(), "count", ttl, func(old []byte) []byte {
							n, _ := strconv.Atoi(string(old))
							return strconv.AppendInt(nil, int64(n+1), 10)
						})
						if err == nil {
							done.Add(1)
						}
					}
				})
			}
			wg.Wait()
			if got, _ := m.Get("authkit-forward-auth:count"); got != strconv.FormatInt(done.Load(), 10) || done.Load() == 0 {
				t.Errorf("got %q, want the %d updates that succeeded", got, done.Load())
			}
		})
	}
}

// All that is written is in reach of an ACL for the prefix.
func TestKeys(t *testing.T) {
	t.Parallel()
	m := start(t)
	s := open(t, "redis://"+m.Addr())
	set(t, s, "key", "value")
	release, err := s.Lock(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	h := listen(t, s)
	eventually(t, "listening", func() bool { return h.String() == "missed:false" })
	want := "authkit-forward-auth:epoch authkit-forward-auth:key authkit-forward-auth:lock:key"
	if got := strings.Join(m.Keys(), " "); got != want {
		t.Errorf("got keys %s, want %s", got, want)
	}
	if got := strings.Join(m.PubSubChannels("*"), " "); got != "authkit-forward-auth:bus" {
		t.Errorf("got channels %s, want authkit-forward-auth:bus", got)
	}
}
