package flow

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/page"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/cookie"
)

// A code is exchanged for anybody who comes with one, so exchanges are bounded:
// strangers' codes must not use up AuthKit's limits, which refreshes need.
const (
	exchangeSlots = 16
	exchangeWait  = 3 * time.Second

	outageThreshold = 5 // exchanges that fail, none succeeding within the window, before AuthKit is spared
	outageWindow    = 10 * time.Second
)

// exchange asks AuthKit for the session of a sign-in whose state is trusted: once for
// a value (the sealed state, or the sealed selection). While every slot is taken,
// nothing is used up.
func (f *Flow) exchange(w http.ResponseWriter, r *http.Request, s signIn, value string, ask func(context.Context) (json.RawMessage, error)) {
	waitCtx, cancel := context.WithTimeout(r.Context(), exchangeWait)
	defer cancel()
	if f.exchanges.Acquire(waitCtx, 1) != nil {
		f.later(w, r, busyPage(), "no slot for a code exchange: too many sign-ins at once", exchangeWait)
		return
	}
	defer f.exchanges.Release(1)
	if wait, ok := f.outage.Allow(value); !ok {
		f.later(w, r, outagePage(), "AuthKit is out of order; waiting before it is asked again", wait)
		return
	}
	f.release(w, r, s)
	if !f.once.use(value, f.Now()) {
		f.rejectState(w, r, s)
		return
	}
	response, err := ask(r.Context())
	var outage *session.Outage
	if errors.As(err, &outage) && !outage.Refused {
		f.outage.Failure(value)
	} else {
		f.outage.Success(value)
	}
	f.finish(w, r, s, response, err)
}

// later asks the browser to come again with the same state.
func (f *Flow) later(w http.ResponseWriter, r *http.Request, p page.Page, why string, wait time.Duration) {
	f.log(r).Warn().Str("event", "sign_in").Msg(why)
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
	show(w, r, p)
}

// finish turns an authenticate response into a session, or into the way on.
func (f *Flow) finish(w http.ResponseWriter, r *http.Request, s signIn, response json.RawMessage, err error) {
	if err != nil {
		f.exchangeError(w, r, s, err)
		return
	}
	sealed, id, err := f.Sessions.SignIn(response)
	if errors.Is(err, session.ErrEnded) && s.Attempt < maxAttempts { // AuthKit went on with one that was signed out here
		f.restart(w, r, f.attemptOf(s.state), s)
		return
	}
	if err == nil {
		err = f.setOnlySession(w, r, sealed)
	}
	if err != nil {
		f.fail(w, r, s.state, err)
		return
	}
	f.clearSignOut(w, r)
	f.log(r).Info().Str("event", "sign_in").Str("subject", id.Subject).Str("session", id.SessionID).Str("session_hash", id.SessionHash()).
		Str("organization", id.OrganizationID).Str("impersonator", id.Impersonator).Msg("signed in")
	f.completeSignIn(w, r, s)
}

// exchangeError handles an exchange that brought no session.
func (f *Flow) exchangeError(w http.ResponseWriter, r *http.Request, s signIn, err error) {
	var refused *authkit.Error
	if errors.As(err, &refused) && len(refused.Organizations) > 0 && refused.PendingAuthenticationToken != "" {
		f.offerOrganizations(w, r, s, refused)
		return
	}
	var step *session.StepRequired
	if errors.As(err, &step) && s.Attempt < maxAttempts {
		f.log(r).Info().Str("event", "sign_in").Str("code", step.Code).Msg("AuthKit asks for a step")
		s.OrganizationID = cmp.Or(step.OrganizationID, s.OrganizationID)
		f.restart(w, r, f.attemptOf(s.state), s)
		return
	}
	f.fail(w, r, s.state, err)
}

// fail says that the sign-in did not work out, and offers to try again.
func (f *Flow) fail(w http.ResponseWriter, r *http.Request, s state, err error) {
	line := f.log(r).Error().Str("event", "sign_in").Err(err)
	if hint := operatorHint(err); hint != "" {
		line.Str("hint", hint)
	}
	line.Msg("sign-in failed")
	show(w, r, f.failedPage(s.ReturnURL, err))
}

// operatorHint names what the operator can compare or change; empty where it's the
// user's turn.
func operatorHint(err error) string {
	var outage *session.Outage
	switch {
	case errors.Is(err, cookie.ErrTooLarge):
		return "shorten the JWT template, or set COOKIE_SLIM=true"
	case errors.Is(err, session.ErrInvalidGrant):
		return "if it happens each time, compare WORKOS_CLIENT_ID and WORKOS_REDIRECT_URI with the WorkOS dashboard"
	case errors.As(err, &outage) && outage.Refused:
		return "compare WORKOS_API_KEY and WORKOS_CLIENT_ID with the WorkOS dashboard: both belong to one environment"
	case errors.Is(err, session.ErrUnavailable):
		return "check that this machine reaches WORKOS_API_HOSTNAME"
	}
	return ""
}
