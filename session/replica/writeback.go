package replica

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
)

// keep changes a record that can't be written now, and announces it whole.
func (r *Replica) keep(ctx context.Context, c *Copy, change func(*family.Record) bool) (record *family.Record, stored bool) {
	c.mu.Lock()
	next, changed := c.next(change)
	if changed {
		c.news++
		c.set(next, true)
	}
	stored = !c.dirty
	c.mu.Unlock()
	if changed {
		r.announceWhole(ctx, c.key, next)
	}
	return next, stored
}

func (r *Replica) announceWhole(ctx context.Context, key family.Key, record *family.Record) {
	_ = r.publish(ctx, message{ // whoever misses it asks, or reads it once it is written
		Kind: kindChanged, Key: key[:], Tag: record.Tag[:], Count: record.Count, Record: record.Append(nil),
	})
}

// flush writes the copies that the store hasn't got, until one can't be written.
func (r *Replica) flush(ctx context.Context) {
	slots := make(chan struct{}, writeLimit)
	var writing sync.WaitGroup
	defer writing.Wait()
	answers := false
	for _, key := range r.copies.allUnwritten() {
		if r.unreadable.recent(key) {
			continue
		}
		if !answers { // the first one shows whether the store takes writes again
			if !r.writeBack(ctx, key) {
				return
			}
			answers = true
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		writing.Go(func() { defer func() { <-slots }(); r.writeBack(ctx, key) })
	}
}

// writeBack writes one copy. It reports whether the store can be asked.
func (r *Replica) writeBack(ctx context.Context, key family.Key) bool {
	c := r.copies.peek(key)
	if c == nil {
		return true
	}
	defer r.locks.lock(key)()
	for range maxSwaps {
		c.mu.Lock()
		w := write{own: c.record.Load(), base: c.base}
		dirty := c.dirty
		c.mu.Unlock()
		if w.next = w.own; !dirty || w.own.Count == 0 {
			return true
		}
		swapped, theirs, err := r.swapRecord(ctx, key, w.base, &nothing, w.next) // a switch may not have been heard
		if errors.Is(err, errUnreadable) {
			r.unreadable.add(key)
			return true
		}
		if err != nil {
			return false
		}
		c.after(w, swapped, theirs, r.Now())
	}
	return true
}

const unreadableWait = 10 * time.Second

// unreadable are the records of which the store holds something that doesn't open; they
// are tried again, but not each time.
type unreadable struct {
	mu    sync.Mutex
	tried map[family.Key]time.Time
}

func (u *unreadable) add(key family.Key) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.tried == nil || len(u.tried) >= 100_000 {
		u.tried = map[family.Key]time.Time{}
	}
	u.tried[key] = time.Now()
}

func (u *unreadable) recent(key family.Key) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	at, ok := u.tried[key]
	return ok && time.Since(at) < unreadableWait
}
