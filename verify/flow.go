package verify

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// answersFlow reports whether a question about an endpoint of the flow is answered by the flow itself: where the gateway hands
// our answer to the browser as it is, redirects and cookies too. WorkOS's webhooks have a body, which no gateway sends along, and
// a key set is a 200, which no gateway hands on.
func (h *Handler) answersFlow(c *checkRequest) bool {
	switch {
	case h.Flow == nil, c.original.path == c.site.Prefix()+site.Webhooks, c.original.path == c.site.Prefix()+site.JWKS:
		return false
	case c.profile == forwardAuth:
		return true
	}
	return c.profile == extAuthz && (h.Gateway.profile == extAuthz || c.grpc)
}

// answerFlow has the flow answer the original request.
func (h *Handler) answerFlow(w http.ResponseWriter, r *http.Request, c *checkRequest) {
	o := c.original
	_, query, _ := strings.Cut(o.uri, "?")
	asked := r.WithContext(r.Context())
	asked.URL = &url.URL{Path: o.path, RawQuery: query} // an endpoint's path is a plain one
	asked.Method, asked.RequestURI, asked.Host, asked.Body, asked.ContentLength = o.method, o.uri, o.host.String(), http.NoBody, 0
	h.Flow.ServeHTTP(w, asked)
}
