package verify

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/net/publicsuffix"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// Reasons for a denial, as X-Auth-Reason tells them.
const (
	ReasonNoSession      = "no_session"      // no session cookie
	ReasonBadSession     = "bad_session"     // a cookie that can't be used
	ReasonSessionEnded   = "session_ended"   // signed out, revoked, refused by AuthKit
	ReasonSuperseded     = "superseded"      // an old cookie, while a later one is in use
	ReasonRenewCookie    = "renew_cookie"    // a good session whose new cookies only /verify/sign-in can send
	ReasonStepRequired   = "step_required"   // AuthKit wants the user to do something first
	ReasonWrongHost      = "wrong_host"      // not a protected host
	ReasonBadRequest     = "bad_request"     // the gateway's question can't be used
	ReasonUntrustedProxy = "untrusted_proxy" // the peer is not a trusted gateway
	ReasonMisconfigured  = "misconfigured"   // a mistake of the operator's, see the log
	ReasonUnavailable    = "unavailable"     // nobody can tell now
)

// decision is what becomes of a question, before it is written for a gateway.
type decision struct {
	status     int
	reason     string            // empty when allowed
	detail     string            // for the log
	open       bool              // the client may read detail too
	identity   *session.Identity // nil: nobody's
	location   string            // for 303
	loginURL   string            // where to sign in
	cookies    []string          // Set-Cookie lines
	retryAfter time.Duration     // for 503
	notStored  bool              // the browser doesn't keep the cookie that it was sent
	note       string            // something the operator should know although it is allowed
}

func deny(status int, reason, detail string) *decision {
	return &decision{status: status, reason: reason, detail: detail}
}

// decide judges an admitted question.
func (h *Handler) decide(ctx context.Context, q *question) *decision {
	if q.profile != bare {
		if d := h.route(q); d != nil {
			return d
		}
	}
	v, err := h.Sessions.Verify(ctx, q.header, q.client.carries())
	if err != nil {
		return h.refuse(q, err)
	}
	return h.allow(q, v)
}

// route decides what needs no session. nil: a session is needed.
func (h *Handler) route(q *question) *decision {
	o := q.original
	if !h.Site.Protects(o.host.Name) {
		return deny(http.StatusForbidden, ReasonWrongHost, h.wrongHost(o.host.Name))
	}
	path := o.path()
	if o.host.Name == h.Site.FlowHost().Name && h.asksItself(path) {
		return deny(http.StatusForbidden, ReasonMisconfigured,
			"the gateway asks about its own question: its verify address goes through the protected site")
	}
	if h.Site.IsFlowEndpoint(o.host, path) {
		if q.firstContact {
			d := deny(http.StatusForbidden, ReasonMisconfigured, "set GATEWAY: until then the flow's own endpoints can't be let through")
			d.open = true
			return d
		}
		return &decision{status: http.StatusOK}
	}
	if h.AllowPreflight && !q.firstContact && preflight(q) {
		return &decision{status: http.StatusOK}
	}
	return nil
}

// asksItself tells whether a path on the flow's host is a verify endpoint.
// Bare /verify may be the app's own, unless the flow has the host to itself.
func (h *Handler) asksItself(path string) bool {
	rest, ok := strings.CutPrefix(path, "/verify")
	switch {
	case !ok:
		return false
	case rest == "":
		return h.Site.Prefix() == "/"
	}
	return rest == "/forward-auth" || rest == "/auth-request" || rest == "/sign-in"
}

// preflight recognizes a CORS preflight (Fetch, section 4.8).
func preflight(q *question) bool {
	return q.original.method == http.MethodOptions && first(q.header, "Origin") != "" &&
		first(q.header, "Access-Control-Request-Method") != ""
}

// wrongHost says which host it was, and which cookie domain would cover it.
func (h *Handler) wrongHost(name string) string {
	detail := "host " + name + " is not protected; protected: " + h.Site.Protected()
	flow, err := publicsuffix.EffectiveTLDPlusOne(h.Site.FlowHost().Name)
	if err != nil {
		return detail
	}
	if asked, err := publicsuffix.EffectiveTLDPlusOne(name); err == nil && asked == flow {
		return detail + "; WORKOS_COOKIE_DOMAIN=" + flow + " would cover it"
	}
	return detail
}

// allow answers a good session: 200, or the same URL again with the current cookie.
// nginx can't redirect here: there a document whose session needs several cookies
// gets a 401, for which nginx asks /verify/sign-in, see back.
func (h *Handler) allow(q *question, v *session.Verified) *decision {
	if q.profile == signIn {
		return h.back(q, v)
	}
	d := &decision{status: http.StatusOK, identity: &v.Identity}
	if v.Current == "" || !q.client.carries() {
		return d
	}
	lines, err := h.Cookie.SetLines(v.Current, q.header)
	if err != nil {
		d.note = err.Error()
		return d
	}
	several := q.profile != forwardAuth && len(lines) > 1 // nginx passes one line of a 200
	if !several {
		d.cookies = lines
	}
	switch {
	case !q.client.document(), q.profile == bare, q.profile == authRequest && !several: // no way round
	case !h.renew(renewal{cookie: v.Sent}, 1):
		d.notStored, d.note = true, "cookie_not_stored: the browser still sends an old session cookie"
	case q.profile == authRequest:
		d.status, d.reason, d.detail = http.StatusUnauthorized, ReasonRenewCookie, "the session is good; its new cookies are sent by /verify/sign-in"
		d.loginURL = h.loginURL(q, "")
	default:
		d.status, d.location = http.StatusSeeOther, q.url()
	}
	return d
}

