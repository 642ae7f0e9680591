package emulator

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
)

// How long things last, and how many are kept.
const (
	codeLifetime    = 10 * time.Minute    // codes and pending authentication tokens
	sessionLifetime = 30 * 24 * time.Hour // sessions, their refresh tokens, users made on the spot

	maxCodes         = 10_000
	maxSessions      = 10_000
	maxRefreshTokens = 100_000
	maxMadeUsers     = 1_000
)

// Emulator is the emulated AuthKit. It is safe for concurrent use.
type Emulator struct {
	config    Config // as it was given; what changes while it runs is below
	pages     *pages
	handler   http.Handler
	endpoints []string // what calls are named after
	webhooks  *webhooks

	connectKeys func() (*keys, error) // of Connect's issuer; made when first asked for

	stop    func()
	stopped <-chan struct{}

	mu            sync.Mutex // guards everything below
	settings      Settings
	keys          *keys
	faults        []Fault
	organizations []Organization
	roles         map[roleKey][]string // permissions that SetRole gave
	seeded        []*person
	apiKeys       []*apiKey
	made          *bounded[*person] // users made on the spot, by email address
	codes         *bounded[grant]
	pending       *bounded[grant] // waiting for the choice of an organization
	sessions      *bounded[*session]
	tokens        *bounded[*refreshToken]
	calls         map[string]int
	faulted       map[string]int
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
	ctx, stop := context.WithCancel(context.Background())
	e := &Emulator{
		config:      config,
		pages:       pages,
		stop:        stop,
		stopped:     ctx.Done(),
		connectKeys: sync.OnceValues(config.connectKeys),
		settings:    Settings{AccessTokenLifetime: config.AccessTokenLifetime, GraceWindow: config.GraceWindow},
		keys:        keys,
		roles:       map[roleKey][]string{},
		made:        newBounded[*person](maxMadeUsers, sessionLifetime),
		codes:       newBounded[grant](maxCodes, codeLifetime),
		pending:     newBounded[grant](maxCodes, codeLifetime),
		sessions:    newBounded[*session](maxSessions, sessionLifetime),
		tokens:      newBounded[*refreshToken](maxRefreshTokens, sessionLifetime),
		calls:       map[string]int{},
		faulted:     map[string]int{},
	}
	e.organizations = slices.Clone(config.Organizations)
	for _, user := range config.Users {
		e.seeded = append(e.seeded, newPerson(user, config.Now()))
	}
	for _, key := range config.APIKeys {
		e.apiKeys = append(e.apiKeys, newAPIKey(key, config.Now()))
	}
	e.handler = e.routes()
	e.webhooks = newWebhooks(config.WebhookURLs, config.WebhookSecret, e.clock)
	e.webhooks.start(ctx)
	return e, nil
}

// Close ends what runs in the background: webhooks, delivered or not, and answers that a fault
// delays. The caller closes the server.
func (e *Emulator) Close() {
	e.stop()
	e.webhooks.wait()
}

// routeFunc adds an endpoint, whose calls are named after name.
type routeFunc func(method, pattern, name string, handle http.HandlerFunc)

func (e *Emulator) routes() http.Handler {
	r := chi.NewRouter()
	route := func(method, pattern, name string, handle http.HandlerFunc) {
		e.endpoints = append(e.endpoints, name)
		r.MethodFunc(method, pattern, func(w http.ResponseWriter, req *http.Request) {
			e.count(name)
			e.serve(name, w, req, handle)
		})
	}
	route(http.MethodGet, "/user_management/authorize", "authorize", e.authorize)
	route(http.MethodPost, "/user_management/authorize", "authorize.submit", e.authorize)
	route(http.MethodGet, "/sso/jwks/{clientID}", "jwks", e.jwks)
	route(http.MethodGet, "/user_management/users/{id}/sessions", "sessions.list", e.withKey(e.listSessions))
	route(http.MethodPost, "/user_management/sessions/revoke", "sessions.revoke", e.withKey(e.revokeSession))
	route(http.MethodGet, "/user_management/sessions/logout", "sessions.logout", e.logout)
	e.manage(route)
	e.routeAPIKeys(route)
	e.routeConnect(route)
	r.Post("/user_management/authenticate", e.authenticate) // counts, and fails, by its grants
	e.endpoints = append(e.endpoints, "authenticate", "authenticate.authorization_code",
		"authenticate.refresh_token", "authenticate.organization_selection")

	r.Get("/health", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	r.Get("/_emulator/calls", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, e.Calls())
	})
	e.control(r)
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

// Calls says how often each endpoint was called, by name, whether a fault answered or not:
//
//	authorize, authorize.submit, jwks
//	authenticate, and of its calls each grant again: authenticate.authorization_code,
//	authenticate.refresh_token, authenticate.organization_selection
//	sessions.list, sessions.revoke, sessions.logout
//	users.delete, organizations.delete, memberships.list, memberships.update,
//	memberships.deactivate, memberships.reactivate, memberships.delete
//	api_keys.validate, api_keys.create, api_keys.list, api_keys.delete
//	connect.token, connect.jwks, connect.metadata
//
// An endpoint that was never called has no entry.
func (e *Emulator) Calls() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.calls)
}

// Faulted says how many of the calls met a fault, under the names of Calls. A grant's call
// counts as the grant's alone.
func (e *Emulator) Faulted() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.faulted)
}
