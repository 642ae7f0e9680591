package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	probeEvery  = 500 * time.Millisecond
	reportEvery = time.Minute
)

// ErrLeftOut is the error of every call while Redis doesn't answer.
var ErrLeftOut = errors.New("redis: left out")

// health knows whether the store is left out.
type health struct {
	mu       sync.Mutex
	cause    error // nil: it is in use
	since    time.Time
	reported time.Time
	first    chan struct{} // closed when the first probe of the latest outage is over
	back     chan struct{} // closed at the end of the next outage
	closed   chan struct{}
	probes   sync.WaitGroup
}

func newHealth() *health {
	return &health{back: make(chan struct{}), closed: make(chan struct{})}
}

// Err is nil while the store is in use. Otherwise it is an ErrLeftOut that says why,
// and since when.
func (s *Store) Err() error {
	h := s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cause == nil {
		return nil
	}
	return fmt.Errorf("%w since %s: %w", ErrLeftOut, h.since.UTC().Format(time.RFC3339), h.cause)
}

// dead reports whether an error says that Redis doesn't answer. What Redis says
// itself, and a pool that is merely busy, say the contrary.
func dead(err error) bool {
	var reply redis.Error
	if errors.As(err, &reply) {
		return errors.Is(err, redis.Nil) // no Sentinel knows the master
	}
	return !errors.Is(err, redis.ErrPoolTimeout) && !errors.Is(err, context.Canceled)
}

// report logs that a call failed though Redis answers, once a minute.
func (s *Store) report(err error) {
	h := s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := time.Now(); now.Sub(h.reported) >= reportEvery {
		h.reported = now
		s.Log.Warn().Err(err).Msg("a call to Redis failed (reported once a minute)")
	}
}

// judge makes of an error what it says about Redis.
func (s *Store) judge(err error) {
	if dead(err) {
		s.leaveOut(err)
	} else {
		s.report(err)
	}
}

// wasSlow waits, where the store was left out this moment, for the first probe, and
// reports whether Redis answers after all.
func (s *Store) wasSlow() bool {
	s.health.mu.Lock()
	first := s.health.first
	s.health.mu.Unlock()
	if first == nil {
		return false
	}
	<-first // a probe has the limit of a call
	return s.Err() == nil
}

// leaveOut has calls fail at once from now on. The goroutine that asks whether Redis
// answers again ends then, or with Close.
func (s *Store) leaveOut(cause error) {
	h := s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.closed:
		return
	default:
	}
	if h.cause == nil {
		h.cause, h.since, h.first = cause, time.Now(), make(chan struct{})
		first := h.first
		h.probes.Go(func() { s.probe(cause, first) })
	}
}

// probe asks until Redis answers. Where it does at once, it was slow for a moment or
// has closed a connection: that is no outage, and nobody is told of its end.
func (s *Store) probe(cause error, first chan<- struct{}) {
	answers := s.answers()
	if answers {
		s.takeBack(false)
		s.report(cause)
	}
	close(first)
	if answers {
		return
	}
	s.Log.Error().Err(cause).Msg("Redis doesn't answer: this replica goes on with what it remembers itself")
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
			s.takeBack(true)
			return
		}
	}
}

// answers asks Redis, each master in a cluster. An error will do, if it is Redis's.
func (s *Store) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var err error
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error { return master.Ping(ctx).Err() })
	} else {
		err = s.client.Ping(ctx).Err()
	}
	var reply redis.Error
	return err == nil || errors.As(err, &reply) && !dead(err)
}

func (s *Store) takeBack(outage bool) {
	h := s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cause = nil
	if outage {
		close(h.back)
		h.back = make(chan struct{})
	}
}

// comesBack returns a channel that is closed at the end of the next outage.
func (h *health) comesBack() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.back
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
