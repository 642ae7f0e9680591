package verify

import (
	"net/http"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// original is the request that the gateway asks about. uri is raw, path and query
// as the client sent them, and begins with a slash.
type original struct {
	scheme string // the site's, whatever the gateway says
	method string
	host   site.Host
	uri    string
	path   string // the URI's, raw
}

// url is what the browser asked for, byte for byte but for the host's spelling and for
// bytes from 0x80 on, which are percent-encoded.
func (o original) url() string {
	return o.scheme + "://" + o.host.String() + site.EscapeNonASCII(o.uri)
}

// header is one of a profile's headers, or a part of one.
type header struct{ name, value string }

// error is the error for a value that can't be used, as a client has written it.
func (h header) error(problem string) error {
	return &headerError{header: h.name, problem: problem, byClient: true}
}

// headerError is the error for a header of the profile that can't be used.
type headerError struct {
	header, problem, hint string
	byClient              bool // the gateway passes on what a client has written
}

func (e *headerError) Error() string {
	if e.hint != "" {
		return e.header + " " + e.problem + ": " + e.hint
	}
	return e.header + " " + e.problem
}

// The headers of each profile, in the order in which they are looked at.
var (
	forwardHeaders  = [...]string{"X-Forwarded-Method", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri"}
	originalHeaders = [...]string{"X-Original-Method", "X-Original-Url"}
)

// Hints at the profile that is meant, where its headers come alone to the endpoint of another.
const (
	meansForward  = "the request has X-Forwarded-… headers, which /verify/forward-auth reads (GATEWAY=traefik, caddy or haproxy)"
	meansOriginal = "the request has X-Original-… headers, which /verify/auth-request reads (GATEWAY=nginx or ingress-nginx)"
)

// read returns the original request as the profile tells it. scheme is the site's.
func (p profile) read(r *http.Request, scheme string) (original, error) {
	h := r.Header
	switch p {
	case sessionOnly:
		return original{}, nil
	case forwardAuth:
		return readForwarded(h, scheme)
	case extAuthz:
		return readExtAuthz(r, scheme)
	}
	return readOriginal(h, scheme)
}

// readForwarded reads the headers that Traefik, Caddy and HAProxy send.
// X-Forwarded-Proto must be there, but decides nothing.
func readForwarded(h http.Header, scheme string) (original, error) {
	var headers [len(forwardHeaders)]header
	for i := range headers {
		var err error
		if headers[i], err = single(h, forwardHeaders[:], i); err != nil {
			return original{}, err
		}
	}
	method, proto, host, uri := headers[0], headers[1], headers[2], headers[3]
	for scheme := range strings.SplitSeq(strings.ReplaceAll(proto.value, ", ", ","), ",") { // a proxy in front adds its own
		if !validScheme(scheme) {
			return original{}, &headerError{header: proto.name, problem: "is not http or https"}
		}
	}
	return parseOriginal(scheme, method, host, uri)
}

// readOriginal reads the headers that nginx's configuration sends.
func readOriginal(h http.Header, scheme string) (original, error) {
	method, err := single(h, originalHeaders[:], 0)
	if err != nil {
		return original{}, err
	}
	url, err := single(h, originalHeaders[:], 1)
	if err != nil {
		return original{}, err
	}
	proto, rest, ok := strings.Cut(url.value, "://")
	slash := strings.IndexByte(rest, '/')
	if !ok || !validScheme(proto) || slash < 0 {
		return original{}, &headerError{header: url.name, problem: "is not an absolute http or https URL"}
	}
	return parseOriginal(scheme, method, header{url.name, rest[:slash]}, header{url.name, rest[slash:]})
}

// single returns a header that must be there exactly once. Another profile's
// headers are never read, but say what seems to be meant.
func single(h http.Header, names []string, i int) (header, error) {
	switch values := h[names[i]]; {
	case len(values) == 1 && values[0] != "":
		return header{names[i], values[0]}, nil
	case len(values) > 1:
		return header{}, &headerError{header: names[i], problem: "came more than once"}
	}
	e := &headerError{header: names[i], problem: "is missing"}
	switch forward, original := hasAny(h, forwardHeaders[:]), hasAny(h, originalHeaders[:]); {
	case hasAny(h, names):
	case forward:
		e.hint = meansForward
	case original:
		e.hint = meansOriginal
	}
	return header{}, e
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

func parseOriginal(scheme string, method, host, uri header) (original, error) {
	if !site.ValidMethod(method.value) {
		return original{}, method.error("is not a method")
	}
	canonical, err := site.ParseHost(host.value, scheme)
	if err != nil || site.EscapeNonASCII(host.value) != host.value {
		return original{}, host.error("holds no host")
	}
	if uri.value[0] != '/' {
		return original{}, uri.error("does not begin with a slash")
	}
	if !site.ValidURLBytes(uri.value) {
		return original{}, uri.error("holds a space or a control character")
	}
	path, _, _ := strings.Cut(uri.value, "?")
	if !site.ValidEscapes(path) {
		return original{}, uri.error("holds a bad percent escape in its path")
	}
	return original{scheme: scheme, method: method.value, host: canonical, uri: uri.value, path: path}, nil
}

// validScheme also allows what gateways write for WebSockets.
func validScheme(proto string) bool {
	switch strings.ToLower(proto) {
	case "http", "https", "ws", "wss":
		return true
	}
	return false
}
