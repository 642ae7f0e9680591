package flow

import (
	"context"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/breaker"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// Config is what the flow works with. Log and Now may be zero; the URLs may be
// empty, the rest must be set.
type Config struct {
	Sites           *site.Sites
	Sessions        *session.Manager
	SessionsOf      func(s *site.Site) *session.Manager // of a site, where each has its own; nil: Sessions are every site's
	AuthKit         *authkit.Client
	Passwords       []string // as for the session cookie: the first seals, all open
	DefaultReturn   string   // DEFAULT_RETURN_URL, absolute; empty: / or the signed-in page
	LogoutReturnURL string   // LOGOUT_RETURN_URL, registered at AuthKit
	// UserSessions lists a user's active sessions at AuthKit: a sign-out ends them all. With an error come those that it knows. nil: a
	// sign-out ends this one.
	UserSessions func(ctx context.Context, userID string) ([]string, error)
	KeepFragment bool // KEEP_FRAGMENT: the return URL's #fragment comes back, by two pages with a script
	Log          zerolog.Logger
	Now          func() time.Time // nil: time.Now
}

// Flow answers the flow's endpoints, of one site. Of a sign-in it holds only that its state was
// used; the rest is in the state and in the browser's cookies.
type Flow struct {
	Config
	*shared
	Site *site.Site // which this is the flow of; the first one, until At
}

// shared is what the flows of all sites have together.
type shared struct {
	states     *seal.Box
	attempts   *seal.Box
	selections *seal.Box
	signOuts   *seal.Box
	returnURLs *seal.Box // those that don't fit into a state
	once       onceList  // sealed states and selections that were exchanged
	exchanges  *semaphore.Weighted
	outage     breaker.Breaker // of exchanges, by their state
}

// New makes a Flow.
func New(c Config) (*Flow, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	f := &Flow{Config: c, shared: &shared{exchanges: semaphore.NewWeighted(exchangeSlots)}, Site: c.Sites.First()}
	f.outage.Threshold, f.outage.Window, f.outage.Now = outageThreshold, outageWindow, c.Now
	for purpose, box := range map[string]**seal.Box{
		"flow state": &f.states, "flow attempts": &f.attempts, "flow organization selection": &f.selections,
		"flow sign-out": &f.signOuts, "flow return URL": &f.returnURLs,
	} {
		made, err := seal.NewBox(purpose, c.Passwords...)
		if err != nil {
			return nil, err
		}
		*box = made
	}
	return f.At(c.Sites.First()), nil
}

// At is the flow of another site.
func (f *Flow) At(s *site.Site) *Flow {
	at := *f
	at.Site = s
	if f.SessionsOf != nil {
		at.Sessions = f.SessionsOf(s)
	}
	return &at
}

// Routes adds the endpoints at each redirect URI's directory.
func (f *Flow) Routes(r chi.Router) {
	added := map[string]bool{}
	for _, place := range f.Sites.Places() {
		prefix := place.Prefix()
		for path, does := range map[string]endpoint{
			prefix + site.Login:  {get: (*Flow).login},
			prefix + site.SignUp: {get: (*Flow).signUp},
			place.Callback():     {get: (*Flow).callback, post: (*Flow).selectOrganization},
			prefix + site.Logout: {get: (*Flow).askLogout, post: (*Flow).logout},
			prefix + site.Switch: {get: (*Flow).askSwitch, post: (*Flow).switchByButton},
		} {
			if !added[path] {
				added[path] = true
				f.route(r, path, does)
			}
		}
	}
}
