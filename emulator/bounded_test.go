package emulator

import (
	"slices"
	"testing"
	"time"
)

func TestBounded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	b := newBounded[int](2, time.Minute)
	b.put(now, "a", 1)
	b.put(now.Add(10*time.Second), "b", 2)
	if got, ok := b.get(now.Add(59*time.Second), "a"); got != 1 || !ok {
		t.Errorf("got %d, %v before it expires, want 1", got, ok)
	}
	if _, ok := b.get(now.Add(time.Minute), "a"); ok {
		t.Error("got a once it has expired")
	}
	if got := b.all(now.Add(time.Minute)); !slices.Equal(got, []int{2}) {
		t.Errorf("got %v of all, want only what has not expired", got)
	}

	b.put(now.Add(20*time.Second), "c", 3) // full: the oldest goes, though it was just read
	if _, ok := b.get(now.Add(20*time.Second), "a"); ok {
		t.Error("got a, want it out")
	}
	if got := b.all(now.Add(20 * time.Second)); !slices.Equal(got, []int{2, 3}) {
		t.Errorf("got %v of all, want 2 and 3", got)
	}

	if got, ok := b.take(now.Add(20*time.Second), "b"); got != 2 || !ok {
		t.Errorf("got %d, %v, want to take 2", got, ok)
	}
	if _, ok := b.take(now.Add(20*time.Second), "b"); ok {
		t.Error("took b twice")
	}

	b.put(now.Add(time.Hour), "d", 4) // drops c, which has expired
	if got := b.entries.Len(); got != 1 {
		t.Errorf("got %d entries, want the expired one dropped", got)
	}
}

// An expired entry can't be taken, and doesn't stay.
func TestBoundedTakesNothingExpired(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	b := newBounded[int](2, time.Minute)
	b.put(now, "a", 1)
	if _, ok := b.take(now.Add(time.Minute), "a"); ok || b.entries.Len() != 0 {
		t.Errorf("took it: %v, %d left, want neither", ok, b.entries.Len())
	}
}
