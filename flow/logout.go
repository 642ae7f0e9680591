package flow

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// askLogout signs out at once where the user means it, else shows a page with a
// button.
func (f *Flow) askLogout(w http.ResponseWriter, r *http.Request) {
	switch {
	case !isHead(r) && !isPrefetch(r) && f.returnsFromLogout(r):
		f.clearSignOut(w, r)
		if f.Sessions.Cookie.Present(r.Header) {
			f.endSessions(w, r)
		}
		show(w, r, f.signedOutPage())
	case !f.Sessions.Cookie.Present(r.Header): // as after AuthKit's own logout, which comes back from another site
		show(w, r, f.signedOutPage())
	case deliberate(r):
		f.signOut(w, r)
	default:
		show(w, r, f.confirmLogoutPage())
	}
}

// logout is the button's POST.
func (f *Flow) logout(w http.ResponseWriter, r *http.Request) {
	if !f.fromOwnPage(r) {
		p := f.confirmLogoutPage()
		p.Status = http.StatusForbidden
		show(w, r, p)
		return
	}
	f.signOut(w, r)
}

// signOut ends the session here, takes its cookies away and goes on to AuthKit,
// which ends it there and in its hosted pages. An expired session is signed out
// like any other.
func (f *Flow) signOut(w http.ResponseWriter, r *http.Request) {
	id, ok := f.endSessions(w, r)
	if !ok || id.SessionID == "" {
		show(w, r, f.signedOutPage())
		return
	}
	f.endEverywhere(r, id)
	f.log(r).Info().Str("event", "sign_out").Str("subject", id.Subject).Str("session", id.SessionID).Str("session_hash", id.SessionHash()).Msg("signed out")
	location, err := f.AuthKit.LogoutURL(id.SessionID, f.LogoutReturnURL)
	if err != nil {
		f.log(r).Error().Str("event", "sign_out").Err(err).Msg("no logout URL")
		show(w, r, f.signedOutPage())
		return
	}
	if f.logoutReturnsHere() {
		f.markSignOut(w)
	}
	f.lead(w, r, location, "You are being signed out")
}

// everywhereLimit is how long a sign-out may wait for the list of the user's other sessions.
const everywhereLimit = 3 * time.Second

// endEverywhere ends the user's other sessions, at other sites and on other devices, where that is wanted.
func (f *Flow) endEverywhere(r *http.Request, id identity.Identity) {
	if f.UserSessions == nil || id.Subject == "" {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), everywhereLimit)
	defer cancel()
	others, err := f.UserSessions(ctx, id.Subject)
	for _, sessionID := range others {
		if sessionID != id.SessionID {
			f.Sessions.EndOther(r.Context(), id.Subject, sessionID)
		}
	}
	if err != nil {
		f.log(r).Error().Str("event", "sign_out").Str("subject", id.Subject).Int("sessions", len(others)).Err(err).
			Msg("AuthKit doesn't list all of the user's other sessions, so they go on but for these; end them in the WorkOS dashboard, or sign out again")
		return
	}
	f.log(r).Info().Str("event", "sign_out").Str("subject", id.Subject).Int("sessions", len(others)).Msg("all sessions of the user are ended")
}

// endSessions ends every session that the request carries and takes the cookies away.
func (f *Flow) endSessions(w http.ResponseWriter, r *http.Request) (identity.Identity, bool) {
	id, ok := f.Sessions.End(r.Context(), r.Header)
	addLines(w, f.session().ClearLines(r.Header))
	addLines(w, f.otherScopeLines(r))
	f.clearAttempts(w, r)
	return id, ok
}

// The browser keeps for a minute that it was sent to AuthKit's logout, where that
// leads back to this endpoint. Whichever session cookies are left when it comes back,
// the sign-out is over: it must not go round again. A sign-in removes the cookie.
const (
	signOutCookie = "authkit-sign-out"
	signOutLife   = time.Minute
)

// logoutReturnsHere reports whether AuthKit's logout may send the browser back to
// this endpoint. Where LOGOUT_RETURN_URL isn't set, the dashboard says so.
func (f *Flow) logoutReturnsHere() bool {
	u, err := url.Parse(f.LogoutReturnURL)
	if err != nil || f.LogoutReturnURL == "" {
		return f.LogoutReturnURL == ""
	}
	host, err := site.ParseHost(u.Host, u.Scheme)
	return err == nil && host.Name == f.Site.FlowHost().Name && u.Path == f.Site.Prefix()+site.Logout
}

func (f *Flow) markSignOut(w http.ResponseWriter) {
	http.SetCookie(w, f.hostCookie(signOutCookie, f.signOuts.Seal([]byte(f.Now().Format(time.RFC3339))), signOutLife))
}

// returnsFromLogout reports whether the browser was sent to AuthKit's logout within
// the last minute.
func (f *Flow) returnsFromLogout(r *http.Request) bool {
	c, err := r.Cookie(f.hostCookieName(signOutCookie))
	if err != nil {
		return false
	}
	plaintext, err := f.signOuts.Open(c.Value)
	if err != nil {
		return false
	}
	at, err := time.Parse(time.RFC3339, string(plaintext))
	age := f.Now().Sub(at)
	return err == nil && age > -signOutLife && age < signOutLife // clocks of replicas differ
}

func (f *Flow) clearSignOut(w http.ResponseWriter, r *http.Request) {
	if _, err := r.Cookie(f.hostCookieName(signOutCookie)); err == nil {
		http.SetCookie(w, f.hostCookie(signOutCookie, "", 0))
	}
}
