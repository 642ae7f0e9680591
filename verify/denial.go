package verify

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/page"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// Reasons for a denial, as X-Auth-Reason tells them.
const (
	ReasonNoSession       = "no_session"            // no session cookie
	ReasonBadSession      = "bad_session"           // a cookie that can't be used
	ReasonSessionEnded    = "session_ended"         // signed out, revoked, refused by AuthKit
	ReasonSuperseded      = "superseded"            // an old cookie, while a later one is in use
	ReasonRenewCookie     = "renew_cookie"          // a good session whose new cookies only /verify/sign-in can send
	ReasonStepRequired    = "step_required"         // AuthKit wants the user to do something first
	ReasonAuthTooOld      = "auth_too_old"          // the rule wants a fresher sign-in
	ReasonNoCredential    = "no_credential"         // neither token nor API key, where one is needed
	ReasonBadCredential   = "bad_credential"        // a bearer token or an API key that is refused
	ReasonClientAudience  = "audience_is_client_id" // a token that wasn't made for the resource, since WorkOS doesn't know it
	ReasonRateLimited     = "rate_limited"          // too many unknown API keys from this client
	ReasonForbidden       = "forbidden"             // the policy says no
	ReasonEmailUnverified = "email_unverified"      // Remote-User would be an address that anybody can write
	ReasonWrongHost       = "wrong_host"            // not a protected host
	ReasonBadRequest      = "bad_request"           // the gateway's headers can't be used
	ReasonMCPVersion      = "mcp_version"           // the rule is about calls, and this MCP version doesn't say them
	ReasonUntrustedProxy  = "untrusted_proxy"       // the peer is not a trusted gateway
	ReasonMisconfigured   = "misconfigured"         // a mistake of the operator's, see the log
	ReasonUnavailable     = "unavailable"           // AuthKit or its keys can't be asked now
)

func deny(status int, reason, detail string) *decision {
	return &decision{status: status, reason: reason, detail: detail}
}

// refuse answers a request without a usable session. It is the one place that
// turns session errors into statuses.
func (h *Handler) refuse(c *checkRequest, rule *policy.Rule, err error) *decision {
	var step *session.StepRequired
	switch {
	case errors.Is(err, session.ErrNone):
		return h.askSignIn(c, rule, ReasonNoSession, err.Error(), signInOptions{})
	case errors.Is(err, session.ErrConflict):
		d := h.askSignIn(c, rule, ReasonBadSession, err.Error(), signInOptions{})
		if c.client.navigation { // else no sign-in would help for long
			d.cookies = h.cookie(c).ExpireLines(c.header, c.original.host.Name)
		}
		return d
	case errors.Is(err, session.ErrBad):
		return h.askSignIn(c, rule, ReasonBadSession, err.Error(), signInOptions{})
	case errors.Is(err, session.ErrSuperseded):
		return h.askSignIn(c, rule, ReasonSuperseded, err.Error(), signInOptions{})
	case errors.As(err, &step):
		return h.askSignIn(c, rule, ReasonStepRequired, err.Error(), signInOptions{organizationID: step.OrganizationID})
	case errors.Is(err, session.ErrRejected): // a later cookie may be there
		return h.askSignIn(c, rule, ReasonSessionEnded, err.Error(), signInOptions{})
	case errors.Is(err, session.ErrEnded):
		d := h.askSignIn(c, rule, ReasonSessionEnded, err.Error(), signInOptions{})
		// Where AuthKit refuses a refresh token, the session may go on with a later cookie.
		if c.client.navigation && !errors.Is(err, session.ErrInvalidGrant) {
			d.cookies = h.cookie(c).ClearLines(c.header)
		}
		return d
	case errors.Is(err, session.ErrMisconfigured):
		return deny(http.StatusForbidden, ReasonMisconfigured, err.Error()+"; compare WORKOS_ISSUER with the token's iss")
	}
	d := unavailable(err)
	d.loginURL = h.loginURL(c, signInOptions{})
	return d
}

// unavailable is the answer while AuthKit or its keys can't be asked.
func unavailable(err error) *decision {
	d := deny(http.StatusServiceUnavailable, ReasonUnavailable, err.Error())
	d.retryAfter = time.Second
	var outage *session.Outage
	if errors.As(err, &outage) {
		d.retryAfter = max(outage.RetryAfter, d.retryAfter)
	}
	return d
}

// signInOptions say what a sign-in is for. The zero value: for a session.
type signInOptions struct {
	organizationID string
	maxAge         time.Duration // how old the sign-in may be; 0: any
	again          bool          // as somebody else
}

func (o signInOptions) query() map[string]string {
	query := map[string]string{"organization_id": o.organizationID}
	if o.maxAge > 0 {
		query["max_age"] = strconv.FormatInt(int64(o.maxAge/time.Second), 10)
	}
	if o.again {
		query["prompt"] = "login"
	}
	return query
}

