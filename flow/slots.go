package flow

import (
	"context"
	"time"
)

// A code is exchanged for anybody who comes with one, so exchanges are bounded:
// strangers' codes must not use up AuthKit's limits, which refreshes need.
const (
	exchangeSlots = 16
	exchangeWait  = 3 * time.Second
)

// slots bounds how many do something at a time.
type slots chan struct{}

// take waits for a slot, and returns its release. It reports false where none became
// free in time.
func (s slots) take(ctx context.Context, wait time.Duration) (release func(), ok bool) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case s <- struct{}{}:
		return func() { <-s }, true
	case <-ctx.Done():
	case <-timer.C:
	}
	return nil, false
}
