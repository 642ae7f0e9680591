package policy_test

import (
	"regexp"

	. "github.com/authkit-forward-auth/authkit-forward-auth/policy"

	"net/url"
	"path"
	"strings"
	"testing"
)

// backends are models of how servers get from the path of a request line to the one that
// they look up. A %2f that stays a character is \x01.
var backends = map[string]func(raw string) string{
	"Go, a handler that reads URL.Path": once,
	"Go, ServeMux":                      func(raw string) string { return path.Clean("/" + once(raw)) },
	"nginx":                             func(raw string) string { return path.Clean("/" + once(upTo(raw, "#"))) },
	"nginx, merge_slashes off":          func(raw string) string { return rfc3986(once(upTo(raw, "#"))) },
	"Apache, AllowEncodedSlashes NoDecode": func(raw string) string {
		return path.Clean("/" + perSegment(raw))
	},
	"Tomcat, Jetty": func(raw string) string { return path.Clean("/" + once(withoutParameters(raw))) },
	"Tomcat, ALLOW_BACKSLASH": func(raw string) string {
		return path.Clean("/" + strings.ReplaceAll(once(withoutParameters(raw)), `\`, "/"))
	},
	"a servlet that decodes first": func(raw string) string { return path.Clean("/" + withoutParameters(once(raw))) },
	"Spring, a path pattern":       func(raw string) string { return perSegment(withoutParameters(raw)) },
	"Rails": func(raw string) string {
		for strings.Contains(raw, "//") {
			raw = strings.ReplaceAll(raw, "//", "/")
		}
		return perSegment(raw)
	},
	"WSGI, ASGI: PATH_INFO":          once,
	"Werkzeug, merge_slashes":        func(raw string) string { return regexp.MustCompile("/+").ReplaceAllString(once(raw), "/") },
	"Python, urlsplit":               func(raw string) string { return once(upTo(upTo(withoutAuthority(raw), "#"), "?")) },
	"PHP, parse_url":                 func(raw string) string { return once(withoutAuthority(raw)) },
	"PHP, PATH_INFO behind mod_php":  func(raw string) string { return path.Clean("/" + once(raw)) },
	"Node, express":                  func(raw string) string { return perSegment(upTo(raw, "#")) },
	"Node, url.parse":                func(raw string) string { return perSegment(upTo(strings.ReplaceAll(raw, `\`, "/"), "#")) },
	"Node, new URL":                  whatwg,
	"Node, new URL and once more":    func(raw string) string { return once(whatwg(raw)) },
	"Fastify, find-my-way":           func(raw string) string { return perSegment(upTo(upTo(raw, ";"), "#")) },
	"find-my-way, decoded":           func(raw string) string { return once(upTo(raw, ";")) },
	"IIS":                            func(raw string) string { return path.Clean("/" + strings.ReplaceAll(once(raw), `\`, "/")) },
	"IIS, decoding twice":            func(raw string) string { return path.Clean("/" + strings.ReplaceAll(once(once(raw)), `\`, "/")) },
	"two that decode":                func(raw string) string { return once(once(raw)) },
	"a proxy that resolves, and one": func(raw string) string { return path.Clean("/" + once(rfc3986(raw))) },
	"Envoy, unescape and forward": func(raw string) string {
		slashes := strings.NewReplacer("%2f", "/", "%2F", "/", "%5c", "/", "%5C", "/")
		return once(path.Clean("/" + slashes.Replace(raw)))
	},
	"nginx in front of Tomcat": func(raw string) string {
		resolved := path.Clean("/" + once(upTo(raw, "#")))
		return path.Clean("/" + withoutParameters(resolved))
	},
	"a script that cuts at an escaped ?": func(raw string) string { return upTo(once(raw), "?") },
	"a script that cuts at an escaped #": func(raw string) string { return path.Clean("/" + upTo(once(raw), "#")) },
}

func once(raw string) string {
	decoded, err := url.PathUnescape(raw)
	if err != nil {
		return raw
	}
	return decoded
}

// perSegment decodes each segment by itself.
func perSegment(raw string) string {
	segments := strings.Split(raw, "/")
	for i, segment := range segments {
		segments[i] = strings.ReplaceAll(once(segment), "/", "\x01")
	}
	return strings.Join(segments, "/")
}

func upTo(path, end string) string {
	path, _, _ = strings.Cut(path, end)
	return path
}

func withoutParameters(path string) string {
	return regexp.MustCompile(";[^/]*").ReplaceAllString(path, "")
}

func withoutAuthority(path string) string {
	return regexp.MustCompile("^//[^/]*").ReplaceAllString(path, "")
}

// rfc3986 resolves dot segments as section 5.2.4 says, with the library's help.
func rfc3986(raw string) string {
	return (&url.URL{Scheme: "http", Host: "x", Path: "/"}).ResolveReference(&url.URL{Path: raw}).Path
}

// whatwg is the pathname of new URL(path, base), each segment decoded.
func whatwg(raw string) string {
	raw = withoutAuthority(strings.ReplaceAll(upTo(raw, "#"), `\`, "/"))
	dot := regexp.MustCompile("(?i)%2e")
	segments := strings.Split(strings.TrimPrefix(raw, "/"), "/")
	var kept []string
	for i, segment := range segments {
		last := i == len(segments)-1
		switch dot.ReplaceAllString(segment, ".") {
		case ".":
			if last {
				kept = append(kept, "")
			}
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
			if last {
				kept = append(kept, "")
			}
		default:
			kept = append(kept, segment)
		}
	}
	return perSegment("/" + strings.Join(kept, "/"))
}

// escaped spells a path as a browser does.
func escaped(path string) string { return (&url.URL{Path: path}).EscapedPath() }

// However a server reads a path, the rule of that reading is the one that has decided.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{
		"/public/a", "/public/../admin", "/public/%2e%2e/admin", "/public/..%2fadmin", "/public/..;/admin", "/public/%252e%252e/admin",
		"//public/../admin", `/public\..\admin`, "/foo/secret%23/bar", "/foo/secret#/bar", "/projects/a%2Fb", "/packages/a%2fb", "/aDmin/",
		"/public/%c0%ae%c0%ae/admin", "/public%2f..%2fadmin", "/posts/caf%C3%A9", "/public;/..;/admin", "/%70ublic/100%25", "/admin%3f/public",
		"//x/admin", "/public//admin", "/foo//bar", `/\x\admin`, "/foo/%2f/bar", "/foo/;/bar", "//foo/x/bar", "/x/%2e%2e/%2561dmin", "/public/x;y/%2F..",
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
		for name, reads := range backends {
			reading := reads(raw)
			if r := byReading(p, q, strings.TrimSuffix(strings.TrimPrefix(reading, "/"), "/")); r != m.Rule {
				t.Errorf("%q is for rule %s, but for %s as %q, as %s reads it", raw, m.Rule.Name, r.Name, reading, name)
			}
		}
	})
}

// Every combination of the ways to hide a segment, read by every backend.
func TestPathsOfBackends(t *testing.T) {
	t.Parallel()
	p := parsed(t, attacked)
	parts := []string{"public", "admin", "projects", "..", "%2e%2e", "..;", "%252e%252e", "", ";x", "%23", `\..\`, "%5c", "%2f", "..%2fadmin", "%2561dmin", "x%3f"}
	try := func(raw string) {
		q := Request{Method: "GET", Host: "app.example.com", Path: raw}
		m := p.Match(q)
		if m.Err != nil {
			return
		}
		for name, reads := range backends {
			reading := reads(raw)
			if r := byReading(p, q, strings.TrimSuffix(strings.TrimPrefix(reading, "/"), "/")); r != m.Rule {
				t.Errorf("%q is for rule %s, but for %s as %q, as %s reads it", raw, m.Rule.Name, r.Name, reading, name)
			}
		}
	}
	for _, a := range parts {
		for _, b := range parts {
			for _, c := range parts {
				try("/" + a + "/" + b + "/" + c)
				try("/" + a + b + "/" + c)
			}
		}
	}
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
