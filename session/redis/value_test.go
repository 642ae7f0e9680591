package redis

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica"
)

var morning = time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC)

func TestSwapAndLoad(t *testing.T) {
	t.Parallel()
	for scheme, tail := range schemes {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			m := start(t)
			m.SetTime(morning)
			s := open(t, scheme+"://"+m.Addr()+tail)
			for _, row := range []struct {
				name, old, next, want, then string
			}{
				{"none, and one is expected", "one", "two", "false none", "none"},
				{"none, as expected", "", "one", "true none", "one"},
				{"one, and none is expected", "", "two", "false one", "one"},
				{"one, and another is expected", "two", "three", "false one", "one"},
				{"one, as expected", "one", "two", "true none", "two"},
				{"the same again", "one", "two", "false two", "two"},
				{"bytes", "two", "\x00\xff\r\n", "true none", "\x00\xff\r\n"},
				{"an empty one", "\x00\xff\r\n", "", "true none", ""},
			} {
				old := replica.Tag{}
				if row.old != "" {
					old = value(row.old).Tag
				}
				swapped, current, now, err := s.Swap(t.Context(), "key", old, value(row.next), ttl, nil)
				if got := fmt.Sprint(swapped, " ", text(current)); err != nil || got != row.want || !now.Equal(morning) {
					t.Errorf("%s: got %q at %s, %v, want %q at %s", row.name, got, now, err, row.want, morning)
				}
				v, now, err := s.Load(t.Context(), "key", 0)
				if got := text(v); err != nil || got != row.then || !now.Equal(morning) {
					t.Errorf("%s, then: got %q at %s, %v, want %q at %s", row.name, got, now, err, row.then, morning)
				}
			}
		})
	}
}

func TestTimeToLive(t *testing.T) {
	t.Parallel()
	m := start(t)
	s := open(t, "redis://"+m.Addr())
	put(t, s, "key", "one")
	expect := func(when string, want time.Duration) {
		t.Helper()
		if got := m.TTL("authkit-forward-auth:key"); got != want {
			t.Errorf("%s: got %s to live, want %s", when, got, want)
		}
	}
	expect("swapped", time.Hour)
	for _, row := range []struct{ ttl, want time.Duration }{
		{0, time.Hour}, {2 * time.Hour, 2 * time.Hour}, {time.Minute, time.Minute}, {time.Nanosecond, time.Millisecond},
	} {
		if _, _, err := s.Load(t.Context(), "key", row.ttl); err != nil {
			t.Fatal(err)
		}
		expect("loaded with "+row.ttl.String(), row.want)
	}
	swapped, _, _, err := s.Swap(t.Context(), "key", replica.Tag{}, value("two"), ttl, nil)
	if swapped || err != nil {
		t.Errorf("got %t, %v, want one there", swapped, err)
	}
	expect("not swapped", time.Millisecond)
	m.FastForward(time.Millisecond)
	if got := loaded(t, s, "key"); got != "none" {
		t.Errorf("got %s after its time, want none", got)
	}
	if swapped, current, _, err := s.Swap(t.Context(), "key", value("one").Tag, value("two"), ttl, nil); swapped || err != nil || text(current) != "none" {
		t.Errorf("got %t, %s, %v after its time, want false, none", swapped, text(current), err)
	}
}

// A value that could never be swapped again, or would never go, isn't written.
func TestSwapRefuses(t *testing.T) {
	t.Parallel()
	m := start(t)
	s := open(t, "redis://"+m.Addr())
	for name, row := range map[string]struct {
		next replica.Value
		ttl  time.Duration
	}{
		"without a tag": {replica.Value{Sealed: []byte("sealed")}, ttl},
		"for ever":      {value("one"), 0},
		"in the past":   {value("one"), -time.Second},
	} {
		if swapped, _, _, err := s.Swap(t.Context(), "key", replica.Tag{}, row.next, row.ttl, nil); err == nil || swapped {
			t.Errorf("%s: got %t, %v, want an error", name, swapped, err)
		}
	}
	if keys := m.Keys(); len(keys) != 0 {
		t.Errorf("got keys %q, want none", keys)
	}
}

// Whatever stands there that isn't ours is never taken for none, nor overwritten.
func TestForeignValues(t *testing.T) {
	t.Parallel()
	m := start(t)
	s := open(t, "redis://"+m.Addr())
	for _, foreign := range []string{"short", "fifteen bytes..", strings.Repeat("\x00", 16) + "no tag"} {
		if err := m.Set("authkit-forward-auth:key", foreign); err != nil {
			t.Fatal(err)
		}
		if v, _, err := s.Load(t.Context(), "key", ttl); err == nil {
			t.Errorf("%q: got %v loaded, want an error", foreign, v)
		}
		if swapped, _, _, err := s.Swap(t.Context(), "key", replica.Tag{}, value("ours"), ttl, nil); err == nil || swapped {
			t.Errorf("%q: got %t, %v, want an error", foreign, swapped, err)
		}
		if got, _ := m.Get("authkit-forward-auth:key"); got != foreign {
			t.Errorf("got %q, want %q as it was", got, foreign)
		}
		if err := s.Err(); err != nil {
			t.Errorf("%q: got %v, want Redis in use", foreign, err)
		}
	}
}

