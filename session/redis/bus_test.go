package redis

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/alicebob/miniredis/v2"
)

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
func listen(t *testing.T, s *Store) *heard {
	t.Helper()
	h := &heard{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Listen(ctx, func(message []byte) { h.note(t, string(message)) }, func(emptied bool) { h.note(t, fmt.Sprint("missed:", emptied)) }, func() {})
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
			h, too := listen(t, s), listen(t, other)
			eventually(t, "both listen", func() bool { return h.String() == "missed:false" && too.String() == "missed:false" })
			publish(t, s, "one", "two", "three")
			for _, h := range []*heard{h, too} {
				eventually(t, "three messages in order", func() bool { return h.String() == "missed:false one two three" })
			}
		})
	}
}

func TestListenAfterARestart(t *testing.T) {
	t.Parallel()
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	address := m.Addr()
	again := func() {
		m.Close()
		if err := m.StartAddr(address); err != nil { // miniredis keeps its values
			t.Fatal(err)
		}
	}
	h := listen(t, open(t, "redis://"+address))
	eventually(t, "listening", func() bool { return h.String() == "missed:false" })
	again()
	eventually(t, "a gap", func() bool { return h.String() == "missed:false missed:false" })
	m.FlushAll()
	again()
	eventually(t, "a loss", func() bool { return h.String() == "missed:false missed:false missed:true" })
	again()
	eventually(t, "one loss, told once", func() bool { return h.String() == "missed:false missed:false missed:true missed:false" })
}

// Redis isn't there when the service starts.
func TestListenBeforeRedis(t *testing.T) {
	t.Parallel()
	m := start(t)
	address := m.Addr()
	m.Close()
	s := open(t, "redis://"+address)
	h := listen(t, s)
	if err := s.Publish(t.Context(), []byte("lost")); err == nil {
		t.Error("got a message sent, want an error")
	}
	if err := m.StartAddr(address); err != nil {
		t.Fatal(err)
	}
	eventually(t, "listening", func() bool { return strings.Contains(h.String(), "missed:false") })
}

// A connection that is silent for good is replaced.
func TestListenOnAHalfOpenConnection(t *testing.T) {
	t.Parallel()
	m := start(t)
	w := newWire(t, m.Addr())
	s := open(t, "redis://"+w.Addr().String())
	h := listen(t, s)
	eventually(t, "listening", func() bool { return h.String() == "missed:false" })
	w.sleep()
	publish(t, s, "lost")
	eventually(t, "another connection", func() bool { return h.String() == "missed:false missed:false" })
	publish(t, s, "heard")
	eventually(t, "a message", func() bool { return h.String() == "missed:false missed:false heard" })
	if w.lost.Load() == 0 {
		t.Error("got all bytes through, want the message and the ping lost")
	}
}

// The end of an outage is told though the bus's own connection has held.
func TestListenAfterAnOutage(t *testing.T) {
	t.Parallel()
	m := start(t)
	w := newWire(t, m.Addr())
	s := open(t, "redis://"+w.Addr().String())
	log := &logs{}
	s.Log = log.logger()
	h := listen(t, s)
	eventually(t, "listening", func() bool { return h.String() == "missed:false" })
	w.cut(true)
	if _, err := s.Load(t.Context(), ttl, "key"); err == nil {
		t.Error("got an answer, want an error")
	}
	eventually(t, "an outage", func() bool { return strings.Contains(log.String(), "doesn't answer") })
	if got := h.String(); got != "missed:false" {
		t.Errorf("got %s before the end of the outage, want missed:false", got)
	}
	w.cut(false)
	eventually(t, "the end", func() bool { return h.String() == "missed:false missed:false" })
}
