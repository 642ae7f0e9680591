package redis

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	lease  = 3 * time.Second
	extend = time.Second
	poll   = 30 * time.Millisecond
)

// A lease is extended, and given back, only by who holds it.
var (
	extendLease  = redis.NewScript(`if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("PEXPIRE", KEYS[1], ARGV[2]) end return 0`)
	releaseLease = redis.NewScript(`if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0`)
)

// Lock returns once nobody else holds the key's lock. A holder that dies keeps the
// others waiting for 3 s at most; one whose lease can't be extended goes on without
// knowing. release must be called; it doesn't wait for long.
func (s *Store) Lock(ctx context.Context, key string) (release func(), err error) {
	key = prefix + "lock:" + key
	holder := rand.Text()
	for {
		var got bool
		err := s.call(ctx, "lock", func(ctx context.Context) (err error) {
			got, err = s.client.SetNX(ctx, key, holder, lease).Result()
			return err
		})
		if err != nil {
			return nil, err
		}
		if got {
			return s.hold(key, holder), nil
		}
		if err := pause(ctx, poll); err != nil {
			return nil, err
		}
	}
}

// hold extends the lease until release is called.
func (s *Store) hold(key, holder string) (release func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(extend)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = s.call(context.Background(), "lock", func(ctx context.Context) error {
					return extendLease.Run(ctx, s.client, []string{key}, holder, lease.Milliseconds()).Err()
				})
			case <-done:
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
		_ = s.call(context.Background(), "lock", func(ctx context.Context) error { // else it ends with its lease
			return releaseLease.Run(ctx, s.client, []string{key}, holder).Err()
		})
	}
}
