package flow

import (
	"net/http"
	"strconv"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
)

// maxOption bounds what is passed on to AuthKit.
const maxOption = 512

// login begins a sign-in. It is AuthKit's "sign-in endpoint" too.
func (f *Flow) login(w http.ResponseWriter, r *http.Request) { f.begin(w, r, "sign-in") }

// signUp begins at AuthKit's sign-up screen.
func (f *Flow) signUp(w http.ResponseWriter, r *http.Request) { f.begin(w, r, "sign-up") }

func (f *Flow) begin(w http.ResponseWriter, r *http.Request, screen string) {
	if isPrefetch(r) {
		show(w, r, prefetchPage())
		return
	}
	query := r.URL.Query()
	returnURL, ok := f.Site.ReturnURL(query.Get("rd"))
	if !ok {
		returnURL = ""
	}
	destination := f.destination(returnURL)
	t := f.nextAttempt(r, destination)
	if query.Get("prompt") != "" { // a person asks for it, no gateway does
		t.Number = 1
	}
	age := maxAge(query.Get("max_age"))
	if t.Number > maxAttempts {
		f.stopLoop(w, r, destination, age)
		return
	}
	s := newState(returnURL, t, f.Now())
	s.OrganizationID, s.MaxAge = option(query.Get("organization_id")), age
	sealed, err := f.sealState(w, r, s)
	if err != nil {
		f.fail(w, r, s, err)
		return
	}
	hosted, err := f.AuthKit.AuthorizeURL(authkit.AuthorizeOptions{
		RedirectURI: f.Site.RedirectURI(), State: sealed, CodeChallenge: s.challenge(), ScreenHint: screen,
		OrganizationID:  s.OrganizationID,
		LoginHint:       option(query.Get("login_hint")),
		InvitationToken: option(query.Get("invitation_token")),
		Prompt:          option(query.Get("prompt")),
		MaxAge:          s.MaxAge,
	})
	if err != nil {
		f.fail(w, r, s, err)
		return
	}
	if !f.leadByScript(w, r, hosted, keepFragment, sealed) {
		f.lead(w, r, hosted, "On to the sign-in")
	}
}

func option(value string) string {
	if len(value) > maxOption {
		return ""
	}
	return value
}

// maxAge reads how many seconds old a sign-in may be. Anything but a whole number
// below 2^31 asks for nothing.
func maxAge(value string) *time.Duration {
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return nil
	}
	age := time.Duration(n) * time.Second
	return &age
}

// seconds is what maxAge reads; empty for nil.
func seconds(age *time.Duration) string {
	if age == nil {
		return ""
	}
	return strconv.FormatInt(int64(*age/time.Second), 10)
}

// recentEnough reports whether a sign-in was no older than maxAge at a moment. nil: any will do.
func recentEnough(signIn time.Time, maxAge *time.Duration, at time.Time) bool {
	return maxAge == nil || !signIn.Before(at.Add(-*maxAge))
}

// stopLoop shows why the page is not reached.
func (f *Flow) stopLoop(w http.ResponseWriter, r *http.Request, destination string, maxAge *time.Duration) {
	f.clearAttempts(w, r)
	cause := ""
	if !isHead(r) { // asking for the session may refresh it
		cause = f.loopCause(r, maxAge)
	}
	f.log(r).Warn().Str("event", "sign_in").Str("cause", cause).Msg("sign-in loop stopped")
	show(w, r, f.loopPage(destination, cause))
}

// loopCause says why the browser comes back to sign in again and again, as far
// as this request shows it. maxAge is what this sign-in asks for.
func (f *Flow) loopCause(r *http.Request, maxAge *time.Duration) string {
	c := f.session()
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
	v, err := f.Sessions.Verify(r.Context(), r.Header, false)
	if err != nil {
		return set + " and the browser sent it back, but the session is refused: " + refusal(err) + "."
	}
	if !recentEnough(v.Identity.AuthTime, maxAge, f.Now()) {
		return set + " and it is good here, but the page wants a sign-in of at most " + seconds(maxAge) + " seconds ago: " +
			"AuthKit did not report a new sign-in time (auth_time)."
	}
	return set + " and it is good here, but it does not arrive with the page's requests: " +
		"the gateway must pass the Cookie header on, and the page's host must be under the cookie's domain (WORKOS_COOKIE_DOMAIN)."
}
