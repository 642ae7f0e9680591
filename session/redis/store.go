package redis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/rs/zerolog"
)

const (
	prefix      = "authkit-forward-auth:"
	maxAttempts = 20 // of an update that others get in the way of
)

// exchange sets a value if it is still the old one; none counts as empty.
const exchange = `if (redis.call("GET", KEYS[1]) or "") ~= ARGV[1] then return 0 end
redis.call("SET", KEYS[1], ARGV[2], "PX", ARGV[3])
return 1`

// Store is a Redis. Make it with New; it may be used by many goroutines. Its
// methods are those of session.Store and session.Bus.
type Store struct {
	Log zerolog.Logger // may be zero
	// Observe is called with each call that reached for Redis: load, update, lock or
	// publish, how long it took, and why it failed. May be nil.
	Observe func(operation string, took time.Duration, err error)

	client  redis.UniversalClient
	channel string
	health  *health
}

// New makes a Store of a REDIS_URL. Nothing is connected yet. channel names the bus
// of this deployment. The error says which forms of a URL there are, and quotes none.
func New(rawURL, channel string) (*Store, error) {
	o, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	logging.Disable() // see the package's comment
	return &Store{client: redis.NewUniversalClient(bounded(o)), channel: prefix + channel, health: newHealth()}, nil
}

// Close ends the probe and the connections.
func (s *Store) Close() error {
	s.health.close()
	return s.client.Close()
}

// Load returns the values of keys, nil where there is none, and makes each live for
// ttl from now.
func (s *Store) Load(ctx context.Context, ttl time.Duration, keys ...string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	err := s.call(ctx, "load", func(ctx context.Context) error {
		answers := make([]*redis.StringCmd, len(keys))
		_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, key := range keys {
				answers[i] = p.GetEx(ctx, prefix+key, ttl)
			}
			return nil
		})
		if err != nil && !none(err) {
			return err
		}
		for i, answer := range answers {
			value, err := answer.Bytes()
			if err != nil && !none(err) {
				return err
			}
			values[i] = value
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// Update replaces a value in one step. change gets the value at hand, nil where
// there is none, and returns the new one, nil to leave it. It may be called several
// times.
func (s *Store) Update(ctx context.Context, key string, ttl time.Duration, change func(old []byte) []byte) error {
	for i := range maxAttempts {
		var done bool
		err := s.call(ctx, "update", func(ctx context.Context) (err error) {
			done, err = s.tryUpdate(ctx, prefix+key, ttl, change)
			return err
		})
		if err != nil || done {
			return err
		}
		if err := pause(ctx, time.Duration(i+1)*2*time.Millisecond); err != nil {
			return fmt.Errorf("redis: update: %w", err)
		}
	}
	return fmt.Errorf("redis: update: others were faster %d times", maxAttempts)
}

// tryUpdate returns false if somebody else has changed the value meanwhile.
func (s *Store) tryUpdate(ctx context.Context, key string, ttl time.Duration, change func([]byte) []byte) (bool, error) {
	old, err := s.client.Get(ctx, key).Bytes()
	if err != nil && !none(err) {
		return false, err
	}
	value := change(old)
	if value == nil {
		return true, nil
	}
	return s.client.Eval(ctx, exchange, []string{key}, old, value, ttl.Milliseconds()).Bool()
}

// Publish sends a message to all who listen now.
func (s *Store) Publish(ctx context.Context, message []byte) error {
	return s.call(ctx, "publish", func(ctx context.Context) error {
		return s.client.Publish(ctx, s.channel, message).Err()
	})
}

// call makes one call within the limit, unless the store is left out.
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
	s.judge(err)
	return err
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

// none reports whether Redis answers that there is no value. It doesn't unwrap:
// Sentinels that don't know the master answer so, too, and that is an error.
func none(err error) bool { return err == redis.Nil }

// pause waits for d at least and twice d at most, at random, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d + rand.N(d))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
