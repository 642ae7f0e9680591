package session

import (
	"context"
	"sync"
	"time"
)

const (
	refreshLimit = 10 * time.Second // one refresh, waiting for its turn included
	maxInFlight  = 64               // calls to AuthKit at one time
	maxWaiting   = 1000             // refreshes that wait for one of these
)

// flights makes one refresh of a token out of many that are asked for at the
// same time. A flight runs detached from its askers, so that none of them
// cancels it.
type flights struct {
	mu      sync.Mutex
	byToken map[tokenHash]*flight
	slots   chan struct{}
	running sync.WaitGroup
}

// flight is one refresh under way. sealed, here and err are set once done is closed.
type flight struct {
	organizationID string // that it is for
	done           chan struct{}
	sealed         string
	here           bool // it was refreshed here, and now
	err            error
}

func newFlights() *flights {
	return &flights{byToken: make(map[tokenHash]*flight), slots: make(chan struct{}, maxInFlight)}
}

// join returns the flight for a token, whatever organization it is for, and starts it
// where there is none. nil if too many are waiting.
func (f *flights) join(hash tokenHash, organizationID string, refresh func(context.Context) (sealed string, here bool, err error)) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	if under, ok := f.byToken[hash]; ok {
		return under
	}
	if len(f.byToken) >= maxInFlight+maxWaiting {
		return nil
	}
	fl := &flight{organizationID: organizationID, done: make(chan struct{})}
	f.byToken[hash] = fl
	f.running.Go(func() {
		fl.sealed, fl.here, fl.err = f.run(refresh)
		f.mu.Lock()
		delete(f.byToken, hash)
		f.mu.Unlock()
		close(fl.done)
	})
	return fl
}

// pending counts the refreshes under way and waiting.
func (f *flights) pending() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.byToken)
}

func (f *flights) run(refresh func(context.Context) (sealed string, here bool, err error)) (string, bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), refreshLimit)
	defer cancel()
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
		return refresh(ctx)
	case <-ctx.Done():
		return "", false, &Outage{Err: ctx.Err()}
	}
}
