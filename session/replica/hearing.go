package replica

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
)

const (
	pingEvery    = 200 * time.Millisecond
	pingsASecond = 50                     // of all replicas together
	deafAfter    = 450 * time.Millisecond // without one's own ping; for pings of pingEvery
	deafLimit    = 400 * time.Millisecond // how old a copy may be while its replica is deaf
	goneAfter    = 2 * time.Second        // without a holder's ping; for pings of pingEvery
	knownFor     = time.Minute            // a replica that was heard within it has to answer
	busSilence   = 600 * time.Millisecond // in which nothing at all was heard: the connection is dead
	keepNumbers  = 5 * time.Second        // of messages that were heard
	maxNumbers   = 20_000                 // of one sender
)

// hearing is what a replica knows of the others, and whether it hears at all.
type hearing struct {
	started  time.Time
	counted  atomic.Uint64 // messages so far
	gaps     atomic.Uint64 // times that messages may have been lost; copies read before the last one are stale
	lastOwn  atomic.Int64  // when the last own ping came back, since the start; negative: never, or connected anew
	every    atomic.Int64  // between pings
	pings    uint64
	pingSent [8]struct { // the last ones
		number uint64
		at     time.Time
	}

	hearMu       sync.Mutex
	hearingSince time.Time // without a gap; zero: deaf
	senders      map[family.Holder]*sender
	unlisted     []uint64 // messages that the next ping lists
}

// sender is another replica.
type sender struct {
	heard   time.Time
	every   time.Duration // between its pings
	pings   uint64        // number of the last one
	numbers map[uint64]time.Time
	goodbye bool
	gone    bool // OnGone was called
}

func (h *hearing) init() {
	h.started = time.Now()
	h.senders = map[family.Holder]*sender{}
	h.gaps.Store(1) // copies that were never read are stale
	h.lastOwn.Store(-1)
	h.every.Store(int64(pingEvery))
}

// minute is the time in minutes since the start.
func (h *hearing) minute() uint32 { return uint32(time.Since(h.started) / time.Minute) }

func (h *hearing) interval() time.Duration { return time.Duration(h.every.Load()) }

// scaled stretches a time that is meant for pings of pingEvery.
func scaled(d, every time.Duration) time.Duration {
	return max(d, d*every/pingEvery)
}

// Hears reports whether this replica hears what the others say.
func (r *Replica) Hears() bool { return r.alone() || r.hearsAt(time.Since(r.started)) }

func (h *hearing) hearsAt(sinceStart time.Duration) bool {
	last := h.lastOwn.Load()
	return last >= 0 && sinceStart-time.Duration(last) <= scaled(deafAfter, h.interval())
}

// ping says that this replica is here, and which messages it sent.
func (r *Replica) ping(ctx context.Context) {
	r.hearMu.Lock()
	r.every.Store(int64(r.pingInterval()))
	r.pings++
	number, sent := r.pings, r.unlisted
	r.unlisted = nil
	slot := &r.pingSent[number%uint64(len(r.pingSent))]
	slot.number, slot.at = number, time.Now()
	r.hearMu.Unlock()
	err := r.publish(ctx, message{Kind: kindPing, Number: number, Sent: sent, Interval: r.interval().Milliseconds()})
	if err != nil {
		r.hearMu.Lock()
		r.unlisted = append(sent, r.unlisted...)
		r.hearMu.Unlock()
	}
}

// pingInterval keeps all pings together under pingsASecond. The caller holds hearMu.
func (r *Replica) pingInterval() time.Duration {
	replicas := 1
	for _, s := range r.senders {
		if !s.goodbye && !s.gone {
			replicas++
		}
	}
	return max(pingEvery, time.Duration(replicas)*time.Second/pingsASecond)
}

// sent notes a message that the bus has taken: the next ping lists it.
func (h *hearing) sent(number uint64) {
	if number == 0 {
		return
	}
	h.hearMu.Lock()
	defer h.hearMu.Unlock()
	h.unlisted = append(h.unlisted, number)
	if len(h.unlisted) > maxNumbers { // nobody hears, for a long time
		h.unlisted = h.unlisted[len(h.unlisted)-maxNumbers:]
	}
}

// connected notes a new subscription: what was said before it is lost.
func (r *Replica) connected() { r.lastOwn.Store(-1) }

