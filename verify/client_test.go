package verify

import (
	"net/http"
	"strings"
	"testing"
)

// headerOf reads "Name: value" lines as net/http does.
func headerOf(t testing.TB, lines string) http.Header {
	t.Helper()
	h := http.Header{}
	for line := range strings.Lines(lines) {
		f, err := parseField(strings.TrimSpace(line))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		h.Add(f.name, f.value)
	}
	return h
}

const (
	forwardedReports = "X-Forwarded-Method: GET\nX-Forwarded-Proto: https\nX-Forwarded-Host: app.example.com\nX-Forwarded-Uri: /reports\n"
	document         = "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: document\n"
)

// What counts as a navigation is sent to sign in; everything else gets 401.
func TestNavigation(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, method, header string
		want                 int
	}{
		{"a page", "GET", document, 303},
		{"a frame", "GET", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: iframe", 303},
		{"a form", "POST", document, 303},
		{"a form into a frame", "POST", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: iframe", 303},
		{"a page that a script asks for", "GET", document + "X-Requested-With: XMLHttpRequest", 303},
		{"a page, and the browser takes JSON", "GET", document + "Accept: application/json", 303},
		{"an embedded object", "GET", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: object", 401},
		{"an embed element", "GET", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: embed", 401},
		{"a navigation that says not of what", "GET", "Sec-Fetch-Mode: navigate", 401},
		{"fetch", "GET", "Sec-Fetch-Mode: cors\nSec-Fetch-Dest: empty\nAccept: text/html", 401},
		{"fetch on the same origin", "GET", "Sec-Fetch-Mode: same-origin\nSec-Fetch-Dest: empty\nAccept: text/html", 401},
		{"a service worker's script", "GET", "Sec-Fetch-Mode: same-origin\nSec-Fetch-Dest: serviceworker", 401},
		{"a manifest", "GET", "Sec-Fetch-Mode: cors\nSec-Fetch-Dest: manifest", 401},
		{"an image", "GET", "Sec-Fetch-Mode: no-cors\nSec-Fetch-Dest: image\nAccept: text/html", 401},
		{"a WebSocket", "GET", "Sec-Fetch-Mode: websocket\nSec-Fetch-Dest: empty", 401},
		{"a WebSocket of an old browser that takes HTML", "GET", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nAccept: text/html", 401},
		{"a page that pretends to be a WebSocket", "GET", document + "Sec-WebSocket-Key: x", 401},
		{"a prefetch", "GET", document + "Sec-Purpose: prefetch", 401},
		{"a prerender", "GET", document + "Sec-Purpose: prefetch;prerender", 401},
		{"a prefetch of an old browser", "GET", "Accept: text/html\nPurpose: prefetch", 401},

		{"an old browser's page", "GET", "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 303},
		{"an old browser's HEAD", "HEAD", "Accept: text/html", 303},
		{"XHTML alone", "GET", "Accept: application/xhtml+xml", 303},
		{"HTML before JSON", "GET", "Accept: text/html, application/json;q=0.5", 303},
		{"HTML as good as JSON", "GET", "Accept: application/json, text/html", 303},
		{"in upper case, with spaces", "GET", "Accept: TEXT/HTML ; Q=0.9 , application/json; q=0.8", 303},
		{"JSON before HTML", "GET", "Accept: application/json, text/html;q=0.9", 401},
		{"problem+json before HTML", "GET", "Accept: application/problem+json, text/html;q=0.9", 401},
		{"HTML refused", "GET", "Accept: text/html;q=0, */*", 401},
		{"HTML with a quality that is none", "GET", "Accept: text/html;q=NaN", 401},
		{"HTML with a quality above 1", "GET", "Accept: text/html;q=Inf", 401},
		{"HTML with a quality below 0", "GET", "Accept: text/html;q=-1", 401},
		{"an old browser's form: it can't be told from a script's", "POST", "Accept: text/html", 401},
		{"an old browser's XHR", "GET", "Accept: text/html\nX-Requested-With: XMLHttpRequest", 401},
		{"an old browser's HTMX", "GET", "Accept: text/html\nHX-Request: true", 401},
		{"a program that takes anything", "GET", "Accept: */*", 401},
		{"a program that takes any text", "GET", "Accept: text/*", 401},
		{"a program that says nothing", "GET", "", 401},
		{"no method is GET but GET", "get", "Accept: text/html", 401},
		{"a browser's name says nothing", "GET", "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, nil)
			h := headerOf(t, forwardedReports+tt.header)
			h.Set("X-Forwarded-Method", tt.method)
			if got := s.ask("GET", "/verify/forward-auth", h); got.Code != tt.want {
				t.Errorf("got status %d, want %d", got.Code, tt.want)
			}
		})
	}
}

// Which answers of 200 carry a new cookie (DESIGN 4.3).
func TestCarriesCookie(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, method, header string
		want                 bool
	}{
		{"a page", "GET", document, true},
		{"a frame", "GET", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: iframe", true},
		{"an old browser's page", "GET", "Accept: text/html", true},
		{"fetch", "GET", "Sec-Fetch-Mode: cors\nSec-Fetch-Dest: empty", true},
		{"fetch on the same origin", "HEAD", "Sec-Fetch-Mode: same-origin\nSec-Fetch-Dest: empty", true},
		{"a form", "POST", document, true},
		{"a program's POST", "POST", "", true},
		{"a program's DELETE", "DELETE", "Accept: */*", true},
		{"an upload in the background", "POST", "Sec-Fetch-Mode: no-cors\nSec-Fetch-Dest: empty", true},
		{"an image", "GET", "Sec-Fetch-Mode: no-cors\nSec-Fetch-Dest: image", false},
		{"a style sheet", "GET", "Sec-Fetch-Mode: no-cors\nSec-Fetch-Dest: style", false},
		{"a script module", "GET", "Sec-Fetch-Mode: cors\nSec-Fetch-Dest: script", false},
		{"a font", "HEAD", "Sec-Fetch-Mode: cors\nSec-Fetch-Dest: font", false},
		{"a video", "GET", "Sec-Fetch-Mode: no-cors\nSec-Fetch-Dest: video", false},
		{"an embedded object", "GET", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: object", false},
		{"a WebSocket", "GET", "Sec-Fetch-Mode: websocket\nSec-Fetch-Dest: empty", false},
		{"an old browser's WebSocket", "GET", "Sec-WebSocket-Key: x\nAccept: text/html", false},
		{"a prefetch", "GET", document + "Sec-Purpose: prefetch", false},
		{"a prefetch by fetch", "GET", "Sec-Fetch-Mode: cors\nSec-Fetch-Dest: empty\nPurpose: prefetch", false},
		{"a program's GET", "GET", "Accept: */*", false},
		{"an old browser's XHR", "GET", "Accept: text/html\nX-Requested-With: XMLHttpRequest", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, map[string]string{})
			s.sessions.state = "stale"
			h := headerOf(t, "X-Original-URL: https://app.example.com/x\n"+tt.header)
			h.Set("X-Original-Method", tt.method)
			w := s.ask("GET", "/verify/auth-request", h)
			if got := has(w.Header(), "Set-Cookie"); w.Code != http.StatusOK || got != tt.want {
				t.Errorf("got status %d, Set-Cookie %t, want 200, %t", w.Code, got, tt.want)
			}
		})
	}
}
