package policy_test

import (
	"strings"
	"testing"

	. "github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

// A letter that is composed in another way may be another page to the app, and nobody can
// list its spellings.
func TestPathNotInNFC(t *testing.T) {
	t.Parallel()
	p := parsed(t, `rules: [{name: a, paths: ["/caf\u00e9/**", "/Key"], allow: public}, {name: b, paths: [/files/**]}]`)
	for _, tt := range []struct{ path, want string }{
		{"/caf%C3%A9/x", "a"},
		{"/files/cafe%CC%81", ""},
		{"/cafe%CC%81/x", ""},
		{"/%E2%84%AAey", ""}, // the Kelvin sign
		{"/x/cafe%CC%81", ""},
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
