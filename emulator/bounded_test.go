package emulator

import (
	"slices"
	"testing"
	"time"
)

func TestBounded(t *testing.T) {
	t.Parallel()
	clock := &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	b := newBounded[int](2, time.Minute, clock.Now)
	b.put("a", 1)
	clock.Advance(10 * time.Second)
	b.put("b", 2)
	clock.Advance(49 * time.Second)
	if got, ok := b.get("a"); got != 1 || !ok {
		t.Errorf("got %d, %v before it expires, want 1", got, ok)
	}
	clock.Advance(time.Second)
	if _, ok := b.get("a"); ok {
		t.Error("got a once it has expired")
	}
	if got := b.all(); !slices.Equal(got, []int{2}) {
		t.Errorf("got %v of all, want only what has not expired", got)
	}
}

func TestBoundedIsFull(t *testing.T) {
	t.Parallel()
	clock := &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	b := newBounded[int](2, time.Minute, clock.Now)
	for i, key := range []string{"a", "b", "c"} {
		b.put(key, i+1)
		b.get("a") // which keeps nothing in
		clock.Advance(time.Second)
	}
	if _, ok := b.get("a"); ok {
		t.Error("got a, want it out")
	}
	if got := b.all(); !slices.Equal(got, []int{2, 3}) {
		t.Errorf("got %v of all, want 2 and 3", got)
	}
	if got, ok := b.take("b"); got != 2 || !ok {
		t.Errorf("got %d, %v, want to take 2", got, ok)
	}
	if _, ok := b.take("b"); ok {
		t.Error("took b twice")
	}
	clock.Advance(time.Hour)
	b.put("d", 4) // drops c, which has expired
	if got := b.entries.Len(); got != 1 {
		t.Errorf("got %d entries, want the expired one dropped", got)
	}
}

// An expired entry can't be taken, and doesn't stay.
func TestBoundedTakesNothingExpired(t *testing.T) {
	t.Parallel()
	clock := &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	b := newBounded[int](2, time.Minute, clock.Now)
	b.put("a", 1)
	clock.Advance(time.Minute)
	if _, ok := b.take("a"); ok || b.entries.Len() != 0 {
		t.Errorf("took it: %v, %d left, want neither", ok, b.entries.Len())
	}
}
