package flow

import (
	"errors"
	"net/http"
	"regexp"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/page"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/cookie"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

func (f *Flow) tryAgain(returnURL string) []page.Link {
	return []page.Link{{Text: "Try again", URL: f.Site.LoginURL(returnURL)}}
}

func noSitePage() page.Page {
	return page.Page{
		Status: http.StatusNotFound, Title: "No sign-in here", Reason: "wrong_host",
		Text: "This host is none of those that WORKOS_REDIRECT_URI lists.",
	}
}

func prefetchPage() page.Page {
	return page.Page{Status: http.StatusForbidden, Title: "Not prefetched", Text: "This page acts when it is visited."}
}

func busyPage() page.Page {
	return page.Page{
		Status: http.StatusServiceUnavailable, Title: "Many people sign in right now", Reason: "unavailable",
		Text: "Your sign-in waits: reload this page in a moment.",
	}
}

func outagePage() page.Page {
	return page.Page{
		Status: http.StatusServiceUnavailable, Title: "Sign-in is not possible right now", Reason: "unavailable",
		Text: "The sign-in service doesn't answer. Your sign-in waits: reload this page in a moment.",
	}
}

func (f *Flow) signedInPage() page.Page {
	return page.Page{
		Status: http.StatusOK, Title: "You are signed in", Text: "You can go on to the application now.",
		Links: []page.Link{{Text: "Sign out", URL: f.Site.Endpoint(site.Logout)}},
	}
}

func (f *Flow) signedOutPage() page.Page {
	return page.Page{
		Status: http.StatusOK, Title: "You are signed out", Text: "There is no session in this browser any more.",
		Links: []page.Link{{Text: "Sign in", URL: f.Site.LoginURL("")}}, LoginURL: f.Site.LoginURL(""),
	}
}

func (f *Flow) confirmLogoutPage() page.Page {
	text := "This ends your session for all applications behind this sign-in."
	if f.UserSessions != nil {
		text = "This ends all your sessions, on other devices too."
	}
	return page.Page{
		Status: http.StatusOK, Title: "Sign out?", Text: text,
		Buttons: []page.Button{{Text: "Sign out", Action: f.Site.Prefix() + site.Logout}},
	}
}

func noOrganizationPage() page.Page {
	return page.Page{
		Status: http.StatusBadRequest, Title: "Which organization?", Reason: "bad_request",
		Text: "The address must name an organization's id (organization_id).",
	}
}

func (f *Flow) confirmSwitchPage(m switchRequest) page.Page {
	return page.Page{
		Status: http.StatusOK, Title: "Switch organization?", Text: "This moves your session to the organization " + m.organizationID + ".",
		Buttons: []page.Button{{Text: "Switch", Action: f.switchURL(site.Switch, m)}},
	}
}

// noMemberPage answers a user who is signed in, and stays so.
func (f *Flow) noMemberPage(m switchRequest) page.Page {
	other := f.Site.FlowURL(site.Login, m.returnURL, map[string]string{"prompt": "login"})
	return page.Page{
		Status: http.StatusForbidden, Title: "You don't belong to that organization", Reason: "forbidden",
		Text:  "Your session stays in the organization that it is in.",
		Links: append(f.back(m), page.Link{Text: "Sign in as someone else", URL: other}), LoginURL: other,
	}
}

// notSwitchedPage explains a switch that could not be made.
func (f *Flow) notSwitchedPage(m switchRequest, err error) page.Page {
	p := f.failedPage(m.returnURL, err)
	p.Title, p.Reason = "The organization was not switched", "switch_failed"
	switch {
	case errors.Is(err, session.ErrUnavailable):
		p.Status, p.Reason = http.StatusServiceUnavailable, "unavailable"
	case errors.Is(err, session.ErrMisconfigured):
		p.Status, p.Reason = http.StatusForbidden, "misconfigured"
	}
	p.LoginURL = f.switchURL(site.Login, m)
	p.Links = append([]page.Link{{Text: "Try again", URL: f.switchURL(site.Switch, m)}}, f.back(m)...)
	p.Links = append(p.Links, page.Link{Text: "Sign in again", URL: p.LoginURL})
	return p
}

// back leads to where a switch would have led.
func (f *Flow) back(m switchRequest) []page.Link {
	if destination := f.destination(m.returnURL); destination != "" {
		return []page.Link{{Text: "Back", URL: destination}}
	}
	return nil
}

// loopPage ends a loop. Trying again starts the count afresh.
func (f *Flow) loopPage(destination, cause string) page.Page {
	p := page.Page{
		Status: http.StatusForbidden, Title: "Sign-in does not hold", Reason: "loop",
		Text:    "You signed in, but the page asked for it again and again.",
		Details: []string{cause}, LoginURL: f.Site.LoginURL(destination),
	}
	p.Links = append(f.tryAgain(destination), page.Link{Text: "Sign out", URL: f.Site.Endpoint(site.Logout)})
	return p
}

// statePage says why a callback is not accepted.
func (f *Flow) statePage(returnURL string, opened bool) page.Page {
	p := page.Page{
		Status: http.StatusBadRequest, Title: "Sign-in could not be completed", Reason: "state",
		Text:    "The answer does not belong to a sign-in that this browser began in the last ten minutes.",
		Details: []string{"The browser may refuse cookies for " + f.Site.FlowHost().Name + "."},
		Links:   f.tryAgain(returnURL), LoginURL: f.Site.LoginURL(returnURL),
	}
	if !opened {
		p.Details = append(p.Details, "The sign-in may have begun elsewhere: an old link, or another address of this site.")
	}
	return p
}

var codeSyntax = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

// errorCode lets an error code through that looks like one. What a URL says beyond
// that is neither shown nor logged.
func errorCode(code string) string {
	if codeSyntax.MatchString(code) {
		return code
	}
	return "unknown"
}

// errorPage explains a callback with an error of AuthKit's, or without a code.
func (f *Flow) errorPage(returnURL, code string) page.Page {
	p := page.Page{
		Status: http.StatusBadRequest, Title: "Sign-in failed", Reason: "sign_in_failed",
		Text:  "AuthKit did not complete the sign-in.",
		Links: f.tryAgain(returnURL), LoginURL: f.Site.LoginURL(returnURL),
	}
	switch {
	case code == "access_denied":
		p.Text = "The sign-in was cancelled or access was denied."
	case code != "":
		p.Details = []string{"Error: " + errorCode(code)}
	}
	return p
}

// failedPage explains a code that could not be made a session.
func (f *Flow) failedPage(returnURL string, err error) page.Page {
	p := page.Page{
		Status: http.StatusBadGateway, Title: "Sign-in failed", Reason: "sign_in_failed",
		Text:  "Something went wrong. The operator finds the details in the log.",
		Links: f.tryAgain(returnURL), LoginURL: f.Site.LoginURL(returnURL),
	}
	var refused *authkit.Error
	var outage *session.Outage
	var step *session.StepRequired
	switch {
	case errors.Is(err, cookie.ErrTooLarge):
		p.Status, p.Text = http.StatusForbidden, "Your session is too large for the browser's cookies. The operator can shorten the JWT template."
	case errors.Is(err, session.ErrInvalidGrant):
		p.Status, p.Text = http.StatusBadRequest, "The sign-in took too long or was completed already."
	case errors.As(err, &step):
		p.Status, p.Text = http.StatusForbidden, "AuthKit asks for a step that it did not offer: "+errorCode(step.Code)+"."
	case errors.As(err, &outage) && outage.Refused:
		p.Text = "AuthKit refuses this service. The operator finds the details in the log."
	case errors.Is(err, session.ErrUnavailable), errors.As(err, &refused):
		p.Status, p.Text = http.StatusServiceUnavailable, "AuthKit can't be reached right now. Try again in a moment."
	}
	return p
}

// refusal says in words why a session is refused.
func refusal(err error) string {
	switch {
	case errors.Is(err, session.ErrConflict):
		return "the browser sends two sessions, of different users, and neither counts: signing out takes both away"
	case errors.Is(err, session.ErrSuperseded):
		return "it is an old one"
	case errors.Is(err, session.ErrEnded):
		return "it has ended"
	case errors.Is(err, session.ErrMisconfigured):
		return "its issuer is not the configured one (WORKOS_ISSUER)"
	case errors.Is(err, session.ErrUnavailable):
		return "AuthKit can't be reached to check it"
	}
	return "it can't be opened, or its access token is not valid"
}
