package index

import "testing"

func TestFoldCase(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"/admin-1", "/ADMIN-1"},
		{"\u00e4\u03c2\u03c3\u03a3", "\u00c4\u03a3\u03a3\u03a3"}, // both small sigmas
		{"k\u212a", "KK"},                                        // Kelvin
		{"\u017f", "S"},                                          // long s
		{"\u0130\u0131", "\u0130\u0131"},
		{"\u65e5\u672c", "\u65e5\u672c"},
	} {
		if got := foldCase(tt.text); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}
