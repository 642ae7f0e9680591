package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	quiet     = 2 * time.Second // without a message, until the connection is pinged
	reconnect = 250 * time.Millisecond
)

// Listen calls receive for each message until ctx ends, and missed when it begins to
// listen and whenever messages may have been lost since. emptied says that the store
// has lost its values meanwhile. Both are called by this goroutine.
func (s *Store) Listen(ctx context.Context, receive func(message []byte), missed func(emptied bool)) {
	back := make(chan struct{}, 1)
	s.health.whenBack(func() {
		select {
		case back <- struct{}{}:
		default:
		}
	})
	var epoch string
	begin := func() error {
		found, err := s.epoch(ctx)
		if err != nil {
			return err
		}
		emptied := epoch != "" && found != epoch
		epoch = found
		missed(emptied)
		return nil
	}
	for ctx.Err() == nil {
		s.listen(ctx, receive, back, begin)
		_ = pause(ctx, reconnect)
	}
}

// listen is one subscription. It returns when the connection is no good any more.
func (s *Store) listen(ctx context.Context, receive func([]byte), back <-chan struct{}, begin func() error) {
	subscription := s.client.Subscribe(ctx, s.channel)
	defer subscription.Close()
	defer context.AfterFunc(ctx, func() { _ = subscription.Close() })()
	pinged := false
	for ctx.Err() == nil {
		select {
		case <-back: // it was left out, though this connection may have held
			if begin() != nil {
				return
			}
		default:
		}
		told, err := subscription.ReceiveTimeout(ctx, quiet)
		if err != nil {
			var timeout net.Error
			if pinged || !errors.As(err, &timeout) || !timeout.Timeout() || subscription.Ping(ctx) != nil {
				return
			}
			pinged = true
			continue
		}
		pinged = false
		switch told := told.(type) {
		case *redis.Subscription:
			if begin() != nil {
				return
			}
		case *redis.Message:
			receive([]byte(told.Payload))
		}
	}
}

// epoch is the random value that stands for all that is in the store.
func (s *Store) epoch(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	found, err := s.client.Get(ctx, prefix+"epoch").Result()
	if !errors.Is(err, redis.Nil) {
		return found, err
	}
	if err := s.client.SetNX(ctx, prefix+"epoch", rand.Text(), 0).Err(); err != nil {
		return "", err
	}
	return s.client.Get(ctx, prefix+"epoch").Result()
}
