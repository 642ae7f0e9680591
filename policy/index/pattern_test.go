package index

import (
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// A pattern alone, and the same in the index.
func TestPatternMatches(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern string
		yes, no []string
	}{
		{"/", []string{"/"}, []string{"/a", "/a/"}},
		{"/a", []string{"/a", "/a/", "/%61"}, []string{"/", "/A", "/ab", "/a/b", "/b"}},
		{"/a/", []string{"/a", "/a/"}, []string{"/a/b"}},
		{"/*", []string{"/a", "/a/", "/*", "/..."}, []string{"/", "/a/b"}},
		{"/**", []string{"/", "/a", "/a/", "/a/b/c"}, nil},
		{"/a/**", []string{"/a", "/a/", "/a/b", "/a/b/c/"}, []string{"/", "/ab", "/b/a"}},
		{"/a/*", []string{"/a/b", "/a/b/"}, []string{"/a", "/a/", "/a/b/c"}},
		{"/a/*/c", []string{"/a/b/c"}, []string{"/a/c", "/a/b/b/c", "/a/b/c/d"}},
		{"/**/c", []string{"/c", "/a/c", "/a/b/c", "/c/c", "/c/b/c/"}, []string{"/", "/c/d", "/ac"}},
		{"/a/**/c", []string{"/a/c", "/a/b/c", "/a/a/c/c"}, []string{"/a", "/c", "/a/c/b"}},
		{"/**/a/**/b/**", []string{"/a/b", "/x/a/x/b/x", "/a/a/b/b"}, []string{"/a", "/b/a", "/x/b/x/a/x"}},
		{"/**/*", []string{"/a", "/a/b"}, []string{"/"}},
		{"/**/*/*", []string{"/a/b", "/a/b/c"}, []string{"/", "/a"}},
		{"/a b/100+", []string{"/a%20b/100+", "/a%20b/100%2b"}, []string{"/a+b/100+", "/a%20b/100%20"}},
		{"/caf\u00e9", []string{"/caf%C3%A9", "/caf%c3%a9/"}, []string{"/cafe", "/CAF%C3%89"}},
		{"/cafe\u0301", []string{"/caf%C3%A9"}, []string{"/cafe"}},
	} {
		t.Run(tt.pattern, func(t *testing.T) {
			t.Parallel()
			pattern := NewPattern(tt.pattern, false)
			x := New()
			x.Add(0, &Target{Paths: []Pattern{pattern}})
			for want, paths := range map[bool][]string{true: tt.yes, false: tt.no} {
				for _, path := range paths {
					if got := pattern.Matches(site.ReadPath(path).Text); got != want {
						t.Errorf("pattern, %s: got %t, want %t", path, got, want)
					}
					if got := First(x.Layers("a.com", nil), site.ReadPath(path).Text, "GET") == 0; got != want {
						t.Errorf("index, %s: got %t, want %t", path, got, want)
					}
				}
			}
		})
	}
}
