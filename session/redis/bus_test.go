package redis

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

const silence = time.Minute // no connection counts as half-open

// heard is what a Listen has called, in order.
type heard struct {
	busy atomic.Bool
	mu   sync.Mutex
	all  []string
}

func (h *heard) note(t *testing.T, what string) {
	if !h.busy.CompareAndSwap(false, true) {
		t.Error("got two calls at the same time")
	}
	defer h.busy.Store(false)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, what)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.all, " ")
}

// listen listens until the test ends.
func listen(t *testing.T, s *Store, silence time.Duration) *heard {
	t.Helper()
	h := &heard{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Listen(ctx, silence, func() { h.note(t, "connected") }, func(message []byte) { h.note(t, string(message)) })
	}()
	t.Cleanup(func() { cancel(); <-done })
	return h
}

func publish(t *testing.T, s *Store, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := s.Publish(t.Context(), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	for scheme, tail := range schemes {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			rawURL := scheme + "://" + start(t).Addr() + tail
			s, other := open(t, rawURL), open(t, rawURL)
			h, too := listen(t, s, silence), listen(t, other, silence)
			eventually(t, "both listen", func() bool { return h.String() == "connected" && too.String() == "connected" })
			publish(t, s, "one", "two", "three")
			for _, h := range []*heard{h, too} {
				eventually(t, "three messages in order", func() bool { return h.String() == "connected one two three" })
			}
		})
	}
}

// Listen ends with its context, though nothing comes.
func TestListenEnds(t *testing.T) {
	t.Parallel()
	s := open(t, "redis://"+start(t).Addr())
	ctx, cancel := context.WithCancel(t.Context())
	s.Listen(ctx, silence, cancel, func([]byte) {})
}

func TestListenAfterARestart(t *testing.T) {
	t.Parallel()
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	address := m.Addr()
	h := listen(t, open(t, "redis://"+address), silence)
	eventually(t, "listening", func() bool { return h.String() == "connected" })
	m.Close()
	if err := m.StartAddr(address); err != nil {
		t.Fatal(err)
	}
	eventually(t, "listening again", func() bool { return h.String() == "connected connected" })
}

// Redis isn't there when the service starts.
func TestListenBeforeRedis(t *testing.T) {
	t.Parallel()
	m := start(t)
	address := m.Addr()
	m.Close()
	h := listen(t, open(t, "redis://"+address), silence)
	s := open(t, "redis://"+address)
	if err := s.Publish(t.Context(), []byte("lost")); err == nil {
		t.Error("got a message sent, want an error")
	}
	if err := m.StartAddr(address); err != nil {
		t.Fatal(err)
	}
	eventually(t, "listening", func() bool { return h.String() == "connected" })
}

// A connection that is silent but doesn't end is replaced. Messages of others keep it.
func TestListenOnAHalfOpenConnection(t *testing.T) {
	t.Parallel()
	m := start(t)
	w := newWire(t, m.Addr())
	s := open(t, "redis://"+m.Addr())
	ctx, cancel := context.WithCancel(t.Context())
	var pings sync.WaitGroup
	defer pings.Wait()
	defer cancel()
	pings.Go(func() {
		for ctx.Err() == nil {
			_ = s.Publish(ctx, []byte("."))
			time.Sleep(50 * time.Millisecond)
		}
	})
	h := listen(t, open(t, "redis://"+w.Addr().String()), 400*time.Millisecond)
	count := func() int { return strings.Count(h.String(), "connected") }
	eventually(t, "a second of pings", func() bool { return strings.Count(h.String(), ".") > 20 })
	if got := count(); got != 1 {
		t.Errorf("got %d connections while pings came, want 1", got)
	}
	w.sleep()
	begin := time.Now()
	eventually(t, "another connection", func() bool { return count() > 1 })
	if took := time.Since(begin); took < 300*time.Millisecond || took > time.Second {
		t.Errorf("got another connection after %s, want about 400ms", took)
	}
	eventually(t, "a message", func() bool { // a busy machine may have ended the connection again
		_ = s.Publish(t.Context(), []byte("heard"))
		return strings.Contains(h.String(), "heard")
	})
	if w.lost.Load() == 0 {
		t.Error("got all bytes through, want some lost")
	}
}

// An outage that only calls notice doesn't end the subscription.
func TestListenDuringAnOutage(t *testing.T) {
	t.Parallel()
	m := start(t)
	w := newWire(t, m.Addr())
	s := open(t, "redis://"+w.Addr().String())
	h := listen(t, s, silence)
	eventually(t, "listening", func() bool { return h.String() == "connected" })
	w.cut(true)
	if err := s.Publish(t.Context(), []byte("lost")); err == nil {
		t.Error("got a message sent, want an error")
	}
	publish(t, open(t, "redis://"+m.Addr()), "heard")
	eventually(t, "a message", func() bool { return h.String() == "connected heard" })
}
