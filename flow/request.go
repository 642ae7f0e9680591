package flow

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// endpoint is what a path does.
type endpoint struct{ get, post handler }

type handler func(*Flow, http.ResponseWriter, *http.Request)

// route routes GET, HEAD and POST of a path. HEAD is answered as GET, without effects: the
// handlers act on nothing then, and its answer sets no cookie.
func (f *Flow) route(r chi.Router, path string, e endpoint) {
	r.Get(path, f.atSite(e.get))
	r.Head(path, f.atSite(func(f *Flow, w http.ResponseWriter, r *http.Request) { e.get(f, withoutCookies{w}, r) }))
	if e.post != nil {
		r.Post(path, f.atSite(e.post))
	}
}

// atSite has a request answered by the flow of its host's site. With a single site the host isn't looked at.
func (f *Flow) atSite(h handler) http.HandlerFunc {
	if f.Sites.Single() {
		return identified(func(w http.ResponseWriter, r *http.Request) { h(f, w, r) })
	}
	return identified(func(w http.ResponseWriter, r *http.Request) {
		host, err := site.ParseHost(r.Host, f.Sites.Scheme())
		if err == nil {
			if s := f.Sites.Of(host.Name); s != nil && s.IsFlowEndpoint(host, r.URL.Path) {
				h(f.At(s), w, r)
				return
			}
		}
		show(w, r, noSitePage())
	})
}

// withoutCookies drops the Set-Cookie lines of an answer.
type withoutCookies struct{ http.ResponseWriter }

func (w withoutCookies) WriteHeader(status int) {
	w.Header().Del("Set-Cookie")
	w.ResponseWriter.WriteHeader(status)
}

// isHead reports whether the request must have no effect.
func isHead(r *http.Request) bool { return r.Method == http.MethodHead }

type requestIDKey struct{}

// identified gives a request its id, which its answer, its page and its log lines have.
func identified(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := rand.Text()
		w.Header().Set("X-Request-Id", id)
		h(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
	}
}

func requestID(r *http.Request) string {
	id, _ := r.Context().Value(requestIDKey{}).(string)
	return id
}

// log is the logger of a request. Its lines have the request's id, and the gateway's
// where it sends one.
func (f *Flow) log(r *http.Request) *zerolog.Logger {
	lines := f.Log.With().Str("request_id", requestID(r))
	if id := r.Header.Get("X-Request-Id"); id != "" {
		lines = lines.Str("gateway_request_id", id[:min(len(id), 128)])
	}
	log := lines.Logger()
	return &log
}

// isPrefetch reports whether the browser asks before the user does. No endpoint acts then.
func isPrefetch(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Sec-Purpose"), "prefetch") || r.Header.Get("Purpose") == "prefetch"
}

// deliberate reports whether the user came here by a link on the site or by typing
// the address. A GET that changes the session acts on nothing else, such as another
// site's image or link.
func deliberate(r *http.Request) bool {
	from := r.Header.Get("Sec-Fetch-Site")
	own := from == "none" || from == "same-origin" || from == "same-site"
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && own && !isPrefetch(r)
}

// askedAnew reports whether a script asks for a page that somebody looks at, as a service
// worker does with a request of its own in place of the browser's.
func askedAnew(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return (mode == "cors" || mode == "same-origin") && r.Header.Get("Sec-Fetch-Dest") == "empty" &&
		strings.HasPrefix(r.Header.Get("Accept"), "text/html")
}

// fromOwnPage reports whether a form was sent by a page of this site: its Origin is
// protected. A page with Referrer-Policy: no-referrer (Helmet's default) sends the
// Origin null, and some clients none; then Sec-Fetch-Site decides, which no page can
// set.
func (f *Flow) fromOwnPage(r *http.Request) bool {
	origins, from := r.Header.Values("Origin"), r.Header.Values("Sec-Fetch-Site")
	switch {
	case len(origins) > 1 || len(from) > 1:
		return false
	case len(origins) == 1 && origins[0] != "" && origins[0] != "null":
		return f.Site.ProtectsOrigin(origins[0])
	case len(from) == 0:
		return false
	}
	return from[0] == "same-origin" || from[0] == "same-site" && f.Site.CookieDomain() != ""
}

// wantsJSON reports whether the client asks for JSON and not for a page.
func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "json") && !strings.Contains(accept, "text/html")
}
