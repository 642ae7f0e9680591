package replica

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/singleflight"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
)

// storeLimit is the longest that a call of the store's may take; it has a shorter limit itself.
const storeLimit = 400 * time.Millisecond

// Config is what a Replica works with.
type Config struct {
	// Store and Bus connect replicas; both nil: this process is alone.
	Store Store
	Bus   Bus
	// Name separates services that share a store: the client ID.
	Name string
	// Passwords seal values and messages: the first one seals, all of them open.
	Passwords []string
	// TTL is how long a record is kept since its last use.
	TTL time.Duration
	// OnEnd is called for each session that another replica ended, OnGone for each holder that
	// said goodbye or sends nothing any more. Neither may wait. Both may be nil.
	OnEnd   func(End)
	OnGone  func(family.Holder)
	Metrics prometheus.Registerer // may be nil
	Log     zerolog.Logger        // may be zero
	Now     func() time.Time      // nil: time.Now
}

// Replica is one start of a replica of the service. Make it with New, and have Run run.
type Replica struct {
	Config
	holder family.Holder
	box    *seal.Box // nil: alone
	copies copies
	ended  ended
	events Events

	locks      keyLocks           // one change of a record at a time
	reads      singleflight.Group // one read of a record at a time
	unreadable unreadable
	offset     atomic.Int64 // of the store's clock from this machine's, in nanoseconds
	answered   atomic.Int64 // when the store last answered, since the start; 0: never
	full       atomic.Bool  // the store took no write, last time
	liveness
	asks    asks
	metrics *metrics

	background sync.WaitGroup // what messages caused; Run waits for it

	garbageMu   sync.Mutex
	garbageSeen time.Time
}

// New makes a Replica that knows nothing yet. The error is that of an empty password.
func New(c Config) (*Replica, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	r := &Replica{Config: c}
	_, _ = rand.Read(r.holder[:])
	r.copies.init()
	r.ended.init()
	r.events.init(c.Now)
	r.liveness.init()
	r.asks.init()
	if !r.alone() {
		box, err := seal.NewBox("session replica", c.Passwords...)
		if err != nil {
			return nil, fmt.Errorf("replica: %w", err)
		}
		r.box = box
	}
	r.metrics = newMetrics(c.Metrics, r)
	return r, nil
}

func (r *Replica) alone() bool { return r.Store == nil }

// Holder is this start of the replica, as leases name it.
func (r *Replica) Holder() family.Holder { return r.holder }

// Now is the moment now, by the store's clock.
func (r *Replica) Now() family.Moment {
	return family.At(r.Config.Now().Add(time.Duration(r.offset.Load())))
}

// Moment is the moment at a time of this machine's clock.
func (r *Replica) Moment(t time.Time) family.Moment {
	return family.At(t.Add(time.Duration(r.offset.Load())))
}

// Local is the time of this machine's clock at a moment.
func (r *Replica) Local(m family.Moment) time.Time {
	return m.Time().Add(-time.Duration(r.offset.Load()))
}

// Run pings, listens and writes what is unwritten until ctx ends. Alone it only forgets
// what is too old.
func (r *Replica) Run(ctx context.Context) {
	if r.alone() {
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				r.sweep()
			}
		}
	}
	defer r.background.Wait()
	var listening sync.WaitGroup
	listening.Go(func() { r.Bus.Listen(ctx, busSilence, r.subscribed, r.receive) })
	defer listening.Wait()
	r.loadEvents(ctx) // and the store's time
	r.beat(ctx)
}

// beat pings, and does what is due, until ctx ends.
func (r *Replica) beat(ctx context.Context) {
	var background sync.WaitGroup
	defer background.Wait()
	var flushing, pulling atomic.Bool
	once := func(flag *atomic.Bool, do func()) {
		if flag.CompareAndSwap(false, true) {
			background.Go(func() { defer flag.Store(false); do() })
		}
	}
	swept := time.Now()
	for {
		r.ping(ctx)
		r.reapGone()
		if r.copies.unwritten() > 0 {
			once(&flushing, func() { r.flush(ctx) })
		}
		if !r.Connected() {
			once(&pulling, func() { r.loadEvents(ctx) })
		}
		if time.Since(swept) >= sweepEvery {
			swept = time.Now()
			r.sweep()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(r.interval()):
		}
	}
}

