package site

import (
	"net/url"
	"path"
	"strings"
)

const (
	// MaxReturnURL is the longest return URL in bytes; of a longer one only origin and path
	// are kept.
	MaxReturnURL = 8 << 10
	// MaxStateReturnURL is the longest one that fits into a sign-in's state.
	MaxStateReturnURL = 2 << 10
)

// ReturnURL checks where a sign-in is to lead and returns it as an absolute URL, made anew
// from its parts with path and query as they were, but for bytes from 0x80 on, which are
// percent-encoded; a fragment is dropped. It accepts a path with exactly one leading slash,
// or an absolute URL of the site's scheme, on a protected host; never one of the flow's own
// endpoints, however it is spelt. For anything else it returns false, and the caller uses
// its default.
func (s *Site) ReturnURL(raw string) (string, bool) {
	if raw == "" || len(raw) > 2*MaxReturnURL || !ValidURLBytes(raw) {
		return "", false
	}
	if strings.HasPrefix(raw, "/") {
		if strings.HasPrefix(raw, "//") {
			return "", false
		}
		raw = s.scheme + "://" + s.flow.String() + raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != s.scheme || u.Opaque != "" || u.User != nil {
		return "", false
	}
	host, err := ParseHost(u.Host, s.scheme)
	path := rawPath(raw)
	if err != nil || !s.Protects(host.Name) || !s.returnsTo(host, path) {
		return "", false
	}
	return join(EscapeNonASCII(s.scheme+"://"+host.String()+path), EscapeNonASCII(u.RawQuery))
}

// StateReturnURL is what fits into a sign-in's state of a return URL that was checked: all
// of it, its origin and path, or nothing.
func StateReturnURL(returnURL string) string {
	if len(returnURL) <= MaxStateReturnURL {
		return returnURL
	}
	if base, _, _ := strings.Cut(returnURL, "?"); len(base) <= MaxStateReturnURL {
		return base
	}
	return ""
}

// returnsTo refuses the paths that a browser may read in another way (backslashes, control
// characters and dot segments, however often they are escaped), and the flow's endpoints
// in every reading.
func (s *Site) returnsTo(host Host, rawPath string) bool {
	decoded, ok := decodeWholly(rawPath)
	if !ok || control(decoded) || strings.Contains(decoded, `\`) {
		return false
	}
	p := ReadPath(rawPath)
	if p.DotSegment {
		return false
	}
	for _, reading := range append(p.Others, p.Text, unescape(rawPath, "/"), decoded) {
		if s.IsFlowEndpoint(host, path.Clean("/"+reading)) {
			return false
		}
	}
	return true
}

// join adds the query where the whole stays short enough.
func join(base, query string) (string, bool) {
	if query != "" && len(base)+1+len(query) <= MaxReturnURL {
		return base + "?" + query, true
	}
	if len(base) > MaxReturnURL {
		return "", false
	}
	return base, true
}

// rawPath cuts the path out of an absolute URL as it is written there.
func rawPath(absolute string) string {
	_, rest, _ := strings.Cut(absolute, "://")
	rest, _, _ = strings.Cut(rest, "#")
	rest, _, _ = strings.Cut(rest, "?")
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		return rest[slash:]
	}
	return "/"
}
