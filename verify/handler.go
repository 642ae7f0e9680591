package verify

import (
	"context"
	"crypto/rand"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/bearer"
	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/page"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/cookie"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// Sessions is what the decision needs of package session.
type Sessions interface {
	Verify(ctx context.Context, request http.Header, ahead bool) (*session.Verified, error)
	Peek(ctx context.Context, request http.Header) (*session.Verified, bool)
}

// Bearer is what the decision needs of package bearer.
type Bearer interface {
	Verify(ctx context.Context, token string, audience *bearer.Audience) (*identity.Identity, error)
	VerifyWorkload(ctx context.Context, token string, from bearer.Issuer) (*identity.Identity, error)
}

// APIKeys is what the decision needs of package apikey.
type APIKeys interface {
	Verify(ctx context.Context, key string, client netip.Addr) (*identity.Identity, error)
}

// Config is what a Handler works with. A field that isn't said to be required may be zero.
type Config struct {
	Sites    *site.Sites // required
	Sessions Sessions    // required
	// SessionsOf returns the sessions of a site, where each has its own. nil: Sessions are every site's.
	SessionsOf func(s *site.Site) Sessions
	Cookie     cookie.Config // required
	Peers      Peers         // required
	Headers    IdentityHeaders
	Gateway    Gateway
	// Policy returns the policy in force. nil: there is none, and every protected host
	// needs a session.
	Policy  func() *policy.Policy
	Bearer  Bearer  // nil: no bearer token is accepted
	APIKeys APIKeys // nil: no API key is accepted
	// Organizations returns those that a user is a member of. nil: no switch is offered.
	Organizations func(ctx context.Context, userID string) ([]Organization, error)
	// Flow answers the original request where it is one to the flow, and the gateway hands what isn't a 2xx to the browser.
	// nil: such a request is let through, to the gateway's route to the flow.
	Flow http.Handler
	// AppCookies returns the value of the Cookie header that the app is to get, for the
	// gateway to set. nil: the app gets the request's own.
	AppCookies func(request http.Header) string
	// Assertion returns what an app can verify by itself: who is let in, at which host. nil: there is none.
	Assertion      func(id *identity.Identity, s *site.Site, host site.Host) string
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
	hasPolicy    bool
	single       *site.Site // nil: there are several
	emailIsLogin bool       // by the identity headers
	renewals     renewals   // redirects that brought a cookie, of the last minute
	metrics      *metrics
	cookiesLost  sync.Once
}

// New makes a Handler.
func New(c Config) *Handler {
	if c.Now == nil {
		c.Now = time.Now
	}
	h := &Handler{
		Config:       c,
		hasPolicy:    c.Policy != nil,
		emailIsLogin: c.Headers.emailIsLogin(),
		renewals:     otter.Must(&otter.Options[renewal, renewed]{MaximumSize: 10_000}),
		metrics:      newMetrics(c.Metrics),
	}
	if c.Sites.Single() {
		h.single = c.Sites.First()
	}
	if !h.hasPolicy {
		everybody := policy.Everybody()
		h.Policy = func() *policy.Policy { return everybody }
	}
	return h
}

// Verify answers /verify with the profile of the configured gateway.
func (h *Handler) Verify(w http.ResponseWriter, r *http.Request) {
	switch {
	case h.Gateway != Gateway{}:
		h.answer(w, r, h.Gateway.profile, false)
	case hasAny(r.Header, forwardHeaders[:]):
		h.answer(w, r, forwardAuth, true)
	default:
		h.answer(w, r, sessionOnly, true)
	}
}

// ForwardAuth answers /verify/forward-auth.
func (h *Handler) ForwardAuth(w http.ResponseWriter, r *http.Request) {
	h.answer(w, r, forwardAuth, false)
}

// AuthRequest answers /verify/auth-request.
func (h *Handler) AuthRequest(w http.ResponseWriter, r *http.Request) {
	h.answer(w, r, authRequest, false)
}

// SignIn answers /verify/sign-in, to which nginx sends a browser that
// /verify/auth-request has refused with 401.
func (h *Handler) SignIn(w http.ResponseWriter, r *http.Request) {
	h.answer(w, r, signIn, false)
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, p profile, firstContact bool) {
	id := requestIDFor(p, r.Header)
	c, d := h.admit(r, p, firstContact)
	if d == nil {
		d = h.decide(r.Context(), &c)
	}
	if d.toFlow && h.answersFlow(&c) {
		h.answerFlow(w, r, &c)
		return
	}
	if p != signIn { // /verify/auth-request has counted it
		h.metrics.count(d)
	}
	h.log(&c, d, id)
	h.noticeLostCookies(&c)
	h.write(w, &c, d, id)
}

// requestIDFor makes one. At /verify/sign-in it is the one that /verify/auth-request has
// logged and nginx hands on, if that is of our making.
func requestIDFor(p profile, h http.Header) string {
	if p == signIn {
		if id := first(h, "X-Auth-Request-Id"); isRequestID(id) {
			return id
		}
	}
	return rand.Text()
}

// isRequestID reports whether a text has the form of rand.Text's.
func isRequestID(id string) bool {
	for i := range len(id) {
		if c := id[i]; (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return len(id) == 26
}

// checkRequest is one request to a verify endpoint: what is asked about, and how.
type checkRequest struct {
	profile      profile
	grpc         bool // Envoy asks over gRPC
	firstContact bool // GATEWAY is not set: nothing but a session allows
	header       http.Header
	remoteAddr   string     // the gateway's address and port
	original     original   // empty for sessionOnly
	site         *site.Site // the original request's, else the first
	client       client
	require      policy.Requirements // of the verify URL's query
}

// admit refuses a request that isn't a trusted gateway's, and reads what it asks about.
// A nil decision: go on.
func (h *Handler) admit(r *http.Request, p profile, firstContact bool) (checkRequest, *decision) {
	if !h.Peers.trusts(r.RemoteAddr) {
		return checkRequest{profile: p, site: h.Sites.First(), header: r.Header, client: classify(r.Header, r.Method)}, untrusted(r.RemoteAddr)
	}
	o, err := p.read(r, h.Sites.Scheme())
	if err != nil {
		return checkRequest{profile: p, site: h.Sites.First(), header: r.Header, client: classify(r.Header, r.Method)}, badRequest(p, err)
	}
	method := o.method
	if p == sessionOnly {
		method = r.Method
	}
	require, d := h.requirements(firstContact, requirementsOf(p, r))
	return checkRequest{
		profile: p, site: h.siteOf(o.host.Name), firstContact: firstContact, header: r.Header, remoteAddr: r.RemoteAddr,
		original: o, client: classify(r.Header, method), grpc: p == extAuthz && isGRPC(r), require: require,
	}, d
}

// requirements reads those of the verify URL's query. A nil decision: go on.
func (h *Handler) requirements(firstContact bool, rawQuery string) (policy.Requirements, *decision) {
	if firstContact && (h.hasPolicy || rawQuery != "") {
		return policy.Requirements{}, setGateway("no policy and no requirement is applied here")
	}
	require, err := policy.ParseQuery(rawQuery)
	if err != nil {
		d := badRequest(sessionOnly, err)
		d.status = http.StatusForbidden
		return require, d
	}
	return require, nil
}

// write renders a decision. Everything has been decided before.
func (h *Handler) write(w http.ResponseWriter, c *checkRequest, d *decision, id string) {
	header := w.Header()
	header["X-Request-Id"] = []string{id}
	if len(d.cookies) > 0 {
		header["Set-Cookie"] = d.cookies
	}
	if d.status == http.StatusOK {
		if c.profile != extAuthz || len(d.cookies) > 0 { // Envoy adds it to the app's answer
			header["Cache-Control"] = noStore
		}
		header["Vary"] = varyCookie
		h.Headers.set(header, d.identity, h.assertion(c, d))
		if c.profile == extAuthz {
			if names := h.Headers.removal(c.header, header); len(names) > 0 {
				header[RemoveHeader] = []string{strings.Join(names, ",")}
			}
		}
		if h.AppCookies != nil {
			header["Cookie"] = []string{h.cookies(c, d)}
		}
		w.WriteHeader(http.StatusOK)
		return
	}
	h.writeReason(header, c, d)
	switch {
	case d.status == http.StatusSeeOther:
		page.Secure(header)
		header.Set("Location", d.location)
		w.WriteHeader(http.StatusSeeOther)
	case c.client.readsPage() && c.profile.reachesBrowser():
		h.page(c, d, id).HTML(w)
	default:
		h.page(c, d, id).JSON(w)
	}
}

// cookies are those that an allowed request goes on with. The flow needs its own, where
// a gateway asks about its endpoints too.
func (h *Handler) cookies(c *checkRequest, d *decision) string {
	if d.toFlow {
		return strings.Join(c.header["Cookie"], "; ")
	}
	return h.AppCookies(c.header)
}

var (
	noStore    = []string{"private, no-store"}
	varyCookie = []string{"Cookie"}
)

// writeReason sets the headers that tell a program why it is denied, and the way on.
func (h *Handler) writeReason(header http.Header, c *checkRequest, d *decision) {
	if d.reason != "" {
		header.Set("X-Auth-Reason", d.reason)
	}
	if d.loginURL != "" && d.status == http.StatusUnauthorized {
		header.Set("X-Auth-Login-URL", d.loginURL)
		if c.client.htmx {
			header.Set("HX-Redirect", d.loginURL)
		}
	}
	// nginx adds the challenge of this answer to the one that /verify/sign-in gives the
	// browser, and in some versions only a line of it. So the example says who follows.
	signInFollows := c.profile == authRequest && first(c.header, "X-Auth-Sign-In") != ""
	if len(d.challenges) > 0 && !signInFollows {
		header["Www-Authenticate"] = d.challenges
	}
	if d.retryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(d.retryAfter.Seconds()))))
	}
	allowOrigin(header, c.site, first(c.header, "Origin"))
	allowClients(header, d)
}
