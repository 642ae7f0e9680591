package replica

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
)

// Copy is what this replica knows of a record.
type Copy struct {
	replica *Replica
	key     family.Key
	record  atomic.Pointer[family.Record] // never nil
	readAt  atomic.Int64                  // when the last read of the store began, since the start
	gap     atomic.Uint64                 // how many gaps of the bus there were then
	stale   atomic.Bool                   // another tag was announced, or the copy was evicted
	over    atomic.Bool                   // the session has ended, whatever the record says
	used    atomic.Uint32                 // last use, in minutes since the start

	mu    sync.Mutex
	seen  family.Token // while record is &nothing: the one token that is known of a session that was only seen
	base  Tag          // of what the store has, as last read or written; zero: nothing
	news  uint32       // raised by each reason to be stale
	known bool         // the store was read
	dirty bool         // the store hasn't got all of this
}

var nothing family.Record

// Fresh reports whether the record may still be answered from without asking the store:
// it is the copy's, and nothing else was announced.
func (c *Copy) Fresh(record *family.Record) bool {
	if c.record.Load() != record || c.stale.Load() {
		return false
	}
	r := c.replica
	if r.alone() || c.key.Private() {
		c.touch()
		return true
	}
	now := time.Since(r.started)
	if c.gap.Load() != r.gaps.Load() || !r.connectedAt(now) && now-time.Duration(c.readAt.Load()) > disconnectedMaxAge {
		return false
	}
	c.touch()
	return true
}

func (c *Copy) touch() {
	if now := c.replica.minute(); c.used.Load() != now {
		c.used.Store(now)
	}
}

// Record is what is known, whether or not it is fresh. Of a session that was only seen that is
// an empty record, see Token.
func (c *Copy) Record() *family.Record { return c.record.Load() }

// Token is what a record of this copy says of a token, nil if nothing. It must not be changed.
func (c *Copy) Token(record *family.Record, hash family.Hash) *family.Token {
	if record != &nothing {
		return record.Find(hash)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen.Hash != hash || hash == (family.Hash{}) {
		return nil
	}
	t := c.seen
	return &t
}

// Known reports whether a record of this copy knows of any token.
func (c *Copy) Known(record *family.Record) bool {
	if record != &nothing {
		return len(record.Tokens) > 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen.Hash != family.Hash{}
}

// full is the record, with the token of a session that was only seen. The caller holds mu.
func (c *Copy) full() *family.Record {
	record := c.record.Load()
	if record == &nothing && c.seen.Hash != (family.Hash{}) {
		record = &family.Record{Tokens: []family.Token{c.seen}}
	}
	return record
}

// Key is the record's.
func (c *Copy) Key() family.Key { return c.key }

// local reports whether the record is the process's own.
func (c *Copy) local() bool { return c.replica.alone() || c.key.Private() }

// onlySeen reports whether the record is in memory only so far. The caller holds mu.
func (c *Copy) onlySeen() bool { return c.base == Tag{} && c.record.Load().Count == 0 }

// Over reports whether the session is known to have ended. A record that is fresh may not say
// so: the end is announced before it is stored.
func (c *Copy) Over() bool { return c.over.Load() }

// markStale notes that the store may know more.
func (c *Copy) markStale() {
	c.mu.Lock()
	c.news++
	c.mu.Unlock()
	c.stale.Store(true)
}

// set puts a record in the place of the one before. The caller holds mu.
func (c *Copy) set(record *family.Record, dirty bool) {
	c.record.Store(record)
	if c.dirty != dirty {
		c.dirty = dirty
		c.replica.copies.moved(c, dirty)
	}
}

// learn takes in what the store has, nil for nothing. The caller holds mu.
func (c *Copy) learn(theirs *family.Record, now family.Moment) {
	c.known = true
	own := c.full()
	if theirs == nil {
		c.base = Tag{}
		c.set(c.record.Load(), own.Count > 0)
		return
	}
	c.base = Tag(theirs.Tag)
	if own.Tag == theirs.Tag {
		c.set(own, false)
		return
	}
	trimmed := theirs.Clone()
	trimmed.Trim(now)
	merged := family.Merge(own, theirs, now)
	if merged.Same(trimmed) {
		c.set(theirs, false)
		return
	}
	merged.Count++
	merged.Tag = newTag()
	c.set(merged, true)
}

// absorb merges what another replica sent whole, and reports whether it says more.
func (c *Copy) absorb(theirs *family.Record, now family.Moment) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	own := c.full()
	if own.Tag == theirs.Tag {
		return false
	}
	merged := family.Merge(theirs, own, now)
	if merged.Same(own) {
		return false
	}
	merged.Count = max(merged.Count, 1) + 1
	merged.Tag = newTag()
	c.news++
	c.set(merged, true)
	return true
}
