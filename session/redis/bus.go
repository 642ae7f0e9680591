package redis

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const reconnect = 50 * time.Millisecond // and up to twice that, between two subscriptions

// errSilent is why a subscription ends on which nothing came.
var errSilent = errors.New("nothing came: the connection counts as half-open")

// Publish sends a message to all who listen now.
func (s *Store) Publish(ctx context.Context, message []byte) error {
	return s.call(ctx, "publish", func(ctx context.Context) error {
		return s.bus.publish(ctx, s.channel, message)
	})
}

// Listen calls receive for each message until ctx ends, and connected after each new
// subscription, before its first message; both from this goroutine, so never two at a
// time. A connection on which nothing came for silence is replaced by another, so
// somebody must publish more often than that. It doesn't wait for the circuit breaker,
// and says nothing to it.
func (s *Store) Listen(ctx context.Context, silence time.Duration, connected func(), receive func(message []byte)) {
	for ctx.Err() == nil {
		err := s.subscribe(ctx, silence, connected, receive)
		if ctx.Err() == nil && !dead(err) {
			s.report(fmt.Errorf("redis: listen: %w", err))
		}
		pause(ctx, reconnect)
	}
}

// subscribe is one subscription. It returns when that is no good any more. That it is
// confirmed may take longer than the silence: it waits for a new connection.
func (s *Store) subscribe(ctx context.Context, silence time.Duration, connected func(), receive func([]byte)) error {
	subscription := s.bus.subscribe(ctx, s.channel)
	defer subscription.close()
	defer context.AfterFunc(ctx, subscription.close)() // ends a wait for what comes next
	within := max(silence, dialLimit)
	for {
		message, subscribed, err := subscription.receive(ctx, within)
		if timedOut(err) {
			return errSilent
		}
		if err != nil {
			return err
		}
		switch {
		case subscribed:
			within = silence
			connected()
		case message != nil:
			receive(message)
		}
	}
}
