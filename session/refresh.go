package session

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/breaker"
	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica"
)

const (
	askerWait = 5 * time.Second  // how long a request waits for refreshes, all in all
	aheadWait = time.Second      // and for one that it could do without
	backOff   = time.Second      // before AuthKit is asked again about a token, where it doesn't say
	maxPause  = time.Minute      // the longest wait that AuthKit can ask for
	stepPause = 10 * time.Second // before AuthKit is asked again whether it still wants a step of the user's
	lastCall  = 5 * time.Second  // after the beginning of a stop

	maxWaiting   = 1000             // refreshes that wait for a slot, a lease or an answer, beside those in a slot
	refreshLimit = 40 * time.Second // one refresh, with all of that
)

var (
	errRefreshSlow    = errors.New("the refresh takes too long")
	errAlwaysChanging = errors.New("the session changes all the time")
	errStopping       = errors.New("this replica is stopping")
)

// Refresher exchanges a refresh token at AuthKit and returns the raw authenticate
// response. Its errors are ErrInvalidGrant, *StepRequired and *Outage.
type Refresher interface {
	Refresh(ctx context.Context, refreshToken, organizationID string) (json.RawMessage, error)
}

// aheadOf is how long before its expiry a token of this lifetime is refreshed,
// on answers that can carry the cookie: before WorkOS's SDKs do it, which is 60
// and 30 s.
func aheadOf(lifetime time.Duration) time.Duration {
	ahead := 90 * time.Second
	if lifetime <= 5*time.Minute {
		ahead = 60 * time.Second
	}
	return min(ahead, lifetime/4)
}

// refreshRequest asks for the exchange of a session's refresh token: to go on where it is, or to move
// to another organization.
type refreshRequest struct {
	*opened
	organization string // that the new session is for
	switches     bool
	before       family.Refresh // what the lease was acquired from
}

func (s *resolved) refreshRequest() refreshRequest {
	return refreshRequest{opened: s.session, organization: s.session.claims.OrganizationID}
}

func (w refreshRequest) intent() family.Intent {
	return family.Intent{Token: w.token, Switch: w.switches}
}

// refresher has refresh tokens exchanged: one call to AuthKit for each, however many ask,
// in this process and in all replicas.
//
//	refresh   a request waits, with all others that want the same
//	run       until the token is exchanged, by whomever: lease free? slot, lease, exchange
//	exchange  the holder of the lease asks, again where the outcome is unknown, and notes what came
//	call      one call, and those made beside it while it isn't answered
type refresher struct {
	authKit  Refresher
	records  *replica.Replica
	next     func(w refreshRequest, response json.RawMessage) (family.Issued, error)
	breaker  breaker.Breaker // by session
	slots    slots
	switches *switches
	now      func() time.Time
	beside   chan struct{} // calls beside an unanswered one
	mu       sync.Mutex
	inFlight map[inFlightKey]*inFlightRefresh
	running  sync.WaitGroup // those in flight, and calls whose answer may still come
	stopped  atomic.Int64   // when a stop began, in nanoseconds since 1970; 0: it didn't
	revoke   func(key family.Key, sessionID string)
	metrics  *metrics
	log      zerolog.Logger
}

func newRefresher(m *Manager) *refresher {
	f := &refresher{
		authKit: m.AuthKit, records: m.records, next: m.issued, metrics: m.metrics, log: m.Log, switches: m.switches, now: func() time.Time { return m.Now() },
		beside: make(chan struct{}, maxBeside), inFlight: map[inFlightKey]*inFlightRefresh{}, revoke: m.signOuts.revokeNow,
	}
	f.breaker.Threshold, f.breaker.Window, f.breaker.Interval = 5, 10*time.Second, time.Second
	f.slots.free = maxCalls
	return f
}

func (f *refresher) stop() { f.stopped.CompareAndSwap(0, time.Now().UnixNano()) }

// mayCall reports whether a call to AuthKit may still begin.
func (f *refresher) mayCall() bool {
	at := f.stopped.Load()
	return at == 0 || time.Since(time.Unix(0, at)) < lastCall
}

// refresh waits until a session's refresh token was exchanged, by whomever; its record says
// what it became. made: as requested, not by another's request. ctx limits the waiting, not the
// refresh. The error is ErrEnded, ErrRejected, *StepRequired or *Outage.
func (f *refresher) refresh(ctx context.Context, w refreshRequest) (made bool, err error) {
	fl := f.join(w)
	if fl == nil {
		f.metrics.refreshes.WithLabelValues(resultOverloaded).Inc()
		return false, &Outage{RetryAfter: backOff, Err: errors.New("too many refreshes are waiting")}
	}
	select {
	case <-fl.done:
		return fl.made, fl.err
	case <-ctx.Done():
		return false, &Outage{RetryAfter: backOff, Err: context.Cause(ctx)}
	}
}

// inFlightRefresh is one refresh, for which all wait who want the same.
type inFlightRefresh struct {
	done chan struct{}
	made bool
	err  error
}

// inFlightKey says what is wanted.
type inFlightKey struct {
	token        family.Hash
	organization string
	switches     bool
}

