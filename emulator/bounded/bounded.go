// Package bounded is a map that forgets: what has expired, and the oldest once it is full.
package bounded

import (
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Map is a map whose entries expire after one common time, and whose oldest
// entry makes room once it is full. The caller locks.
type Map[V any] struct {
	ttl     time.Duration
	now     func() time.Time
	entries *simplelru.LRU[string, entry[V]]
}

type entry[V any] struct {
	value   V
	expires time.Time
}

// New makes one for so many entries.
func New[V any](size int, ttl time.Duration, now func() time.Time) *Map[V] {
	entries, err := simplelru.NewLRU[string, entry[V]](size, nil)
	if err != nil {
		panic(err) // a size below one, which no caller has
	}
	return &Map[V]{ttl: ttl, now: now, entries: entries}
}

// Put adds an entry, and drops what has expired. Reads never reorder the entries, so the
// oldest is the next to expire.
func (b *Map[V]) Put(key string, value V) {
	now := b.now()
	for {
		_, oldest, ok := b.entries.GetOldest()
		if !ok || now.Before(oldest.expires) {
			break
		}
		b.entries.RemoveOldest()
	}
	b.entries.Add(key, entry[V]{value, now.Add(b.ttl)})
}

// Get returns what has not expired.
func (b *Map[V]) Get(key string) (value V, ok bool) {
	found, ok := b.entries.Peek(key)
	if !ok || !b.now().Before(found.expires) {
		return value, false
	}
	return found.value, true
}

// Take is Get for what works once.
func (b *Map[V]) Take(key string) (V, bool) {
	value, ok := b.Get(key)
	b.entries.Remove(key)
	return value, ok
}

// All gives what has not expired, oldest first.
func (b *Map[V]) All() []V {
	now := b.now()
	var values []V
	for _, e := range b.entries.Values() {
		if now.Before(e.expires) {
			values = append(values, e.value)
		}
	}
	return values
}
