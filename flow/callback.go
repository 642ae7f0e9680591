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
	if prefetch(r) {
		show(w, r, prefetchPage())
		return
	}
	query := r.URL.Query()
	sealed := query.Get("state")
	cookie := bound(r, sealed)
	s, opened, fresh := f.openState(sealed)
	if cookie != "" {
		http.SetCookie(w, f.cookie(cookie, "", 0)) // one use, whatever comes of it
	}
	if query.Has("error") {
		f.Log.Info().Str("event", "sign_in").Str("error", known(query.Get("error"))).Msg("AuthKit returned an error")
		show(w, r, f.errorPage(s.ReturnURL, query.Get("error")))
		return
	}
	switch {
	case cookie == "" || !opened || !fresh:
		f.distrust(w, r, s, opened)
	case query.Get("code") == "":
		show(w, r, f.errorPage(s.ReturnURL, ""))
	default:
		response, err := f.AuthKit.ExchangeCode(r.Context(), query.Get("code"), s.Verifier, "", r.UserAgent())
		f.finish(w, r, s, sealed, response, err)
	}
}

// distrust handles a callback whose state is missing, forged, too old or another
// browser's. Its code is not exchanged: somebody else may have planted it
// (login CSRF), or the sign-in began at AuthKit (impersonation, a bookmark).
func (f *Flow) distrust(w http.ResponseWriter, r *http.Request, s state, opened bool) {
	if opened {
		v, err := f.Sessions.Verify(r.Context(), r.Header, false)
		if err == nil && recent(v.Identity.AuthTime, s.MaxAge, s.Issued) {
			f.arrive(w, r, s)
			return
		}
	}
	t := f.trailOf(s)
	restarted := s.Restarted
	if !opened { // then only the trail tells
		restarted = slices.ContainsFunc(f.readTrails(r), func(last trail) bool { return last.Restarted && last.Page == t.Page })
	}
	if restarted {
		f.clearTrail(w, r)
		f.Log.Warn().Str("event", "sign_in").Bool("state_opened", opened).Msg("sign-in came back without its cookie, twice")
		show(w, r, f.statePage(s.ReturnURL, opened))
		return
	}
	t.Attempt-- // this one did not end in a session
	t.Restarted = true
	f.restart(w, r, t, s)
}

// restart begins a state's sign-in anew, and leaves word of it.
func (f *Flow) restart(w http.ResponseWriter, r *http.Request, t trail, s state) {
	f.setTrail(w, r, t)
	redirect(w, f.Site.FlowURL(site.Login, s.ReturnURL, map[string]string{
		"trail": f.sealTrails(t), "organization_id": s.OrganizationID, "max_age": seconds(s.MaxAge),
	}))
}

// finish turns an authenticate response into a session, or into the way on.
func (f *Flow) finish(w http.ResponseWriter, r *http.Request, s state, sealedState string, response json.RawMessage, err error) {
	if err != nil {
		f.unfinished(w, r, s, sealedState, err)
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
	f.arrive(w, r, s)
}

// arrive sends a signed-in browser to where it wanted to go.
func (f *Flow) arrive(w http.ResponseWriter, r *http.Request, s state) {
	f.setTrail(w, r, f.trailOf(s))
	f.goOn(w, r, s.ReturnURL)
}

// unfinished handles what AuthKit answers instead of a session.
func (f *Flow) unfinished(w http.ResponseWriter, r *http.Request, s state, sealedState string, err error) {
	var refused *authkit.Error
	if errors.As(err, &refused) && len(refused.Organizations) > 0 && refused.PendingAuthenticationToken != "" {
		f.offerOrganizations(w, r, s, sealedState, refused)
		return
	}
	var step *session.StepRequired
	if errors.As(err, &step) && s.Attempt < maxAttempts {
		f.Log.Info().Str("event", "sign_in").Str("code", step.Code).Msg("AuthKit asks for a step")
		s.OrganizationID = cmp.Or(step.OrganizationID, s.OrganizationID)
		f.restart(w, r, f.trailOf(s), s)
		return
	}
	f.fail(w, r, s, err)
}

// fail says that the sign-in did not work out, and offers to try again.
func (f *Flow) fail(w http.ResponseWriter, r *http.Request, s state, err error) {
	f.Log.Error().Str("event", "sign_in").Err(err).Msg("sign-in failed")
	show(w, r, f.failedPage(s.ReturnURL, err))
}