// askSignIn sends a document to sign-in, and tells everything else where that is: a form
// would lose what was typed, and AuthKit isn't shown in a frame.
func (h *Handler) askSignIn(c *checkRequest, rule *policy.Rule, reason, detail string, o signInOptions) *decision {
	d := deny(http.StatusUnauthorized, reason, detail)
	d.loginURL = h.loginURL(c, o)
	switch {
	case c.client.document() && !c.client.framed && c.profile.reachesBrowser():
		d.status, d.location = http.StatusSeeOther, d.loginURL
	case !c.client.navigation && (accepts(rule, policy.Bearer) || accepts(rule, policy.APIKey)):
		d.challenges = challenges(c, rule, "", "")
	}
	return d
}

func (h *Handler) loginURL(c *checkRequest, o signInOptions) string {
	return c.site.FlowURL(site.Login, h.returnURL(c), o.query())
}

// returnURL is where a sign-in or a switch leads back to: the page itself if it is
// one, else the page that the request came from. Never an API's URL.
func (h *Handler) returnURL(c *checkRequest) string {
	switch {
	case c.profile == sessionOnly:
		return ""
	case c.client.readsPage() && safe(c.client.method) && !c.client.framed:
		page := c.original.url()
		if len(page) > site.MaxReturnURL {
			page, _ = c.site.ReturnURL(page) // without the query
		}
		return page
	}
	for _, name := range []string{"Hx-Current-Url", "Referer"} {
		if page, ok := c.site.ReturnURL(first(c.header, name)); ok {
			return page
		}
	}
	return ""
}

// askVerifiedEmail answers a user whose address would be the login at the app.
func (h *Handler) askVerifiedEmail(c *checkRequest, id *identity.Identity) *decision {
	d := deny(http.StatusForbidden, ReasonEmailUnverified, "IDENTITY_HEADERS=remote makes the email address the login, and AuthKit has not verified it")
	d.identity = id
	d.links = []page.Link{h.otherSignIn(c)}
	return d
}

func (h *Handler) otherSignIn(c *checkRequest) page.Link {
	return page.Link{Text: "Sign in as someone else", URL: h.loginURL(c, signInOptions{again: true})}
}

const (
	organizationsLimit = 3 * time.Second // to ask AuthKit for a user's organizations
	maxOffers          = 5               // organizations to switch to
	maxOfferName       = 60              // characters of an organization's name
)

// Organization is one that a user is a member of.
type Organization struct{ ID, Name string }

// forbid answers what the policy denies, whoever asks.
func forbid(unmet policy.Unmet) *decision {
	d := deny(http.StatusForbidden, ReasonForbidden, "denied by the policy")
	d.requirement = unmet.Requirement
	return d
}

// forbidUser answers a user whose session is good, and who isn't permitted. The
// session stays. Where a fresh sign-in would do, it asks for one; where another
// organization would, it offers those of the user.
func (h *Handler) forbidUser(ctx context.Context, c *checkRequest, rule *policy.Rule, id *identity.Identity, unmet policy.Unmet) *decision {
	var d *decision
	if unmet.Requirement == policy.MaxAuthAge {
		d = h.askSignIn(c, rule, ReasonAuthTooOld, "the rule wants a fresher sign-in", signInOptions{maxAge: unmet.MaxAuthAge})
		d.requirement = unmet.Requirement
	} else {
		d = forbid(unmet)
		if c.client.readsPage() && c.profile.reachesBrowser() {
			d.links, d.note = h.offers(ctx, c, rule, id, unmet)
		}
	}
	d.identity = id
	return d
}

// offers are the ways on for somebody who isn't permitted: an organization of theirs
// that the rule names, and to sign in as someone else. That AuthKit can't be asked for
// their organizations is no reason for another answer.
func (h *Handler) offers(ctx context.Context, c *checkRequest, rule *policy.Rule, id *identity.Identity, unmet policy.Unmet) (links []page.Link, note string) {
	back := h.returnURL(c)
	if unmet.Requirement == policy.Organizations {
		some, err := h.eligible(ctx, c, rule, id)
		if err != nil {
			note = "the user's organizations can't be had, so no switch is offered: " + err.Error()
		}
		for _, o := range some {
			links = append(links, page.Link{
				Text: "Switch to " + shorten(o.Name, maxOfferName),
				URL:  c.site.FlowURL(site.Switch, back, map[string]string{"organization_id": o.ID}),
			})
		}
	}
	return append(links, h.otherSignIn(c)), note
}

// eligible are the user's organizations that the rule and the query allow.
func (h *Handler) eligible(ctx context.Context, c *checkRequest, rule *policy.Rule, id *identity.Identity) (some []Organization, err error) {
	if h.Organizations == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, organizationsLimit)
	defer cancel()
	all, err := h.Organizations(ctx, id.Subject)
	for _, o := range all {
		if o.ID != id.OrganizationID && len(some) < maxOffers &&
			rule.Require.AllowsOrganization(o.ID) && c.require.AllowsOrganization(o.ID) {
			some = append(some, o)
		}
	}
	return some, err
}

func shorten(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return s
}
