package policy

import (
	"strings"
	"testing"
)

func TestReadPath(t *testing.T) {
	t.Parallel()
	const (
		dot       = "the path has a dot segment"
		empty     = "the path has an empty segment"
		control   = "the path has a control character"
		double    = "the path has a double percent escape"
		semicolon = "the path has a semicolon"
		backslash = "the path has a backslash"
		hash      = "the path has a #"
		question  = "the path has a question mark"
		utf8      = "the path is not UTF-8"
		escape    = "the path has a bad percent escape"
		slash     = "the path does not begin with a slash"
	)
	for _, tt := range []struct{ raw, path, held, bare, unsure string }{
		{raw: "/", path: ""},
		{raw: "/a", path: "a"},
		{raw: "/a/", path: "a"},
		{raw: "/a/b.c/..d/e../...", path: "a/b.c/..d/e../..."},
		{raw: "/%61%2Eb", path: "a.b"},
		{raw: "/a%20b+c", path: "a b+c"},
		{raw: "/100%25", path: "100%"},
		{raw: "/100%25x", path: "100%x"},
		{raw: "/100%252", path: "100%2"},
		{raw: "/*/**", path: "*/**"},
		{raw: "/caf%C3%A9", path: "caf\u00e9"},
		{raw: "/cafe%cc%81", path: "caf\u00e9", bare: "cafe\u0301"},
		{raw: "/caf\u00e9", path: "caf\u00e9"},
		{raw: "/%EF%BC%8E%EF%BC%8E/a", path: "\uff0e\uff0e/a"}, // full width: no dots
		{raw: "/a%2fb", path: "a/b", held: "a\x01b"},
		{raw: "/a%2F", path: "a", held: "a\x01"},
		{raw: "/cafe%cc%81%2Fx/", path: "caf\u00e9/x", held: "caf\u00e9\x01x", bare: "cafe\u0301/x"},

		{raw: "", unsure: slash},
		{raw: "a", unsure: slash},
		{raw: "*", unsure: slash},
		{raw: "/a%", unsure: escape},
		{raw: "/a%2", unsure: escape},
		{raw: "/a%zz", unsure: escape},
		{raw: "/%u0061", unsure: escape},
		{raw: "/.", unsure: dot},
		{raw: "/..", unsure: dot},
		{raw: "/./", unsure: dot},
		{raw: "/a/../b", unsure: dot},
		{raw: "/a/%2e%2e/b", unsure: dot},
		{raw: "/a/.%2E/b", unsure: dot},
		{raw: "/a/..%2fb", unsure: dot},
		{raw: "/a%2f../b", unsure: dot},
		{raw: "/a/..", unsure: dot},
		{raw: "/a/..;/b", unsure: semicolon},
		{raw: "/a/..;x=y/b", unsure: semicolon},
		{raw: "/a;b/c", unsure: semicolon},
		{raw: "/a%3bb", unsure: semicolon},
		{raw: "/a%cd%beb", unsure: semicolon}, // U+037E is a semicolon in NFC
		{raw: "//", unsure: empty},
		{raw: "//a", unsure: empty},
		{raw: "/a//b", unsure: empty},
		{raw: "/a//", unsure: empty},
		{raw: "/a/%2f", unsure: empty},
		{raw: "/%2fa", unsure: empty},
		{raw: "/%2f", unsure: empty},
		{raw: `/a\b`, unsure: backslash},
		{raw: "/a%5cb", unsure: backslash},
		{raw: "/a#b", unsure: hash},
		{raw: "/a%23b", unsure: hash},
		{raw: "/a?b", unsure: question},
		{raw: "/a%3Fb", unsure: question},
		{raw: "/%252e%252e/a", unsure: double},
		{raw: "/%25%32e", unsure: double},
		{raw: "/a%2541", unsure: double},
		{raw: "/a%00", unsure: control},
		{raw: "/a%01b", unsure: control},
		{raw: "/a%0d%0a", unsure: control},
		{raw: "/a%7f", unsure: control},
		{raw: "/a\tb", unsure: control},
		{raw: "/a\x01b", unsure: control},
		{raw: "/a%ff", unsure: utf8},
		{raw: "/%c0%ae%c0%ae/a", unsure: utf8}, // overlong dots
		{raw: "/a%ed%a0%80", unsure: utf8},
		{raw: "/a\xff", unsure: utf8},
	} {
		t.Run(tt.raw, func(t *testing.T) {
			t.Parallel()
			got := readPath(tt.raw)
			want := reading{path: tt.path, held: tt.held, bare: tt.bare, slash: tt.held != "", unsure: tt.unsure}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestFold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"/admin-1", "/ADMIN-1"},
		{"\u00e4\u03c2\u03c3\u03a3", "\u00c4\u03a3\u03a3\u03a3"}, // both small sigmas
		{"k\u212a", "KK"},                                        // Kelvin
		{"\u017f", "S"},                                          // long s
		{"\u0130\u0131", "\u0130\u0131"},
		{"\u65e5\u672c", "\u65e5\u672c"},
	} {
		if got := fold(tt.text); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

// A pattern alone, and the same in the index.
// A letter that is composed in another way may be another page to the app: both
// readings must be one rule's.
func TestPathNotInNFC(t *testing.T) {
	t.Parallel()
	p := parsed(t, `rules: [{name: a, paths: ["/caf\u00e9/**", "/Key"], allow: public}, {name: b, paths: [/files/**]}]`)
	for _, tt := range []struct{ path, want string }{
		{"/caf%C3%A9/x", "a"},
		{"/files/cafe%CC%81", "b"},
		{"/cafe%CC%81/x", ""},
		{"/%E2%84%AAey", ""}, // the Kelvin sign
		{"/x/cafe%CC%81", "default"},
	} {
		m := p.Match(Request{Method: "GET", Host: "a.com", Path: tt.path})
		got := ""
		if m.Rule != nil {
			got = m.Rule.Name
		}
		if got != tt.want || (got == "") != (m.Err != nil) {
			t.Errorf("%s: got %q, %v, want %q", tt.path, got, m.Err, tt.want)
		}
	}
}

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
			pattern := newPattern(tt.pattern, false)
			p := parsed(t, "rules: [{name: a, paths: ["+quote(tt.pattern)+"]}]")
			for want, paths := range map[bool][]string{true: tt.yes, false: tt.no} {
				for _, path := range paths {
					if got := pattern.matches(readPath(path).path); got != want {
						t.Errorf("pattern, %s: got %t, want %t", path, got, want)
					}
					if got := p.Match(Request{Method: "GET", Host: "a.com", Path: path}).Rule.Name == "a"; got != want {
						t.Errorf("index, %s: got %t, want %t", path, got, want)
					}
				}
			}
		})
	}
}

// A long path takes time in its length, up to a limit, and finds what a short one does.
func TestMatchLongPath(t *testing.T) {
	t.Parallel()
	p := parsed(t, "rules: [{name: a, paths: [/**/x/**/y/**/end]}, {name: b, paths: [/a/**/b]}, {name: c, paths: ['/*/*/x']}]")
	for _, tt := range []struct{ path, want string }{
		{strings.Repeat("/x/y", 127) + "/end", "a"},
		{"/a" + strings.Repeat("/c", 254) + "/b", "b"},
		{"/a" + strings.Repeat("/b", 254) + "/c", "default"},
	} {
		if got := p.Match(Request{Method: "GET", Host: "a.com", Path: tt.path}).Rule.Name; got != tt.want {
			t.Errorf("%.8s…: got %s, want %s", tt.path, got, tt.want)
		}
	}
	for _, path := range []string{strings.Repeat("/x", 257), strings.Repeat("/x/y", 16_000) + "/end"} {
		if m := p.Match(Request{Method: "GET", Host: "a.com", Path: path}); m.Err == nil {
			t.Errorf("%d bytes: got %q, want an error: there is a limit", len(path), m.Rule.Name)
		}
	}
}
