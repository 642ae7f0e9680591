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
// listen and whenever messages may have been lost since: after a new subscription,
// which a broken connection and an outage both lead to. emptied says that the store
// has lost its values meanwhile. Both are called by this goroutine.
func (s *Store) Listen(ctx context.Context, receive func(message []byte), missed func(emptied bool), lost func()) {
	known := ""
	begin := func() error {
		found, err := s.epoch(ctx)
		if err != nil {
			return err
		}
		emptied := known != "" && found != known
		known = found
		missed(emptied)
		return nil
	}
	for ctx.Err() == nil {
		back := s.health.comesBack()
		err := s.listen(ctx, back, receive, begin)
		lost()
		select {
		case <-back:
		case <-ctx.Done():
		default: // nobody but Redis has ended it
			s.judge(err)
		}
		_ = pause(ctx, reconnect)
	}
}

// listen is one subscription. It returns when that is no good any more.
func (s *Store) listen(ctx context.Context, back <-chan struct{}, receive func([]byte), begin func() error) error {
	subscription := s.client.Subscribe(ctx, s.channel)
	ctx, end := context.WithCancel(ctx)
	closed := make(chan struct{})
	go func() { // ends with listen; what is closed receives no more
		defer close(closed)
		select {
		case <-back:
		case <-ctx.Done():
		}
		_ = subscription.Close()
	}()
	defer func() { end(); <-closed }()
	pinged := false
	for {
		told, err := subscription.ReceiveTimeout(ctx, quiet)
		if timedOut(err) && !pinged {
			err, pinged = subscription.Ping(ctx), true
			if err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		pinged = false
		switch told := told.(type) {
		case *redis.Subscription:
			if err := begin(); err != nil {
				return err
			}
		case *redis.Message:
			receive([]byte(told.Payload))
		}
	}
}

func timedOut(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// epoch is the random value that stands for all that is in the store.
func (s *Store) epoch(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	found, err := s.client.Get(ctx, prefix+"epoch").Result() // this first: a full Redis takes no SET
	if !none(err) {
		return found, err
	}
	if err := s.client.SetNX(ctx, prefix+"epoch", rand.Text(), 0).Err(); err != nil {
		return "", err
	}
	return s.client.Get(ctx, prefix+"epoch").Result()
}
