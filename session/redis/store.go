package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/redis/go-redis/v9/logging"
	"github.com/rs/zerolog"
)

const prefix = "authkit-forward-auth:"

// errAnswer is the error of an answer that makes no sense.
var errAnswer = errors.New("not an answer of ours")

// Store is a Redis. Make it with New. It is safe for concurrent use. Its methods are
// those of replica.Store and replica.Bus.
type Store struct {
	Log zerolog.Logger // may be zero
	// Observe is called with each call that reached for Redis: load, swap or publish,
	// how long it took, and why it failed. May be nil.
	Observe func(operation string, took time.Duration, err error)

	commands commands
	bus      bus
	channel  string
	outage   *outage
}

// New makes a Store of a REDIS_URL. Nothing is connected yet. channel names the bus
// of this deployment. The error says which forms of a URL there are, and quotes none.
func New(rawURL, channel string) (*Store, error) {
	o, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	logging.Disable() // see the package's comment
	client := newLibrary(bounded(o))
	return &Store{
		commands: client, bus: client,
		channel: prefix + channel,
		outage:  newOutage(),
	}, nil
}

// Close ends the probe and the connections.
func (s *Store) Close() error {
	s.outage.close()
	return s.commands.close()
}

// call makes one call within the limit, unless the circuit breaker is open.
func (s *Store) call(ctx context.Context, operation string, do func(context.Context) error) error {
	if err := s.Err(); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begin := time.Now()
	err := do(limited)
	if s.Observe != nil {
		s.Observe(operation, time.Since(begin), err)
	}
	if err == nil {
		return nil
	}
	if over := gaveUp(ctx, begin, err); over != nil {
		return fmt.Errorf("redis: %s: %w", operation, over)
	}
	err = fmt.Errorf("redis: %s: %w", operation, err)
	if dead(err) {
		s.fail(err)
	} else {
		s.report(err)
	}
	return err
}

// run runs a script on one key and returns its answer, which has n parts.
func (s *Store) run(ctx context.Context, script string, n int, key string, args ...any) ([]string, error) {
	parts, err := s.commands.run(ctx, script, prefix+key, args...)
	if err == nil && len(parts) != n {
		err = fmt.Errorf("%w: %d parts, want %d", errAnswer, len(parts), n)
	}
	return parts, err
}

// gaveUp returns why the caller gave up before the limit, which says nothing about
// Redis, or nil. A connection times out a little before the context does.
func gaveUp(ctx context.Context, begin time.Time, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(begin.Add(limit)) && timedOut(err) {
		return context.DeadlineExceeded
	}
	return nil
}

func timedOut(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// pause waits for d at least and twice d at most, at random, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d + rand.N(d))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
