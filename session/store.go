package session

import (
	"context"
	"time"
)

// Store is what replicas share: small sealed values under hashed keys. An error
// of its methods says that the store can't be asked now; the Manager then goes on
// with what it remembers itself.
type Store interface {
	// Load returns the values of keys in their order, nil where there is none, and
	// makes each live for ttl from now.
	Load(ctx context.Context, ttl time.Duration, keys ...string) ([][]byte, error)
	// Update replaces a value, in one step for all replicas. change gets the value at
	// hand, nil where there is none, and returns the new one, nil to leave it. It may
	// be called several times.
	Update(ctx context.Context, key string, ttl time.Duration, change func(old []byte) []byte) error
	// Lock returns once nobody else holds the key's lock, which is lost within seconds
	// when its holder dies. release must be called.
	Lock(ctx context.Context, key string) (release func(), err error)
}

// Bus carries short messages to every replica.
type Bus interface {
	// Publish sends a message to all who listen now, the sender among them.
	Publish(ctx context.Context, message []byte) error
	// Listen calls receive for each message until ctx ends. It calls missed when it
	// begins to listen, and whenever messages may have been lost since: after
	// a broken connection, or after the store was left out. emptied says that the
	// store has lost its values meanwhile. It calls lost when it listens no more: what
	// the store says then may be less than the replicas know, until missed is called. None is called at the same time as the other.
	Listen(ctx context.Context, receive func(message []byte), missed func(emptied bool), lost func())
}
