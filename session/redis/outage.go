package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/authkit-forward-auth/authkit-forward-auth/breaker"
)

const (
	probeEvery  = 500 * time.Millisecond
	reportEvery = time.Minute
)

// ErrOpen is the error of every call while the circuit breaker is open.
var ErrOpen = errors.New("redis: the circuit breaker is open")

// outage is the circuit breaker, with what there is to say about it. No request is its
// trial: the probe in the background is.
type outage struct {
	mu       sync.Mutex
	breaker  breaker.Breaker
	cause    error // of the latest outage
	reported time.Time
	closed   chan struct{}
	probes   sync.WaitGroup
}

func newOutage() *outage {
	return &outage{breaker: breaker.Breaker{Threshold: 1, Interval: probeEvery}, closed: make(chan struct{})}
}

// Err is nil while Redis is in use. Otherwise it is an ErrOpen that says why, and
// since when.
func (s *Store) Err() error {
	o := s.outage
	o.mu.Lock()
	defer o.mu.Unlock()
	since := o.breaker.Since()
	if since.IsZero() {
		return nil
	}
	return fmt.Errorf("%w since %s: %w", ErrOpen, since.UTC().Format(time.RFC3339), o.cause)
}

// dead reports whether an error says that Redis doesn't answer. An error that Redis
// answers itself, a pool that is merely busy, and a silent bus say the contrary or
// nothing.
func dead(err error) bool {
	var reply redis.Error
	if errors.As(err, &reply) {
		return errors.Is(err, redis.Nil) // no Sentinel knows the master
	}
	for _, other := range []error{redis.ErrPoolTimeout, context.Canceled, errSilent, errAnswer} {
		if errors.Is(err, other) {
			return false
		}
	}
	return true
}

// report logs that a call failed though Redis answers, once a minute.
func (s *Store) report(err error) {
	o := s.outage
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := time.Now(); now.Sub(o.reported) >= reportEvery {
		o.reported = now
		s.Log.Warn().Err(err).Msg("a call to Redis failed (reported once a minute)")
	}
}

// fail opens the circuit breaker. The goroutine that asks whether Redis answers again
// ends then, or with Close.
func (s *Store) fail(cause error) {
	o := s.outage
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case <-o.closed:
		return
	default:
	}
	if o.breaker.Failure("") {
		o.cause = cause
		o.probes.Go(func() { s.probe(cause) })
	}
}

// probe asks until Redis answers. Where it does at once, it was slow for a moment or
// has closed a connection: that is no outage.
func (s *Store) probe(cause error) {
	if s.answers() {
		s.outage.breaker.Success("")
		s.report(cause)
		return
	}
	s.Log.Error().Err(cause).Msg("Redis doesn't answer: this replica goes on with what it remembers itself")
	for {
		wait, trial := s.outage.breaker.Allow("")
		if trial {
			if s.answers() {
				s.outage.breaker.Success("")
				s.Log.Info().Msg("Redis answers again")
				return
			}
			s.outage.breaker.Failure("")
		}
		select {
		case <-s.outage.closed:
			return
		case <-time.After(wait):
		}
	}
}

// answers asks Redis. An error will do, if it is Redis's.
func (s *Store) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := s.commands.ping(ctx)
	var reply redis.Error
	return err == nil || errors.As(err, &reply) && !dead(err)
}

// close ends the probe, and waits for its end.
func (o *outage) close() {
	o.mu.Lock()
	select {
	case <-o.closed:
	default:
		close(o.closed)
	}
	o.mu.Unlock()
	o.probes.Wait()
}
