package flow

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// callback is where AuthKit sends the browser back to.
func (f *Flow) callback(w http.ResponseWriter, r *http.Request) {
	if isPrefetch(r) {
		show(w, r, prefetchPage())
		return
	}
	query := r.URL.Query()
	sealed := query.Get("state")
	cookie := stateCookieOf(r, sealed)
	s, opened, fresh := f.openState(sealed)
	if cookie != "" {
		http.SetCookie(w, f.cookie(cookie, "", 0)) // one use, whatever comes of it
	}
	if query.Has("error") {
		f.Log.Info().Str("event", "sign_in").Str("error", errorCode(query.Get("error"))).Msg("AuthKit returned an error")
		show(w, r, f.errorPage(s.ReturnURL, query.Get("error")))
		return
	}
	switch {
	case cookie == "" || !opened || !fresh:
		f.rejectState(w, r, s, opened)
	case query.Get("code") == "":
		show(w, r, f.errorPage(s.ReturnURL, ""))
	default:
		response, err := f.AuthKit.ExchangeCode(r.Context(), query.Get("code"), s.Verifier, "", r.UserAgent())
		f.finish(w, r, s, sealed, response, err)
	}
}

// rejectState handles a callback whose state is missing, forged, too old or another
// browser's. Its code is not exchanged: somebody else may have planted it
// (login CSRF), or the sign-in began at AuthKit (impersonation, a bookmark).
func (f *Flow) rejectState(w http.ResponseWriter, r *http.Request, s state, opened bool) {
	if opened {
		v, err := f.Sessions.Verify(r.Context(), r.Header, false)
		if err == nil && recentEnough(v.Identity.AuthTime, s.MaxAge, s.Issued) {
			f.completeSignIn(w, r, s)
			return
		}
	}
	t := f.attemptOf(s)
	restarted := s.Restarted
	if !opened { // then only the cookie shows it
		restarted = slices.ContainsFunc(f.readAttempts(r), func(last attempt) bool { return last.Restarted && last.Page == t.Page })
	}
	if restarted {
		f.clearAttempts(w, r)
		f.Log.Warn().Str("event", "sign_in").Bool("state_opened", opened).Msg("sign-in came back without its cookie, twice")
		show(w, r, f.statePage(s.ReturnURL, opened))
		return
	}
	t.Number-- // this one did not end in a session
	t.Restarted = true
	f.restart(w, r, t, s)
}

// restart begins a state's sign-in anew, and records that.
func (f *Flow) restart(w http.ResponseWriter, r *http.Request, t attempt, s state) {
	f.recordAttempt(w, r, t)
	redirect(w, f.Site.FlowURL(site.Login, s.ReturnURL, map[string]string{
		"attempts": f.sealAttempts(t), "organization_id": s.OrganizationID, "max_age": seconds(s.MaxAge),
	}))
}

// finish turns an authenticate response into a session, or into the way on.
func (f *Flow) finish(w http.ResponseWriter, r *http.Request, s state, sealedState string, response json.RawMessage, err error) {
	if err != nil {
		f.exchangeError(w, r, s, sealedState, err)
		return
	}
	sealed, id, err := f.Sessions.SignIn(response)
	if err != nil {
		f.fail(w, r, s, err)
		return
	}
	if err := f.setSession(w, r, sealed); err != nil {
		f.fail(w, r, s, err)
		return
	}
	f.Log.Info().Str("event", "sign_in").Str("subject", id.Subject).Str("session", id.SessionID).Str("session_hash", id.SessionHash()).
		Str("organization", id.OrganizationID).Str("impersonator", id.Impersonator).Msg("signed in")
	f.completeSignIn(w, r, s)
}

// completeSignIn records the attempt and sends the browser to where it wanted to go.
func (f *Flow) completeSignIn(w http.ResponseWriter, r *http.Request, s state) {
	f.recordAttempt(w, r, f.attemptOf(s))
	f.redirectToReturnURL(w, r, s.ReturnURL)
}

// exchangeError handles an exchange that brought no session.
func (f *Flow) exchangeError(w http.ResponseWriter, r *http.Request, s state, sealedState string, err error) {
	var refused *authkit.Error
	if errors.As(err, &refused) && len(refused.Organizations) > 0 && refused.PendingAuthenticationToken != "" {
		f.offerOrganizations(w, r, s, sealedState, refused)
		return
	}
	var step *session.StepRequired
	if errors.As(err, &step) && s.Attempt < maxAttempts {
		f.Log.Info().Str("event", "sign_in").Str("code", step.Code).Msg("AuthKit asks for a step")
		s.OrganizationID = cmp.Or(step.OrganizationID, s.OrganizationID)
		f.restart(w, r, f.attemptOf(s), s)
		return
	}
	f.fail(w, r, s, err)
}

// fail says that the sign-in did not work out, and offers to try again.
func (f *Flow) fail(w http.ResponseWriter, r *http.Request, s state, err error) {
	f.Log.Error().Str("event", "sign_in").Err(err).Msg("sign-in failed")
	show(w, r, f.failedPage(s.ReturnURL, err))
}
