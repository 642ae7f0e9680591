package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	timeout = 20 * time.Second // of a request; a gateway waits 15 s for the service
	maxRead = 256 << 10        // bytes of an answer that are looked at
	agent   = "authkit-forward-auth doctor"
)

// request is what a browser, a script or an attacker sends.
type request struct {
	method  string // empty: GET
	url     string
	target  string // the request target, where it isn't the URL's path and query; it may be a whole URL
	host    string // the Host header, where it isn't the URL's
	header  http.Header
	body    string
	session string // cookies of somebody who is signed in, for the app's own origin
	shown   string // what is remarkable, for the finding
}

// answer is what came back.
type answer struct {
	sent   string // the request in a few words
	url    *url.URL
	status int // 0: none
	header http.Header
	body   string
	state  *tls.ConnectionState
	err    error
}

// A document is what a browser asks for when somebody follows a link.
func document() http.Header {
	return http.Header{
		"Accept": {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, "Sec-Fetch-Mode": {"navigate"},
		"Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Site": {"none"}, "Sec-Fetch-User": {"?1"}, "Upgrade-Insecure-Requests": {"1"},
	}
}

// A fetch is what a script of the page sends.
func fetch() http.Header {
	return http.Header{"Accept": {"*/*"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Site": {"same-origin"}}
}

// with adds headers to those of a kind of request.
func with(kind, more http.Header) http.Header {
	maps.Copy(kind, more)
	return kind
}

// newClient follows no redirect and speaks HTTP/1.1, in which every header can be spelt as an attacker would.
func newClient() http.Client {
	return http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DisableCompression: true, MaxResponseHeaderBytes: 1 << 20,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
			TLSNextProto:    map[string]func(string, *tls.Conn) http.RoundTripper{},
		},
	}
}

// ask sends a request and reads its answer.
func (e *examination) ask(ctx context.Context, r request) answer {
	a := answer{sent: cmp.Or(r.method, http.MethodGet) + " "}
	u, err := url.Parse(r.url)
	if err != nil {
		a.err = err
		return a
	}
	a.url = u
	a.sent += e.short(u)
	if r.target != "" {
		u = &url.URL{Scheme: u.Scheme, Host: u.Host, Opaque: strings.TrimPrefix(r.target, u.Scheme+":")}
		if strings.HasPrefix(r.target, "//") { // as Opaque it would be a host
			u.Opaque, u.Path = "", r.target
		}
		a.sent = cmp.Or(r.method, http.MethodGet) + " " + r.target
	}
	if r.shown != "" {
		a.sent += " with " + r.shown
	}
	req := (&http.Request{Method: cmp.Or(r.method, http.MethodGet), URL: u, Host: r.host, Header: http.Header{}}).WithContext(ctx)
	maps.Copy(req.Header, r.header)
	req.Header.Set("User-Agent", agent)
	if r.body != "" {
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(r.body)), int64(len(r.body))
	}
	if r.session != "" && a.url.Scheme == e.page.Scheme && a.url.Host == e.page.Host {
		req.Header.Set("Cookie", r.session)
	}
	response, err := e.client.Do(req)
	if err != nil {
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err
		}
		a.err = err
		return a
	}
	defer response.Body.Close()
	a.status, a.header, a.state = response.StatusCode, response.Header, response.TLS
	if a.status != http.StatusSwitchingProtocols {
		text, err := io.ReadAll(io.LimitReader(response.Body, maxRead))
		a.body = string(text)
		if err != nil && a.body == "" {
			a.err = err
		}
	}
	return a
}

// short is a URL for a finding: the app's own as path, a long query cut.
func (e *examination) short(u *url.URL) string {
	text := u.EscapedPath()
	if u.Scheme+"://"+u.Host != e.origin() {
		text = u.Scheme + "://" + u.Host + text
	}
	if query := u.RawQuery; len(query) > 60 {
		text += "?" + query[:60] + "…"
	} else if query != "" {
		text += "?" + query
	}
	return cmp.Or(text, "/")
}

// String is the answer in a few words.
func (a answer) String() string {
	if a.err != nil {
		return "no answer (" + a.err.Error() + ")"
	}
	text := fmt.Sprint(a.status)
	if reason := a.reason(); reason != "" {
		text += " " + reason
	}
	if to := a.location(); to != nil {
		to.RawQuery = ""
		text += " to " + to.String()
	}
	return text
}

// reason is why the service denied the request; empty where it isn't the service's answer.
func (a answer) reason() string { return a.header.Get("X-Auth-Reason") }

// location is where a redirect leads to; nil: it is none.
func (a answer) location() *url.URL {
	text := a.header.Get("Location")
	if a.err != nil || a.status < 300 || a.status > 399 || text == "" {
		return nil
	}
	to, err := a.url.Parse(text)
	if err != nil {
		return nil
	}
	return to
}

// allowed reports whether the app was reached, for all that can be told.
func (a answer) allowed() bool {
	return a.err == nil && (a.status >= 200 && a.status < 300 || a.status == http.StatusSwitchingProtocols || a.status == http.StatusNotModified)
}

// denies reports whether the answer lets nobody in: it asks for sign-in, or refuses. A 404 or 405 may be the app's.
func (e *examination) denies(a answer) bool {
	switch {
	case a.err != nil:
		return true
	case a.reason() != "":
		return !a.allowed()
	case a.location() != nil:
		return e.toLogin(a)
	case a.status == http.StatusNotFound, a.status == http.StatusMethodNotAllowed:
		return false
	}
	return a.status >= 400
}

// toLogin reports whether the answer leads to the sign-in of this deployment.
func (e *examination) toLogin(a answer) bool {
	to := a.location()
	return to != nil && e.login != nil && to.Scheme == e.login.Scheme && to.Host == e.login.Host && to.EscapedPath() == e.login.EscapedPath()
}

// returns is the URL that a redirect to the sign-in leads back to.
func (a answer) returns() string {
	to := a.location()
	if to == nil {
		return ""
	}
	return to.Query().Get("rd")
}
