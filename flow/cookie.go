package flow

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/cookie"
)

// cookie is one of the flow's own cookies. They reach the flow's endpoints only.
func (f *Flow) cookie(name, value string, life time.Duration) *http.Cookie {
	c := &http.Cookie{
		Name: name, Value: value, Path: f.Site.Prefix(), MaxAge: int(life.Seconds()),
		HttpOnly: true, Secure: f.Sessions.Cookie.Secure, SameSite: http.SameSiteLaxMode,
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// hostCookie is one that no other host can set for this one, where the site has TLS:
// browsers take the prefix __Host- from the host itself only, without a domain and
// for all paths (RFC 6265bis, 4.1.3.2). name is without that prefix.
func (f *Flow) hostCookie(name, value string, life time.Duration) *http.Cookie {
	c := f.cookie(f.hostCookieName(name), value, life)
	if f.Site.Scheme() == "https" {
		c.Path = "/"
	}
	return c
}

func (f *Flow) hostCookieName(name string) string {
	if f.Site.Scheme() == "https" {
		return "__Host-" + name
	}
	return name
}

// session is the session cookie of the site.
func (f *Flow) session() cookie.Config {
	own := f.Sessions.Cookie
	own.Domain = f.Site.CookieDomain()
	return own
}

// setSession gives the browser its sealed session. The error is cookie.ErrTooLarge.
func (f *Flow) setSession(w http.ResponseWriter, r *http.Request, sealed string) error {
	lines, err := f.session().SetLines(sealed, r.Header)
	addLines(w, lines)
	return err
}

// setOnlySession is setSession for a sign-in: session cookies in other scopes go, where
// one of the request's opens. A changed WORKOS_COOKIE_DOMAIN, a sister application or a
// sibling host left them, and the next request would bring two sessions. Their lines
// follow the session's own, but for its scope by the other name: by RFC 6265 (no more by its
// successor and browsers) a cookie of the host alone and one of the domain of that name
// are the same, and the later counts.
func (f *Flow) setOnlySession(w http.ResponseWriter, r *http.Request, sealed string) error {
	lines, err := f.session().SetLines(sealed, r.Header)
	if err != nil {
		return err
	}
	others := f.otherScopeLines(r)
	for _, line := range others {
		if f.hasOwnScope(line) {
			addLines(w, []string{line})
		}
	}
	addLines(w, lines)
	addLines(w, slices.DeleteFunc(others, f.hasOwnScope))
	return nil
}

// otherScopeLines expire session cookies in scopes that aren't the session's own.
func (f *Flow) otherScopeLines(r *http.Request) []string {
	if !f.Sessions.HasOtherScopes(r.Header) {
		return nil
	}
	return f.session().ExpireLines(r.Header, f.Site.FlowHost().Name)
}

// hasOwnScope reports whether a line is about the session's own host or domain in the other
// of the two scopes that are called so.
func (f *Flow) hasOwnScope(line string) bool {
	c, err := http.ParseSetCookie(line)
	host := f.Site.FlowHost().Name
	return err == nil && cmp.Or(c.Domain, host) == cmp.Or(f.Site.CookieDomain(), host)
}

func addLines(w http.ResponseWriter, lines []string) {
	for _, line := range lines {
		w.Header().Add("Set-Cookie", line)
	}
}
