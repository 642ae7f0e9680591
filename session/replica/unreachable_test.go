package replica

import (
	"context"
	"errors"
	"time"
)

// unreachable is a store and a bus that can't be asked.
type unreachable struct{}

var errUnreachable = errors.New("unreachable")

func (unreachable) Load(context.Context, string, time.Duration) (Value, time.Time, error) {
	return Value{}, time.Time{}, errUnreachable
}

func (unreachable) Swap(context.Context, string, Tag, Value, time.Duration, []byte) (bool, Value, time.Time, error) {
	return false, Value{}, time.Time{}, errUnreachable
}

func (unreachable) Publish(context.Context, []byte) error { return errUnreachable }

func (unreachable) Listen(ctx context.Context, _ time.Duration, _ func(), _ func([]byte)) {
	<-ctx.Done()
}
