package emulator

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
)

// How long things last, and how many are kept.
const (
	defaultAccessTokenLifetime = 5 * time.Minute

	codeLifetime    = 10 * time.Minute    // codes and pending authentication tokens
	sessionLifetime = 30 * 24 * time.Hour // sessions, their refresh tokens, users made on the spot

	maxCodes         = 10_000
	maxSessions      = 10_000
	maxRefreshTokens = 100_000
	maxMadeUsers     = 1_000
)

// Config says how the emulated environment is set up, as WorkOS's dashboard would.
type Config struct {
	// BaseURL is where browsers and the service reach the emulator. The issuer of
	// access tokens is made from it. A path is for an emulator that is mounted
	// with http.StripPrefix. Required.
	BaseURL *url.URL

	ClientID string // required
	APIKey   string // the client secret too; required

	RedirectURIs     []string // registered redirect URIs, compared exactly
	LogoutReturnURLs []string // registered sign-out redirects, compared exactly; the first is the default

	AccessTokenLifetime time.Duration // 0: 5 minutes
	GraceWindow         time.Duration // how long a spent refresh token still works; 0: not at all

	// Users and Organizations that exist from the start. Both nil: those of Seed.
	Users         []User
	Organizations []Organization

	SigningKey *rsa.PrivateKey  // signs access tokens; nil: a new key of 2048 bits
	Now        func() time.Time // nil: time.Now
}

// Emulator is the emulated AuthKit. It is safe for concurrent use.
type Emulator struct {
	config  Config
	keys    *keys
	pages   *pages
	handler http.Handler

	mu       sync.Mutex // guards everything below
	seeded   []*person
	made     *bounded[*person] // users made on the spot, by email address
	codes    *bounded[grant]
	pending  *bounded[grant] // waiting for the choice of an organization
	sessions *bounded[*session]
	tokens   *bounded[*refreshToken]
	calls    map[string]int
}

// New makes an emulator. The error names every problem of the configuration.
func New(config Config) (*Emulator, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	keys, err := newKeys(config.SigningKey)
	if err != nil {
		return nil, err
	}
	pages, err := newPages()
	if err != nil {
		return nil, err
	}
	e := &Emulator{
		config:   config,
		keys:     keys,
		pages:    pages,
		made:     newBounded[*person](maxMadeUsers, sessionLifetime),
		codes:    newBounded[grant](maxCodes, codeLifetime),
		pending:  newBounded[grant](maxCodes, codeLifetime),
		sessions: newBounded[*session](maxSessions, sessionLifetime),
		tokens:   newBounded[*refreshToken](maxRefreshTokens, sessionLifetime),
		calls:    map[string]int{},
	}
	for _, user := range config.Users {
		e.seeded = append(e.seeded, &person{User: user, created: config.Now()})
	}
	e.handler = e.routes()
	return e, nil
}

func (c Config) withDefaults() (Config, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.AccessTokenLifetime == 0 {
		c.AccessTokenLifetime = defaultAccessTokenLifetime
	}
	if c.Users == nil && c.Organizations == nil {
		c.Users, c.Organizations = Seed()
	}
	return c, errors.Join(append(c.problems(), directoryProblems(c.Users, c.Organizations)...)...)
}

func (c Config) problems() []error {
	var problems []error
	if c.BaseURL == nil || c.BaseURL.Host == "" || c.BaseURL.RawQuery != "" || c.BaseURL.Fragment != "" {
		problems = append(problems, errors.New("emulator: BaseURL: must be absolute, without query and fragment"))
	}
	if c.ClientID == "" || url.PathEscape(c.ClientID) != c.ClientID {
		problems = append(problems, errors.New("emulator: ClientID: must be set, and fit into a URL's path as it is"))
	}
	if c.APIKey == "" {
		problems = append(problems, errors.New("emulator: APIKey: must be set"))
	}
	if c.AccessTokenLifetime < time.Second {
		problems = append(problems, errors.New("emulator: AccessTokenLifetime: must be a second or more"))
	}
	if c.GraceWindow < 0 {
		problems = append(problems, errors.New("emulator: GraceWindow: must not be negative"))
	}
	for _, raw := range slices.Concat(c.RedirectURIs, c.LogoutReturnURLs) {
		if u, err := url.Parse(raw); err != nil || !u.IsAbs() || u.Host == "" || strings.Contains(raw, "#") {
			problems = append(problems, fmt.Errorf("emulator: %q: must be an absolute URL without fragment", raw))
		}
	}
	return problems
}

// issuer of the access tokens.
func (c Config) issuer() string { return c.under("user_management/" + c.ClientID).String() }

// under is a URL below BaseURL. Its path is absolute, which URL.JoinPath's isn't
// where BaseURL has none.
func (c Config) under(below string) *url.URL {
	u := *c.BaseURL
	u.Path, u.RawPath = path.Join("/", u.Path, below), ""
	return &u
}

func (e *Emulator) routes() http.Handler {
	r := chi.NewRouter()
	route := func(method, pattern, name string, handle http.HandlerFunc) {
		r.MethodFunc(method, pattern, func(w http.ResponseWriter, req *http.Request) {
			e.count(name)
			handle(w, req)
		})
	}
	route(http.MethodGet, "/user_management/authorize", "authorize", e.authorize)
	route(http.MethodPost, "/user_management/authorize", "authorize.submit", e.authorize)
	route(http.MethodPost, "/user_management/authenticate", "authenticate", e.authenticate)
	route(http.MethodGet, "/sso/jwks/{clientID}", "jwks", e.jwks)
	route(http.MethodGet, "/user_management/users/{id}/sessions", "sessions.list", e.withKey(e.listSessions))
	route(http.MethodPost, "/user_management/sessions/revoke", "sessions.revoke", e.withKey(e.revokeSession))
	route(http.MethodGet, "/user_management/sessions/logout", "sessions.logout", e.logout)
	r.Get("/health", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	r.Get("/_emulator/calls", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, e.Calls())
	})
	r.NotFound(func(w http.ResponseWriter, _ *http.Request) { writeError(w, errNotFound) })
	return r
}

// ServeHTTP answers as AuthKit's API and hosted pages do.
func (e *Emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.handler.ServeHTTP(w, r) }

func (e *Emulator) count(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls[name]++
}

// Calls says how often each endpoint was called, by name: authorize,
// authorize.submit, authenticate, jwks, sessions.list, sessions.revoke,
// sessions.logout. Of the calls to authenticate it counts each grant too:
// authenticate.authorization_code, authenticate.refresh_token,
// authenticate.organization_selection. An endpoint that was never called has no
// entry.
func (e *Emulator) Calls() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.calls)
}
