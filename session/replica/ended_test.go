package replica

import (
	"encoding/binary"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
)

// Beyond the bound the oldest ends are forgotten, never the newest.
func TestNewestEndsAreKept(t *testing.T) {
	t.Parallel()
	var e ended
	e.init()
	key := func(i int) (key family.Key) {
		binary.BigEndian.PutUint64(key[:], uint64(i))
		return key
	}
	const count = 600_000
	for i := range count {
		e.add(key(i), family.Moment(i+1))
	}
	if got := e.len(); got != 500_000 {
		t.Errorf("got %d ends, want 500000", got)
	}
	for _, tt := range []struct {
		i    int
		kept bool
	}{{0, false}, {99_999, false}, {100_000, true}, {count - 1, true}} {
		if got := e.has(key(tt.i)); got != tt.kept {
			t.Errorf("end %d: got %t, want %t", tt.i, got, tt.kept)
		}
	}
	newest := e.newest(2)
	if len(newest) != 2 || newest[0].Key != key(count-1) || newest[1].Key != key(count-2) {
		t.Errorf("got %v, want the last two", newest)
	}
}
