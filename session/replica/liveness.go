package replica

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
)

const (
	pingEvery          = 200 * time.Millisecond
	pingsASecond       = 50                     // of all replicas together
	disconnectedAfter  = 450 * time.Millisecond // without one's own ping; for pings of pingEvery
	disconnectedMaxAge = 400 * time.Millisecond // how old a copy may be while its replica is not connected
	goneAfter          = 2 * time.Second        // without a holder's ping; for pings of pingEvery
	knownFor           = time.Minute            // a replica that sent something within it has to answer
	busSilence         = 600 * time.Millisecond // without any message: the connection is dead
	keepNumbers        = 5 * time.Second        // of messages that have come
	maxNumbers         = 20_000                 // of one sender
)

// liveness is what a replica knows of the others, and whether messages arrive at all.
type liveness struct {
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

	livenessMu     sync.Mutex
	connectedSince time.Time // without a gap; zero: not connected
	senders        map[family.Holder]*sender
	unlisted       []uint64 // messages that the next ping lists
}

// sender is another replica.
type sender struct {
	lastMessage time.Time
	every       time.Duration // between its pings
	pings       uint64        // number of the last one
	numbers     map[uint64]time.Time
	goodbye     bool
	gone        bool // OnGone was called
}

func (l *liveness) init() {
	l.started = time.Now()
	l.senders = map[family.Holder]*sender{}
	l.gaps.Store(1) // copies that were never read are stale
	l.lastOwn.Store(-1)
	l.every.Store(int64(pingEvery))
}

// minute is the time in minutes since the start.
func (l *liveness) minute() uint32 { return uint32(time.Since(l.started) / time.Minute) }

func (l *liveness) interval() time.Duration { return time.Duration(l.every.Load()) }

// scaled stretches a time that is meant for pings of pingEvery.
func scaled(d, every time.Duration) time.Duration {
	return max(d, d*every/pingEvery)
}

// Connected reports whether the messages of the others arrive here.
func (r *Replica) Connected() bool { return r.alone() || r.connectedAt(time.Since(r.started)) }

func (l *liveness) connectedAt(sinceStart time.Duration) bool {
	last := l.lastOwn.Load()
	return last >= 0 && sinceStart-time.Duration(last) <= scaled(disconnectedAfter, l.interval())
}

// ping says that this replica is here, and which messages it sent.
func (r *Replica) ping(ctx context.Context) {
	r.livenessMu.Lock()
	r.every.Store(int64(r.pingInterval()))
	r.pings++
	number, sent := r.pings, r.unlisted
	r.unlisted = nil
	slot := &r.pingSent[number%uint64(len(r.pingSent))]
	slot.number, slot.at = number, time.Now()
	r.livenessMu.Unlock()
	err := r.publish(ctx, message{Kind: kindPing, Number: number, Sent: sent, Interval: r.interval().Milliseconds()})
	if err != nil {
		r.livenessMu.Lock()
		r.unlisted = append(sent, r.unlisted...)
		r.livenessMu.Unlock()
	}
}

// pingInterval keeps all pings together under pingsASecond. The caller holds livenessMu.
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
func (l *liveness) sent(number uint64) {
	if number == 0 {
		return
	}
	l.livenessMu.Lock()
	defer l.livenessMu.Unlock()
	l.unlisted = append(l.unlisted, number)
	if len(l.unlisted) > maxNumbers { // no ping got through for a long time
		l.unlisted = l.unlisted[len(l.unlisted)-maxNumbers:]
	}
}

// connected notes a new subscription: what was said before it is lost.
func (r *Replica) subscribed() { r.lastOwn.Store(-1) }

// ownPing notes that a ping came back.
func (r *Replica) ownPing(number uint64) {
	r.livenessMu.Lock()
	slot := r.pingSent[number%uint64(len(r.pingSent))]
	late := slot.number != number || time.Since(slot.at) > scaled(disconnectedAfter, r.interval())
	r.livenessMu.Unlock()
	if late { // out of a connection that was stuck: there may be more behind it
		return
	}
	connected := r.Connected()
	if !connected { // before copies count again
		r.gap()
	}
	r.lastOwn.Store(int64(time.Since(r.started)))
	if !connected {
		r.livenessMu.Lock()
		r.connectedSince = time.Now()
		r.livenessMu.Unlock()
		r.background.Go(r.sendHello)
	}
}

// gap notes that messages may have been lost.
func (r *Replica) gap() {
	r.gaps.Add(1)
	r.events.missed()
	r.metrics.gaps.Inc()
}

// noteSender notes a message of another replica's, and, at a ping, whether all before it
// came.
func (r *Replica) noteSender(from family.Holder, m message) {
	now := time.Now()
	r.livenessMu.Lock()
	s := r.senders[from]
	if s == nil {
		s = &sender{every: pingEvery, numbers: map[uint64]time.Time{}}
		r.senders[from] = s
	}
	s.lastMessage = now
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
	r.livenessMu.Unlock()
	if lost {
		r.gap()
		r.background.Go(r.sendHello)
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

// Gone reports whether a holder is dead: it said goodbye, or sent nothing for two seconds
// to this replica, which was connected all the time.
func (r *Replica) Gone(holder family.Holder) bool {
	if holder == r.holder {
		return false
	}
	if r.alone() {
		return true // one from before a restart, which can't be
	}
	if !r.Connected() {
		return false
	}
	r.livenessMu.Lock()
	defer r.livenessMu.Unlock()
	s := r.senders[holder]
	if s != nil && s.goodbye {
		return true
	}
	now, limit := time.Now(), scaled(goneAfter, r.interval())
	if s != nil {
		limit = scaled(goneAfter, s.every)
	}
	if r.connectedSince.IsZero() || now.Sub(r.connectedSince) < limit {
		return false
	}
	return s == nil || now.Sub(s.lastMessage) >= limit
}

// reapGone calls OnGone for holders that died, and forgets those of long ago.
func (r *Replica) reapGone() {
	var gone []family.Holder
	r.livenessMu.Lock()
	now := time.Now()
	for holder, s := range r.senders {
		if now.Sub(s.lastMessage) > 2*knownFor {
			delete(r.senders, holder)
		} else if !s.gone {
			gone = append(gone, holder)
		}
	}
	r.livenessMu.Unlock()
	for _, holder := range gone {
		if !r.Gone(holder) {
			continue
		}
		r.livenessMu.Lock()
		if s := r.senders[holder]; s != nil {
			s.gone = true
		}
		r.livenessMu.Unlock()
		if r.OnGone != nil {
			r.OnGone(holder)
		}
	}
}

// others are the replicas of which a message came within the last minute and didn't say goodbye.
func (r *Replica) others() []family.Holder {
	r.livenessMu.Lock()
	defer r.livenessMu.Unlock()
	var holders []family.Holder
	for holder, s := range r.senders {
		if !s.goodbye && time.Since(s.lastMessage) < knownFor {
			holders = append(holders, holder)
		}
	}
	return holders
}

// HasOthers reports whether another replica was heard within the last minute.
func (r *Replica) HasOthers() bool { return len(r.others()) > 0 }

// connectedFor is how long messages have arrived here without a gap.
func (r *Replica) connectedFor() time.Duration {
	r.livenessMu.Lock()
	defer r.livenessMu.Unlock()
	if r.connectedSince.IsZero() {
		return 0
	}
	return time.Since(r.connectedSince)
}
