package site

import (
	"slices"
	"strings"
	"testing"
)

func TestReadPath(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		raw, text string
		others    []string // in any order
		ambiguity string
	}{
		{"/", "", nil, ""},
		{"/a", "a", nil, ""},
		{"/a/", "a", nil, ""},
		{"/a/b.c/..d/e../...", "a/b.c/..d/e../...", nil, ""},
		{"/%61%2Eb", "a.b", nil, ""},
		{"/a%20b+c", "a b+c", nil, ""},
		{"/100%25", "100%", nil, ""},
		{"/100%25x", "100%x", nil, ""},
		{"/100%252", "100%2", nil, ""},
		{"/*/**", "*/**", nil, ""},
		{"/caf%C3%A9", "caf\u00e9", nil, ""},
		{"/caf\u00e9", "caf\u00e9", nil, ""},
		{"/%EF%BC%8E%EF%BC%8E/a", "\uff0e\uff0e/a", nil, ""}, // full width: no dots

		{"/a%2fb", "a\x01b", []string{"a/b"}, "the path has an encoded slash"},
		{"/a%2F", "a\x01", []string{"a"}, "the path has an encoded slash"},
		{"/a;b/c", "a;b/c", []string{"a", "a/c"}, "the path has a semicolon"},
		{"/a%3bb/c", "a;b/c", []string{"a", "a/c"}, "the path has a semicolon"},
		{"/a//b", "a//b", []string{"a/b", "a/\x02/b"}, "the path has an empty segment"},
		{"//a/b", "/a/b", []string{"a/b", "b", "\x02/a/b"}, "the path has an empty segment"},
		{"//", "", []string{"\x02"}, "the path has an empty segment"},
		{"/a#b", "a#b", []string{"a"}, "the path has a #"},
		{"/a%23b", "a#b", []string{"a"}, "the path has a #"},
		{"/a%3Fb/c", "a?b/c", []string{"a"}, "the path has a question mark"},
		{`/a\b`, `a\b`, []string{"a/b"}, "the path has a backslash"},
		{"/a%5cb", `a\b`, []string{"a/b"}, "the path has a backslash"},
		{"/a%2541", "a%41", []string{"aA"}, "the path has a double percent escape"},
		{"/a%2525b", "a%25b", []string{"a%b"}, "the path has a double percent escape"},
		{"/a/../b", "a/../b", []string{"b"}, "the path has a dot segment"},
		{"/a/%2e%2e/b", "a/../b", []string{"b"}, "the path has a dot segment"},
		{"/a/.", "a/.", []string{"a"}, "the path has a dot segment"},
		{"/..", "..", []string{""}, "the path has a dot segment"},
		{"/a/..;x/b", "a/..;x/b", []string{"a/..", "a/../b", "b", ""}, "the path has a semicolon"},
		{"/r%252fz%2f", "r%2fz\x01", []string{"r%2fz", "r\x01z\x01", "r\x01z", "r/z\x01", "r/z"}, "the path has a double percent escape"},
		{"/a/..%2fb", "a/..\x01b", []string{"a/../b", "b"}, "the path has a dot segment"},
	} {
		t.Run(tt.raw, func(t *testing.T) {
			t.Parallel()
			got := ReadPath(tt.raw)
			slices.Sort(got.Others)
			slices.Sort(tt.others)
			if got.Text != tt.text || !slices.Equal(got.Others, tt.others) || got.Ambiguity != tt.ambiguity || got.Unlisted {
				t.Errorf("got %+v, want %q, %q, %q", got, tt.text, tt.others, tt.ambiguity)
			}
		})
	}
}

