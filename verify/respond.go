package verify

import (
	"fmt"
	"html"
	"math"
	"net/http"
	"net/url"
	"strconv"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/page"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// write renders a decision. Everything has been decided before.
func (h *Handler) write(w http.ResponseWriter, q *question, d *decision, id string) {
	header := w.Header()
	header["X-Request-Id"] = []string{id}
	if len(d.cookies) > 0 {
		header["Set-Cookie"] = d.cookies
	}
	if d.status == http.StatusOK {
		header["Cache-Control"] = noStore
		header["Vary"] = varyCookie
		h.Headers.set(header, d.identity)
		w.WriteHeader(http.StatusOK)
		return
	}
	if d.reason != "" {
		header.Set("X-Auth-Reason", d.reason)
	}
	if d.loginURL != "" && d.status == http.StatusUnauthorized {
		header.Set("X-Auth-Login-URL", d.loginURL)
		if q.client.htmx {
			header.Set("HX-Redirect", d.loginURL)
		}
	}
	if d.challenge != "" {
		header.Set("WWW-Authenticate", d.challenge)
	}
	if d.retryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(d.retryAfter.Seconds()))))
	}
	h.allowOrigin(header, q)
	if d.status == http.StatusSeeOther {
		page.Secure(header)
		header.Set("Location", d.location)
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	p := explain(d, h.link(d.loginURL))
	p.ID = id
	if h.ExplainDenials && d.identity != nil && d.requirement != "" {
		p.Text += fmt.Sprintf(" Not met: %s (rule %q).", d.requirement, q.rule.Name)
	}
	if q.client.navigation && q.profile != authRequest && q.profile != bare {
		p.HTML(w)
		return
	}
	p.JSON(w)
}

var (
	noStore    = []string{"private, no-store"}
	varyCookie = []string{"Cookie"}
)

// allowOrigin lets a script of a protected origin read a denial.
func (h *Handler) allowOrigin(header http.Header, q *question) {
	origin := first(q.header, "Origin")
	if origin == "" || !h.Site.ProtectsOrigin(origin) {
		return
	}
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Allow-Credentials", "true")
	header.Set("Access-Control-Expose-Headers", "X-Auth-Reason, X-Auth-Login-URL, X-Request-Id")
	header.Add("Vary", "Origin")
}

// maxLink is the longest login URL in a body, which stays under 4 KB with it: gateways
// read bodies whole, and some refuse long ones.
const maxLink = 2048

// link returns the login URL as a body gives it: without the way back where that is long.
func (h *Handler) link(login string) string {
	if len(login) > maxLink {
		return h.Site.Endpoint(site.Login)
	}
	return login
}

// shorter is what of the links fits the body: without the way back where that is long.
func shorter(links []page.Link) []page.Link {
	size := 0
	for _, link := range links {
		size += len(html.EscapeString(link.URL)) + len(html.EscapeString(link.Text))
	}
	if size <= maxOffersSize {
		return links
	}
	var short []page.Link
	for _, link := range links {
		u, err := url.Parse(link.URL)
		if err != nil {
			continue
		}
		query := u.Query()
		query.Del("rd")
		u.RawQuery = query.Encode()
		short = append(short, page.Link{Text: link.Text, URL: u.String()})
	}
	return short
}

// explain says to a person what a denial means, without what only the log may say.
func explain(d *decision, login string) page.Page {
	p := page.Page{Status: d.status, Reason: d.reason, LoginURL: login}
	switch d.reason {
	case ReasonWrongHost:
		p.Title, p.Text = "Not available here", "This host is not protected by this service. The operator finds the details in its log."
	case ReasonMisconfigured:
		p.Title, p.Text = "Set up wrongly", "The sign-in service or its gateway is not set up correctly. The operator finds the details in its log."
	case ReasonUntrustedProxy:
		p.Title, p.Text = "Not a trusted gateway", d.detail
	case ReasonBadRequest:
		p.Title, p.Text = "Bad request", "The gateway's question can't be answered: "+d.detail
	case ReasonRenewCookie:
		p.Title, p.Text = "Try again", "You are signed in, and your browser is to get a new cookie. Load the page again."
	case ReasonUnavailable:
		p.Title, p.Text = "Try again in a moment", "Your session can't be checked right now. You are still signed in."
		p.Links = []page.Link{{Text: "Sign in again", URL: login}}
	case ReasonForbidden:
		p.Title, p.Text = "Not permitted", "You have no permission for this."
		p.Links = shorter(d.links)
	case ReasonAuthTooOld:
		p.Title, p.Text = "Sign in again", "This needs a more recent sign-in."
	case ReasonNoCredential:
		p.Title, p.Text = "Credentials required", "This needs an access token or an API key: Authorization: Bearer, or X-API-Key for a key."
	case ReasonBadCredential:
		p.Title, p.Text = "Not accepted", "The access token or API key is not valid."
	case ReasonRateLimited:
		p.Title, p.Text = "Too many tries", "There were too many unknown API keys from your address. Try again later."
	default:
		p.Title, p.Text = "Sign-in required", "There is no valid session for this request."
	}
	if d.open {
		p.Text = d.detail
	}
	return p
}

// log writes one line for a denial, and for what is allowed where that is asked for.
func (h *Handler) log(q *question, d *decision, id string) {
	var e *zerolog.Event
	switch {
	case d.reason == ReasonMisconfigured, d.reason == ReasonUntrustedProxy, d.reason == ReasonBadRequest:
		e = h.Log.Error()
	case d.reason == ReasonUnavailable, d.note != "":
		e = h.Log.Warn()
	case d.reason != "", h.LogAllowed:
		e = h.Log.Info()
	default:
		return
	}
	if d.reason != "" {
		e.Str("reason", d.reason).Str("detail", d.detail)
	}
	if h.hasPolicy && q.rule != nil {
		e.Str("rule", q.rule.Name)
	}
	if q.kind != "" && q.kind != policy.Cookie {
		e.Str("credential", string(q.kind))
	}
	if d.requirement != "" {
		e.Str("requirement", d.requirement)
	}
	if d.note != "" {
		e.Str("note", d.note)
	}
	if d.identity != nil {
		e.Str("subject", d.identity.Subject).Str("session_hash", d.identity.SessionHash())
	}
	if gateway := first(q.header, "X-Request-Id"); gateway != "" {
		e.Str("gateway_request_id", cut(gateway, 128))
	}
	e.Str("event", "verify").Int("status", d.status).Str("method", q.original.method).
		Str("host", q.original.host.String()).Str("path", cut(q.original.path(), 512)).
		Str("request_id", id).Msg(outcome(d))
}

func outcome(d *decision) string {
	switch {
	case d.reason == ReasonRenewCookie:
		return "sent to /verify/sign-in for new cookies"
	case d.reason != "":
		return "denied"
	case d.status == http.StatusSeeOther:
		return "sent back with a new cookie"
	}
	return "allowed"
}

func cut(s string, n int) string { return s[:min(len(s), n)] }
