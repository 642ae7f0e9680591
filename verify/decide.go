package verify

import (
	"context"
	"crypto/sha256"
	"net/http"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/page"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// decision is what becomes of a request, before it is written for a gateway.
type decision struct {
	status      int
	reason      string             // empty when allowed
	detail      string             // for the log
	requirement string             // of the rule or the verify URL's query, that isn't met
	text        string             // for the client, instead of what the reason says
	byClient    bool               // a bad_request that the gateway can't help
	toFlow      bool               // allowed as an endpoint of the flow's
	rule        *policy.Rule       // that decided; nil where none did
	credential  policy.Credential  // that the request presents; empty where none was looked for
	identity    *identity.Identity // nil: nobody's
	location    string             // for 303
	loginURL    string             // where to sign in
	links       []page.Link        // other ways on, for a page
	challenges  []string           // WWW-Authenticate lines
	cookies     []string           // Set-Cookie lines
	retryAfter  time.Duration      // for 429 and 503
	notStored   bool               // the browser doesn't keep the cookie that it was sent
	unreported  bool               // at /verify/sign-in: /verify/auth-request has not logged this
	note        string             // something the operator should know although it is allowed
}

// decide answers an admitted request.
func (h *Handler) decide(ctx context.Context, c *checkRequest) *decision {
	rule, d := h.route(c)
	if d == nil {
		d = h.decideByRule(ctx, c, rule)
	}
	d.rule = rule
	return d
}

// route finds the rule that decides, and answers what needs no credential. A nil
// decision: go on.
func (h *Handler) route(c *checkRequest) (*policy.Rule, *decision) {
	if c.profile == sessionOnly {
		return h.Policy().Default(), nil
	}
	o := &c.original
	if o.host.Name == c.site.FlowHost().Name && isVerifyEndpoint(c.site, o.path) {
		return nil, deny(http.StatusForbidden, ReasonMisconfigured,
			"the gateway asks about its own request: its verify address goes through the protected site")
	}
	if c.site.IsFlowEndpoint(o.host, o.path) {
		if c.firstContact {
			return nil, setGateway("the flow's own endpoints can't be let through")
		}
		return nil, &decision{status: http.StatusOK, toFlow: true}
	}
	if !c.site.Protects(o.host.Name) {
		return nil, deny(http.StatusForbidden, ReasonWrongHost, h.wrongHost(o.host.Name))
	}
	announced := preflight(c)
	match := h.Policy().Match(policy.Request{
		Method: o.method, Host: o.host.Name, Path: o.path, Preflight: announced, Header: c.header,
		NoDotSegments: c.profile == authRequest || c.profile == signIn, // nginx hands on the path that it has not resolved
		OneReading:    !c.require.None(),
	})
	if match.Err != nil {
		return match.Rule, undecided(c.profile, match.Err)
	}
	if !match.Rule.MCP.AllowsOrigins(c.header["Origin"]) {
		d := forbid(policy.Unmet{Requirement: "origin"})
		d.text = "This page may not ask here: its origin is not one of the rule's."
		return match.Rule, d
	}
	switch {
	case match.Rule.Access == policy.Nobody:
		return match.Rule, forbid(policy.Unmet{Requirement: "nobody"})
	case c.firstContact:
	case match.Preflight, h.AllowPreflight && announced != "" && !match.Ambiguous:
		return match.Rule, &decision{status: http.StatusOK}
	}
	return match.Rule, nil
}

// preflight returns the method that a CORS preflight announces (Fetch, section
// 4.8), and nothing for any other request.
func preflight(c *checkRequest) string {
	if c.original.method != http.MethodOptions || first(c.header, "Origin") == "" {
		return ""
	}
	return first(c.header, "Access-Control-Request-Method")
}

// decideByRule decides by the credential that the rule takes and the request presents.
func (h *Handler) decideByRule(ctx context.Context, c *checkRequest, rule *policy.Rule) *decision {
	if rule.Access == policy.Public && c.require.None() && c.profile != signIn && !c.firstContact {
		return h.public(ctx, c)
	}
	if len(rule.Credentials) == 1 && rule.Credentials[0] == policy.Cookie {
		return h.decideBySession(ctx, c, rule)
	}
	return h.decideByCredentials(ctx, c, rule)
}

// public lets everybody in, and says who it is where a session is good as it stands.
func (h *Handler) public(ctx context.Context, c *checkRequest) *decision {
	d := &decision{status: http.StatusOK}
	if !h.Cookie.Present(c.header) {
		return d
	}
	if v, ok := h.sessions(c).Peek(ctx, c.header); ok {
		d.identity = &v.Identity
	}
	return d
}

func (h *Handler) decideBySession(ctx context.Context, c *checkRequest, rule *policy.Rule) *decision {
	v, err := h.sessions(c).Verify(ctx, c.header, c.client.canCarryCookie())
	if err != nil {
		return h.refuse(c, rule, err)
	}
	if unmet := h.unmet(c, rule, &v.Identity); unmet != nil {
		return h.forbidUser(ctx, c, rule, &v.Identity, *unmet)
	}
	if h.emailIsLogin && !v.Identity.EmailVerified {
		return h.askVerifiedEmail(c, &v.Identity)
	}
	return h.allow(c, v)
}

// unmet returns the first requirement of the rule and of the verify URL's query that
// an identity doesn't meet. That of the sign-in's age comes last: a fresh one would
// mend nothing else.
func (h *Handler) unmet(c *checkRequest, rule *policy.Rule, id *identity.Identity) *policy.Unmet {
	none := c.require.None()
	if none && rule.Require.None() && id.Extra.IssuedBy() == "" {
		return nil
	}
	now := h.Now()
	unmet := rule.Require.Check(id, now)
	if none {
		return unmet
	}
	if unmet == nil || unmet.Requirement == policy.MaxAuthAge {
		if also := c.require.Check(id, now); also != nil {
			return also
		}
	}
	return unmet
}

// allow answers a good session: 200, or the same URL again with the current cookie.
// nginx can't redirect here: there a document whose session needs several cookies
// gets a 401, for which nginx asks /verify/sign-in, which sends them.
func (h *Handler) allow(c *checkRequest, v *session.Verified) *decision {
	if c.profile == signIn {
		return h.returnFromSignIn(c, v)
	}
	d := &decision{status: http.StatusOK, identity: &v.Identity}
	if v.Current == "" || !c.client.canCarryCookie() {
		return d
	}
	lines, err := h.cookie(c).SetLines(v.Current, c.header)
	if err != nil {
		d.note = err.Error()
		return d
	}
	passing := h.passing(c)
	several := passing == oneCookie && len(lines) > 1
	if !several && passing != noCookie {
		d.cookies = lines
	}
	switch {
	case !c.client.document(), c.profile == sessionOnly, c.profile == authRequest && !several: // no way round
	case !h.renew(renewal{cookie: v.Sent}, 1):
		d.notStored, d.note = true, "cookie_not_stored: the browser still sends an old session cookie"
	case c.profile == authRequest:
		d.status, d.reason, d.detail = http.StatusUnauthorized, ReasonRenewCookie, "the session is good; its new cookies are sent by /verify/sign-in"
		d.loginURL = h.loginURL(c, signInOptions{})
	default:
		d.status, d.location, d.cookies = http.StatusSeeOther, c.original.url(), lines
	}
	return d
}

// returnFromSignIn answers a browser that nginx has refused, but that has a good session by
// now or still has one: it goes to the URL that it wanted, with every cookie line. A body is
// gone, and only who has sent it can send it again.
func (h *Handler) returnFromSignIn(c *checkRequest, v *session.Verified) *decision {
	if !safe(c.client.method) {
		d := deny(http.StatusUnauthorized, ReasonNoSession, "the session is good by now, and the request's body is gone")
		d.loginURL, d.identity = h.loginURL(c, signInOptions{}), &v.Identity
		return d
	}
	d := &decision{status: http.StatusSeeOther, location: c.original.url()}
	if v.Current != "" {
		lines, err := h.cookie(c).SetLines(v.Current, c.header)
		if err != nil {
			d = deny(http.StatusForbidden, ReasonMisconfigured, err.Error())
			d.unreported = true
			return d
		}
		d.cookies = lines
	}
	if !h.renew(renewal{cookie: v.Sent, session: v.Identity.SessionID, url: sha256.Sum256([]byte(d.location))}, 2) {
		d = deny(http.StatusForbidden, ReasonMisconfigured,
			"the session is good here and was refused at auth_request: does its location pass the Cookie header on?")
		d.unreported = true
	}
	return d
}

// renewal is a redirect that was to bring a browser its current cookie, or the 401
// that leads to one.
type renewal struct {
	cookie  [16]byte
	session string
	url     [32]byte // hashed: whoever is signed in chooses its length
}

type renewed struct {
	count int
	since time.Time
}

// renewals are the library's cache. It is an interface because every package that imports a type with one of its generic caches in
// it compiles all of that anew.
type renewals interface {
	Compute(key renewal, change func(old renewed, found bool) (renewed, otter.ComputeOp)) (renewed, bool)
}

// renew reports whether one more of them is allowed: so many in 60 s.
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
