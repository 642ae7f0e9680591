package flow

import (
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/page"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// Config is what the flow works with. Log and Now may be zero; the URLs may be
// empty, the rest must be set.
type Config struct {
	Site            *site.Site
	Sessions        *session.Manager
	AuthKit         *authkit.Client
	Passwords       []string // as for the session cookie: the first seals, all open
	DefaultReturn   string   // DEFAULT_RETURN_URL, absolute; empty: / or the signed-in page
	LogoutReturnURL string   // LOGOUT_RETURN_URL, registered at AuthKit
	Log             zerolog.Logger
	Now             func() time.Time // nil: time.Now
}

// Flow answers the flow's endpoints. It holds nothing of any sign-in: that is all
// in the state and in the browser's cookies.
type Flow struct {
	Config
	states     *seal.Box
	attempts   *seal.Box
	selections *seal.Box
}

// New makes a Flow.
func New(c Config) (*Flow, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	f := &Flow{Config: c}
	for purpose, box := range map[string]**seal.Box{
		"flow state": &f.states, "flow attempts": &f.attempts, "flow organization selection": &f.selections,
	} {
		made, err := seal.NewBox(purpose, c.Passwords...)
		if err != nil {
			return nil, err
		}
		*box = made
	}
	return f, nil
}

// Routes adds the endpoints at the redirect URI's directory.
func (f *Flow) Routes(r chi.Router) {
	prefix := f.Site.Prefix()
	r.Get(prefix+site.Login, f.login)
	r.Get(prefix+site.SignUp, f.signUp)
	r.Get(f.Site.Callback(), f.callback)
	r.Post(f.Site.Callback(), f.selectOrganization)
	r.Get(prefix+site.Logout, f.askLogout)
	r.Post(prefix+site.Logout, f.logout)
	r.Get(prefix+site.Switch, f.askSwitch)
	r.Post(prefix+site.Switch, f.switchByButton)
}

// cookie is one of the flow's own cookies. They reach the flow's endpoints only.
func (f *Flow) cookie(name, value string, life time.Duration) *http.Cookie {
	c := &http.Cookie{
		Name: name, Value: value, Path: f.Site.Prefix(), MaxAge: int(life.Seconds()),
		HttpOnly: true, Secure: f.Sessions.Cookie.Secure, SameSite: http.SameSiteLaxMode,
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

func addLines(w http.ResponseWriter, lines []string) {
	for _, line := range lines {
		w.Header().Add("Set-Cookie", line)
	}
}

// setSession gives the browser its sealed session. The error is cookie.ErrTooLarge.
func (f *Flow) setSession(w http.ResponseWriter, r *http.Request, sealed string) error {
	lines, err := f.Sessions.Cookie.SetLines(sealed, r.Header)
	if err != nil {
		return err
	}
	addLines(w, lines)
	addLines(w, f.Sessions.Cookie.ClearHostLines(r.Header))
	return nil
}

// redirect sends the browser elsewhere, by GET whatever it asked with.
func redirect(w http.ResponseWriter, location string) {
	page.Secure(w.Header())
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

// show writes a page, or problem+json for a client that wants JSON.
func show(w http.ResponseWriter, r *http.Request, p page.Page) {
	if accept := r.Header.Get("Accept"); strings.Contains(accept, "json") && !strings.Contains(accept, "text/html") {
		p.Text = strings.Join(append([]string{p.Text}, p.Details...), " ") // it has one member for both
		p.JSON(w)
		return
	}
	p.HTML(w)
}

// isPrefetch reports whether the browser asks before the user does. No endpoint acts then.
func isPrefetch(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Sec-Purpose"), "prefetch") || r.Header.Get("Purpose") == "prefetch"
}

// deliberate reports whether the user came here by a link on the site or by typing
// the address. A GET that changes the session acts on nothing else, such as another
// site's image or link.
func deliberate(r *http.Request) bool {
	from := r.Header.Get("Sec-Fetch-Site")
	own := from == "none" || from == "same-origin" || from == "same-site"
	return r.Header.Get("Sec-Fetch-Mode") == "navigate" && own && !isPrefetch(r)
}

// redirectToReturnURL sends a signed-in browser to its return URL or to the default.
func (f *Flow) redirectToReturnURL(w http.ResponseWriter, r *http.Request, returnURL string) {
	if destination := f.destination(returnURL); destination != "" {
		redirect(w, destination)
		return
	}
	show(w, r, f.signedInPage())
}

// destination is where a sign-in leads when it has no return URL of its own;
// empty where only the signed-in page is left.
func (f *Flow) destination(returnURL string) string {
	if checked, ok := f.Site.ReturnURL(returnURL); ok {
		return checked
	}
	if f.DefaultReturn != "" {
		return f.DefaultReturn
	}
	if f.Site.Prefix() != "/" {
		home, _ := f.Site.ReturnURL("/")
		return home
	}
	return ""
}