// join returns what is in flight for a request, and begins where there is nothing; nil where too
// many are waiting. (singleflight can't say that it has begun before a stop waits for it.)
func (f *refresher) join(w refreshRequest) *inFlightRefresh {
	key := inFlightKey{w.token, w.organization, w.switches}
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl, ok := f.inFlight[key]; ok {
		return fl
	}
	if len(f.inFlight) >= maxCalls+maxWaiting {
		return nil
	}
	fl := &inFlightRefresh{done: make(chan struct{})}
	f.inFlight[key] = fl
	f.running.Go(func() {
		ctx, cancel := context.WithTimeoutCause(context.Background(), refreshLimit, errRefreshSlow)
		defer cancel()
		fl.made, fl.err = f.run(ctx, w)
		f.mu.Lock()
		delete(f.inFlight, key)
		f.mu.Unlock()
		close(fl.done)
	})
	return fl
}

// pending counts the refreshes under way and waiting.
func (f *refresher) pending() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.inFlight)
}

// run has a token exchanged. It returns without error once it was, by whomever.
func (f *refresher) run(ctx context.Context, w refreshRequest) (made bool, err error) {
	askAt := time.Now().Add(askAfter)
	for ctx.Err() == nil {
		_, r, _ := f.records.Lookup(ctx, w.key, true)
		if done, err := f.settled(w, r); done {
			return false, err
		}
		if r.Busy(f.records.Now(), f.records.Gone) {
			if time.Now().After(askAt) { // a store that failed over may have lost the outcome, and its holder doesn't know
				askAt = time.Now().Add(askAfter)
				if f.records.Ask(ctx, w.key, w.token) {
					askAt = time.Now().Add(family.Lease)
				}
				continue
			}
			pause(ctx, 40*time.Millisecond+rand.N(80*time.Millisecond))
			continue
		}
		if err := f.blocked(w, r); err != nil {
			return false, err
		}
		if !f.slots.acquire(ctx, false) {
			break
		}
		again, err := f.lease(ctx, w)
		f.slots.release()
		if !again {
			return err == nil, err
		}
	}
	return false, &Outage{RetryAfter: backOff, Err: context.Cause(ctx)}
}

// settled reports whether there is nothing left to do.
func (f *refresher) settled(w refreshRequest, r *record) (done bool, err error) {
	t := r.Find(w.token)
	switch {
	case r.Ended != 0 || f.records.Ended(w.key):
		return true, ErrEnded
	case t != nil && t.Spent:
		f.metrics.refreshes.WithLabelValues(resultElsewhere).Inc()
		return true, nil
	case t != nil && t.Rejected:
		return true, ErrRejected
	}
	return false, nil
}

// blocked returns why AuthKit isn't to be asked now.
func (f *refresher) blocked(w refreshRequest, r *record) error {
	now := f.records.Now()
	if r.IsPaused(w.intent(), now) {
		if step := r.Refresh.Step; step != nil {
			return &StepRequired{Code: step.Code, OrganizationID: step.Organization}
		}
		return &Outage{RetryAfter: r.Refresh.Until.Sub(now), Err: errors.New("waiting before AuthKit is asked again")}
	}
	if !f.mayCall() {
		return &Outage{RetryAfter: backOff, Err: errStopping}
	}
	return nil
}

// lease acquires the lease and exchanges the token. again: somebody else did something
// meanwhile.
func (f *refresher) lease(ctx context.Context, w refreshRequest) (again bool, err error) {
	_, r, _ := f.records.Lookup(ctx, w.key, false) // it may have waited for the slot
	unknown := r.Refresh.Unknown || r.Refresh.State == family.Running
	if wait, ok := f.breaker.Allow(string(w.key[:])); !ok && !unknown { // an unknown outcome can't wait
		return false, &Outage{RetryAfter: wait, Err: errors.New("AuthKit is out of order; waiting before it is asked again")}
	}
	got, before := f.acquire(ctx, w)
	if !got {
		pause(ctx, 5*time.Millisecond+rand.N(15*time.Millisecond))
		return true, nil
	}
	w.before = before
	if w.switches {
		if err := f.switches.allow(w.key, f.now()); err != nil {
			f.change(ctx, w, func(r *record, _ family.Moment) bool { return r.Restore(f.records.Holder(), w.before) })
			return false, err
		}
	}
	return f.exchange(ctx, w)
}

// acquire makes this replica the holder of the lease. A store that was slow for a moment is
// tried again: without it the lease is good in this process only.
func (f *refresher) acquire(ctx context.Context, w refreshRequest) (got bool, before family.Refresh) {
	me := f.records.Holder()
	_, stored := f.records.Change(ctx, w.key, func(r *record) bool {
		before = r.Refresh
		got = !f.records.Ended(w.key) && r.Acquire(w.intent(), me, f.records.Now(), f.records.Gone)
		return got
	})
	for range storeRetries {
		if !got || stored || !f.records.AnsweredLately() {
			break
		}
		pause(ctx, storeRetry)
		var r *record
		r, stored = f.records.Change(ctx, w.key, func(*record) bool { return false }) // writes, or merges with who was first
		got = r.HasLease(me)
	}
	return got, before
}

const (
	askAfter     = time.Second // of waiting for another replica's refresh, the others are asked who knows its outcome
	storeRetry   = 100 * time.Millisecond
	storeRetries = 5
)

// pause waits, not longer than ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// audit is a log line about the refresh, with whose it is.
func (w refreshRequest) audit(line *zerolog.Event) *zerolog.Event {
	c := w.claims
	line = line.Str("event", "refresh").Str("subject", c.Subject).Str("session", c.SessionID).Str("session_hash", identity.HashSession(c.SessionID))
	if w.switches {
		line = line.Str("organization", w.organization)
	}
	return line
}
