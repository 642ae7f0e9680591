package replica

import (
	"sync"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
)

const (
	maxCopyBytes = 256 << 20
	copyBytes    = 280 // of a copy of a session that was only seen, and its place in the map
	evictSample  = 12  // of so many copies the one goes whose use is longest ago
)

// copies are those of a Replica, by key. Clean ones make room first.
type copies struct {
	mu    sync.Mutex
	clean map[family.Key]*Copy // in the store, or never there
	dirty map[family.Key]*Copy // not in the store as they are; alone: all that were ever changed
	local int                  // how many of the dirty ones never leave the process
	bytes int
	size  map[family.Key]int32 // of those that are larger than copyBytes
}

func (s *copies) init() {
	s.clean, s.dirty, s.size = map[family.Key]*Copy{}, map[family.Key]*Copy{}, map[family.Key]int32{}
}

// Copy returns the copy of a record, a new one if there is none.
func (r *Replica) Copy(key family.Key) *Copy {
	s := &r.copies
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.find(key); c != nil {
		c.touch()
		return c
	}
	c := &Copy{replica: r, key: key}
	c.record.Store(&nothing)
	c.touch()
	s.clean[key] = c
	s.bytes += copyBytes
	s.evict(c)
	return c
}

func (s *copies) find(key family.Key) *Copy {
	if c, ok := s.clean[key]; ok {
		return c
	}
	return s.dirty[key]
}

// peek returns a copy if there is one.
func (s *copies) peek(key family.Key) *Copy {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(key)
}

// moved notes that a copy has become dirty or clean.
func (s *copies) moved(c *Copy, dirty bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(c.key) != c {
		return
	}
	s.take(c)
	if dirty {
		s.dirty[c.key] = c
		s.local += one(c.key.Private())
	} else {
		s.clean[c.key] = c
	}
}

// take takes a copy out of where it is.
func (s *copies) take(c *Copy) {
	delete(s.clean, c.key)
	if _, ok := s.dirty[c.key]; ok {
		delete(s.dirty, c.key)
		s.local -= one(c.key.Private())
	}
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// weigh notes how much memory a copy takes now.
func (s *copies) weigh(c *Copy) {
	record := c.record.Load()
	more := int32(0)
	if record != &nothing {
		more = int32(160 + len(record.Tokens)*80)
	}
	if record.Current != nil {
		more += int32(len(record.Current.Sealed)) + 80
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(c.key) != c || s.size[c.key] == more {
		return
	}
	s.bytes += int(more - s.size[c.key])
	s.size[c.key] = more
	s.evict(c)
}

// evict makes room, but not of one copy.
func (s *copies) evict(but *Copy) {
	for s.bytes > maxCopyBytes {
		from := s.clean
		if len(from) == 0 || len(from) == 1 && from[but.key] == but {
			from = s.dirty
		}
		var oldest *Copy
		n := 0
		for _, c := range from {
			if c != but && (oldest == nil || c.used.Load() < oldest.used.Load()) {
				oldest = c
			}
			if n++; n > evictSample {
				break
			}
		}
		if oldest == nil {
			return
		}
		s.remove(oldest)
		oldest.replica.metrics.evictions.Inc()
	}
}

func (s *copies) remove(c *Copy) {
	s.take(c)
	s.bytes -= copyBytes + int(s.size[c.key])
	delete(s.size, c.key)
	c.stale.Store(true) // for good: whoever has it looks it up again
}

// sweep forgets copies that weren't used for so long.
func (s *copies) sweep(ttl time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, all := range []map[family.Key]*Copy{s.clean, s.dirty} {
		for _, c := range all {
			if unused := c.replica.minute() - c.used.Load(); time.Duration(unused)*time.Minute > ttl {
				s.remove(c)
			}
		}
	}
}

// unwritten counts the copies that aren't in the store yet.
func (s *copies) unwritten() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.dirty) - s.local
}

// all lists the keys of the copies that aren't in the store yet.
func (s *copies) allUnwritten() []family.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := make([]family.Key, 0, len(s.dirty)-s.local)
	for key := range s.dirty {
		if !key.Private() {
			keys = append(keys, key)
		}
	}
	return keys
}

func (s *copies) count() (all, unwritten, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.clean) + len(s.dirty), len(s.dirty) - s.local, s.bytes
}
