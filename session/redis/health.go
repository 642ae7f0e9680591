package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const probeEvery = 500 * time.Millisecond

// ErrLeftOut is the error of every call while Redis doesn't answer.
var ErrLeftOut = errors.New("redis: left out")

// health knows whether the store is left out.
type health struct {
	mu     sync.Mutex
	cause  error
	since  time.Time
	back   []func() // called when the store is back in use
	closed chan struct{}
	probes sync.WaitGroup
}

// Err is nil while the store is in use. Otherwise it is an ErrLeftOut that says why,
// and since when.
func (s *Store) Err() error { return s.health.err() }

func (h *health) err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cause == nil {
		return nil
	}
	return fmt.Errorf("%w since %s: %w", ErrLeftOut, h.since.UTC().Format(time.RFC3339), h.cause)
}

// dead tells whether an error says that Redis doesn't answer. What Redis says
// itself, and a pool that is merely busy, say the contrary.
func dead(err error) bool {
	var reply redis.Error
	var network net.Error
	switch {
	case errors.Is(err, redis.ErrPoolTimeout), errors.As(err, &reply):
		return false
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &network):
		return true
	}
	return !errors.Is(err, context.Canceled)
}

// leaveOut has calls fail at once from now on, and begins to probe.
func (s *Store) leaveOut(err error) {
	h := &s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.closed:
		return
	default:
	}
	if h.cause == nil {
		h.cause, h.since = err, time.Now()
		h.probes.Go(s.probe)
	}
}

// probe asks until Redis answers or the store is closed. Where it answers the first
// time it was only slow, and nothing is made of it.
func (s *Store) probe() {
	if s.answers() {
		s.takeBack()
		return
	}
	s.Log.Error().Err(s.Err()).Msg("Redis doesn't answer: this replica goes on with what it remembers itself")
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.health.closed:
			return
		case <-tick.C:
		}
		if s.answers() {
			s.Log.Info().Msg("Redis answers again")
			for _, call := range s.takeBack() {
				call()
			}
			return
		}
	}
}

func (s *Store) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := s.client.Ping(ctx).Err()
	var reply redis.Error
	return err == nil || errors.As(err, &reply) // an answer, if not the one hoped for
}

func (s *Store) takeBack() []func() {
	h := &s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cause = nil
	return h.back
}

// whenBack has call called each time the store is taken back. It must not block.
func (h *health) whenBack(call func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.back = append(h.back, call)
}

func (h *health) close() {
	h.mu.Lock()
	select {
	case <-h.closed:
	default:
		close(h.closed)
	}
	h.mu.Unlock()
	h.probes.Wait()
}
