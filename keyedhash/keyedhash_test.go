package keyedhash

import (
	"strings"
	"sync"
	"testing"
)

func TestOf(t *testing.T) {
	t.Parallel()
	h, err := New()
	if err != nil {
		t.Fatal(err)
	}
	other, err := New()
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 40_000)
	seen := map[Value]string{}
	for _, of := range [][2]string{
		{"", ""}, {"", "a"}, {"", "b"}, {"", "ab"}, {"a", "b"}, {"ab", ""}, {"app.example.com", "ab"},
		{"", long}, {"", long + "x"}, {"", long[1:]}, {"", "y" + long[1:]}, {"", long[1:] + "y"},
	} {
		name := of[0] + "|" + of[1]
		got := h.Of(of[0], of[1])
		if earlier, ok := seen[got]; ok {
			t.Errorf("got one hash for %.40q and %.40q", name, earlier)
		}
		seen[got] = name
		if again := h.Of(of[0], strings.Clone(of[1])); again != got {
			t.Errorf("%.40q: got another hash for the same value", name)
		}
		if other.Of(of[0], of[1]) == got {
			t.Errorf("%.40q: got the same hash in two processes", name)
		}
	}
}

// Requests at the same time get each their own.
func TestOfAtOnce(t *testing.T) {
	t.Parallel()
	h, err := New()
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		value := strings.Repeat(string(rune('a'+i)), 1000*(i+1))
		want := h.Of("", value)
		all.Go(func() {
			for range 2000 {
				if h.Of("", value) != want {
					t.Errorf("%.1q: got another hash", value)
					return
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkOf(b *testing.B) {
	h, err := New()
	if err != nil {
		b.Fatal(err)
	}
	value := strings.Repeat("x", 2000)
	b.ReportAllocs()
	for b.Loop() {
		h.Of("", value)
	}
}
