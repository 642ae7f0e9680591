package bounded

import (
	"slices"
	"testing"
	"time"
)

func TestBounded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	b := New[int](2, time.Minute, func() time.Time { return now })
	b.Put("a", 1)
	now = now.Add(10 * time.Second)
	b.Put("b", 2)
	now = now.Add(49 * time.Second)
	if got, ok := b.Get("a"); got != 1 || !ok {
		t.Errorf("got %d, %v before it expires, want 1", got, ok)
	}
	now = now.Add(time.Second)
	if _, ok := b.Get("a"); ok {
		t.Error("got a once it has expired")
	}
	if got := b.All(); !slices.Equal(got, []int{2}) {
		t.Errorf("got %v of all, want only what has not expired", got)
	}
}

func TestBoundedIsFull(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	b := New[int](2, time.Minute, func() time.Time { return now })
	for i, key := range []string{"a", "b", "c"} {
		b.Put(key, i+1)
		b.Get("a") // which keeps nothing in
		now = now.Add(time.Second)
	}
	if _, ok := b.Get("a"); ok {
		t.Error("got a, want it out")
	}
	if got := b.All(); !slices.Equal(got, []int{2, 3}) {
		t.Errorf("got %v of all, want 2 and 3", got)
	}
	if got, ok := b.Take("b"); got != 2 || !ok {
		t.Errorf("got %d, %v, want to take 2", got, ok)
	}
	if _, ok := b.Take("b"); ok {
		t.Error("took b twice")
	}
	now = now.Add(time.Hour)
	b.Put("d", 4) // drops c, which has expired
	if got := b.entries.Len(); got != 1 {
		t.Errorf("got %d entries, want the expired one dropped", got)
	}
}

// An expired entry can't be taken, and doesn't stay.
func TestBoundedTakesNothingExpired(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	b := New[int](2, time.Minute, func() time.Time { return now })
	b.Put("a", 1)
	now = now.Add(time.Minute)
	if _, ok := b.Take("a"); ok || b.entries.Len() != 0 {
		t.Errorf("took it: %v, %d left, want neither", ok, b.entries.Len())
	}
}
