package verify

import (
	"net/http"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

// route finds the rule that decides, and answers what needs no credential. nil: go on.
func (h *Handler) route(q *question) *decision {
	o, path := q.original, q.original.path()
	if o.host.Name == h.Site.FlowHost().Name && h.asksItself(path) {
		return deny(http.StatusForbidden, ReasonMisconfigured,
			"the gateway asks about its own question: its verify address goes through the protected site")
	}
	if h.Site.IsFlowEndpoint(o.host, path) {
		if q.firstContact {
			return setGateway("the flow's own endpoints can't be let through")
		}
		return &decision{status: http.StatusOK}
	}
	if !h.Site.Protects(o.host.Name) {
		return deny(http.StatusForbidden, ReasonWrongHost, h.wrongHost(o.host.Name))
	}
	announced := preflight(q)
	match := h.Policy().Match(policy.Request{Method: o.method, Host: o.host.Name, Path: path, Preflight: announced})
	if match.Err != nil {
		return deny(badRequestStatus(q.profile), ReasonBadRequest, match.Err.Error())
	}
	q.rule = match.Rule
	switch {
	case q.rule.Access == policy.Nobody:
		return h.forbid(q, policy.Unmet{Requirement: "nobody"})
	case q.firstContact:
	case match.Preflight, h.AllowPreflight && announced != "" && !match.Unsure:
		return &decision{status: http.StatusOK}
	}
	return nil
}

// setGateway answers at /verify what only a named gateway may be told.
func setGateway(what string) *decision {
	d := deny(http.StatusForbidden, ReasonMisconfigured, "set GATEWAY: until then "+what)
	d.open = true
	return d
}

// asksItself reports whether a path on the flow's host is a verify endpoint.
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

// preflight returns the method that a CORS preflight announces (Fetch, section
// 4.8), and nothing for any other request.
func preflight(q *question) string {
	if q.original.method != http.MethodOptions || first(q.header, "Origin") == "" {
		return ""
	}
	return first(q.header, "Access-Control-Request-Method")
}

// wrongHost says which host it was, and what would cover it.
func (h *Handler) wrongHost(name string) string {
	if h.Site.Reaches(name) {
		return "host " + name + " is not protected: no rule of the policy names it"
	}
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
