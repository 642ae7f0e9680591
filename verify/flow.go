package verify

import (
	"net/http"
	"net/url"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// answersFlow reports whether a question about an endpoint of the flow is answered by the flow itself: where the gateway hands
// our answer to the browser as it is, redirects and cookies too. WorkOS's webhooks have a body, which no gateway sends along.
func (h *Handler) answersFlow(c *checkRequest, r *http.Request) bool {
	switch {
	case h.Flow == nil, c.original.path == c.site.Prefix()+site.Webhooks:
		return false
	case c.profile == forwardAuth:
		return true
	}
	return c.profile == extAuthz && (h.Gateway == ExtAuthz || isGRPC(r))
}

// answerFlow has the flow answer the original request.
func (h *Handler) answerFlow(w http.ResponseWriter, r *http.Request, c *checkRequest) {
	o := c.original
	u, err := url.ParseRequestURI(site.EscapeNonASCII(o.uri))
	if err != nil {
		d := badRequest(c.profile, header{"the URI", o.uri}.error("can't be read"))
		h.metrics.count(d)
		id := requestIDFor(c.profile, r.Header)
		h.log(c, d, id)
		h.write(w, c, d, id)
		return
	}
	asked := r.WithContext(r.Context())
	asked.Method, asked.URL, asked.RequestURI, asked.Host, asked.Body, asked.ContentLength = o.method, u, o.uri, o.host.String(), http.NoBody, 0
	h.Flow.ServeHTTP(w, asked)
}
