package flow

import (
	"errors"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// maxForm bounds the body of a switch's form.
const maxForm = 64 << 10

var organizationSyntax = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// switchRequest says which organization to switch to, and where to go then.
type switchRequest struct {
	organizationID string
	returnURL      string // where to go then, checked; empty: the default
}

// switchURL is the endpoint at which the switch is made, or the sign-in that it needs.
func (f *Flow) switchURL(endpoint string, m switchRequest) string {
	return f.Site.FlowURL(endpoint, m.returnURL, map[string]string{"organization_id": m.organizationID})
}

// readSwitchRequest returns false where the organization can't be one.
func (f *Flow) readSwitchRequest(values url.Values) (switchRequest, bool) {
	m := switchRequest{organizationID: values.Get("organization_id")}
	if checked, ok := f.Site.ReturnURL(values.Get("rd")); ok {
		m.returnURL = checked
	}
	return m, organizationSyntax.MatchString(m.organizationID)
}

// askSwitch moves the session at once where the user means it, else shows a page
// with a button.
func (f *Flow) askSwitch(w http.ResponseWriter, r *http.Request) {
	m, ok := f.readSwitchRequest(r.URL.Query())
	switch {
	case !ok:
		show(w, r, noOrganizationPage())
	case deliberate(r):
		f.switchTo(w, r, m)
	default:
		show(w, r, f.confirmSwitchPage(m))
	}
}

// switchByButton is the button's POST.
func (f *Flow) switchByButton(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if r.ParseForm() != nil {
		show(w, r, noOrganizationPage())
		return
	}
	values := r.PostForm // of an app's own form
	if !values.Has("organization_id") {
		values = r.URL.Query() // of our page's
	}
	m, ok := f.readSwitchRequest(values)
	switch {
	case !ok:
		show(w, r, noOrganizationPage())
	case f.fromOwnPage(r):
		f.switchTo(w, r, m)
	default:
		p := f.confirmSwitchPage(m)
		p.Status = http.StatusForbidden
		show(w, r, p)
	}
}

// switchTo moves the session to another of the user's organizations.
func (f *Flow) switchTo(w http.ResponseWriter, r *http.Request, m switchRequest) {
	sealed, id, err := f.Sessions.Switch(r.Context(), r.Header, m.organizationID)
	if err == nil {
		err = f.setSession(w, r, sealed)
	}
	if err != nil {
		f.notSwitched(w, r, m, err)
		return
	}
	f.log(r).Info().Str("event", "switch").Str("subject", id.Subject).Str("session", id.SessionID).Str("session_hash", id.SessionHash()).
		Str("organization", id.OrganizationID).Msg("switched to another organization")
	f.redirectToReturnURL(w, r, m.returnURL)
}

// notSwitched leaves the session as it is. What a sign-in would mend goes on to it:
// there is no session, or AuthKit asks for a step of the user's.
func (f *Flow) notSwitched(w http.ResponseWriter, r *http.Request, m switchRequest, err error) {
	var step *session.StepRequired
	switch {
	case noMember(err):
		f.log(r).Info().Str("event", "switch").Err(err).Msg("the user can't switch to the organization")
		show(w, r, f.noMemberPage(m))
	case errors.As(err, &step), noSession(err):
		f.log(r).Info().Str("event", "switch").Err(err).Msg("the switch needs a sign-in")
		f.lead(w, r, f.switchURL(site.Login, m), "One more step")
	default:
		f.log(r).Error().Str("event", "switch").Err(err).Msg("the switch failed")
		if errors.Is(err, session.ErrUnavailable) {
			w.Header().Set("Retry-After", retryAfter(err))
		}
		show(w, r, f.notSwitchedPage(m, err))
	}
}

// noMember reports whether AuthKit says that the organization is none of the user's.
// Of its codes about organizations, two ask for a step of the user's instead.
func noMember(err error) bool {
	var step *session.StepRequired
	if errors.As(err, &step) {
		return strings.HasPrefix(step.Code, "organization_") &&
			step.Code != "organization_authentication_methods_required" && step.Code != "organization_selection_required"
	}
	var outage *session.Outage
	return errors.As(err, &outage) && outage.Code == "invalid_organization_id"
}

func noSession(err error) bool {
	return errors.Is(err, session.ErrNone) || errors.Is(err, session.ErrBad) ||
		errors.Is(err, session.ErrEnded) || errors.Is(err, session.ErrSuperseded)
}

// retryAfter is what AuthKit asked for, in whole seconds, at least one.
func retryAfter(err error) string {
	wait := time.Second
	var outage *session.Outage
	if errors.As(err, &outage) {
		wait = max(wait, outage.RetryAfter)
	}
	return strconv.Itoa(int(math.Ceil(wait.Seconds())))
}
