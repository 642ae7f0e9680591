package site

import "testing"

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
	for _, tt := range []struct{ raw, text, escape, notNFC, ambiguity string }{
		{raw: "/", text: ""},
		{raw: "/a", text: "a"},
		{raw: "/a/", text: "a"},
		{raw: "/a/b.c/..d/e../...", text: "a/b.c/..d/e../..."},
		{raw: "/%61%2Eb", text: "a.b"},
		{raw: "/a%20b+c", text: "a b+c"},
		{raw: "/100%25", text: "100%"},
		{raw: "/100%25x", text: "100%x"},
		{raw: "/100%252", text: "100%2"},
		{raw: "/*/**", text: "*/**"},
		{raw: "/caf%C3%A9", text: "caf\u00e9"},
		{raw: "/cafe%cc%81", text: "caf\u00e9", notNFC: "cafe\u0301"},
		{raw: "/caf\u00e9", text: "caf\u00e9"},
		{raw: "/%EF%BC%8E%EF%BC%8E/a", text: "\uff0e\uff0e/a"}, // full width: no dots
		{raw: "/a%2fb", text: "a/b", escape: "a\x01b"},
		{raw: "/a%2F", text: "a", escape: "a\x01"},
		{raw: "/cafe%cc%81%2Fx/", text: "caf\u00e9/x", escape: "caf\u00e9\x01x", notNFC: "cafe\u0301/x"},

		{raw: "", ambiguity: slash},
		{raw: "a", ambiguity: slash},
		{raw: "*", ambiguity: slash},
		{raw: "/a%", ambiguity: escape},
		{raw: "/a%2", ambiguity: escape},
		{raw: "/a%zz", ambiguity: escape},
		{raw: "/%u0061", ambiguity: escape},
		{raw: "/.", ambiguity: dot},
		{raw: "/..", ambiguity: dot},
		{raw: "/./", ambiguity: dot},
		{raw: "/a/../b", ambiguity: dot},
		{raw: "/a/%2e%2e/b", ambiguity: dot},
		{raw: "/a/.%2E/b", ambiguity: dot},
		{raw: "/a/..%2fb", ambiguity: dot},
		{raw: "/a%2f../b", ambiguity: dot},
		{raw: "/a/..", ambiguity: dot},
		{raw: "/a/..;/b", ambiguity: semicolon},
		{raw: "/a/..;x=y/b", ambiguity: semicolon},
		{raw: "/a;b/c", ambiguity: semicolon},
		{raw: "/a%3bb", ambiguity: semicolon},
		{raw: "/a%cd%beb", ambiguity: semicolon}, // U+037E is a semicolon in NFC
		{raw: "//", ambiguity: empty},
		{raw: "//a", ambiguity: empty},
		{raw: "/a//b", ambiguity: empty},
		{raw: "/a//", ambiguity: empty},
		{raw: "/a/%2f", ambiguity: empty},
		{raw: "/%2fa", ambiguity: empty},
		{raw: "/%2f", ambiguity: empty},
		{raw: `/a\b`, ambiguity: backslash},
		{raw: "/a%5cb", ambiguity: backslash},
		{raw: "/a#b", ambiguity: hash},
		{raw: "/a%23b", ambiguity: hash},
		{raw: "/a?b", ambiguity: question},
		{raw: "/a%3Fb", ambiguity: question},
		{raw: "/%252e%252e/a", ambiguity: double},
		{raw: "/%25%32e", ambiguity: double},
		{raw: "/a%2541", ambiguity: double},
		{raw: "/a%00", ambiguity: control},
		{raw: "/a%01b", ambiguity: control},
		{raw: "/a%0d%0a", ambiguity: control},
		{raw: "/a%7f", ambiguity: control},
		{raw: "/a\tb", ambiguity: control},
		{raw: "/a\x01b", ambiguity: control},
		{raw: "/a%ff", ambiguity: utf8},
		{raw: "/%c0%ae%c0%ae/a", ambiguity: utf8}, // overlong dots
		{raw: "/a%ed%a0%80", ambiguity: utf8},
		{raw: "/a\xff", ambiguity: utf8},
	} {
		t.Run(tt.raw, func(t *testing.T) {
			t.Parallel()
			got := ReadPath(tt.raw)
			want := Path{Text: tt.text, WithEscape: tt.escape, NotNFC: tt.notNFC, EncodedSlash: tt.escape != "", Ambiguity: tt.ambiguity}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

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
		if got := FoldCase(tt.text); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}
