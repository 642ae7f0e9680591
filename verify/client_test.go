package verify

import (
	"net/http"
	"net/http/httptest"
	"strconv"
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

// A visitor without a session is sent to sign in, or gets a page where somebody looks at the
// answer and can't be sent away, or else 401 for a program.
func TestNavigation(t *testing.T) {
	t.Parallel()
	const redirect, page, frame, problem = "303", "401 page", "401 page in a frame", "401 problem"
	const html = "\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	tests := []struct{ name, method, header, want string }{
		{"a page", "GET", document, redirect},
		{"a page's HEAD", "HEAD", document, redirect},
		{"a form", "POST", document, page},
		{"a page that a script asks for", "GET", document + "X-Requested-With: XMLHttpRequest", redirect},
		{"a page, and the browser takes JSON", "GET", document + "Accept: application/json", redirect},
		{"a page in Android's WebView", "GET", document + "X-Requested-With: org.example.app", redirect},

		{"a frame", "GET", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: iframe", frame},
		{"a frame of a frameset", "GET", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: frame", frame},
		{"a fenced frame", "GET", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: fencedframe", frame},
		{"an embedded object", "GET", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: object", frame},
		{"an embed element", "GET", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: embed", frame},
		{"a form into a frame", "POST", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: iframe", frame},

		{"a service worker passes a page's request on", "GET", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: empty" + html, redirect},
		{"... a form's", "POST", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: empty" + html, page},
		{"... with another cache mode", "GET", "Sec-Fetch-Mode: same-origin\nSec-Fetch-Dest: empty" + html, page},
		{"... to its URL", "GET", "Sec-Fetch-Mode: cors\nSec-Fetch-Dest: empty" + html, page},
		{"a service worker passes an image's request on", "GET", "Sec-Fetch-Mode: no-cors\nSec-Fetch-Dest: empty\nAccept: image/*", problem},
		{"Turbo", "GET", "Sec-Fetch-Mode: same-origin\nSec-Fetch-Dest: empty\nAccept: text/html, application/xhtml+xml", page},
		{"Turbo's form", "POST", "Sec-Fetch-Mode: cors\nSec-Fetch-Dest: empty\nAccept: text/vnd.turbo-stream.html, text/html, application/xhtml+xml", page},
		{"a download", "GET", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: empty\nAccept: */*", problem},
		{"a navigation that doesn't say of what", "GET", "Sec-Fetch-Mode: navigate", problem},
		{"... and asks for HTML", "GET", "Sec-Fetch-Mode: navigate" + html, redirect},

		{"fetch", "GET", "Sec-Fetch-Mode: cors\nSec-Fetch-Dest: empty\nAccept: */*", problem},
		{"fetch for JSON", "POST", "Sec-Fetch-Mode: same-origin\nSec-Fetch-Dest: empty\nAccept: application/json, text/plain, */*", problem},
		{"XHR for HTML", "GET", "Sec-Fetch-Mode: cors\nSec-Fetch-Dest: empty\nX-Requested-With: XMLHttpRequest\nAccept: text/html", problem},
		{"HTMX for HTML", "GET", "Sec-Fetch-Mode: cors\nSec-Fetch-Dest: empty\nHX-Request: true\nAccept: text/html", problem},
		{"a service worker's script", "GET", "Sec-Fetch-Mode: same-origin\nSec-Fetch-Dest: serviceworker" + html, problem},
		{"a manifest", "GET", "Sec-Fetch-Mode: cors\nSec-Fetch-Dest: manifest", problem},
		{"an image", "GET", "Sec-Fetch-Mode: no-cors\nSec-Fetch-Dest: image\nAccept: text/html", problem},
		{"a beacon", "POST", "Sec-Fetch-Mode: no-cors\nSec-Fetch-Dest: empty\nAccept: text/html", problem},
		{"a WebSocket", "GET", "Sec-Fetch-Mode: websocket\nSec-Fetch-Dest: empty", problem},
		{"a WebSocket of an old browser that takes HTML", "GET", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nAccept: text/html", problem},
		{"a page that pretends to be a WebSocket", "GET", document + "Sec-WebSocket-Key: x", problem},
		{"a prefetch", "GET", document + "Sec-Purpose: prefetch", problem},
		{"a prerender", "GET", document + "Sec-Purpose: prefetch;prerender", problem},
		{"a prefetch of an old browser", "GET", "Accept: text/html\nPurpose: prefetch", problem},

		{"an old browser's page", "GET", "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", redirect},
		{"an old browser's HEAD", "HEAD", "Accept: text/html", redirect},
		{"an old WebView's page", "GET", "Accept: text/html\nX-Requested-With: org.example.app", redirect},
		{"an old browser's form", "POST", "Accept: text/html\nContent-Type: application/x-www-form-urlencoded", page},
		{"an old browser's form with a file", "POST", "Accept: text/html\nContent-Type: multipart/form-data; boundary=x", page},
		{"an old browser's form as text", "POST", "Accept: text/html\nContent-Type: Text/Plain ;charset=UTF-8", page},
		{"an old browser's script that posts JSON", "POST", "Accept: text/html\nContent-Type: application/json", problem},
		{"an old browser's XHR that posts a form", "POST", "Accept: text/html\nContent-Type: application/x-www-form-urlencoded\nX-Requested-With: xmlhttprequest", problem},
		{"no form is sent by PUT", "PUT", "Accept: text/html\nContent-Type: application/x-www-form-urlencoded", problem},
		{"XHTML alone", "GET", "Accept: application/xhtml+xml", redirect},
		{"HTML before JSON", "GET", "Accept: text/html, application/json;q=0.5", redirect},
		{"HTML as good as JSON", "GET", "Accept: application/json, text/html", redirect},
		{"in upper case, with spaces", "GET", "Accept: TEXT/HTML ; Q=0.9 , application/json; q=0.8", redirect},
		{"JSON before HTML", "GET", "Accept: application/json, text/html;q=0.9", problem},
		{"problem+json before HTML", "GET", "Accept: application/problem+json, text/html;q=0.9", problem},
		{"HTML refused", "GET", "Accept: text/html;q=0, */*", problem},
		{"HTML with a quality that is none", "GET", "Accept: text/html;q=NaN", problem},
		{"HTML with a quality above 1", "GET", "Accept: text/html;q=Inf", problem},
		{"HTML with a quality below 0", "GET", "Accept: text/html;q=-1", problem},
		{"a POST that doesn't say of what: it can't be told from a script's", "POST", "Accept: text/html", problem},
		{"an old browser's XHR", "GET", "Accept: text/html\nX-Requested-With: XMLHttpRequest", problem},
		{"an old browser's HTMX", "GET", "Accept: text/html\nHX-Request: true", problem},
		{"a program that takes anything", "GET", "Accept: */*", problem},
		{"a program that takes any text", "GET", "Accept: text/*", problem},
		{"a program that says nothing", "GET", "", problem},
		{"no method is GET but GET", "get", "Accept: text/html", problem},
		{"a browser's name says nothing", "GET", "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", problem},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for endpoint, asks := range map[string]string{
				"/verify/forward-auth": forwardedReports,
				"/verify/sign-in":      "X-Original-Method: GET\nX-Original-URL: https://app.example.com/reports\n",
			} {
				s := newStage(t, nil)
				h := headerOf(t, asks+tt.header)
				for _, name := range []string{"X-Forwarded-Method", "X-Original-Method"} {
					if has(h, name) {
						h.Set(name, tt.method)
					}
				}
				if got := kindOf(s.ask("GET", endpoint, h)); got != tt.want {
					t.Errorf("%s: got %s, want %s", endpoint, got, tt.want)
				}
			}
		})
	}
}

// kindOf describes an answer: its status, and what the body is.
func kindOf(w *httptest.ResponseRecorder) string {
	kind := strconv.Itoa(w.Code)
	switch contentType := w.Header().Get("Content-Type"); {
	case contentType == "application/problem+json":
		kind += " problem"
	case strings.HasPrefix(contentType, "text/html"):
		kind += " page"
	}
	policy := w.Header().Get("Content-Security-Policy")
	if policy != "" && !strings.Contains(policy, "frame-ancestors 'none'") {
		kind += " in a frame"
	}
	return kind
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
		{"a page that a service worker passes on", "GET", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: empty\nAccept: text/html", true},
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
