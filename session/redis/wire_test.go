package redis

import (
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// wire is a way to Redis that can be cut.
type wire struct {
	net.Listener
	to   string
	lost atomic.Int64 // bytes that did not pass

	mu    sync.Mutex
	down  bool
	calls []net.Conn   // all connections but the bus's
	bus   *atomic.Bool // whether the bus's last connection is asleep
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	w := &wire{Listener: listener, to: to}
	go func() { // ends with the listener
		for {
			near, err := w.Accept()
			if err != nil {
				return
			}
			go w.serve(near)
		}
	}()
	return w
}

func (w *wire) serve(near net.Conn) {
	defer near.Close()
	if !w.admit(near) {
		return
	}
	far, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	asleep := new(atomic.Bool)
	go w.pass(near, far, asleep)
	w.pass(far, near, asleep)
}

func (w *wire) admit(near net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, near)
	return !w.down
}

func (w *wire) pass(to, from net.Conn, asleep *atomic.Bool) {
	defer to.Close()
	b := make([]byte, 4096)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		if strings.Contains(string(b[:n]), "subscribe") {
			w.isBus(from, asleep)
		}
		if asleep.Load() {
			w.lost.Add(int64(n))
		} else if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

func (w *wire) isBus(near net.Conn, asleep *atomic.Bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bus = asleep
	w.calls = slices.DeleteFunc(w.calls, func(c net.Conn) bool { return c == near })
}

// cut ends all connections but the bus's; while down, no others are made.
func (w *wire) cut(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
	for _, c := range w.calls {
		c.Close()
	}
	w.calls = nil
}

// sleep has the bus's connection go silent, but not end.
func (w *wire) sleep() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bus.Store(true)
}
