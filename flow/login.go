package flow

import (
	"net/http"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
)

// maxOption bounds what is passed on to AuthKit.
const maxOption = 512

// login begins a sign-in. It is AuthKit's "sign-in endpoint" too.
func (f *Flow) login(w http.ResponseWriter, r *http.Request) { f.begin(w, r, "sign-in") }

// signUp begins at AuthKit's sign-up screen.
func (f *Flow) signUp(w http.ResponseWriter, r *http.Request) { f.begin(w, r, "sign-up") }

func (f *Flow) begin(w http.ResponseWriter, r *http.Request, screen string) {
	if prefetch(r) {
		show(w, r, prefetchPage())
		return
	}
	query := r.URL.Query()
	returnURL, ok := f.Site.ReturnURL(query.Get("rd"))
	if !ok {
		returnURL = ""
	}
	destination := f.destination(returnURL)
	t := f.nextTrail(r, destination)
	if query.Get("prompt") != "" { // a person asks for it, no gateway does
		t.Attempt = 1
	}
	if t.Attempt > maxAttempts {
		f.clearTrail(w, r)
		cause := f.loopCause(r)
		f.Log.Warn().Str("event", "sign_in").Str("cause", cause).Msg("sign-in loop stopped")
		show(w, r, f.loopPage(destination, cause))
		return
	}
	s := newState(returnURL, option(query.Get("organization_id")), t, f.Now())
	sealed, err := f.sealState(w, r, s)
	if err != nil {
		f.fail(w, r, s, err)
		return
	}
	hosted, err := f.AuthKit.AuthorizeURL(authkit.AuthorizeOptions{
		State: sealed, CodeChallenge: s.challenge(), ScreenHint: screen,
		OrganizationID:  s.OrganizationID,
		LoginHint:       option(query.Get("login_hint")),
		InvitationToken: option(query.Get("invitation_token")),
		Prompt:          option(query.Get("prompt")),
	})
	if err != nil {
		f.fail(w, r, s, err)
		return
	}
	redirect(w, hosted)
}

func option(value string) string {
	if len(value) > maxOption {
		return ""
	}
	return value
}

// loopCause says why the browser comes back to sign in again and again, as far
// as this request shows it.
func (f *Flow) loopCause(r *http.Request) string {
	c := f.Sessions.Cookie
	domain := "the host " + f.Site.FlowHost().Name
	if c.Domain != "" {
		domain = "the domain " + c.Domain
	}
	set := "The sign-in set the cookie " + c.Name + " for " + domain
	if _, err := r.Cookie(c.Name); err != nil {
		cause := set + ", and the browser did not send it back. It may refuse cookies"
		if c.Secure {
			cause += ", or the page was opened over http: the cookie is sent over https only"
		}
		return cause + "."
	}
	if _, err := f.Sessions.Verify(r.Context(), r.Header, false); err != nil {
		return set + " and the browser sent it back, but the session is refused: " + refusal(err) + "."
	}
	return set + " and it is good here, but it does not arrive with the page's requests: " +
		"the gateway must pass the Cookie header on, and the page's host must be under the cookie's domain (WORKOS_COOKIE_DOMAIN)."
}
