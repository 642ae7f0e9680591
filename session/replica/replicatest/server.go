package replicatest

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica"
)

const (
	limit     = 250 * time.Millisecond // that a call waits for the server
	reconnect = 50 * time.Millisecond
	queued    = 20_000 // messages that a listener may be behind
)

// ErrDown is the error of calls that reach no server.
var ErrDown = errors.New("replicatest: down")

// Faults are what is wrong with a Server. The zero value is a good one.
type Faults struct {
	Down       bool          // nothing answers
	Full       bool          // no writes
	BusDown    bool          // no messages
	Delay      time.Duration // of each answer; of 250 ms or more nobody waits for it, but it is done
	LoseAnswer func() bool   // a call is done, and its answer lost
	LoseOne    func() bool   // a message doesn't reach one listener
}

// Server is the store and the bus of all who Connect. Make it with NewServer.
type Server struct {
	mu        sync.Mutex
	values    map[string]replica.Value
	listeners map[*listener]bool
	faults    Faults
	now       func() time.Time
	loads     int
}

type listener struct {
	conn     *Conn
	messages chan []byte
}

// NewServer makes an empty Server. now is its clock; nil is time.Now.
func NewServer(now func() time.Time) *Server {
	if now == nil {
		now = time.Now
	}
	return &Server{values: map[string]replica.Value{}, listeners: map[*listener]bool{}, now: now}
}

// Set sets what is wrong.
func (s *Server) Set(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// SetClock sets the server's clock.
func (s *Server) SetClock(now func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

// Snapshot is all values, for Restore.
func (s *Server) Snapshot() map[string]replica.Value {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.values)
}

// Restore puts values in the place of all others; nil empties the server.
func (s *Server) Restore(values map[string]replica.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values = map[string]replica.Value{}
	maps.Copy(s.values, values)
}

// Loads is how many values were read.
func (s *Server) Loads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loads
}

// Listeners is how many listen to the bus.
func (s *Server) Listeners() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.listeners)
}

// Conn is one replica's way to the server: a replica.Store and a replica.Bus.
type Conn struct {
	server    *Server
	mu        sync.Mutex
	noStore   bool
	noBus     bool
	downUntil time.Time // as a circuit breaker has it
}

// Connect makes a Conn.
func (s *Server) Connect() *Conn { return &Conn{server: s} }

// Cut cuts a replica off from the store or the bus, or lets it back.
func (c *Conn) Cut(store, bus bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noStore, c.noBus = store, bus
}

func (c *Conn) cut() (store, bus bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.noStore, c.noBus
}

// call does something at the server, if it is reached, and waits for the answer.
func (c *Conn) call(ctx context.Context, do func(s *Server) error) error {
	s := c.server
	s.mu.Lock()
	f := s.faults
	s.mu.Unlock()
	noStore, _ := c.cut()
	if f.Down || noStore {
		return c.giveUp(ctx)
	}
	if c.open() {
		return ErrDown
	}
	wait(ctx, f.Delay/2)
	s.mu.Lock()
	err := do(s)
	s.mu.Unlock()
	if f.Delay >= limit || f.LoseAnswer != nil && f.LoseAnswer() {
		return c.giveUp(ctx)
	}
	wait(ctx, f.Delay-f.Delay/2)
	return err
}

// open reports whether the circuit breaker is open.
func (c *Conn) open() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Before(c.downUntil)
}

// giveUp waits as long as a call waits for a dead server; the next ones fail at once.
func (c *Conn) giveUp(ctx context.Context) error {
	if c.open() {
		return ErrDown
	}
	wait(ctx, limit)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.downUntil = time.Now().Add(500 * time.Millisecond)
	return ErrDown
}

func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Load implements replica.Store.
func (c *Conn) Load(ctx context.Context, key string, _ time.Duration) (v replica.Value, now time.Time, err error) {
	err = c.call(ctx, func(s *Server) error {
		s.loads++
		v, now = s.values[key], s.now()
		return nil
	})
	if err != nil {
		return replica.Value{}, time.Time{}, err
	}
	return v, now, nil
}

// Swap implements replica.Store.
func (c *Conn) Swap(ctx context.Context, key string, old replica.Tag, next replica.Value, _ time.Duration, announcement []byte) (swapped bool, current replica.Value, now time.Time, err error) {
	err = c.call(ctx, func(s *Server) error {
		now = s.now()
		if current = s.values[key]; current.Tag != old {
			return nil
		}
		if s.faults.Full {
			return replica.ErrFull
		}
		s.values[key], swapped, current = next, true, next
		if len(announcement) > 0 {
			s.deliver(announcement)
		}
		return nil
	})
	if err != nil {
		return false, replica.Value{}, time.Time{}, err
	}
	return swapped, current, now, nil
}

// Publish implements replica.Bus.
func (c *Conn) Publish(ctx context.Context, message []byte) error {
	return c.call(ctx, func(s *Server) error {
		s.deliver(message)
		return nil
	})
}

// deliver hands a message to the listeners. The caller holds mu.
func (s *Server) deliver(message []byte) {
	for l := range s.listeners {
		if _, noBus := l.conn.cut(); noBus || s.faults.BusDown || s.faults.LoseOne != nil && s.faults.LoseOne() {
			continue
		}
		select {
		case l.messages <- message:
		default: // too slow: Redis would close the connection
		}
	}
}

// Listen implements replica.Bus.
func (c *Conn) Listen(ctx context.Context, silence time.Duration, connected func(), receive func(message []byte)) {
	for ctx.Err() == nil {
		if c.reachesBus() {
			c.subscription(ctx, silence, connected, receive)
		}
		wait(ctx, reconnect)
	}
}

func (c *Conn) reachesBus() bool {
	_, noBus := c.cut()
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return !noBus && !c.server.faults.Down && !c.server.faults.BusDown
}

func (c *Conn) subscription(ctx context.Context, silence time.Duration, connected func(), receive func(message []byte)) {
	l := &listener{c, make(chan []byte, queued)}
	c.server.mu.Lock()
	c.server.listeners[l] = true
	c.server.mu.Unlock()
	defer func() {
		c.server.mu.Lock()
		defer c.server.mu.Unlock()
		delete(c.server.listeners, l)
	}()
	connected()
	for {
		quiet := time.NewTimer(silence)
		select {
		case <-ctx.Done():
			return
		case <-quiet.C:
			return
		case message := <-l.messages:
			quiet.Stop()
			receive(message)
		}
	}
}
