package policy_test

import (
	. "github.com/authkit-forward-auth/authkit-forward-auth/policy"

	"net/url"
	"path"
	"strings"
	"testing"
)

// readings are the paths that an app may make of a raw one: decoded once or twice, with
// or without parameters of segments, with the backslash as a slash, cut off at a
// fragment or a query, always with dot segments and double slashes resolved.
func readings(raw string) []string {
	decoded, err := url.PathUnescape(raw)
	if err != nil {
		return nil
	}
	all := []string{decoded}
	if twice, err := url.PathUnescape(decoded); err == nil {
		all = append(all, twice)
	}
	for _, p := range all {
		segments := strings.Split(p, "/")
		for i, s := range segments {
			segments[i], _, _ = strings.Cut(s, ";")
		}
		before, _, _ := strings.Cut(p, "#")
		path, _, _ := strings.Cut(p, "?")
		all = append(all, strings.Join(segments, "/"), before, path, strings.ReplaceAll(p, `\`, "/"))
	}
	for i, p := range all {
		all[i] = path.Clean("/" + p)
	}
	return all
}

// escaped spells a path as a browser does.
func escaped(path string) string { return (&url.URL{Path: path}).EscapedPath() }

// However an app reads a path, it is the rule of that reading that has decided.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{
		"/public/a", "/public/../admin", "/public/%2e%2e/admin", "/public/..%2fadmin", "/public/..;/admin", "/public/%252e%252e/admin",
		"//public/../admin", `/public\..\admin`, "/foo/secret%23/bar", "/foo/secret#/bar", "/projects/a%2Fb", "/packages/a%2fb", "/aDmin/",
		"/public/%c0%ae%c0%ae/admin", "/public%2f..%2fadmin", "/posts/caf%C3%A9", "/public;/..;/admin", "/%70ublic/100%25", "/admin%3f/public",
	} {
		f.Add(seed)
	}
	p := parsed(f, attacked)
	f.Fuzz(func(t *testing.T, raw string) {
		q := Request{Method: "GET", Host: "app.example.com", Path: raw}
		m := p.Match(q)
		if m.Err != nil {
			return
		}
		for _, reading := range readings(raw) {
			q.Path = escaped(reading)
			if as := p.Match(q); as.Err == nil && as.Rule != m.Rule {
				t.Errorf("%q is for rule %s, but for %s as %q", raw, m.Rule.Name, as.Rule.Name, reading)
			}
		}
	})
}

// No spelling of a path gets another rule than the path itself, but for a public one.
func FuzzSpelling(f *testing.F) {
	f.Add("/public/a", []byte{0, 1, 2, 3, 4, 5, 6, 7})
	f.Add("/admin/x/y", []byte{9, 0, 0, 1, 7, 5})
	f.Add("/packages/a", []byte{0, 0, 0, 0, 0, 4, 3})
	p := parsed(f, attacked)
	f.Fuzz(func(t *testing.T, raw string, choices []byte) {
		plain := path.Clean("/" + raw)
		c := chooser{bytes: choices}
		spelling := ""
		for i := range len(plain) {
			spelling += c.spell(plain[i])
		}
		for _, host := range []string{"app.example.com", "plain.example.net"} {
			want := p.Match(Request{Method: "GET", Host: host, Path: escaped(plain)})
			got := p.Match(Request{Method: "GET", Host: host, Path: spelling})
			switch {
			case got.Err != nil, want.Err == nil && got.Rule == want.Rule:
			case got.Rule.Access == Public:
				t.Errorf("%s: %q is for rule %s, %q not", host, spelling, got.Rule.Name, plain)
			case want.Err == nil && want.Rule.Access != Public:
				t.Errorf("%s: %q is for rule %s, %q for %s", host, spelling, got.Rule.Name, plain, want.Rule.Name)
			}
		}
	})
}

// spell writes a byte of a path in one of its ways. A slash may get something that
// resolves to nothing.
func (c *chooser) spell(b byte) string {
	const small, capital = "0123456789abcdef", "0123456789ABCDEF"
	if b == '/' {
		return c.of("/", "/", "/", "/", "//", "/./", "/x/../", "%2f", "/%2e/", "/x/%2E./", `\`, "%5C", "/;/")
	}
	plain := escaped(string(rune(b)))
	if b >= 0x80 || plain == "./" {
		plain = "%" + string(small[b>>4]) + string(small[b&15])
	}
	return c.of(plain, plain, "%"+string(small[b>>4])+string(small[b&15]), "%"+string(capital[b>>4])+string(capital[b&15]))
}
