package redis

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// commands and bus are the parts of the library that a Store uses. They are interfaces because every package that imports a type with one
// of the library's clients in it compiles their many methods and generic types anew.
type commands interface {
	// run runs a script, load or swap, on one key and returns its answer.
	run(ctx context.Context, script, key string, args ...any) ([]string, error)
	// ping asks Redis, each master in a cluster.
	ping(ctx context.Context) error
	close() error
}

type bus interface {
	publish(ctx context.Context, channel string, message []byte) error
	subscribe(ctx context.Context, channel string) subscription
}

// subscription is one of the bus.
type subscription interface {
	// receive waits for what comes next, which may be that the subscription holds: then there is no message.
	receive(ctx context.Context, within time.Duration) (message []byte, subscribed bool, err error)
	close()
}

// library is go-redis as both.
type library struct {
	redis   redis.UniversalClient
	scripts map[string]*redis.Script // sent by their hash, and whole where Redis doesn't know it
}

func newLibrary(o *redis.UniversalOptions) *library {
	return &library{redis: redis.NewUniversalClient(o), scripts: map[string]*redis.Script{load: redis.NewScript(load), swap: redis.NewScript(swap)}}
}

func (l *library) run(ctx context.Context, script, key string, args ...any) ([]string, error) {
	return l.scripts[script].Run(ctx, l.redis, []string{key}, args...).StringSlice()
}

func (l *library) publish(ctx context.Context, channel string, message []byte) error {
	return l.redis.Publish(ctx, channel, message).Err()
}

func (l *library) subscribe(ctx context.Context, channel string) subscription {
	return librarySubscription{l.redis.Subscribe(ctx, channel)}
}

func (l *library) ping(ctx context.Context) error {
	if cluster, ok := l.redis.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error { return master.Ping(ctx).Err() })
	}
	return l.redis.Ping(ctx).Err()
}

func (l *library) close() error { return l.redis.Close() }

type librarySubscription struct{ pubSub *redis.PubSub }

func (s librarySubscription) receive(ctx context.Context, within time.Duration) (message []byte, subscribed bool, err error) {
	got, err := s.pubSub.ReceiveTimeout(ctx, within)
	switch got := got.(type) {
	case *redis.Subscription:
		return nil, true, err
	case *redis.Message:
		return []byte(got.Payload), false, err
	}
	return nil, false, err
}

func (s librarySubscription) close() { _ = s.pubSub.Close() }
