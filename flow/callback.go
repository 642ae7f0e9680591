package flow

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// callback is where AuthKit sends the browser back to.
func (f *Flow) callback(w http.ResponseWriter, r *http.Request) {
	if isPrefetch(r) {
		show(w, r, prefetchPage())
		return
	}
	query := r.URL.Query()
	s := f.readSignIn(r, query.Get("state"))
	code := query.Get("code")
	switch {
	case query.Has("error"):
		f.release(w, r, s)
		f.log(r).Info().Str("event", "sign_in").Str("error", errorCode(query.Get("error"))).Msg("AuthKit returned an error")
		show(w, r, f.errorPage(s.ReturnURL, query.Get("error")))
	case !s.trusted() || f.once.used(s.sealed, f.Now()):
		f.release(w, r, s)
		f.rejectState(w, r, s)
	case code == "":
		f.release(w, r, s)
		show(w, r, f.errorPage(s.ReturnURL, ""))
	case isHead(r):
		f.redirectToReturnURL(w, r, s.ReturnURL)
	default:
		f.exchange(w, r, s, s.sealed, func(ctx context.Context) (json.RawMessage, error) {
			return f.AuthKit.ExchangeCode(ctx, code, s.Verifier, "", r.UserAgent())
		})
	}
}

// rejectState handles a callback whose state is missing, forged, too old, used or
// another browser's. Its code is not exchanged: somebody else may have planted it
// (login CSRF), or the sign-in began at AuthKit (impersonation, a bookmark).
func (f *Flow) rejectState(w http.ResponseWriter, r *http.Request, s signIn) {
	if s.opened && !isHead(r) {
		v, err := f.Sessions.Verify(r.Context(), r.Header, false)
		if err == nil && recentEnough(v.Identity.AuthTime, s.MaxAge, s.Issued) {
			f.completeSignIn(w, r, s)
			return
		}
	}
	next := f.attemptOf(s.state)
	restarted := s.Restarted
	if !s.opened { // then only the cookie shows it
		restarted = slices.ContainsFunc(f.cookieAttempts(r), func(last attempt) bool { return last.Restarted && last.Page == next.Page })
	}
	if restarted {
		f.clearAttempts(w, r)
		f.log(r).Warn().Str("event", "sign_in").Bool("state_opened", s.opened).Msg("sign-in came back without its cookie, twice")
		show(w, r, f.statePage(s.ReturnURL, s.opened))
		return
	}
	next.Number-- // this one did not end in a session
	next.Restarted = true
	f.restart(w, r, next, s)
}

// restart begins a state's sign-in anew, and records that.
func (f *Flow) restart(w http.ResponseWriter, r *http.Request, a attempt, s signIn) {
	f.recordAttempt(w, r, a)
	again := f.Site.FlowURL(site.Login, s.ReturnURL, map[string]string{
		"attempts": f.sealAttempts(a), "organization_id": s.OrganizationID, "max_age": seconds(s.MaxAge),
	})
	if !f.leadByScript(w, r, again, restoreFragment, s.sealed) {
		f.lead(w, r, again, "One more step")
	}
}

// completeSignIn records the attempt and sends the browser to where it wanted to go.
func (f *Flow) completeSignIn(w http.ResponseWriter, r *http.Request, s signIn) {
	f.recordAttempt(w, r, f.attemptOf(s.state))
	destination := f.destination(s.ReturnURL)
	if destination == "" || !f.leadByScript(w, r, destination, restoreFragment, s.sealed) {
		f.redirectToReturnURL(w, r, s.ReturnURL)
	}
}
