package flow

import "net/http"

// askLogout signs out at once where the user means it, else shows a page with a
// button.
func (f *Flow) askLogout(w http.ResponseWriter, r *http.Request) {
	if !f.Sessions.Cookie.Present(r.Header) { // as after AuthKit's own logout, which comes back from another site
		show(w, r, f.signedOutPage())
		return
	}
	if deliberate(r) {
		f.signOut(w, r)
		return
	}
	show(w, r, f.confirmLogoutPage())
}

// logout is the button's POST.
func (f *Flow) logout(w http.ResponseWriter, r *http.Request) {
	if !f.Site.ProtectsOrigin(r.Header.Get("Origin")) {
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
	id, ok := f.Sessions.End(r.Context(), r.Header)
	addLines(w, f.Sessions.Cookie.ClearLines(r.Header))
	addLines(w, f.Sessions.Cookie.ClearHostLines(r.Header))
	f.clearAttempts(w, r)
	if !ok || id.SessionID == "" {
		show(w, r, f.signedOutPage())
		return
	}
	f.Log.Info().Str("event", "sign_out").Str("subject", id.Subject).Str("session", id.SessionID).Str("session_hash", id.SessionHash()).Msg("signed out")
	location, err := f.AuthKit.LogoutURL(id.SessionID, f.LogoutReturnURL)
	if err != nil {
		f.Log.Error().Str("event", "sign_out").Err(err).Msg("no logout URL")
		show(w, r, f.signedOutPage())
		return
	}
	redirect(w, location)
}
