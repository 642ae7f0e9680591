package breaker

import (
	"sync"
	"time"
)

const (
	defaultInterval = time.Second
	maxFailed       = 1000        // keys that are known to have failed; then they are forgotten
	remembers       = time.Minute // a key that failed so lately isn't the first to be tried
)

// State is what a Breaker does with calls.
type State int

const (
	Closed   State = iota // it lets all calls through
	Open                  // it lets none through
	HalfOpen              // a trial is due or under way
)

func (s State) String() string { return [...]string{"closed", "open", "half-open"}[s] }

// Breaker spares a service that fails. The zero value with a Threshold works. It is
// safe for concurrent use and must not be copied.
type Breaker struct {
	Threshold int           // failures of so many different keys, none succeeding meanwhile, open it; at least 1
	Window    time.Duration // within which they count; 0: without limit
	Interval  time.Duration // while it is open one call is let through each Interval; 0: one second
	// Now is the clock. Nil means time.Now.
	Now func() time.Time

	mu       sync.Mutex
	counted  map[string]time.Time // failures that count towards opening; emptied by a success
	failed   map[string]time.Time // the last failure of each key, for a minute or until it succeeds itself
	opened   time.Time            // zero: closed
	next     time.Time            // when the next trial is due, while open
	onTrial  string               // the key of the latest trial
	underWay bool                 // its outcome isn't known yet
}

// Allow reports whether a call for key may be made, and if not, how long to wait until
// it is worth asking again. Once it is allowed the caller must make the call, and say
// Success or Failure if it can tell which.
func (b *Breaker) Allow(key string) (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opened.IsZero() {
		return 0, true
	}
	now, due := b.now(), b.next
	if at, failed := b.failed[key]; failed && b.Threshold > 1 && now.Sub(at) < remembers {
		due = due.Add(b.interval())
	}
	if wait := due.Sub(now); wait > 0 {
		return wait, false
	}
	b.next, b.onTrial, b.underWay = now.Add(b.interval()), key, true
	return 0, true
}

// Success says that the service has answered a call for key. It reports whether that
// closes the breaker.
func (b *Breaker) Success(key string) (closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	closed = !b.opened.IsZero()
	b.opened, b.underWay = time.Time{}, false
	clear(b.counted)
	delete(b.failed, key)
	return closed
}

// Failure says that a call for key has failed in a way that speaks against the
// service. It reports whether that opens the breaker.
func (b *Breaker) Failure(key string) (opened bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.note(key, now)
	if !b.opened.IsZero() {
		b.underWay = b.underWay && key != b.onTrial
		return false
	}
	if len(b.counted) < b.Threshold {
		return false
	}
	b.opened, b.next = now, now.Add(b.interval())
	return true
}

// note remembers a key that failed. While the breaker is closed, failures from before
// the Window are forgotten.
func (b *Breaker) note(key string, now time.Time) {
	if b.failed == nil || len(b.failed) >= maxFailed {
		b.failed, b.counted = map[string]time.Time{}, map[string]time.Time{}
	}
	if b.opened.IsZero() && b.Window > 0 {
		for other, at := range b.counted {
			if now.Sub(at) > b.Window {
				delete(b.counted, other)
			}
		}
	}
	b.counted[key] = now
	b.failed[key] = now
}

// State is the state now.
func (b *Breaker) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.opened.IsZero():
		return Closed
	case b.underWay || !b.now().Before(b.next):
		return HalfOpen
	}
	return Open
}

// Since is when the breaker opened, the zero time while it is closed.
func (b *Breaker) Since() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opened
}

func (b *Breaker) interval() time.Duration {
	if b.Interval > 0 {
		return b.Interval
	}
	return defaultInterval
}

func (b *Breaker) now() time.Time {
	if b.Now != nil {
		return b.Now()
	}
	return time.Now()
}