// heardMyself notes that a ping came back.
func (r *Replica) heardMyself(number uint64) {
	r.hearMu.Lock()
	slot := r.pingSent[number%uint64(len(r.pingSent))]
	late := slot.number != number || time.Since(slot.at) > scaled(deafAfter, r.interval())
	r.hearMu.Unlock()
	if late { // out of a connection that was stuck: there may be more behind it
		return
	}
	heard := r.Hears()
	if !heard { // before copies count again
		r.gap()
	}
	r.lastOwn.Store(int64(time.Since(r.started)))
	if !heard {
		r.hearMu.Lock()
		r.hearingSince = time.Now()
		r.hearMu.Unlock()
		r.background.Go(r.sayHello)
	}
}

// gap notes that messages may have been lost.
func (r *Replica) gap() {
	r.gaps.Add(1)
	r.events.missed()
	r.metrics.gaps.Inc()
}

// heardFrom notes a message of another replica's, and, at a ping, whether all before it
// came.
func (r *Replica) heardFrom(from family.Holder, m message) {
	now := time.Now()
	r.hearMu.Lock()
	s := r.senders[from]
	if s == nil {
		s = &sender{every: pingEvery, numbers: map[uint64]time.Time{}}
		r.senders[from] = s
	}
	s.heard = now
	s.gone = s.gone && s.goodbye // it was silent, and is back
	lost := false
	switch m.Kind {
	case kindPing:
		lost = s.pinged(m, now)
	case kindGoodbye:
		s.goodbye = true
	}
	if m.Kind != kindPing {
		s.numbers[m.Number] = now
	}
	r.hearMu.Unlock()
	if lost {
		r.gap()
		r.background.Go(r.sayHello)
	}
}

// pinged reports whether a message was lost.
func (s *sender) pinged(m message, now time.Time) (lost bool) {
	lost = m.Number != s.pings+1
	for _, number := range m.Sent {
		if _, ok := s.numbers[number]; !ok {
			lost = true
		}
	}
	s.pings = m.Number
	s.every = max(pingEvery, min(time.Duration(m.Interval)*time.Millisecond, time.Minute))
	for number, at := range s.numbers {
		if now.Sub(at) > keepNumbers || len(s.numbers) > maxNumbers {
			delete(s.numbers, number)
		}
	}
	return lost
}

// Gone reports whether a holder is dead: it said goodbye, or wasn't heard for two seconds
// by this replica, which heard itself all the time.
func (r *Replica) Gone(holder family.Holder) bool {
	if holder == r.holder {
		return false
	}
	if r.alone() {
		return true // one from before a restart, which can't be
	}
	if !r.Hears() {
		return false
	}
	r.hearMu.Lock()
	defer r.hearMu.Unlock()
	s := r.senders[holder]
	if s != nil && s.goodbye {
		return true
	}
	now, limit := time.Now(), scaled(goneAfter, r.interval())
	if s != nil {
		limit = scaled(goneAfter, s.every)
	}
	if r.hearingSince.IsZero() || now.Sub(r.hearingSince) < limit {
		return false
	}
	return s == nil || now.Sub(s.heard) >= limit
}

// reapGone calls OnGone for holders that died, and forgets those of long ago.
func (r *Replica) reapGone() {
	var gone []family.Holder
	r.hearMu.Lock()
	now := time.Now()
	for holder, s := range r.senders {
		if now.Sub(s.heard) > 2*knownFor {
			delete(r.senders, holder)
		} else if !s.gone {
			gone = append(gone, holder)
		}
	}
	r.hearMu.Unlock()
	for _, holder := range gone {
		if !r.Gone(holder) {
			continue
		}
		r.hearMu.Lock()
		if s := r.senders[holder]; s != nil {
			s.gone = true
		}
		r.hearMu.Unlock()
		if r.OnGone != nil {
			r.OnGone(holder)
		}
	}
}

// others are the replicas that were heard within the last minute and didn't say goodbye.
func (r *Replica) others() []family.Holder {
	r.hearMu.Lock()
	defer r.hearMu.Unlock()
	var holders []family.Holder
	for holder, s := range r.senders {
		if !s.goodbye && time.Since(s.heard) < knownFor {
			holders = append(holders, holder)
		}
	}
	return holders
}

// heardFor is how long this replica has heard itself without a gap.
func (r *Replica) heardFor() time.Duration {
	r.hearMu.Lock()
	defer r.hearMu.Unlock()
	if r.hearingSince.IsZero() {
		return 0
	}
	return time.Since(r.hearingSince)
}
