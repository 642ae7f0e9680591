package replica

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
)

const (
	maxEnded  = 500_000
	helloEnds = 10_000 // the newest, sent to a replica that asks
	perKnown  = 250    // in one message
)

// ended are the sessions that were signed out or revoked, the newest. They are apart from
// the copies, of which the newest may be the first to go.
type ended struct {
	mu   sync.RWMutex
	at   map[family.Key]family.Moment
	ring []family.Key // in the order in which they came
	next int          // where the oldest is, once the ring is full
	sum  family.Key   // of all keys, by exclusive or
}

func (e *ended) init() { e.at = map[family.Key]family.Moment{} }

// add notes an end and reports whether it is news.
func (e *ended) add(key family.Key, at family.Moment) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.at[key]; ok {
		return false
	}
	if len(e.ring) < maxEnded {
		e.ring = append(e.ring, key)
	} else {
		e.forget(e.ring[e.next])
		e.ring[e.next] = key
		e.next = (e.next + 1) % maxEnded
	}
	e.at[key] = at
	e.toggle(key)
	return true
}

func (e *ended) forget(key family.Key) {
	if _, ok := e.at[key]; ok {
		delete(e.at, key)
		e.toggle(key)
	}
}

func (e *ended) toggle(key family.Key) {
	for i := range e.sum {
		e.sum[i] ^= key[i]
	}
}

func (e *ended) has(key family.Key) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	_, ok := e.at[key]
	return ok
}

func (e *ended) len() int {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return len(e.at)
}

// sweep forgets those that ended before.
func (e *ended) sweep(before family.Moment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.ring) == maxEnded { // the oldest go by themselves
		return
	}
	e.ring = slices.DeleteFunc(e.ring, func(key family.Key) bool {
		old := e.at[key] < before
		if old {
			e.forget(key)
		}
		return old
	})
}

// newest lists the last n.
func (e *ended) newest(n int) []End {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var ends []End
	for i := range min(n, len(e.ring)) {
		key := e.ring[(e.next-1-i+2*len(e.ring))%len(e.ring)]
		if at, ok := e.at[key]; ok {
			ends = append(ends, End{Key: key, KeyText: key[:], At: at})
		}
	}
	return ends
}

func (e *ended) digest() []byte {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.Clone(e.sum[:])
}

// Ended reports whether a session is known to have ended, whatever its record says.
func (r *Replica) Ended(key family.Key) bool { return r.ended.has(key) }

// End ends a session on every replica: announced first, then stored, both whatever became
// of the other. sessionID is set where AuthKit may not know of the end. announced and stored
// say what worked; alone, both.
func (r *Replica) End(ctx context.Context, key family.Key, sessionID string) (announced, stored bool) {
	end := End{Key: key, KeyText: key[:], At: r.Now(), SessionID: sessionID, Holder: r.holder[:]}
	r.endHere(end)
	announced = true
	if !r.alone() && !key.Private() {
		announced = r.publish(ctx, message{Kind: kindEnded, Ends: []End{end}}) == nil
	}
	_, stored = r.Change(ctx, key, func(record *family.Record) bool { return record.End(sessionID != "", end.At) })
	return announced, stored
}

func (r *Replica) endHere(end End) bool {
	news := r.ended.add(end.Key, end.At)
	if c := r.copies.peek(end.Key); c != nil {
		c.over.Store(true)
		c.markStale()
	}
	return news
}

// handleEnds takes ends that others know of. fresh: they are of now.
func (r *Replica) handleEnds(ends []End, fresh bool) {
	for _, end := range ends {
		if len(end.KeyText) != sha256.Size {
			continue
		}
		end.Key = family.Key(end.KeyText)
		r.endHere(end)
		if fresh && r.OnEnd != nil {
			r.OnEnd(end)
		}
	}
}

// sendHello asks the others for the ended sessions and the events that this replica missed.
func (r *Replica) sendHello() {
	ctx := context.Background()
	_ = r.publish(ctx, message{Kind: kindHello, EndsDigest: r.ended.digest(), EventsDigest: r.events.digest()}) // asked again after the next gap
	r.loadEvents(ctx)
}

// handleHello sends another replica what it has missed.
func (r *Replica) handleHello(m message) {
	tellEnds, tellEvents := !slices.Equal(m.EndsDigest, r.ended.digest()), !slices.Equal(m.EventsDigest, r.events.digest())
	if !tellEnds && !tellEvents {
		return
	}
	r.background.Go(func() {
		var ends []End
		var events []Event
		if tellEnds {
			ends = r.ended.newest(helloEnds)
		}
		if tellEvents {
			events = r.events.all()
		}
		for part := range slices.Chunk(ends, perKnown) {
			if r.publish(context.Background(), message{Kind: kindKnown, Ends: part}) != nil {
				return
			}
		}
		for part := range slices.Chunk(events, perKnown) {
			if r.publish(context.Background(), message{Kind: kindKnown, Events: part}) != nil {
				return
			}
		}
	})
}

// ErrUnsynced: an event or an end could be neither announced nor stored, and holds here only.
var ErrUnsynced = errors.New("replica: neither announced nor stored, so the other replicas do not know")
