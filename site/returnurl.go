package site

import (
	"net/url"
	"path"
	"strings"
)

// MaxReturnURL is the longest return URL in bytes; of a longer one only origin and path are kept.
const MaxReturnURL = 2048

// ReturnURL checks where a sign-in is to lead and returns it as an absolute
// URL, made anew from its parts with path and query as they were; a fragment is
// dropped. It accepts a path with exactly one leading slash, or an absolute
// URL of the site's scheme, on a protected host; never one of the flow's own
// endpoints, however it is spelt. For anything else it returns false, and the
// caller uses its default.
func (s *Site) ReturnURL(raw string) (string, bool) {
	if raw == "" || len(raw) > 16<<10 || !Visible(raw) {
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
	if err != nil || !s.Protects(host.Name) || !plainPath(u) || s.spellsFlowEndpoint(host, u.Path) {
		return "", false
	}
	return join(s.scheme+"://"+host.String()+rawPath(raw), u.RawQuery)
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

// plainPath refuses the paths that some browser or server reads in another way:
// backslashes, control characters and dot segments, once or twice encoded.
func plainPath(u *url.URL) bool {
	decoded := u.Path
	for range 2 {
		if control(decoded) || strings.Contains(decoded, `\`) || dotSegment(decoded) {
			return false
		}
		again, err := url.PathUnescape(decoded)
		if err != nil {
			return true // a plain percent sign after the first decoding
		}
		decoded = again
	}
	return true
}

// spellsFlowEndpoint compares a decoded path with the flow's endpoints.
func (s *Site) spellsFlowEndpoint(host Host, decoded string) bool {
	return s.IsFlowEndpoint(host, path.Clean("/"+decoded))
}
