package e2e

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// workers are the four ways in which service workers pass a page's request on.
var workers = map[string]string{
	"the request":            `fetch(event.request)`,
	"a request made anew":    `fetch(new Request(event.request, {redirect: "manual"}))`,
	"with another cache":     `fetch(event.request, {cache: "no-cache"})`,
	"the URL of the request": `fetch(event.request.url, {credentials: "same-origin", headers: {Accept: event.request.headers.get("Accept")}})`,
}

// startPages serves the pages of an app for a real browser, and returns its address.
func startPages(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	text := func(pattern, body string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { writePage(w, body) })
	}
	text("/favicon.ico", "public")
	text("GET /page", "the page")
	text("GET /framing", `<iframe name="framed" src="/page"></iframe>`)
	mux.HandleFunc("GET /worker", func(w http.ResponseWriter, r *http.Request) {
		writePage(w, `<script>navigator.serviceWorker.register("/worker.js?kind=" + encodeURIComponent(`+
			fmt.Sprintf("%q", r.URL.Query().Get("kind"))+`))</script>`)
	})
	mux.HandleFunc("GET /worker.js", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprintf(w, `self.addEventListener("activate", (event) => event.waitUntil(clients.claim()));
self.addEventListener("fetch", (event) => { if (event.request.mode === "navigate") event.respondWith(%s) });`,
			workers[r.URL.Query().Get("kind")])
	})
	mux.HandleFunc("GET /form", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "form-action 'self'")
		w.Header().Set("Referrer-Policy", "no-referrer")
		writePage(w, `<form method="post" action="/save"><textarea name="text"></textarea><button>Save</button></form>`)
	})
	mux.HandleFunc("POST /save", func(w http.ResponseWriter, r *http.Request) {
		writePage(w, "saved: "+html.EscapeString(r.PostFormValue("text")))
	})
	mux.HandleFunc("GET /signing-out", func(w http.ResponseWriter, r *http.Request) {
		if name, value, ok := strings.Cut(r.URL.Query().Get("header"), ": "); ok {
			w.Header().Set(name, value)
		}
		writePage(w, `<form method="post" action="/_auth/logout"><button>Sign out</button></form>`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func writePage(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!doctype html><html lang=en><title>app</title><body>%s</body></html>", body)
}
