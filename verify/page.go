package verify

import (
	"fmt"
	"html"
	"net/url"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/page"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// A body stays under 4 KB: gateways read bodies whole, and some refuse long ones.
const (
	maxLink      = 2048 // bytes of the login URL
	maxLinksSize = 1500 // bytes of a page's links together
	maxUser      = 100  // characters of who is signed in
)

// page says to a person what a denial means, without what only the log may say.
func (h *Handler) page(c *checkRequest, d *decision, id string) page.Page {
	p := page.Page{Status: d.status, Reason: d.reason, LoginURL: d.loginURL, ID: id, Links: d.links}
	if len(p.LoginURL) > maxLink {
		p.LoginURL = c.site.Endpoint(site.Login) // without the way back
	}
	switch d.reason {
	case ReasonWrongHost:
		p.Title, p.Text = "Not available here", "This host is not protected by this service. The operator finds the details in its log."
	case ReasonMisconfigured:
		p.Title, p.Text = "Set up wrongly", "The sign-in service or its gateway is not set up correctly. The operator finds the details in its log."
	case ReasonUntrustedProxy:
		p.Title, p.Text = "Not a trusted gateway", "The request came from an address that TRUSTED_PROXIES does not name. The operator finds it in the log."
	case ReasonBadRequest, ReasonMCPVersion:
		p.Title = "Bad request"
	case ReasonRenewCookie:
		p.Title, p.Text = "Try again", "You are signed in, and your browser is to get a new cookie. Load the page again."
	case ReasonUnavailable:
		p.Title, p.Text = "Try again in a moment", "Your session can't be checked right now. You are still signed in."
		p.Links = []page.Link{{Text: "Sign in again", URL: p.LoginURL}}
	case ReasonForbidden:
		p.Title, p.Text = "Not permitted", "You have no permission for this."
	case ReasonEmailUnverified:
		p.Title, p.Text = "Verify your email address", "Your email address is not verified, and this application knows its users by theirs."
	case ReasonNoCredential:
		p.Title, p.Text = "Credentials required", "This needs an access token or an API key: Authorization: Bearer, or X-API-Key for a key."
	case ReasonBadCredential:
		p.Title, p.Text = "Not accepted", "The access token or API key is not valid."
	case ReasonClientAudience:
		p.Title, p.Text = "Not accepted", "The access token was not made for this resource."
	case ReasonRateLimited:
		p.Title, p.Text = "Too many tries", "There were too many unknown API keys from your address. Try again later."
	default:
		h.signInPage(&p, c, d)
	}
	if d.text != "" {
		p.Text = d.text
	}
	if h.ExplainDenials && d.identity != nil && d.requirement != "" {
		p.Text += fmt.Sprintf(" Not met: %s (rule %q).", d.requirement, d.rule.Name)
	}
	p.User = shorten(user(d.identity), maxUser)
	if !c.client.framed && c.original.uri != "/" {
		p.Links = append(p.Links, page.Link{Text: "Start page", URL: "/"})
	}
	p.Links = shortLinks(p.Links)
	return p
}

// signInPage asks for a sign-in where the browser can't be sent there: in a frame, which
// AuthKit refuses, and after a form, which stays to be sent again.
func (h *Handler) signInPage(p *page.Page, c *checkRequest, d *decision) {
	p.Title, p.Text = "Sign-in required", "There is no valid session for this request."
	if d.reason == ReasonAuthTooOld {
		p.Title, p.Text = "Sign in again", "This needs a more recent sign-in."
	}
	if !c.client.readsPage() {
		return
	}
	if c.client.framed {
		p.Ancestors = c.site.Sources()
	}
	link := page.Link{Text: "Sign in", URL: p.LoginURL, Target: page.Top}
	switch {
	case safe(c.client.method) && c.client.framed && h.returnURL(c) == "":
		p.Text += " Sign in in the new tab, then load this page again."
		link.Target = page.NewTab
	case safe(c.client.method):
	case d.reason == ReasonNoSession && d.identity != nil: // it is good by now
		p.Title, p.Text = "Not sent", "You are signed in again, but what you typed was not sent. Go back, and send it again."
		return
	default:
		if d.reason != ReasonAuthTooOld {
			p.Title, p.Text = "You are signed out", "There is no valid session any more."
		}
		p.Text += " What you typed was not sent. Sign in in the new tab, then come back to this one, go back and send it again."
		link.Target = page.NewTab
	}
	p.Links = []page.Link{link}
}

// user says who is signed in.
func user(id *identity.Identity) string {
	switch {
	case id == nil:
		return ""
	case id.Email != "":
		return id.Email
	case id.Name != "":
		return id.Name
	}
	return id.Subject
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
		short = append(short, page.Link{Text: link.Text, URL: u.String(), Target: link.Target})
	}
	return short
}
