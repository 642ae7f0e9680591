package verify

import (
	"net/http"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/cookie"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// siteOf is the site of a host. A host that none reaches isn't protected by the first either.
func (h *Handler) siteOf(name string) *site.Site {
	if h.single != nil {
		return h.single
	}
	if s := h.Sites.Of(name); s != nil {
		return s
	}
	return h.Sites.First()
}

// sessions are those of the request's site.
func (h *Handler) sessions(c *checkRequest) Sessions {
	if h.SessionsOf == nil {
		return h.Sessions
	}
	return h.SessionsOf(c.site)
}

// cookie is the session cookie of the request's site.
func (h *Handler) cookie(c *checkRequest) cookie.Config {
	own := h.Cookie
	own.Domain = c.site.CookieDomain()
	return own
}

// allowOrigin lets a script of a protected origin read a denial.
func allowOrigin(header http.Header, s *site.Site, origin string) {
	if origin == "" || !s.ProtectsOrigin(origin) {
		return
	}
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Allow-Credentials", "true")
	header.Set("Access-Control-Expose-Headers", "X-Auth-Reason, X-Auth-Login-URL, X-Request-Id")
	header.Add("Vary", "Origin")
}
