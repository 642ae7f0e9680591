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

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/cookie"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// Sessions is what the decision needs of package session.
type Sessions interface {
	Verify(ctx context.Context, request http.Header, ahead bool) (*session.Verified, error)
	Peek(ctx context.Context, request http.Header) (*session.Verified, bool)
	VerifyBearer(ctx context.Context, token string) (*identity.Identity, error)
}

// APIKeys is what the decision needs of package apikey.
type APIKeys interface {
	Verify(ctx context.Context, key string, client netip.Addr) (*identity.Identity, error)
}

// Gateway is the profile that bare /verify speaks.
type Gateway int

// The zero Gateway is for the first contact: only a session allows anything.
const (
	FirstContact Gateway = iota
	ForwardAuth          // Traefik, Caddy, HAProxy
	AuthRequest          // nginx, ingress-nginx
)

// Config is what a Handler works with. What isn't said to be required may be zero.
type Config struct {
	Site     *site.Site    // required
	Sessions Sessions      // required
	Cookie   cookie.Config // required
	Peers    Peers         // required
	Headers  IdentityHeaders
	Gateway  Gateway
	// Policy returns the policy in force. nil: there is none, and every protected host
	// needs a session.
	Policy  func() *policy.Policy
	APIKeys APIKeys // nil: no API key is accepted
	// Organizations returns those that a user is a member of. nil: no switch is offered.
	Organizations  func(ctx context.Context, userID string) ([]Organization, error)
	AllowPreflight bool                  // CORS preflights pass without a session
	ExplainDenials bool                  // who is signed in may read which rule denies
	LogAllowed     bool                  // also log what is allowed
	Metrics        prometheus.Registerer // may be nil
	Log            zerolog.Logger
	Now            func() time.Time // nil: time.Now
}

// Handler answers the verify endpoints.
type Handler struct {
	Config
	hasPolicy bool
	renewals  *otter.Cache[renewal, renewed] // redirects that brought a cookie, of the last minute
	metrics   *metrics
}

// New makes a Handler.
func New(c Config) *Handler {
	if c.Now == nil {
		c.Now = time.Now
	}
	h := &Handler{
		Config:    c,
		hasPolicy: c.Policy != nil,
		renewals:  otter.Must(&otter.Options[renewal, renewed]{MaximumSize: 10_000}),
		metrics:   newMetrics(c.Metrics),
	}
	if !h.hasPolicy {
		everybody := policy.Everybody()
		h.Policy = func() *policy.Policy { return everybody }
	}
	return h
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
	peer         string   // address and port
	original     original // empty for bare
	client       client
	scheme       string              // of the original request's URL, the site's; empty for bare
	require      policy.Requirements // of the verify URL's query
	rule         *policy.Rule        // that decides; nil until it is known
	kind         policy.Credential   // that the request brings; empty until it is known
}

// page reports whether the answer is a page that a person reads.
func (q *question) page() bool {
	return q.client.navigation && (q.profile == forwardAuth || q.profile == signIn)
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
	q.peer = r.RemoteAddr
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
	var err error
	switch q.profile {
	case forwardAuth:
		q.original, err = readForwarded(r.Header, h.Site.Scheme())
	case authRequest, signIn:
		q.original, err = readOriginal(r.Header, h.Site.Scheme())
	case bare:
		q.client, q.rule = classify(r.Header, r.Method), h.Policy().Default()
		return h.requirements(q, r.URL.RawQuery)
	}
	if err != nil {
		return deny(badRequestStatus(q.profile), ReasonBadRequest, err.Error())
	}
	q.client = classify(r.Header, q.original.method)
	q.scheme = h.Site.Scheme()
	return h.requirements(q, r.URL.RawQuery)
}

// requirements reads those of the verify URL's query. nil: go on.
func (h *Handler) requirements(q *question, rawQuery string) *decision {
	if q.firstContact && (h.hasPolicy || rawQuery != "") {
		return setGateway("no policy and no requirement is applied here")
	}
	var err error
	if q.require, err = policy.ParseQuery(rawQuery); err != nil {
		return deny(http.StatusForbidden, ReasonBadRequest, err.Error())
	}
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
