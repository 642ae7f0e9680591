package replica

import (
	"context"
	"errors"
	"time"
)

// ErrFull: the store answers but takes no writes (Redis at its maxmemory, a read-only replica). Any other error
// of a Store means that it can't be asked now.
var ErrFull = errors.New("replica: store takes no writes")

// Tag tells two contents of a value apart. It is random and made by the writer. Zero: there is no value.
type Tag [16]byte

// Value is what the store keeps under a key.
type Value struct {
	Tag    Tag
	Sealed []byte
}

// Store keeps values, each changed by compare-and-swap. Every answer comes with the store's time, also where
// nothing was swapped, and it must not outlive ctx.
type Store interface {
	// Load returns the value under key (zero where there is none) and makes it live for ttl from now; ttl 0
	// leaves its time as it is.
	Load(ctx context.Context, key string, ttl time.Duration) (Value, time.Time, error)

	// Swap puts next under key if the tag there is still old (zero: there is none) and publishes announcement,
	// if not empty, in the same step. Otherwise it changes nothing and returns current, which is there.
	Swap(ctx context.Context, key string, old Tag, next Value, ttl time.Duration, announcement []byte) (swapped bool, current Value, now time.Time, err error)
}

// Bus carries messages to every replica that listens, the sender among them.
type Bus interface {
	// Publish sends message to everybody who listens now.
	Publish(ctx context.Context, message []byte) error

	// Listen calls receive for each message until ctx ends, never two at a time, and connects again by itself.
	// A connection on which nothing came for silence counts as dead (half-open). connected is called
	// after each new subscription, before its first message.
	Listen(ctx context.Context, silence time.Duration, connected func(), receive func(message []byte))
}
