package site

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// encodedSlash stands for a %2f that is read as a plain character. No path that is
// matched has this byte otherwise, and no pattern has it at all.
const encodedSlash = "\x01"

// maxSegments bounds how long a match takes. No pattern has as many.
const maxSegments = 256

// Path is a raw path as it is compared: decoded once, in NFC, without the slashes at its
// ends.
type Path struct {
	Text         string // %2f is a slash
	WithEscape   string // %2f is a character of its own; only with EncodedSlash
	NotNFC       string // as it came; only where that is not Text
	EncodedSlash bool   // there is a %2f
	Ambiguity    string // what servers read in different ways; then there is no Text
}

// ReadPath reads a raw path, without its query.
func ReadPath(raw string) Path {
	if raw == "" || raw[0] != '/' {
		return Path{Ambiguity: "the path does not begin with a slash"}
	}
	if strings.Count(raw, "/") > maxSegments {
		return Path{Ambiguity: "the path has more than 256 segments"}
	}
	decoded, problem := unescape(raw)
	if problem != "" {
		return Path{Ambiguity: problem}
	}
	p := Path{Text: decoded}
	if p.EncodedSlash = strings.Contains(decoded, encodedSlash); p.EncodedSlash {
		p.Text = strings.ReplaceAll(decoded, encodedSlash, "/")
		p.WithEscape = trimSlashes(NormalizePath(decoded))
	}
	if problem = Ambiguity(p.Text); problem == "" && !ascii(p.Text) {
		if normal := NormalizePath(p.Text); normal != p.Text {
			p.Text, p.NotNFC = normal, trimSlashes(p.Text)
		}
		problem = Ambiguity(p.Text) // U+037E becomes a semicolon
	}
	if problem != "" {
		return Path{Ambiguity: problem}
	}
	p.Text = trimSlashes(p.Text)
	return p
}

// unescape decodes a path once, with encodedSlash for each %2f. It also says what would
// be ambiguous beside it: a bad escape and control bytes.
func unescape(raw string) (decoded, problem string) {
	if control(raw) {
		return "", controlCharacter
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
				return "", controlCharacter
			case c == '/':
				c = encodedSlash[0]
			}
		}
		b = append(b, c)
	}
	return string(b), ""
}

const controlCharacter = "the path has a control character"

// Ambiguity says what in a decoded path servers read in different ways. "": nothing.
// RFC 3986 makes .. and // the app's business, and ; was for parameters of a segment.
func Ambiguity(path string) string {
	plain := true
	for i := range len(path) {
		switch c := path[i]; {
		case c >= 0x80:
			plain = false
		case c < 0x20 || c == 0x7f:
			return controlCharacter
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

// dotSegment reports whether a path has a segment of one or two dots.
func dotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// dots reports whether a path goes on with a segment of one or two dots.
func dots(rest string) bool {
	if rest == "" || rest[0] != '.' {
		return false
	}
	rest = strings.TrimPrefix(rest[1:], ".")
	return rest == "" || rest[0] == '/'
}

func trimSlashes(path string) string {
	return strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
}

// NormalizePath brings a path into NFC, in which paths are compared.
func NormalizePath(path string) string {
	if ascii(path) {
		return path
	}
	return norm.NFC.String(path)
}

// FoldCase makes every letter the least of those that differ from it only by case.
func FoldCase(s string) string {
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

// control reports whether there is a control character.
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

// Visible reports whether every byte is a visible ASCII character, as in any URL that
// came through an HTTP request line.
func Visible(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// ValidEscapes reports whether each percent sign begins an escape.
func ValidEscapes(path string) bool {
	for i := strings.IndexByte(path, '%'); i >= 0; {
		if i+2 >= len(path) || !hexDigit(path[i+1]) || !hexDigit(path[i+2]) {
			return false
		}
		next := strings.IndexByte(path[i+3:], '%')
		if next < 0 {
			return true
		}
		i += 3 + next
	}
	return true
}

// ValidMethod reports whether a method is written as clients write it: an RFC 9110 token
// of letters, hyphens and underscores.
func ValidMethod(method string) bool {
	for i := range len(method) {
		c := method[i]
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return method != "" && len(method) <= 32
}
