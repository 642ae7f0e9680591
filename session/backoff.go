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

// Resting is for how long no refresh is tried, because the last ones failed. failing
// stays true after that, until AuthKit has answered one.
func (m *Manager) Resting() (wait time.Duration, failing bool) {
	b := &m.backoff
	b.mu.Lock()
	failing = b.failures >= patience
	b.mu.Unlock()
	return b.wait(m.Now()), failing
}

// begin asks for leave to ask AuthKit; end must be called if it is given, with
// whether this is the single one.
func (b *backoff) begin(now time.Time) (probe bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < patience {
		return false, nil
	}
	if wait := b.until.Sub(now); wait > 0 {
		return false, resting(wait)
	}
	if b.probing {
		return false, resting(backOff)
	}
	b.probing = true
	return true, nil
}

func resting(wait time.Duration) error {
	return &Outage{RetryAfter: wait, Err: errors.New("AuthKit is out of order; waiting before it is asked again")}
}

// end says what AuthKit answered. That a switch fails says nothing about AuthKit:
// anybody can ask for many, and for organizations that there aren't.
func (b *backoff) end(probe, switches bool, err error, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe {
		b.probing = false
	}
	var outage *Outage
	if !errors.As(err, &outage) {
		b.failures = 0
		return
	}
	if switches {
		return
	}
	if b.failures >= patience && !probe { // begun before the rest: the same failure, not one more
		b.until = later(b.until, now.Add(min(outage.RetryAfter, maxPause)))
		return
	}
	b.failures++
	if b.failures >= patience {
		rest := min(backOff<<min(b.failures-patience, 5), maxUnasked)
		b.until = now.Add(min(max(rest, outage.RetryAfter), maxPause))
	}
}
