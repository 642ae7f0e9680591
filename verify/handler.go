package verify

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// Sessions is what the decision needs of package session.
type Sessions interface {
	Verify(ctx context.Context, request http.Header, ahead bool) (*session.Verified, error)
}

// Gateway is the profile that bare /verify speaks.
type Gateway int

// The zero Gateway is for the first contact: only a session allows anything.
const (
	FirstContact Gateway = iota
	ForwardAuth          // Traefik, Caddy, HAProxy
	AuthRequest          // nginx, ingress-nginx
)

// Peers are the gateways that are answered.
type Peers struct {
	Prefixes []netip.Prefix
	Unix     bool // peers on a unix socket
}

// trusts tells whether http.Request.RemoteAddr is one of the peers.
func (p Peers) trusts(remoteAddr string) bool {
	address, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return p.Unix && (remoteAddr == "" || remoteAddr == "@" || remoteAddr[0] == '/')
	}
	ip := address.Addr().Unmap().WithZone("")
	for _, prefix := range p.Prefixes {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// Config is what a Handler works with. Log, Now and the flags may be zero.
type Config struct {
	Site           *site.Site
	Sessions       Sessions
	Cookie         session.Cookie
	Gateway        Gateway
	Peers          Peers
	Headers        IdentityHeaders
	AllowPreflight bool                  // CORS preflights pass without a session
	LogAllowed     bool                  // also log what is allowed
	Metrics        prometheus.Registerer // may be nil
	Log            zerolog.Logger
	Now            func() time.Time // nil: time.Now
}

// Handler answers the verify endpoints.
type Handler struct {
	Config
	renewals *otter.Cache[renewal, renewed] // redirects that brought a cookie, of the last minute
	metrics  *metrics
}

// New makes a Handler.
func New(c Config) *Handler {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Handler{
		Config:   c,
		renewals: otter.Must(&otter.Options[renewal, renewed]{MaximumSize: 10_000}),
		metrics:  newMetrics(c.Metrics),
	}
}

// profile is the way in which one endpoint is asked and answers.
type profile int

const (
	forwardAuth profile = iota
	authRequest
	signIn
	bare // nothing but a session: /verify without GATEWAY and without headers
)

// question is one request to a verify endpoint.
type question struct {
	profile      profile
	firstContact bool // GATEWAY is not set: nothing but a session allows
	header       http.Header
	original     original // empty for bare
	client       client
	scheme       string // of the original request's URL, the site's; empty for bare
}

// url is what the browser asked for, byte for byte but for the host's spelling.
func (q *question) url() string { return q.scheme + "://" + q.original.host.String() + q.original.uri }

// Bare answers /verify with the profile of the configured gateway.
func (h *Handler) Bare(w http.ResponseWriter, r *http.Request) {
	q := question{header: r.Header}
	switch h.Gateway {
	case ForwardAuth:
		q.profile = forwardAuth
	case AuthRequest:
		q.profile = authRequest
	default:
		q.firstContact = true
		if q.profile = bare; hasAny(r.Header, forwardHeaders) {
			q.profile = forwardAuth
		}
	}
	h.answer(w, r, q)
}

// ForwardAuth answers /verify/forward-auth.
func (h *Handler) ForwardAuth(w http.ResponseWriter, r *http.Request) {
	h.answer(w, r, question{profile: forwardAuth, header: r.Header})
}

// AuthRequest answers /verify/auth-request.
func (h *Handler) AuthRequest(w http.ResponseWriter, r *http.Request) {
	h.answer(w, r, question{profile: authRequest, header: r.Header})
}

// SignIn answers /verify/sign-in, to which nginx sends a browser that
// /verify/auth-request has refused with 401.
func (h *Handler) SignIn(w http.ResponseWriter, r *http.Request) {
	h.answer(w, r, question{profile: signIn, header: r.Header})
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, q question) {
	id := rand.Text()
	d := h.admit(r, &q)
	if d == nil {
		d = h.decide(r.Context(), &q)
	}
	h.metrics.count(d)
	h.log(&q, d, id)
	h.write(w, &q, d, id)
}

// admit refuses what isn't a question of a trusted gateway, and reads the
// original request. nil: go on.
func (h *Handler) admit(r *http.Request, q *question) *decision {
	if !h.Peers.trusts(r.RemoteAddr) {
		return deny(http.StatusForbidden, ReasonUntrustedProxy,
			fmt.Sprintf("peer %s is not in TRUSTED_PROXIES", r.RemoteAddr))
	}
	if r.URL.RawQuery != "" {
		detail := "the verify URL has a query: this version takes no requirements there, or the gateway appends the client's query"
		if q.firstContact {
			detail += "; set GATEWAY in any case"
		}
		return deny(http.StatusForbidden, ReasonBadRequest, detail)
	}
	var err error
	switch q.profile {
	case forwardAuth:
		q.original, err = readForwarded(r.Header, h.Site.Scheme())
	case authRequest, signIn:
		q.original, err = readOriginal(r.Header, h.Site.Scheme())
	case bare:
		q.client = classify(r.Header, r.Method)
		return nil
	}
	if err != nil {
		return deny(badRequestStatus(q.profile), ReasonBadRequest, err.Error())
	}
	q.client = classify(r.Header, q.original.method)
	q.scheme = h.Site.Scheme()
	return nil
}

// badRequestStatus is 403 where nginx would turn a 400 into a 500. It is never
// 401: a gateway that is set up wrongly must not become a sign-in loop.
func badRequestStatus(p profile) int {
	if p == authRequest {
		return http.StatusForbidden
	}
	return http.StatusBadRequest
}
