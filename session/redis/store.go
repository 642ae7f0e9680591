package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

const (
	prefix      = "authkit-forward-auth:"
	maxAttempts = 20 // of an update that others get in the way of
)

// Store is a Redis. Make it with New; it may be used by many goroutines. Its
// methods are those of session.Store and session.Bus.
type Store struct {
	Log zerolog.Logger // may be zero
	// Observe is called with each call that reached for Redis: load, update, lock or
	// publish, how long it took, and why it failed. May be nil.
	Observe func(operation string, took time.Duration, err error)

	client  redis.UniversalClient
	channel string
	health  health
}

// New makes a Store of a REDIS_URL. Nothing is connected yet. channel names the bus
// of this deployment. The error says which forms of a URL there are, and quotes none.
func New(rawURL, channel string) (*Store, error) {
	o, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	redis.SetLogger(silent{})
	s := &Store{client: redis.NewUniversalClient(bounded(o)), channel: prefix + channel}
	s.health.closed = make(chan struct{})
	return s, nil
}

// silent is go-redis's logger.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func dialUnix(path string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
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
		if err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		for i, answer := range answers {
			value, err := answer.Bytes()
			if err != nil && !errors.Is(err, redis.Nil) {
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
	key = prefix + key
	set := func(tx *redis.Tx) error {
		old, err := tx.Get(ctx, key).Bytes()
		if err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		value := change(old)
		if value == nil {
			return nil
		}
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, key, value, ttl)
			return nil
		})
		return err
	}
	for range maxAttempts {
		err := s.call(ctx, "update", func(ctx context.Context) error { return s.client.Watch(ctx, set, key) })
		if !errors.Is(err, redis.TxFailedErr) {
			return err
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("redis: update: %d others were faster", maxAttempts)
}

// Publish sends a message to all who listen now.
func (s *Store) Publish(ctx context.Context, message []byte) error {
	return s.call(ctx, "publish", func(ctx context.Context) error {
		return s.client.Publish(ctx, s.channel, message).Err()
	})
}

// call makes one call within the limit, unless the store is left out.
func (s *Store) call(ctx context.Context, operation string, do func(context.Context) error) error {
	if err := s.health.err(); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begin := time.Now()
	err := do(limited)
	if s.Observe != nil && !errors.Is(err, redis.TxFailedErr) {
		s.Observe(operation, time.Since(begin), err)
	}
	if err == nil || errors.Is(err, redis.TxFailedErr) {
		return err
	}
	if ctx.Err() == nil && dead(err) {
		s.leaveOut(err)
	}
	return fmt.Errorf("redis: %s: %w", operation, err)
}

// pause waits for up to twice d, at random.
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
