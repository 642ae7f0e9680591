package emulator

import (
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// bounded is a map whose entries expire after one common time, and whose oldest
// entry makes room once it is full. The caller locks.
type bounded[V any] struct {
	ttl     time.Duration
	now     func() time.Time
	entries *simplelru.LRU[string, entry[V]]
}

type entry[V any] struct {
	value   V
	expires time.Time
}

func newBounded[V any](size int, ttl time.Duration, now func() time.Time) *bounded[V] {
	entries, err := simplelru.NewLRU[string, entry[V]](size, nil)
	if err != nil {
		panic(err) // a size below one, which no caller has
	}
	return &bounded[V]{ttl: ttl, now: now, entries: entries}
}

// put adds an entry, and drops what has expired. Reads never reorder the entries, so the
// oldest is the next to expire.
func (b *bounded[V]) put(key string, value V) {
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

func (b *bounded[V]) get(key string) (value V, ok bool) {
	found, ok := b.entries.Peek(key)
	if !ok || !b.now().Before(found.expires) {
		return value, false
	}
	return found.value, true
}

// take is get for what works once.
func (b *bounded[V]) take(key string) (V, bool) {
	value, ok := b.get(key)
	b.entries.Remove(key)
	return value, ok
}

// all gives what has not expired, oldest first.
func (b *bounded[V]) all() []V {
	now := b.now()
	var values []V
	for _, e := range b.entries.Values() {
		if now.Before(e.expires) {
			values = append(values, e.value)
		}
	}
	return values
}
