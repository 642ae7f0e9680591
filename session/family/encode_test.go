package family

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unsafe"
)

func samples() map[string]*Record {
	full := chain(8)
	full.Count, full.Tag, full.Successor = 77, Tag{1, 2, 3}, successor
	full.Acquire(Intent{Token: tok(8)}, me, t0+9*s, alive)
	stepping := paused()
	stepping.Refresh.Step = acme
	stray := seen()
	stray.Tokens[0].From = tok(200)                        // not in the list
	stray.Current = &Current{Token: tok(201), Sealed: "x"} // nor this
	return map[string]*Record{
		"empty": empty(), "seen": seen(), "full": full, "step": stepping, "ended": ended(), "unknown": unknown(), "stray": stray,
	}
}

func TestEncoding(t *testing.T) {
	t.Parallel()
	for name, r := range samples() {
		got, err := Parse(r.Append(nil))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !got.Same(r) || got.Version != r.Version || show(got) != show(r) {
			t.Errorf("%s: got %s, want %s", name, show(got), show(r))
		}
		encoded := r.Append(nil)
		for cut := range encoded {
			if _, err := Parse(encoded[:cut]); !errors.Is(err, ErrMalformed) {
				t.Fatalf("%s, cut at %d: got %v, want ErrMalformed", name, cut, err)
			}
		}
	}
}

// A session's record takes no more however often it was refreshed; with its current
// session, of 2 KB, and the seal around it that is under 4 KB.
func TestEncodedSize(t *testing.T) {
	t.Parallel()
	r, now := seen(), t0
	sealed := strings.Repeat("x", 2100)
	worst := 0
	for n := range 9000 { // a month of 5-minute tokens
		now += 300 * s
		hash := Hash{byte(n), byte(n >> 8), 1}
		last := tok(1)
		if r.Current != nil {
			last = r.Current.Token
		}
		r.Bring(last, now)
		r.Acquire(Intent{Token: last}, me, now, alive)
		r.Exchange(last, Issued{Token: hash, Sealed: sealed, Began: now}, me, now)
		r.Trim(now)
		worst = max(worst, len(r.Append(nil)))
	}
	if worst > 3700 {
		t.Errorf("got %d bytes, want at most 3700", worst)
	}
	if got := unsafe.Sizeof(Record{}) + unsafe.Sizeof(Token{}); got > 256 {
		t.Errorf("a record that was only seen: got %d bytes, want about 200", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, r := range samples() {
		f.Add(r.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if err != nil {
			return
		}
		again, err := Parse(r.Append(nil))
		if err != nil || !bytes.Equal(again.Append(nil), r.Append(nil)) {
			t.Errorf("got %v, %v, want the same record again", again, err)
		}
		Merge(r, again, t0).Trim(t0)
	})
}
