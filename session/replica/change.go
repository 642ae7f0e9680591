package replica

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
)

const (
	maxSwaps   = 40 // of one change, others writing in between
	writeLimit = 32 // writes at one time, after an outage
)

func newTag() (tag family.Tag) {
	_, _ = rand.Read(tag[:])
	return tag
}

func storeKey(key family.Key) string { return "s" + base64.RawURLEncoding.EncodeToString(key[:]) }

// Lookup returns the copy of a record as it is known, read again where it is stale, or where
// fresh asks for that. certain is false where the store couldn't be asked.
func (r *Replica) Lookup(ctx context.Context, key family.Key, fresh bool) (c *Copy, record *family.Record, certain bool) {
	c = r.Copy(key)
	record = c.Record()
	if c.local() || !fresh && c.Fresh(record) {
		return c, record, true
	}
	if fresh {
		certain = r.read(ctx, c)
	} else {
		found, _, _ := r.reads.Do(string(key[:]), func() (any, error) { return r.read(context.WithoutCancel(ctx), c), nil })
		certain = found.(bool)
	}
	return c, c.Record(), certain
}

func (c *Copy) isKnown() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known
}

// read merges what the store has into a copy. What was announced since it began makes
// the copy stale again.
func (r *Replica) read(ctx context.Context, c *Copy) bool {
	c.mu.Lock()
	news := c.news
	c.mu.Unlock()
	gaps, began := r.gaps.Load(), time.Since(r.started)
	theirs, ok := r.loadRecord(ctx, c.key)
	if !ok {
		return false
	}
	c.mu.Lock()
	c.learn(theirs, r.Now())
	if c.news == news && !r.isEvicted(c) {
		c.stale.Store(false)
	}
	c.gap.Store(gaps)
	c.readAt.Store(int64(began))
	c.mu.Unlock()
	r.copies.weigh(c)
	return true
}

func (r *Replica) isEvicted(c *Copy) bool { return r.copies.peek(c.key) != c }

func (r *Replica) loadRecord(ctx context.Context, key family.Key) (*family.Record, bool) {
	tag, plaintext, ok := r.load(ctx, storeKey(key), r.TTL)
	if !ok || plaintext == nil {
		return nil, ok
	}
	return r.parse(tag, plaintext)
}

func (r *Replica) parse(tag Tag, plaintext []byte) (*family.Record, bool) {
	if plaintext == nil {
		return nil, true
	}
	record, err := family.Parse(plaintext)
	if err == nil && Tag(record.Tag) != tag {
		err = family.ErrMalformed
	}
	if err != nil {
		r.garbage(err)
		return nil, false
	}
	return record, true
}

// Seen changes a record that is in memory only, and there only; any other as Change does.
func (r *Replica) Seen(ctx context.Context, key family.Key, change func(*family.Record) bool) *family.Record {
	c := r.Copy(key)
	c.mu.Lock()
	if !c.onlySeen() {
		c.mu.Unlock()
		record, _ := r.Change(ctx, key, change)
		return record
	}
	defer c.mu.Unlock()
	next := c.full().Clone()
	if !change(next) {
		return c.record.Load()
	}
	next.Trim(r.Now())
	if len(next.Tokens) == 1 && c.record.Load() == &nothing {
		c.seen = next.Tokens[0]
		return &nothing
	}
	c.record.Store(next)
	return next
}

// Change changes a record by compare-and-swap, here and in the store, and announces it.
// change gets a clone of what is known and reports whether it changed it; it may be called
// several times. stored is false where the store doesn't have the result: then it is kept here,
// announced whole, and written later.
func (r *Replica) Change(ctx context.Context, key family.Key, change func(*family.Record) bool) (record *family.Record, stored bool) {
	ctx = context.WithoutCancel(ctx)
	c := r.Copy(key)
	defer r.copies.weigh(c)
	defer r.locks.lock(key)()
	if c.local() {
		return c.changeHere(change)
	}
	if !c.isKnown() {
		r.readOnce(ctx, c)
	}
	for range maxSwaps {
		w, done := c.attempt(change)
		if done {
			return w.next, true
		}
		if !w.known {
			break
		}
		swapped, theirs, err := r.swapRecord(ctx, key, w.base, w.own, w.next)
		if err != nil {
			break
		}
		if record, ok := c.after(w, swapped, theirs, r.Now()); ok {
			return record, true
		}
	}
	return r.keep(ctx, c, change)
}

// readOnce reads a record for the first time.
func (r *Replica) readOnce(ctx context.Context, c *Copy) {
	gaps, began := r.gaps.Load(), time.Since(r.started)
	if theirs, ok := r.loadRecord(ctx, c.key); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.learn(theirs, r.Now())
		c.gap.Store(gaps)
		c.readAt.Store(int64(began))
	}
}

// changeHere changes a record that nobody else has.
func (c *Copy) changeHere(change func(*family.Record) bool) (*family.Record, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next, changed := c.next(change)
	if changed {
		c.set(next, true)
	}
	return next, true
}

// next is the record after a change, and whether there is one. The caller holds mu.
func (c *Copy) next(change func(*family.Record) bool) (next *family.Record, changed bool) {
	own := c.full()
	next = own.Clone()
	if !change(next) {
		return c.record.Load(), false
	}
	next.Count, next.Tag = own.Count+1, newTag()
	next.Trim(c.replica.Now())
	return next, true
}

// write is one attempt to change a record in the store.
type write struct {
	own, next *family.Record
	base      Tag
	known     bool
}

// attempt makes the record to write. done: there is nothing to write.
func (c *Copy) attempt(change func(*family.Record) bool) (w write, done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w = write{own: c.record.Load(), base: c.base, known: c.known}
	next, changed := c.next(change)
	w.next = next
	return w, !changed && !c.dirty
}

// after takes in what the store answered. ok: the change is stored, as record.
func (c *Copy) after(w write, swapped bool, theirs *family.Record, now family.Moment) (record *family.Record, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	own, pointer := c.full(), c.record.Load()
	if !swapped {
		c.learn(theirs, now)
		return nil, false
	}
	c.base = Tag(w.next.Tag)
	if pointer == w.own {
		c.set(w.next, false)
		return w.next, true
	}
	merged := family.Merge(own, w.next, now) // another replica's answer was merged meanwhile
	if merged.Same(w.next) {
		c.set(w.next, false)
		return w.next, true
	}
	merged.Count, merged.Tag = merged.Count+1, newTag()
	c.set(merged, true)
	return merged, true
}

// switched reports whether a change is a switch of the organization. It travels whole: a replica that
// can't ask the store a moment later would let the former organization's cookie in.
func switched(own, next *family.Record) bool {
	return next.Current != nil && (own.Current == nil && next.Current.Switches > 0 ||
		own.Current != nil && next.Current.Switches != own.Current.Switches)
}

func (r *Replica) swapRecord(ctx context.Context, key family.Key, base Tag, own, next *family.Record) (swapped bool, theirs *family.Record, err error) {
	encoded := next.Append(nil)
	announcement := message{Kind: kindChanged, Key: key[:], Tag: next.Tag[:], Count: next.Count}
	if switched(own, next) {
		announcement.Record, announcement.Stored = encoded, true
	}
	swapped, tag, plaintext, err := r.swap(ctx, storeKey(key), r.TTL, base, Tag(next.Tag), encoded, announcement)
	if err != nil || swapped {
		return swapped, nil, err
	}
	theirs, ok := r.parse(tag, plaintext)
	if !ok {
		return false, nil, errUnreadable
	}
	return false, theirs, nil
}
