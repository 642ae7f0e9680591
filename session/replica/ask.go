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

// asks are the questions that are open.
type asks struct {
	mu   sync.Mutex
	open map[[16]byte]*question
	// reading bounds the reads that announcements cause.
	reading chan struct{}
}

// question waits for the answer of each replica.
type question struct {
	key     family.Key
	waiting map[family.Holder]bool
	done    chan struct{} // closed once all have answered, or one knows
}

func (a *asks) init() {
	a.open = map[[16]byte]*question{}
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
	if !r.Hears() || r.heardFor() < askLimit { // it may not have heard yet who is there
		return false
	}
	q := &question{key: key, waiting: map[family.Holder]bool{}, done: make(chan struct{})}
	for _, holder := range r.others() {
		q.waiting[holder] = true
	}
	if len(q.waiting) == 0 {
		return r.Hears()
	}
	var id [16]byte
	_, _ = rand.Read(id[:])
	r.asks.mu.Lock()
	r.asks.open[id] = q
	r.asks.mu.Unlock()
	defer func() {
		r.asks.mu.Lock()
		defer r.asks.mu.Unlock()
		delete(r.asks.open, id)
	}()
	if r.publish(ctx, message{Kind: kindAsk, Key: key[:], Token: token[:], Ask: id[:]}) != nil {
		return false
	}
	select {
	case <-q.done:
		return r.Hears()
	case <-ctx.Done():
		return false
	}
}

// heardAsk answers another replica's question.
func (r *Replica) heardAsk(m message) {
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

// heardAnswer merges an answer to a question of this replica's.
func (r *Replica) heardAnswer(from family.Holder, m message) {
	if len(m.Ask) != 16 {
		return
	}
	r.asks.mu.Lock()
	q := r.asks.open[[16]byte(m.Ask)]
	r.asks.mu.Unlock()
	if q == nil || !slices.Equal(q.key[:], m.Key) {
		return
	}
	if m.Record != nil && !r.heardRecord(q.key, m.Record) {
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
