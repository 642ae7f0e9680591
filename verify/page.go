package verify

import (
	"fmt"
	"html"
	"net/url"

	"github.com/authkit-forward-auth/authkit-forward-auth/page"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// A body stays under 4 KB: gateways read bodies whole, and some refuse long ones.
const (
	maxLink      = 2048 // bytes of the login URL
	maxLinksSize = 1500 // bytes of the other links together
)

// page says to a person what a denial means, without what only the log may say.
func (h *Handler) page(d *decision, id string) page.Page {
	p := page.Page{Status: d.status, Reason: d.reason, LoginURL: d.loginURL, ID: id}
	if len(p.LoginURL) > maxLink {
		p.LoginURL = h.Site.Endpoint(site.Login) // without the way back
	}
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
		p.Links = []page.Link{{Text: "Sign in again", URL: p.LoginURL}}
	case ReasonForbidden:
		p.Title, p.Text = "Not permitted", "You have no permission for this."
		p.Links = shortLinks(d.links)
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
	if d.explain {
		p.Text = d.detail
	}
	if h.ExplainDenials && d.identity != nil && d.requirement != "" {
		p.Text += fmt.Sprintf(" Not met: %s (rule %q).", d.requirement, d.rule.Name)
	}
	return p
}

// shortLinks leaves out the links' way back where they are long together.
func shortLinks(links []page.Link) []page.Link {
	size := 0
	for _, link := range links {
		size += len(html.EscapeString(link.URL)) + len(html.EscapeString(link.Text))
	}
	if size <= maxLinksSize {
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
