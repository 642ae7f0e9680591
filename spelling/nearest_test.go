package spelling

import "testing"

func TestNearest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, word string
		atMost     int
		want       string
	}{
		{"a letter too many", "pathss", 1, "paths"},
		{"a letter missing", "hots", 1, "hosts"},
		{"two letters exchanged are two", "hsots", 2, "hosts"},
		{"the nearest, not the first", "posts", 2, "hosts"},
		{"the first of two as near", "xxsts", 2, "hosts"},
		{"too far", "methods", 2, ""},
		{"the word itself", "hosts", 0, "hosts"},
		{"nothing", "", 2, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			known := []string{"paths", "hosts", "costs"}
			if tt.name == "the first of two as near" {
				known = []string{"paths", "hosts", "masts"}
			}
			if got := Nearest(tt.word, known, func(string) int { return tt.atMost }); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
