package verify

import (
	"net/http"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// original is the request that the gateway asks about. uri is raw, path and query
// as the client sent them, and begins with one slash.
type original struct {
	method string
	host   site.Host
	uri    string
}

// path is the raw path.
func (o original) path() string {
	path, _, _ := strings.Cut(o.uri, "?")
	return path
}

// headerError is the error for a header of the profile that can't be used.
type headerError struct{ header, problem, hint string }

func (e *headerError) Error() string {
	if e.hint != "" {
		return e.header + " " + e.problem + ": " + e.hint
	}
	return e.header + " " + e.problem
}

// The headers of each profile, in the order in which they are looked at.
var (
	forwardHeaders  = []string{"X-Forwarded-Method", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri"}
	originalHeaders = []string{"X-Original-Method", "X-Original-Url"}
)

// What seems to be meant where one profile's headers stand alone at another's endpoint.
const (
	meansForward  = "the request has X-Forwarded-… headers, which /verify/forward-auth reads (GATEWAY=traefik, caddy or haproxy)"
	meansOriginal = "the request has X-Original-… headers, which /verify/auth-request reads (GATEWAY=nginx or ingress-nginx)"
)

// readForwarded reads the headers that Traefik, Caddy and HAProxy send.
// X-Forwarded-Proto must be there, but decides nothing.
func readForwarded(h http.Header, scheme string) (original, error) {
	method, err := single(h, forwardHeaders, 0)
	if err != nil {
		return original{}, err
	}
	proto, err := single(h, forwardHeaders, 1)
	if err != nil {
		return original{}, err
	}
	host, err := single(h, forwardHeaders, 2)
	if err != nil {
		return original{}, err
	}
	uri, err := single(h, forwardHeaders, 3)
	if err != nil {
		return original{}, err
	}
	if !validScheme(proto) {
		return original{}, &headerError{header: forwardHeaders[1], problem: "is not http or https"}
	}
	return makeOriginal(forwardHeaders[0], method, forwardHeaders[2], host, forwardHeaders[3], uri, scheme)
}

// readOriginal reads the headers that nginx's configuration sends.
func readOriginal(h http.Header, scheme string) (original, error) {
	method, err := single(h, originalHeaders, 0)
	if err != nil {
		return original{}, err
	}
	url, err := single(h, originalHeaders, 1)
	if err != nil {
		return original{}, err
	}
	proto, rest, ok := strings.Cut(url, "://")
	slash := strings.IndexByte(rest, '/')
	if !ok || !validScheme(proto) || slash < 0 {
		return original{}, &headerError{header: originalHeaders[1], problem: "is not an absolute http or https URL"}
	}
	return makeOriginal(originalHeaders[0], method, originalHeaders[1], rest[:slash], originalHeaders[1], rest[slash:], scheme)
}

// single returns a header that must be there exactly once. Another profile's
// headers are never read, but say what seems to be meant.
func single(h http.Header, names []string, i int) (string, error) {
	switch values := h[names[i]]; {
	case len(values) == 1 && values[0] != "":
		return values[0], nil
	case len(values) > 1:
		return "", &headerError{header: names[i], problem: "came more than once"}
	}
	e := &headerError{header: names[i], problem: "is missing"}
	switch forward, original := hasAny(h, forwardHeaders), hasAny(h, originalHeaders); {
	case hasAny(h, names):
	case forward:
		e.hint = meansForward
	case original:
		e.hint = meansOriginal
	}
	return "", e
}

// hasAny reports whether the request has one of the headers.
func hasAny(h http.Header, names []string) bool {
	for _, name := range names {
		if _, ok := h[name]; ok {
			return true
		}
	}
	return false
}

func makeOriginal(methodHeader, method, hostHeader, host, uriHeader, uri, scheme string) (original, error) {
	if !validMethod(method) {
		return original{}, &headerError{header: methodHeader, problem: "is not a method"}
	}
	canonical, err := site.ParseHost(host, scheme)
	if err != nil || !visible(host) {
		return original{}, &headerError{header: hostHeader, problem: "holds no host"}
	}
	if uri[0] != '/' || strings.HasPrefix(uri, "//") {
		return original{}, &headerError{header: uriHeader, problem: "does not begin with one slash"}
	}
	if !visible(uri) {
		return original{}, &headerError{header: uriHeader, problem: "holds a byte outside 0x21-0x7E"}
	}
	o := original{method: method, host: canonical, uri: uri}
	if !validEscapes(o.path()) {
		return original{}, &headerError{header: uriHeader, problem: "holds a bad percent escape in its path"}
	}
	return o, nil
}

// validScheme also allows what gateways write for WebSockets.
func validScheme(proto string) bool {
	switch proto {
	case "http", "https", "ws", "wss":
		return true
	}
	return false
}

// validMethod accepts a method as clients write it: an RFC 9110 token of letters,
// hyphens and underscores.
func validMethod(method string) bool {
	for i := range len(method) {
		c := method[i]
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return len(method) <= 32
}

func visible(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

func validEscapes(path string) bool {
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

func hexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
