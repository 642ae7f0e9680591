package verify

import (
	"net/http"
	"strconv"
	"strings"
)

// client says what kind of request the original is, as far as its headers tell. The
// User-Agent is never looked at.
type client struct {
	method     string
	navigation bool // a browser loads a page, and shows the answer
	framed     bool // ... in a frame of another page
	embedded   bool // ... which may be a picture (object, embed)
	page       bool // a script asks for a page, which it may show: a service worker, Turbo
	htmx       bool
	fetch      bool // Sec-Fetch-Dest: empty, and no WebSocket
	webSocket  bool
	program    bool // no browser's script: it may be asked for a password
}

// document reports whether this is a navigation that can be sent elsewhere and back.
func (c client) document() bool { return c.navigation && safe(c.method) }

// readsPage reports whether a person sees the body of the answer.
func (c client) readsPage() bool { return c.navigation || c.page }

// canCarryCookie reports whether a cookie on the answer to this request is worth it: never
// on a sub-resource, whose answer a shared cache may keep and hand to strangers, and
// never on a WebSocket's handshake, which is CONNECT over HTTP/2 (RFC 8441).
func (c client) canCarryCookie() bool {
	return !c.webSocket && (c.navigation && !c.embedded || c.fetch || !safe(c.method))
}

func safe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// classify reads Fetch Metadata (Sec-Fetch-*), and Accept where that doesn't tell. A
// prefetch is no navigation: nobody is looking yet.
func classify(h http.Header, method string) client {
	mode, dest := first(h, "Sec-Fetch-Mode"), first(h, "Sec-Fetch-Dest")
	c := client{method: method, htmx: first(h, "Hx-Request") == "true"}
	c.webSocket = mode == "websocket" || first(h, "Sec-Websocket-Key") != "" || first(h, "Sec-Websocket-Version") != ""
	c.program = !hasFetchMetadata(h) && first(h, "Origin") == ""
	script := c.htmx || strings.EqualFold(first(h, "X-Requested-With"), "XMLHttpRequest")
	switch {
	case c.webSocket || isPrefetch(h):
	case mode == "navigate":
		c.navigation, c.framed = navigates(dest, h)
		c.embedded = dest == "object" || dest == "embed"
		c.fetch = dest == "empty"
	case mode != "":
		c.fetch = dest == "empty"
		c.page = c.fetch && mode != "no-cors" && !script && prefersHTML(h)
	default:
		c.navigation = (safe(method) || isForm(method, h)) && !script && prefersHTML(h)
	}
	return c
}

// navigates reads the destination of a navigation. Where a service worker passes a page's
// request on, it is empty as for a download, which doesn't ask for HTML.
func navigates(dest string, h http.Header) (navigation, framed bool) {
	switch dest {
	case "document":
		return true, false
	case "iframe", "frame", "object", "embed", "fencedframe":
		return true, true
	}
	return prefersHTML(h), false
}

// isForm reports whether a browser may have sent this as a form (HTML, section 4.10.21.7).
func isForm(method string, h http.Header) bool {
	if method != http.MethodPost {
		return false
	}
	mediaType, _, _ := strings.Cut(first(h, "Content-Type"), ";")
	switch strings.ToLower(strings.TrimSpace(mediaType)) {
	case "application/x-www-form-urlencoded", "multipart/form-data", "text/plain":
		return true
	}
	return false
}

func isPrefetch(h http.Header) bool {
	return strings.HasPrefix(first(h, "Sec-Purpose"), "prefetch") || strings.EqualFold(first(h, "Purpose"), "prefetch")
}

func hasFetchMetadata(h http.Header) bool {
	return first(h, "Sec-Fetch-Mode") != "" || first(h, "Sec-Fetch-Dest") != "" || first(h, "Sec-Fetch-Site") != "" || first(h, "Sec-Fetch-User") != ""
}

func first(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// prefersHTML reports whether Accept names text/html and ranks no JSON above it.
func prefersHTML(h http.Header) bool {
	var html, json float64
	for part := range strings.SplitSeq(first(h, "Accept"), ",") {
		mediaType, parameters, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(mediaType)) {
		case "text/html", "application/xhtml+xml":
			html = max(html, quality(parameters))
		case "application/json", "application/problem+json":
			json = max(json, quality(parameters))
		}
	}
	return html > 0 && html >= json
}

func quality(parameters string) float64 {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if !strings.EqualFold(name, "q") {
			continue
		}
		q, err := strconv.ParseFloat(value, 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}
