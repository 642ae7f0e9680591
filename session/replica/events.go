package replica

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
)

const (
	eventsKept  = 24 * time.Hour
	maxEvents   = 100_000
	eventShards = 16
)

// Whom says whom an event concerns: whoever fits all that is set.
type Whom struct {
	Subject      string `json:"u,omitempty"`
	Organization string `json:"o,omitempty"`
	Role         string `json:"r,omitempty"`
	Permission   string `json:"p,omitempty"`
	APIKey       string `json:"k,omitempty"`
	Consent      string `json:"c,omitempty"`
}

func (w Whom) broad() bool { return w.Role != "" || w.Permission != "" }

// Event is something that became of more than one session.
type Event struct {
	Whom
	Ended bool          `json:"e,omitempty"` // else changed: they are refreshed before they are used again
	At    family.Moment `json:"a"`           // who began before it is concerned
	// Happened is when, by AuthKit's clock: what is delivered again is no news.
	Happened family.Moment `json:"h"`
}

// Events are those of the last day; all of them are in every replica.
type Events struct {
	count atomic.Uint64 // raised by each that is new
	broad atomic.Bool   // some are about a role or a permission

	mu       sync.RWMutex
	byWhom   map[Whom]happened
	sum      [sha256.Size]byte // of all of them, by exclusive or
	missedAt time.Time         // when messages were lost, last
	now      func() time.Time
}

// happened is when something last became of somebody.
type happened struct {
	ended, changed      family.Moment
	lastEnd, lastChange family.Moment // by AuthKit's clock
	learned             time.Time     // by this replica
}

func (e *Events) init(now func() time.Time) { e.byWhom, e.now = map[Whom]happened{}, now }

// EventCount is another number after each new event.
func (r *Replica) EventCount() uint64 { return r.events.count.Load() }

// Events are what this replica knows.
func (r *Replica) Events() *Events { return &r.events }

// Broad reports whether some event is about a role or a permission.
func (e *Events) Broad() bool { return e.broad.Load() }

// Latest is when something last became of any of whom; zero: never.
func (e *Events) Latest(whom iter.Seq[Whom]) (ended, changed family.Moment) {
	if e.count.Load() == 0 {
		return 0, 0
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	for w := range whom {
		h := e.byWhom[w]
		ended, changed = max(ended, h.ended), max(changed, h.changed)
	}
	return ended, changed
}

// Since reports whether something may have become of any of whom that this replica has
// learned, or missed, since then.
func (e *Events) Since(then time.Time, whom iter.Seq[Whom]) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if !then.After(e.missedAt) {
		return true
	}
	for w := range whom {
		if h, ok := e.byWhom[w]; ok && !then.After(h.learned) {
			return true
		}
	}
	return false
}

func (e *Events) missed() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.missedAt = e.now()
}

