package verify

import (
	"net/http"
	"strconv"
	"strings"
)

// client says what kind of request the original is, as far as the browser's
// headers tell. The User-Agent is never looked at.
type client struct {
	method     string
	navigation bool // a page or frame is being loaded
	htmx       bool
	fetch      bool // Sec-Fetch-Dest: empty, and no WebSocket
	webSocket  bool
}

// document reports whether this is a navigation that can be sent elsewhere and back.
func (c client) document() bool { return c.navigation && safe(c.method) }

// canCarryCookie reports whether a cookie on the answer to this request is worth it: never
// on a sub-resource, whose answer a shared cache may keep and hand to strangers, and
// never on a WebSocket's handshake, which is CONNECT over HTTP/2 (RFC 8441).
func (c client) canCarryCookie() bool {
	return !c.webSocket && (c.navigation || c.fetch || !safe(c.method))
}

func safe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// classify reads Fetch Metadata (Sec-Fetch-*), and Accept where a browser sends
// none. A prefetch is no navigation: nobody is looking yet.
func classify(h http.Header, method string) client {
	mode, dest := first(h, "Sec-Fetch-Mode"), first(h, "Sec-Fetch-Dest")
	c := client{method: method, htmx: first(h, "Hx-Request") == "true"}
	c.webSocket = mode == "websocket" || first(h, "Sec-Websocket-Key") != "" || first(h, "Sec-Websocket-Version") != ""
	prefetch := strings.HasPrefix(first(h, "Sec-Purpose"), "prefetch") || first(h, "Purpose") == "prefetch"
	switch {
	case c.webSocket || prefetch:
	case mode != "":
		c.navigation = mode == "navigate" && (dest == "document" || dest == "iframe")
		c.fetch = dest == "empty"
	default:
		c.navigation = safe(method) && !c.htmx && first(h, "X-Requested-With") == "" && prefersHTML(first(h, "Accept"))
	}
	return c
}

func first(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// prefersHTML reports whether text/html is named and no JSON ranks above it.
func prefersHTML(accept string) bool {
	var html, json float64
	for part := range strings.SplitSeq(accept, ",") {
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
