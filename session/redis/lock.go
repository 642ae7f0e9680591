package redis

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"
)

const (
	lease       = 3 * time.Second
	extendEvery = time.Second
	pollEvery   = 35 * time.Millisecond // and up to twice that
)

// A lease is extended, and given back, only by who holds it.
const (
	extendLease  = `if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("PEXPIRE", KEYS[1], ARGV[2]) end return 0`
	releaseLease = `if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0`
)

// Lock returns once nobody else holds the key's lock. It is worth more than other
// calls: where Redis was slow it tries once more. A holder that dies keeps the
// others waiting for 3 s at most; one whose lease can't be extended goes on without
// knowing. release must be called, once.
func (s *Store) Lock(ctx context.Context, key string) (release func(), err error) {
	key = prefix + "lock:" + key
	holder := rand.Text()
	for again := true; ; {
		var got bool
		err := s.call(ctx, "lock", func(ctx context.Context) (err error) {
			got, err = s.client.SetNX(ctx, key, holder, lease).Result()
			return err
		})
		if err != nil && again && s.wasSlow() {
			again = false
			continue
		}
		if err != nil {
			return nil, err
		}
		if got {
			return s.hold(key, holder), nil
		}
		if err := pause(ctx, pollEvery); err != nil {
			return nil, fmt.Errorf("redis: lock: %w", err)
		}
	}
}

// hold extends the lease in a goroutine that ends with release.
func (s *Store) hold(key, holder string) (release func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(extendEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = s.script(extendLease, key, holder, lease.Milliseconds()) // or at the next tick
			case <-done:
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
		_ = s.script(releaseLease, key, holder) // else it ends with its lease
	}
}

// script runs a script on a lock, whatever has become of the request that took it.
func (s *Store) script(source, key string, args ...any) error {
	return s.call(context.Background(), "lock", func(ctx context.Context) error {
		return s.client.Eval(ctx, source, []string{key}, args...).Err()
	})
}
