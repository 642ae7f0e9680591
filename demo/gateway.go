package demo

import (
	"io"
	stdlog "log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
	"github.com/authkit-forward-auth/authkit-forward-auth/verify"
)

const callback = "callback"

// flowPaths go to the service as they are: exactly these, never all of it.
var flowPaths = []string{
	flowPrefix + site.Login, flowPrefix + site.SignUp, flowPrefix + callback, flowPrefix + site.Logout, flowPrefix + site.Switch,
}

// gateway does what Traefik does with examples/traefik: it asks the service about
// every request, and lets the app have only those that are answered with 2xx.
//
// A Set-Cookie of such an answer is dropped, as Traefik does by default: only the
// app's own answer reaches the browser. Denials pass whole, and the 303 with which
// the service renews a cookie is one of them.
type gateway struct {
	service   *url.URL
	app       *url.URL
	identity  []string // the identity headers' names
	transport *http.Transport
	log       zerolog.Logger
}

func newGateway(service, app *url.URL, log zerolog.Logger) *gateway {
	return &gateway{
		service: service, app: app, identity: verify.DefaultHeaders().Names(), log: log,
		transport: &http.Transport{ // no proxy of the environment
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 32, IdleConnTimeout: 90 * time.Second,
			ResponseHeaderTimeout: 30 * time.Second, // Traefik's limit for the service
			DisableCompression:    true,
		},
	}
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if slices.Contains(flowPaths, r.URL.EscapedPath()) {
		g.proxy(g.service, nil).ServeHTTP(w, r)
		return
	}
	answer, err := g.transport.RoundTrip(g.verifyRequest(r))
	if err != nil {
		g.unreachable(w, r, err)
		return
	}
	defer answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		dropHopByHop(answer.Header)
		maps.Copy(w.Header(), answer.Header)
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body) // the client may be gone
		return
	}
	g.proxy(g.app, answer.Header).ServeHTTP(w, r)
}

// byName leads a browser that asks for a page by a loopback address to the same page by the name that
// the cookies are for.
func byName(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, port, err := net.SplitHostPort(r.Host)
		page := r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate"
		if err != nil || host != "127.0.0.1" && host != "::1" || !page {
			next.ServeHTTP(w, r)
			return
		}
		http.Redirect(w, r, "http://localhost:"+port+r.URL.RequestURI(), http.StatusSeeOther)
	})
}

// verifyRequest asks the service about a request. It has all of its headers but those that belong
// to the connection, and says itself what the request is: what a client claims
// about that is dropped.
func (g *gateway) verifyRequest(r *http.Request) *http.Request {
	h := r.Header.Clone()
	dropHopByHop(h)
	dropForwarded(h)
	h.Set("X-Forwarded-Method", r.Method)
	h.Set("X-Forwarded-Proto", "http")
	h.Set("X-Forwarded-Host", r.Host)
	h.Set("X-Forwarded-Uri", r.URL.RequestURI())
	h.Set("X-Forwarded-For", clientAddress(r))
	verify := *g.service
	verify.Path = "/verify/forward-auth"
	verifying := &http.Request{
		Method: http.MethodGet, URL: &verify, Header: h,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
	}
	return verifying.WithContext(r.Context())
}

// proxy passes a request on. Of the identity headers it has those of the service's
// answer and no other, whatever the client sent.
func (g *gateway) proxy(to *url.URL, answer http.Header) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport:    g.transport,
		ErrorHandler: g.unreachable,
		ErrorLog:     stdlog.New(g.log, "", 0),
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(to)
			p.Out.Host = p.In.Host
			p.Out.URL.RawQuery = p.In.URL.RawQuery // as it was asked about
			dropForwarded(p.Out.Header)
			p.SetXForwarded()
			dropIdentity(p.Out.Header, g.identity)
			for _, name := range g.identity {
				if values := answer.Values(name); len(values) > 0 {
					p.Out.Header[name] = values
				}
			}
		},
	}
}

// unreachable is the answer when the service or the app gives none: closed.
func (g *gateway) unreachable(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil {
		g.log.Error().Err(err).Str("path", r.URL.EscapedPath()).Msg("gateway: no answer")
	}
	http.Error(w, "The gateway got no answer.", http.StatusBadGateway)
}

func clientAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// dropForwarded removes what only a gateway may say.
func dropForwarded(h http.Header) {
	maps.DeleteFunc(h, func(name string, _ []string) bool {
		plain := plainName(name)
		return strings.HasPrefix(plain, "x-forwarded-") || plain == "forwarded" || plain == "x-real-ip"
	})
}

// dropIdentity removes identity headers in every spelling that an app may take for
// them: many can't tell X_Auth_Request_User from X-Auth-Request-User.
func dropIdentity(h http.Header, identity []string) {
	maps.DeleteFunc(h, func(name string, _ []string) bool {
		return slices.ContainsFunc(identity, func(own string) bool { return plainName(own) == plainName(name) })
	})
}

// plainName is a header's name in lower case, with a hyphen for whatever isn't a letter or digit.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, name)
}

// hopByHop are the headers of a connection (RFC 9110, 7.6.1; RFC 2616, 13.5.1).
var hopByHop = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// dropHopByHop also removes what Connection names.
func dropHopByHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		h.Del(name)
	}
}
