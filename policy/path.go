package policy

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// heldSlash stands for a %2f that is read as a plain character. No path that is
// matched has this byte otherwise, and no pattern has it at all.
const heldSlash = "\x01"

// maxRequestSegments bounds how long a match takes. No pattern has as many.
const maxRequestSegments = 256

// reading is a request's path as rules are compared with it: decoded once, in NFC,
// without the slashes at its ends.
type reading struct {
	path   string // %2f is a slash
	held   string // %2f is a plain character; only with slash
	slash  bool   // there is a %2f
	bare   string // not in NFC; only where that is another
	unsure string // what is ambiguous; then there is no path
}

// readPath reads a raw path.
func readPath(raw string) reading {
	if raw == "" || raw[0] != '/' {
		return reading{unsure: "the path does not begin with a slash"}
	}
	if strings.Count(raw, "/") > maxRequestSegments {
		return reading{unsure: "the path has more than 256 segments"}
	}
	decoded, unsure := unescape(raw)
	if unsure != "" {
		return reading{unsure: unsure}
	}
	r := reading{path: decoded}
	if r.slash = strings.Contains(decoded, heldSlash); r.slash {
		r.path = strings.ReplaceAll(decoded, heldSlash, "/")
		r.held = trimSlashes(normalize(decoded, false))
	}
	if unsure = ambiguity(r.path); unsure == "" && !ascii(r.path) {
		if normal := normalize(r.path, false); normal != r.path {
			r.path, r.bare = normal, trimSlashes(r.path)
		}
		unsure = ambiguity(r.path) // U+037E becomes a semicolon
	}
	if unsure != "" {
		return reading{unsure: unsure}
	}
	r.path = trimSlashes(r.path)
	return r
}

// unescape decodes a path once, with heldSlash for each %2f. It also says what would
// be ambiguous beside it: a bad escape and control bytes.
func unescape(raw string) (decoded, unsure string) {
	if control(raw) {
		return "", unsureControl
	}
	i := strings.IndexByte(raw, '%')
	if i < 0 {
		return raw, ""
	}
	b := append(make([]byte, 0, len(raw)), raw[:i]...)
	for ; i < len(raw); i++ {
		c := raw[i]
		if c == '%' {
			if i+2 >= len(raw) || !hexDigit(raw[i+1]) || !hexDigit(raw[i+2]) {
				return "", "the path has a bad percent escape"
			}
			c = unhex(raw[i+1])<<4 | unhex(raw[i+2])
			i += 2
			switch {
			case c < 0x20 || c == 0x7f:
				return "", unsureControl
			case c == '/':
				c = heldSlash[0]
			}
		}
		b = append(b, c)
	}
	return string(b), ""
}

const unsureControl = "the path has a control character"

// ambiguity says what in a decoded path an app may read in another way. "": nothing.
// RFC 3986 makes .. and // the app's business, and ; was for parameters of a segment.
func ambiguity(path string) string {
	plain := true
	for i := range len(path) {
		switch c := path[i]; {
		case c >= 0x80:
			plain = false
		case c < 0x20 || c == 0x7f:
			return unsureControl
		case c == ';':
			return "the path has a semicolon"
		case c == '\\':
			return "the path has a backslash"
		case c == '#':
			return "the path has a #"
		case c == '?':
			return "the path has a question mark"
		case c == '%' && i+2 < len(path) && hexDigit(path[i+1]) && hexDigit(path[i+2]):
			return "the path has a double percent escape"
		case c == '/' && i+1 < len(path) && path[i+1] == '/':
			return "the path has an empty segment"
		case c == '/' && dots(path[i+1:]):
			return "the path has a dot segment"
		}
	}
	if !plain && !utf8.ValidString(path) {
		return "the path is not UTF-8"
	}
	return ""
}

// dots reports whether a path goes on with a segment of one or two dots.
func dots(rest string) bool {
	if rest == "" || rest[0] != '.' {
		return false
	}
	rest = strings.TrimPrefix(rest[1:], ".")
	return rest == "" || rest[0] == '/'
}

// nextSegment cuts the first segment off.
func nextSegment(path string) (name, rest string) {
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return path, ""
}

func trimSlashes(path string) string {
	return strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
}

// normalize brings a path into the form in which it is compared.
func normalize(path string, ignoreCase bool) string {
	if !ascii(path) {
		path = norm.NFC.String(path)
	}
	if ignoreCase {
		return fold(path)
	}
	return path
}

// fold makes every letter the least of those that differ from it only by case.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (r < 'a' || r > 'z') {
			return r
		}
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, s)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func control(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f {
			return true
		}
	}
	return false
}

func hexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}
