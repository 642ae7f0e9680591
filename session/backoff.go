package session

import (
	"errors"
	"sync"
	"time"
)

// backoff keeps AuthKit from being asked by every session in turn while it is out
// of order. After three refreshes in a row without an answer that says something
// about a session, none is tried for a while, which doubles from 1 to 30 s, or is as
// long as AuthKit asks for; then a single one is.
type backoff struct {
	mu       sync.Mutex
	failures int // in a row
	until    time.Time
	probing  bool
}

const (
	patience   = 3 // failures in a row
	maxUnasked = 30 * time.Second
)

// wait returns for how long no refresh should be tried, 0 to go ahead.
func (b *backoff) wait(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < patience {
		return 0
	}
	return max(0, b.until.Sub(now))
}

// Resting is for how long no refresh is tried, because the last ones failed; 0 if
// AuthKit is well as far as is known.
func (m *Manager) Resting() time.Duration { return m.backoff.wait(m.Now()) }

// begin asks for leave to ask AuthKit; end must be called if it is given.
func (b *backoff) begin(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < patience {
		return nil
	}
	if wait := b.until.Sub(now); wait > 0 {
		return resting(wait)
	}
	if b.probing {
		return resting(backOff)
	}
	b.probing = true
	return nil
}

func resting(wait time.Duration) error {
	return &Outage{RetryAfter: wait, Err: errors.New("AuthKit is out of order; waiting before it is asked again")}
}

// end says what AuthKit answered.
func (b *backoff) end(err error, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	var outage *Outage
	if !errors.As(err, &outage) {
		b.failures = 0
		return
	}
	b.failures++
	if b.failures >= patience {
		rest := min(backOff<<min(b.failures-patience, 5), maxUnasked)
		b.until = now.Add(min(max(rest, outage.RetryAfter), maxPause))
	}
}
