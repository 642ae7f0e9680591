package verify

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/page"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// Reasons for a denial, as X-Auth-Reason tells them.
const (
	ReasonNoSession      = "no_session"      // no session cookie
	ReasonBadSession     = "bad_session"     // a cookie that can't be used
	ReasonSessionEnded   = "session_ended"   // signed out, revoked, refused by AuthKit
	ReasonSuperseded     = "superseded"      // an old cookie, while a later one is in use
	ReasonRenewCookie    = "renew_cookie"    // a good session whose new cookies only /verify/sign-in can send
	ReasonStepRequired   = "step_required"   // AuthKit wants the user to do something first
	ReasonAuthTooOld     = "auth_too_old"    // the rule wants a fresher sign-in
	ReasonNoCredential   = "no_credential"   // neither token nor API key, where one is needed
	ReasonBadCredential  = "bad_credential"  // a bearer token or an API key that is refused
	ReasonRateLimited    = "rate_limited"    // too many unknown API keys from this client
	ReasonForbidden      = "forbidden"       // the policy says no
	ReasonWrongHost      = "wrong_host"      // not a protected host
	ReasonBadRequest     = "bad_request"     // the gateway's question can't be used
	ReasonUntrustedProxy = "untrusted_proxy" // the peer is not a trusted gateway
	ReasonMisconfigured  = "misconfigured"   // a mistake of the operator's, see the log
	ReasonUnavailable    = "unavailable"     // nobody can tell now
)

// decision is what becomes of a question, before it is written for a gateway.
type decision struct {
	status      int
	reason      string             // empty when allowed
	detail      string             // for the log
	requirement string             // of the rule or the verify URL's query, that isn't met
	open        bool               // the client may read detail too
	identity    *identity.Identity // nil: nobody's
	location    string             // for 303
	loginURL    string             // where to sign in
	links       []page.Link        // other ways on, for a page
	challenge   string             // WWW-Authenticate
	cookies     []string           // Set-Cookie lines
	retryAfter  time.Duration      // for 429 and 503
	notStored   bool               // the browser doesn't keep the cookie that it was sent
	note        string             // something the operator should know although it is allowed
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
	if q.rule.Access == policy.Public && q.require.None() && q.profile != signIn && !q.firstContact {
		return h.public(ctx, q)
	}
	value, err := h.credential(q)
	switch {
	case err != nil:
		return h.refuseCredential(q, err)
	case q.kind != policy.Cookie:
		return h.decideCredential(ctx, q, value)
	}
	v, err := h.Sessions.Verify(ctx, q.header, q.client.carries())
	if err != nil {
		return h.refuse(q, err)
	}
	if unmet := h.check(q, &v.Identity); unmet != nil {
		return h.forbidUser(ctx, q, &v.Identity, *unmet)
	}
	return h.allow(q, v)
}

// public lets everybody in, and says who it is where a session is good as it stands.
func (h *Handler) public(ctx context.Context, q *question) *decision {
	d := &decision{status: http.StatusOK}
	if !h.Cookie.Present(q.header) {
		return d
	}
	if v, ok := h.Sessions.Peek(ctx, q.header); ok {
		d.identity = &v.Identity
	}
	return d
}

// check returns the first requirement of the rule and of the verify URL's query that
// an identity doesn't meet. That of the sign-in's age comes last: a fresh one would
// mend nothing else.
func (h *Handler) check(q *question, id *identity.Identity) *policy.Unmet {
	if q.rule.Require.None() && q.require.None() {
		return nil
	}
	now := h.Now()
	unmet := q.rule.Require.Check(id, now)
	if unmet == nil || unmet.Requirement == policy.MaxAuthAge {
		if also := q.require.Check(id, now); also != nil {
			return also
		}
	}
	return unmet
}

// refuse answers a request without a usable session. It is the one place that
// turns session errors into statuses.
func (h *Handler) refuse(q *question, err error) *decision {
	var step *session.StepRequired
	switch {
	case errors.Is(err, session.ErrNone):
		return h.askSignIn(q, ReasonNoSession, err.Error(), signInOptions{})
	case errors.Is(err, session.ErrBad):
		return h.askSignIn(q, ReasonBadSession, err.Error(), signInOptions{})
	case errors.Is(err, session.ErrSuperseded):
		return h.askSignIn(q, ReasonSuperseded, err.Error(), signInOptions{})
	case errors.As(err, &step):
		return h.askSignIn(q, ReasonStepRequired, err.Error(), signInOptions{organizationID: step.OrganizationID})
	case errors.Is(err, session.ErrEnded):
		d := h.askSignIn(q, ReasonSessionEnded, err.Error(), signInOptions{})
		if q.client.navigation {
			d.cookies = h.Cookie.ClearLines(q.header)
		}
		return d
	case errors.Is(err, session.ErrMisconfigured):
		return deny(http.StatusForbidden, ReasonMisconfigured, err.Error()+"; compare WORKOS_ISSUER with the token's iss")
	}
	d := unavailable(err)
	d.loginURL = h.loginURL(q, signInOptions{})
	return d
}

// unavailable is the answer while nobody can tell.
func unavailable(err error) *decision {
	d := deny(http.StatusServiceUnavailable, ReasonUnavailable, err.Error())
	d.retryAfter = time.Second
	var outage *session.Outage
	if errors.As(err, &outage) {
		d.retryAfter = max(outage.RetryAfter, d.retryAfter)
	}
	return d
}