// add takes events in and reports whether one is new.
func (e *Events) add(now family.Moment, events ...Event) (news bool) {
	if len(events) == 0 {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range events {
		h := e.byWhom[event.Whom]
		at, last := &h.changed, &h.lastChange
		if event.Ended {
			at, last = &h.ended, &h.lastEnd
		}
		if event.Happened <= *last || now.Sub(event.At) > eventsKept {
			continue
		}
		e.toggle(event.Whom)
		*at, *last, h.learned, news = max(*at, event.At), event.Happened, e.now(), true
		e.byWhom[event.Whom] = h
		e.toggle(event.Whom)
		if event.broad() {
			e.broad.Store(true)
		}
	}
	if len(e.byWhom) > maxEvents {
		e.dropOldest()
	}
	if news {
		e.count.Add(1)
	}
	return news
}

// toggle takes what became of somebody into the sum, or out of it. The caller holds mu.
func (e *Events) toggle(w Whom) {
	h, ok := e.byWhom[w]
	if !ok {
		return
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %d %d %d", w, h.ended, h.changed, h.lastEnd, h.lastChange))
	for i := range e.sum {
		e.sum[i] ^= sum[i]
	}
}

func (e *Events) forget(w Whom) {
	e.toggle(w)
	delete(e.byWhom, w)
}

func (h happened) last() family.Moment { return max(h.ended, h.changed) }

// dropOldest makes room for a tenth. The caller holds mu.
func (e *Events) dropOldest() {
	times := make([]family.Moment, 0, len(e.byWhom))
	for _, h := range e.byWhom {
		times = append(times, h.last())
	}
	slices.Sort(times)
	limit := times[len(times)/10]
	for w, h := range e.byWhom {
		if h.last() <= limit {
			e.forget(w)
		}
	}
}

func (e *Events) sweep(before family.Moment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for w, h := range e.byWhom {
		if h.last() < before {
			e.forget(w)
		}
	}
}

// all lists the events.
func (e *Events) all() []Event {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var all []Event
	for w, h := range e.byWhom {
		if h.ended != 0 {
			all = append(all, Event{w, true, h.ended, h.lastEnd})
		}
		if h.changed != 0 {
			all = append(all, Event{w, false, h.changed, h.lastChange})
		}
	}
	return all
}

func (e *Events) digest() []byte {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.Clone(e.sum[:])
}

func (e *Events) len() int {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return len(e.byWhom)
}

// Announce notes an event here, announces it and stores it. The error is ErrUnsynced where neither
// worked.
func (r *Replica) Announce(ctx context.Context, event Event) error {
	now := r.Now()
	r.events.add(now, event)
	if r.alone() {
		return nil
	}
	announcement := message{Kind: kindEvent, Events: []Event{event}}
	announced := r.publish(ctx, announcement) == nil
	if announced {
		announcement = message{}
	}
	if stored := r.storeEvent(ctx, event, announcement); !announced && !stored {
		return ErrUnsynced
	}
	return nil
}

// shard is the store's key of an event: they are spread over a few values.
func (r *Replica) shard(n byte) string {
	sum := sha256.Sum256([]byte(r.Name))
	return fmt.Sprintf("e%x-%d", sum[:8], n)
}

// storeEvent adds an event to the store's, and makes an announcement in the same step.
func (r *Replica) storeEvent(ctx context.Context, event Event, announcement message) bool {
	ctx = context.WithoutCancel(ctx)
	sum := sha256.Sum256(fmt.Append(nil, event.Whom))
	key := r.shard(sum[0] % eventShards)
	old, plaintext, ok := r.load(ctx, key, eventsKept)
	for range maxSwaps {
		if !ok {
			return false
		}
		next, err := json.Marshal(r.withEvent(plaintext, event))
		if err != nil {
			return false
		}
		swapped, tag, current, err := r.swap(ctx, key, eventsKept, old, Tag(newTag()), next, announcement)
		if err != nil || swapped {
			return swapped
		}
		old, plaintext = tag, current
	}
	return false
}

// withEvent adds an event to a stored list and leaves out what is too old.
func (r *Replica) withEvent(stored []byte, event Event) []Event {
	var list []Event
	_ = json.Unmarshal(stored, &list) // a list that can't be read begins anew
	oldest := r.Now().Add(-eventsKept)
	list = slices.DeleteFunc(list, func(e Event) bool {
		return e.At < oldest || e.Whom == event.Whom && e.Ended == event.Ended && e.Happened <= event.Happened
	})
	list = append(list, event)
	return list[max(0, len(list)-maxEvents/eventShards):]
}

// loadEvents reads the stored events.
func (r *Replica) loadEvents(ctx context.Context) {
	for n := range byte(eventShards) {
		_, plaintext, ok := r.load(ctx, r.shard(n), 0)
		var list []Event
		if ok && plaintext != nil && json.Unmarshal(plaintext, &list) == nil {
			r.events.add(r.Now(), list...)
		}
	}
}