func TestReadPathUnlisted(t *testing.T) {
	t.Parallel()
	const (
		control = "the path has a control character"
		utf8    = "the path is not UTF-8"
		nfc     = "the path has letters that are not in Unicode NFC"
		escape  = "the path has a bad percent escape"
		slash   = "the path does not begin with a slash"
		many    = "the path has more than 256 segments"
		ways    = "the path can be read in too many ways"
	)
	for raw, want := range map[string]string{
		"": slash, "a": slash, "*": slash, "/a%": escape, "/a%2": escape, "/a%zz": escape, "/%u0061": escape,
		"/a%00": control, "/a%01b": control, "/a%0d%0a": control, "/a%7f": control, "/a\tb": control, "/a\x01b": control, "/a%2500": control, "/a%2501%2f": control, "/a%2502//": control, "/%25%30%31": control,
		"/a%ff": utf8, "/%c0%ae%c0%ae/a": utf8, "/a%ed%a0%80": utf8, "/a\xff": utf8, "/a%25ff": utf8,
		"/cafe%cc%81": nfc, "/a%cd%beb": nfc, "/%E2%84%AA": nfc, "/cafe%25cc%2581": nfc, "/cafe%cc%81%2Fx/": nfc,
		strings.Repeat("/a", 257): many, strings.Repeat("/a", 200) + strings.Repeat("%2fa", 57): many,
		"/%" + strings.Repeat("25", 300): ways, "/a;b%2fc//" + strings.Repeat("b", 20<<10): ways,
	} {
		got := ReadPath(raw)
		if !got.Unlisted || got.Ambiguity != want || got.Text != "" || got.Others != nil {
			t.Errorf("%.40q: got %.300v, want %s", raw, got, want)
		}
	}
}

// A dot segment is found in whatever it is hidden, and whether the readings are listed or not.
func TestReadPathDotSegment(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"/.", "/..", "/a/.", "/a/../b", "/a/%2e%2e/b", "/a/.%2E/b", "/a/..%2fb", "/a%2f..%2fb", "/a/..;/b", "/a/..;x=y/b", "/a/..%3bx/b",
		`/a\..\b`, "/a%5c..%5cb", "/a/..#x", "/a/..%23x", "/a/..%3fx", "/a/%252e%252e/b", "/a/%25252e./b", "/a/..%252fb", "/a/..%255cb",
		"/a/../%00", "/a/../%ff", "/a/..%00/b", "/a/../cafe%cc%81", "/a/%c0%ae%c0%ae/b", "/a/..%c0%afb", "/a/../%zz",
		strings.Repeat("/a", 300) + "/../b", "/" + strings.Repeat("a;b%2fc/../", 20), "/%" + strings.Repeat("25", 300) + "2e/",
	} {
		if !ReadPath(raw).DotSegment {
			t.Errorf("%.60q: got no dot segment", raw)
		}
	}
	for _, raw := range []string{
		"/", "/a.b", "/...", "/..a", "/a..", "/.well-known/x", "/a;x=..", "/a%20..", "//a", "/a%2fb.c", "/a%00", strings.Repeat("/a", 300),
	} {
		if ReadPath(raw).DotSegment {
			t.Errorf("%.60q: got a dot segment", raw)
		}
	}
}

// However a path is spelt, each step that a server can take from a reading leads to one.
func FuzzReadPath(f *testing.F) {
	for _, seed := range []string{"/a/../b", "/a%252fb;c/d", "//x/a?b", `/a\..%5cb#`, "/caf%C3%A9", "/%ff", "/a;b%2f..;/c//d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		p := ReadPath(raw)
		if p.Unlisted {
			if p.Text != "" || p.Others != nil || p.Ambiguity == "" {
				t.Fatalf("%q: got %+v", raw, p)
			}
			return
		}
		all := append(p.Others, p.Text)
		if len(p.Others) == 0 != (p.Ambiguity == "") && p.Ambiguity == "" {
			t.Fatalf("%q: got %+v", raw, p)
		}
		for _, reading := range all {
			if segment := "/" + reading + "/"; !p.DotSegment && (strings.Contains(segment, "/../") || strings.Contains(segment, "/./")) {
				t.Fatalf("%q: got %+v, no dot segment", raw, p)
			}
			for _, step := range []string{
				unescape(reading, "/"), before(reading, "#"), before(reading, "?"), cutParameters(reading), mergeSlashes(reading),
				strings.ReplaceAll(reading, `\`, "/"), strings.ReplaceAll(reading, slashCharacter, "/"),
				strings.TrimPrefix(resolveDots("/"+reading), "/"),
			} {
				if step = strings.Trim(step, "/"); !slices.ContainsFunc(all, func(r string) bool { return strings.Trim(r, "/") == step }) &&
					!strings.Contains(reading, emptySegment) {
					t.Fatalf("%q: %q leads to %q, which is no reading of %+v", raw, reading, step, p)
				}
			}
		}
	})
}