// A master that no Sentinel knows is an error, not a store without values.
func TestUnknownMaster(t *testing.T) {
	t.Parallel()
	s := open(t, "redis+sentinel://"+start(t).Addr()+"/other")
	if v, _, err := s.Load(t.Context(), "key", ttl); err == nil || errors.Is(err, replica.ErrFull) {
		t.Errorf("got %s, %v, want an error", text(v), err)
	}
}

// Of those who swap at the same time one succeeds, and the others learn who. On a busy machine a call may take too long:
// then it isn't known whether it has swapped.
func TestSwapLosesNothing(t *testing.T) {
	t.Parallel()
	for scheme, tail := range schemes {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			rawURL := scheme + "://" + start(t).Addr() + tail
			stores := []*Store{open(t, rawURL), open(t, rawURL), open(t, rawURL)}
			var wg sync.WaitGroup
			var unknown atomic.Int64
			for i := range 12 {
				wg.Go(func() {
					s := stores[i%3]
					current, known := replica.Value{}, false
					for done := 0; done < 5 && t.Context().Err() == nil; {
						var err error
						if !known {
							if current, _, err = s.Load(t.Context(), "count", ttl); err != nil {
								time.Sleep(50 * time.Millisecond)
								continue
							}
							known = true
						}
						n, _ := strconv.Atoi(string(current.Sealed))
						next := value(strconv.Itoa(n + 1))
						swapped, there, _, err := s.Swap(t.Context(), "count", current.Tag, next, ttl, nil)
						switch {
						case err != nil:
							unknown.Add(1)
							known = false
						case swapped:
							current = next
							done++
						default:
							current = there
						}
					}
				})
			}
			wg.Wait()
			var got int
			eventually(t, "the count is loaded", func() bool {
				v, _, err := stores[0].Load(t.Context(), "count", ttl)
				got, _ = strconv.Atoi(string(v.Sealed))
				return err == nil
			})
			if most := 60 + int(unknown.Load()); got < 60 || got > most {
				t.Errorf("got %d, want 60, and at most %d", got, most)
			}
		})
	}
}

// The announcement comes with a swap, in the order of the swaps, and with nothing else.
func TestAnnouncement(t *testing.T) {
	t.Parallel()
	rawURL := "redis://" + start(t).Addr()
	s := open(t, rawURL)
	h := listen(t, open(t, rawURL), silence)
	eventually(t, "listening", func() bool { return h.String() == "connected" })
	for _, step := range []struct{ old, next, announcement string }{
		{"", "one", "first"}, {"", "two", "lost the race"}, {"one", "two", ""}, {"two", "three", "second"},
	} {
		old := replica.Tag{}
		if step.old != "" {
			old = value(step.old).Tag
		}
		if _, _, _, err := s.Swap(t.Context(), "key", old, value(step.next), ttl, []byte(step.announcement)); err != nil {
			t.Fatal(err)
		}
	}
	publish(t, s, "end")
	eventually(t, "all", func() bool { return strings.HasSuffix(h.String(), "end") })
	if got, want := h.String(), "connected first second end"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The scripts are sent again to a Redis that has forgotten them.
func TestScriptsAreForgotten(t *testing.T) {
	t.Parallel()
	m := start(t)
	s := open(t, "redis://"+m.Addr())
	for i, content := range []string{"one", "two"} {
		put(t, s, strconv.Itoa(i), content)
		if got := loaded(t, s, strconv.Itoa(i)); got != content {
			t.Errorf("got %s, want %s", got, content)
		}
		if err := s.commands.(*library).redis.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// All that is written is in reach of an ACL for the prefix.
func TestKeys(t *testing.T) {
	t.Parallel()
	m := start(t)
	s := open(t, "redis://"+m.Addr())
	put(t, s, "key", "one")
	h := listen(t, s, silence)
	eventually(t, "listening", func() bool { return h.String() == "connected" })
	if got := strings.Join(m.Keys(), " "); got != "authkit-forward-auth:key" {
		t.Errorf("got keys %s, want authkit-forward-auth:key", got)
	}
	if got := strings.Join(m.PubSubChannels("*"), " "); got != "authkit-forward-auth:bus" {
		t.Errorf("got channels %s, want authkit-forward-auth:bus", got)
	}
}
