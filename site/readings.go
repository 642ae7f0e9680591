package site

import (
	"slices"
	"strings"
)

// The bounds of a path's readings. A path of an app that needs them has about ten.
const (
	maxReadings     = 256
	maxReadingBytes = 64 << 10 // all together
	maxDecodings    = 8        // one after the other
)

// Stand-ins in a reading. No path has these bytes otherwise, and no rule has them at all.
const (
	slashCharacter = "\x01" // a %2f that is a character of its own
	emptySegment   = "\x02" // between two slashes, for an app that takes it for a value
)

// steps are what a gateway, a framework and an app do to a path before they look at it, in
// any order and any number of times. Each changes nothing where it finds nothing to do.
var steps = [...]func(path string) string{
	func(p string) string { return unescape(p, "/") },            // again, where it was before: IIS, two servers in a row
	func(p string) string { return unescape(p, slashCharacter) }, // per segment: Rails, Spring, ASP.NET
	decodeSlashes, // Envoy: before it resolves
	func(p string) string { return strings.ReplaceAll(p, slashCharacter, "/") },
	func(p string) string { return strings.ReplaceAll(p, `\`, "/") }, // IIS, WHATWG URL
	func(p string) string { return before(p, "#") },
	func(p string) string { return before(p, "?") },
	func(p string) string { return before(p, ";") }, // find-my-way (Fastify)
	cutParameters, // servlets: Tomcat, Jetty, Spring
	cutAuthority,  // new URL(path, base), parse_url, urlsplit
	mergeSlashes,  // nginx, Go, Rails
	resolveDots,   // RFC 3986, 5.2.4
}

// otherReadings lists the readings of a raw path beside the one as it stands. The problem
// says why they can't be listed.
func otherReadings(raw, text string) (others []string, problem string) {
	type state struct {
		path    string
		decoded bool
	}
	switch wholly, ok := decodeWholly(raw); {
	case !ok:
		return nil, tooMany
	case control(wholly): // which a stand-in would hide
		return nil, controlCharacter
	}
	all := []state{{raw, !hasEscape(raw)}}
	seen := map[state]bool{all[0]: true}
	for bytes, i := len(raw), 0; i < len(all); i++ {
		for n, step := range steps {
			next := state{step(all[i].path), all[i].decoded || n < 2}
			if seen[next] {
				continue
			}
			if bytes += len(next.path); len(all) == maxReadings || bytes > maxReadingBytes {
				return nil, tooMany
			}
			if n == 0 {
				if problem := unlisted(strings.ReplaceAll(next.path, slashCharacter, "/")); problem != "" {
					return nil, problem
				}
			}
			seen[next] = true
			all = append(all, next)
		}
	}
	for _, s := range all {
		if !s.decoded {
			continue
		}
		for _, reading := range []string{trimSlashes(s.path), trimSlashes(markEmptySegments(s.path))} {
			if reading != text && !slices.Contains(others, reading) {
				others = append(others, reading)
			}
		}
	}
	return others, ""
}

// unescape decodes the percent escapes once, with slash for each %2f. It leaves bad
// escapes as they are.
func unescape(path, slash string) string {
	i := strings.IndexByte(path, '%')
	if i < 0 {
		return path
	}
	b := append(make([]byte, 0, len(path)), path[:i]...)
	for ; i < len(path); i++ {
		if !isEscape(path[i:]) {
			b = append(b, path[i])
			continue
		}
		c := unhex(path[i+1])<<4 | unhex(path[i+2])
		if c == '/' {
			b = append(b, slash...)
		} else {
			b = append(b, c)
		}
		i += 2
	}
	return string(b)
}

// decodeSlashes decodes the escapes of slashes and backslashes alone.
func decodeSlashes(path string) string {
	if strings.IndexByte(path, '%') < 0 {
		return path
	}
	return strings.NewReplacer("%2f", "/", "%2F", "/", "%5c", `\`, "%5C", `\`).Replace(path)
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

func hasEscape(path string) bool {
	for i := range len(path) {
		if isEscape(path[i:]) {
			return true
		}
	}
	return false
}

// hasEncodedSlash reports whether there is a %2f, be it one that is itself escaped.
func hasEncodedSlash(path string) bool {
	for range maxDecodings {
		if strings.Contains(path, "%2f") || strings.Contains(path, "%2F") {
			return true
		}
		if !hasEscape(path) {
			return false
		}
		path = unescape(path, "/")
	}
	return true
}

// dotSegment reports whether some server finds a segment of one or two dots in a path,
// however often it is escaped and whatever ends a segment there. Overlong UTF-8 counts.
func dotSegment(path string) bool {
	decoded, ok := decodeWholly(path)
	if !ok {
		return true
	}
	if !ascii(decoded) {
		decoded = strings.NewReplacer("\xc0\xae", ".", "\xc0\xaf", "/", "\xc1\x9c", "/").Replace(decoded)
	}
	for segment := range strings.SplitSeq(strings.ReplaceAll(decoded, `\`, "/"), "/") {
		if end := strings.IndexAny(segment, ";#?\x00"); end >= 0 {
			segment = segment[:end]
		}
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// decodeWholly decodes a path until no escape is left. false: that takes more times than
// anybody decodes.
func decodeWholly(path string) (string, bool) {
	for range maxDecodings {
		if !hasEscape(path) {
			return path, true
		}
		path = unescape(path, "/")
	}
	return path, !hasEscape(path)
}

func before(path, end string) string {
	path, _, _ = strings.Cut(path, end)
	return path
}

// cutParameters cuts what stands behind a semicolon off each segment.
func cutParameters(path string) string {
	if !strings.Contains(path, ";") {
		return path
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i] = before(segment, ";")
	}
	return strings.Join(segments, "/")
}

// cutAuthority cuts off what stands between two slashes at the beginning and the next one:
// a URL without a scheme begins so.
func cutAuthority(path string) string {
	rest, ok := strings.CutPrefix(path, "//")
	if !ok {
		return path
	}
	_, rest, _ = strings.Cut(rest, "/")
	return "/" + rest
}

func mergeSlashes(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// markEmptySegments gives each segment between two slashes a name.
func markEmptySegments(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/"+emptySegment+"/")
	}
	return path
}

// resolveDots takes . and .. segments out of a path. An empty segment is one, as in RFC
// 3986, 5.2.4.
func resolveDots(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	var kept []string
	for i, segment := range segments {
		if segment == ".." && len(kept) > 0 {
			kept = kept[:len(kept)-1]
		}
		if segment != "." && segment != ".." {
			kept = append(kept, segment)
		} else if i == len(segments)-1 {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/")
}
