package replica

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
)

const (
	askLimit = time.Second // for all answers
	maxReads = 64          // of copies that an announcement made doubtful, at one time
)

// asks are those of this replica that are pending.
type asks struct {
	mu      sync.Mutex
	pending map[[16]byte]*pendingAsk
	// reading bounds the reads that announcements cause.
	reading chan struct{}
}

// pendingAsk waits for the answer of each replica.
type pendingAsk struct {
	key     family.Key
	waiting map[family.Holder]bool
	done    chan struct{} // closed once all have answered, or one knows
}

func (a *asks) init() {
	a.pending = map[[16]byte]*pendingAsk{}
	a.reading = make(chan struct{}, maxReads)
}

// Ask asks the other replicas who knows that a token was exchanged, and merges what they
// know. It reports whether everybody who may know has answered.
func (r *Replica) Ask(ctx context.Context, key family.Key, token family.Hash) bool {
	if r.alone() || key.Private() {
		return true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askLimit)
	defer cancel()
	if !r.Connected() || r.connectedFor() < askLimit { // it may not know all others yet
		return false
	}
	q := &pendingAsk{key: key, waiting: map[family.Holder]bool{}, done: make(chan struct{})}
	for _, holder := range r.others() {
		q.waiting[holder] = true
	}
	if len(q.waiting) == 0 {
		return r.Connected()
	}
	var id [16]byte
	_, _ = rand.Read(id[:])
	r.asks.mu.Lock()
	r.asks.pending[id] = q
	r.asks.mu.Unlock()
	defer func() {
		r.asks.mu.Lock()
		defer r.asks.mu.Unlock()
		delete(r.asks.pending, id)
	}()
	if r.publish(ctx, message{Kind: kindAsk, Key: key[:], Token: token[:], Ask: id[:]}) != nil {
		return false
	}
	select {
	case <-q.done:
		return r.Connected()
	case <-ctx.Done():
		return false
	}
}

// handleAsk answers another replica.
func (r *Replica) handleAsk(m message) {
	if len(m.Key) != len(family.Key{}) || len(m.Token) != len(family.Hash{}) {
		return
	}
	key, answer := family.Key(m.Key), message{Kind: kindAnswer, Key: m.Key, Ask: m.Ask}
	if c := r.copies.peek(key); c != nil {
		record := c.Record()
		if t := record.Find(family.Hash(m.Token)); t != nil && t.Spent && record.Current != nil {
			answer.Record = record.Append(nil)
			r.goRead(c) // and write it, if the store doesn't know
		}
	}
	r.background.Go(func() { _ = r.publish(context.Background(), answer) }) // without it the asker doesn't reject
}

// handleAnswer merges an answer to an ask of this replica's.
func (r *Replica) handleAnswer(from family.Holder, m message) {
	if len(m.Ask) != 16 {
		return
	}
	r.asks.mu.Lock()
	q := r.asks.pending[[16]byte(m.Ask)]
	r.asks.mu.Unlock()
	if q == nil || !slices.Equal(q.key[:], m.Key) {
		return
	}
	if m.Record != nil && !r.handleRecord(q.key, m.Record) {
		return
	}
	r.asks.mu.Lock()
	defer r.asks.mu.Unlock()
	if len(q.waiting) == 0 {
		return
	}
	delete(q.waiting, from)
	if m.Record != nil {
		clear(q.waiting)
	}
	if len(q.waiting) == 0 {
		close(q.done)
	}
}

// goRead reads a copy in the background, unless too many are being read.
func (r *Replica) goRead(c *Copy) {
	select {
	case r.asks.reading <- struct{}{}:
		r.background.Go(func() {
			defer func() { <-r.asks.reading }()
			r.read(context.Background(), c)
		})
	default: // it is stale, and read before it is used
	}
}
