package flow

import (
	"net/http"
	"time"
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

// setSession gives the browser its sealed session. The error is cookie.ErrTooLarge.
func (f *Flow) setSession(w http.ResponseWriter, r *http.Request, sealed string) error {
	lines, err := f.Sessions.Cookie.SetLines(sealed, r.Header)
	if err != nil {
		return err
	}
	addLines(w, lines)
	addLines(w, f.Sessions.Cookie.ClearHostLines(r.Header))
	return nil
}

func addLines(w http.ResponseWriter, lines []string) {
	for _, line := range lines {
		w.Header().Add("Set-Cookie", line)
	}
}