const sweepEvery = time.Minute

// sweep forgets what is too old.
func (r *Replica) sweep() {
	now := r.Now()
	r.copies.sweep(r.TTL)
	r.ended.sweep(now.Add(-r.TTL))
	r.events.sweep(now.Add(-eventsKept))
}

// Goodbye says to the others that this replica stops: its leases are void.
func (r *Replica) Goodbye(ctx context.Context) {
	if !r.alone() {
		_ = r.publish(ctx, message{Kind: kindGoodbye}) // they notice in two seconds otherwise
	}
}

// ErrDisconnected: messages of the others do not arrive here, so the store is asked each time.
var ErrDisconnected = errors.New("replica: no messages of the bus arrive")

// Err says why the store or the bus aren't as they should be: ErrFull or ErrDisconnected. Nil: they
// are, or there are none.
func (r *Replica) Err() error {
	switch {
	case r.full.Load():
		return ErrFull
	case !r.Connected():
		return ErrDisconnected
	}
	return nil
}

// AnsweredLately reports whether the store has answered within the last two seconds.
func (r *Replica) AnsweredLately() bool {
	at := r.answered.Load()
	return at != 0 && time.Since(r.started)-time.Duration(at) < 2*time.Second
}

// load reads a value. ok is false where the store can't be asked, or what is there doesn't
// open. plaintext is nil where there is none.
func (r *Replica) load(ctx context.Context, key string, ttl time.Duration) (tag Tag, plaintext []byte, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	begun := r.Config.Now()
	v, now, err := r.Store.Load(ctx, key, ttl)
	if err != nil {
		return Tag{}, nil, false
	}
	r.keepTime(begun, now)
	r.answered.Store(int64(time.Since(r.started)))
	return r.open(key, v)
}

// swap writes a value if the tag is still old, and announces it in the same step.
// Otherwise current, its tag and plaintext are what is there.
func (r *Replica) swap(ctx context.Context, key string, ttl time.Duration, old, tag Tag, plaintext []byte, announcement message) (swapped bool, currentTag Tag, current []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	begun := r.Config.Now()
	next := Value{Tag: tag, Sealed: r.box.SealFor(sealContext(key, tag), plaintext)}
	number, sealed := r.number(announcement)
	swapped, v, now, err := r.Store.Swap(ctx, key, old, next, ttl, sealed)
	r.full.Store(errors.Is(err, ErrFull))
	if err != nil {
		return false, Tag{}, nil, err
	}
	r.keepTime(begun, now)
	r.answered.Store(int64(time.Since(r.started)))
	if swapped {
		r.sent(number)
		return true, tag, plaintext, nil
	}
	currentTag, current, ok := r.open(key, v)
	if !ok {
		return false, Tag{}, nil, errUnreadable
	}
	return false, currentTag, current, nil
}

// errUnreadable: the store holds a value that doesn't open. It isn't overwritten: it may be
// of a replica that has another password already.
var errUnreadable = errors.New("replica: the store's value doesn't open")

func sealContext(key string, tag Tag) string { return key + string(tag[:]) }

func (r *Replica) open(key string, v Value) (Tag, []byte, bool) {
	if v.Tag == (Tag{}) {
		return Tag{}, nil, true
	}
	plaintext, err := r.box.OpenFor(sealContext(key, v.Tag), v.Sealed)
	if err != nil {
		r.garbage(err)
		return Tag{}, nil, false
	}
	return v.Tag, plaintext, true
}

// keepTime notes how far the store's clock is from this machine's.
func (r *Replica) keepTime(begun, store time.Time) {
	if store.IsZero() {
		return
	}
	half := r.Config.Now().Sub(begun) / 2
	r.offset.Store(int64(store.Sub(begun.Add(half))))
}

// garbage reports values and messages that can't be used, once a minute.
func (r *Replica) garbage(err error) {
	r.metrics.garbage.Inc()
	r.garbageMu.Lock()
	defer r.garbageMu.Unlock()
	if now := time.Now(); r.garbageSeen.IsZero() || now.Sub(r.garbageSeen) >= time.Minute {
		r.garbageSeen = now
		r.Log.Warn().Err(err).Msg("the store holds a value that doesn't open; it is left alone: does something else write to these keys, or has the password changed?")
	}
}