// back sends a browser that nginx has refused, but that has a good session by
// now or still has one, to the URL that it wanted, with every cookie line.
func (h *Handler) back(q *question, v *session.Verified) *decision {
	d := &decision{status: http.StatusSeeOther, location: q.url()}
	if v.Current != "" {
		lines, err := h.Cookie.SetLines(v.Current, q.header)
		if err != nil {
			return deny(http.StatusForbidden, ReasonMisconfigured, err.Error())
		}
		d.cookies = lines
	}
	switch {
	case !h.renew(renewal{cookie: v.Sent, session: v.Identity.SessionID, url: sha256.Sum256([]byte(q.url()))}, 2):
		return deny(http.StatusForbidden, ReasonMisconfigured,
			"the session is good here and was refused at auth_request: does its location pass the Cookie header on?")
	case safe(q.client.method):
	case q.client.navigation:
		if referer, ok := h.Site.ReturnURL(first(q.header, "Referer")); ok {
			d.location = referer
		}
	default: // the body is gone, only the script can send it again
		d = deny(http.StatusUnauthorized, ReasonNoSession, "the session is good by now, and the request's body is gone")
		d.loginURL = h.loginURL(q, "")
	}
	return d
}

// renewal is a redirect that was to bring a browser its current cookie, or the 401
// that leads to one.
type renewal struct {
	cookie  [32]byte
	session string
	url     [32]byte // hashed: whoever is signed in chooses its length
}

type renewed struct {
	count int
	since time.Time
}

// renew tells whether one more of them is allowed: so many in 60 s.
func (h *Handler) renew(key renewal, limit int) bool {
	now := h.Now()
	state, _ := h.renewals.Compute(key, func(old renewed, found bool) (renewed, otter.ComputeOp) {
		if !found || now.Sub(old.since) >= time.Minute {
			return renewed{count: 1, since: now}, otter.WriteOp
		}
		old.count++
		return old, otter.WriteOp
	})
	return state.count <= limit
}

// refuse answers a request without a usable session. It is the one place that
// turns session errors into statuses.
func (h *Handler) refuse(q *question, err error) *decision {
	var step *session.StepRequired
	var outage *session.Outage
	switch {
	case errors.Is(err, session.ErrNone):
		return h.askSignIn(q, ReasonNoSession, err, "")
	case errors.Is(err, session.ErrBad):
		return h.askSignIn(q, ReasonBadSession, err, "")
	case errors.Is(err, session.ErrSuperseded):
		return h.askSignIn(q, ReasonSuperseded, err, "")
	case errors.As(err, &step):
		return h.askSignIn(q, ReasonStepRequired, err, step.OrganizationID)
	case errors.Is(err, session.ErrEnded):
		d := h.askSignIn(q, ReasonSessionEnded, err, "")
		if q.client.navigation {
			d.cookies = h.Cookie.ClearLines(q.header)
		}
		return d
	case errors.Is(err, session.ErrMisconfigured):
		return deny(http.StatusForbidden, ReasonMisconfigured, err.Error()+"; compare WORKOS_ISSUER with the token's iss")
	}
	d := deny(http.StatusServiceUnavailable, ReasonUnavailable, err.Error())
	d.retryAfter = time.Second
	if errors.As(err, &outage) {
		d.retryAfter = max(outage.RetryAfter, d.retryAfter)
	}
	d.loginURL = h.loginURL(q, "")
	return d
}

// askSignIn sends a navigation to sign-in, and tells everything else where that is.
func (h *Handler) askSignIn(q *question, reason string, err error, organizationID string) *decision {
	d := deny(http.StatusUnauthorized, reason, err.Error())
	d.loginURL = h.loginURL(q, organizationID)
	if q.client.navigation && (q.profile == forwardAuth || q.profile == signIn) {
		d.status, d.location = http.StatusSeeOther, d.loginURL
	}
	return d
}

// loginURL is where to sign in and come back: to the page itself if it is one,
// else to the page that the request came from. Never to an API's URL.
func (h *Handler) loginURL(q *question, organizationID string) string {
	var back string
	switch {
	case q.profile == bare:
	case q.client.document():
		if back = q.url(); len(back) > site.MaxReturnURL {
			back, _ = h.Site.ReturnURL(back) // without the query
		}
	default:
		for _, name := range []string{"Hx-Current-Url", "Referer"} {
			if page, ok := h.Site.ReturnURL(first(q.header, name)); ok {
				back = page
				break
			}
		}
	}
	login := h.Site.LoginURL(back)
	if organizationID == "" {
		return login
	}
	return login + separator(login) + "organization_id=" + url.QueryEscape(organizationID)
}

func separator(u string) string {
	if strings.Contains(u, "?") {
		return "&"
	}
	return "?"
}
