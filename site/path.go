package site

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxSegments bounds how long a match takes. No rule has as many.
const maxSegments = 256

// Path is a raw path as servers read it: decoded, without the slashes at its ends. Almost
// every path has one reading.
type Path struct {
	Text         string   // as it stands: decoded once, a %2f as a character
	Others       []string // the other readings
	Ambiguity    string   // why there are others; empty: there are none
	Unlisted     bool     // nobody can list the readings: Text and Others are empty
	DotSegment   bool     // in some reading a segment is . or ..
	EncodedSlash bool     // there is a %2f
}

// The words for an Ambiguity that more than one place finds.
const (
	encodedSlash     = "the path has an encoded slash"
	controlCharacter = "the path has a control character"
	manySegments     = "the path has more than 256 segments"
	tooMany          = "the path can be read in too many ways"
)

// ReadPath reads a raw path, without its query.
func ReadPath(raw string) Path {
	if plain(raw) {
		return Path{Text: trimSlashes(raw)}
	}
	p := Path{DotSegment: dotSegment(raw), EncodedSlash: hasEncodedSlash(raw)}
	if problem := malformed(raw); problem != "" {
		p.Unlisted, p.Ambiguity = true, problem
		return p
	}
	decoded := unescape(raw, "/")
	if problem := unlisted(decoded); problem != "" {
		p.Unlisted, p.Ambiguity = true, problem
		return p
	}
	if p.Ambiguity = Ambiguity(decoded); p.Ambiguity == "" && p.EncodedSlash {
		p.Ambiguity = encodedSlash
	}
	p.Text = trimSlashes(unescape(raw, slashCharacter))
	if p.Ambiguity == "" {
		return p
	}
	others, problem := otherReadings(raw, p.Text)
	if problem != "" {
		return Path{Unlisted: true, Ambiguity: problem, DotSegment: p.DotSegment, EncodedSlash: p.EncodedSlash}
	}
	p.Others = others
	return p
}

// plain reports whether a path is its own only reading: visible ASCII without escapes.
func plain(raw string) bool {
	if raw == "" || raw[0] != '/' {
		return false
	}
	segments := 0
	for i := range len(raw) {
		switch c := raw[i]; {
		case c < 0x20 || c >= 0x7f || c == '%' || c == ';' || c == '\\' || c == '#' || c == '?':
			return false
		case c == '/':
			segments++
			if rest := raw[i+1:]; rest != "" && (rest[0] == '/' || dots(rest)) {
				return false
			}
		}
	}
	return segments <= maxSegments
}

// malformed says what in a raw path no reading can mend. "": nothing.
func malformed(raw string) string {
	switch {
	case raw == "" || raw[0] != '/':
		return "the path does not begin with a slash"
	case control(raw):
		return controlCharacter
	case !ValidEscapes(raw):
		return "the path has a bad percent escape"
	}
	return ""
}

// unlisted says why nobody can list the readings of a decoded path. "": one can.
func unlisted(decoded string) string {
	switch {
	case control(decoded):
		return controlCharacter
	case strings.Count(decoded, "/") > maxSegments:
		return manySegments
	case ascii(decoded):
		return ""
	case !utf8.ValidString(decoded):
		return "the path is not UTF-8"
	case !norm.NFC.IsNormalString(decoded):
		return "the path has letters that are not in Unicode NFC"
	}
	return ""
}

// Ambiguity says what in a decoded path servers read in different ways. "": nothing.
// RFC 3986 makes .. and // the app's business, and ; was for parameters of a segment.
func Ambiguity(path string) string {
	for i := range len(path) {
		switch c := path[i]; {
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
		case c == '%' && isEscape(path[i:]):
			return "the path has a double percent escape"
		case c == '/' && i+1 < len(path) && path[i+1] == '/':
			return "the path has an empty segment"
		case c == '/' && dots(path[i+1:]):
			return "the path has a dot segment"
		}
	}
	if !utf8.ValidString(path) {
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

func trimSlashes(path string) string {
	return strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
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

// ValidURLBytes reports whether a URL has no other bytes than servers and gateways pass:
// none up to 0x20, nor 0x7F.
func ValidURLBytes(s string) bool { return !control(s) && strings.IndexByte(s, ' ') < 0 }

// EscapeNonASCII writes the bytes from 0x80 on as percent escapes, as URLs have them.
func EscapeNonASCII(url string) string {
	if ascii(url) {
		return url
	}
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(url) {
		if c := url[i]; c < 0x80 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

// ValidEscapes reports whether each percent sign begins an escape.
func ValidEscapes(path string) bool {
	for i := strings.IndexByte(path, '%'); i >= 0; {
		if !isEscape(path[i:]) {
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

// isEscape reports whether a text begins with a percent escape.
func isEscape(s string) bool {
	return len(s) > 2 && s[0] == '%' && hexDigit(s[1]) && hexDigit(s[2])
}

func hexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
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
