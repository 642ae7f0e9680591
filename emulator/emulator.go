package emulator

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator/oauth"
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
	*environment
	*authentication
	*apiKeys
	*connect
	*calls

	oauth   *oauth.Server
	handler http.Handler
	stop    func()
}

// New makes an emulator. The error names every problem of the configuration.
func New(config Config) (*Emulator, error) {
	shared, err := newEnvironment(config)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	e := &Emulator{
		environment:    shared,
		authentication: newAuthentication(shared),
		apiKeys:        newAPIKeys(shared),
		connect:        newConnect(shared),
		calls:          &calls{stopped: ctx.Done(), counts: map[string]int{}, faulted: map[string]int{}},
		stop:           stop,
	}
	pages, err := newHosted(e.authentication)
	if err != nil {
		stop()
		return nil, err
	}
	e.oauth = newAuthorizationServer(domain{e.connect}, pages)
	e.handler = e.routes(pages)
	e.webhooks.start(ctx)
	return e, nil
}

// Close ends what runs in the background: webhooks, delivered or not, and answers that a fault
// delays. The caller closes the server.
func (e *Emulator) Close() {
	e.stop()
	e.webhooks.wait()
}

// ServeHTTP answers as AuthKit's API and hosted pages do.
func (e *Emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.handler.ServeHTTP(w, r) }

func (e *Emulator) routes(pages *hosted) http.Handler {
	r := chi.NewRouter()
	r.Get("/user_management/authorize", e.endpoint("authorize", pages.authorize))
	r.Post("/user_management/authorize", e.endpoint("authorize.submit", pages.authorize))
	r.Get("/user_management/sessions/logout", e.endpoint("sessions.logout", pages.logout))
	r.Get("/sso/jwks/{clientID}", e.endpoint("jwks", e.jwks))
	r.Post("/user_management/authenticate", e.authenticate) // counts, and fails, by its grants
	e.endpoints = append(e.endpoints, "authenticate", "authenticate.authorization_code",
		"authenticate.refresh_token", "authenticate.organization_selection")
	e.connectRoutes(r)
	r.Get("/", pages.root)
	r.Get("/health", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	r.Get("/_emulator/calls", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, e.Calls())
	})
	e.manage(r)
	e.control(r)
	r.NotFound(func(w http.ResponseWriter, _ *http.Request) { writeError(w, errNotFound) })
	return r
}

// connectRoutes has the authorization server's endpoints.
func (e *Emulator) connectRoutes(r chi.Router) {
	metadata := e.endpoint("connect.metadata", e.oauth.Metadata)
	r.Get("/.well-known/oauth-authorization-server", metadata)
	r.Get("/.well-known/openid-configuration", metadata)
	r.Get("/oauth2/jwks", e.endpoint("connect.jwks", e.connectJWKS))
	r.Post("/oauth2/register", e.endpoint("connect.register", e.oauth.Register))
	r.Get("/oauth2/authorize", e.endpoint("connect.authorize", e.oauth.Authorize))
	r.Post("/oauth2/authorize", e.endpoint("connect.authorize.submit", e.oauth.Authorize))
	r.Post("/oauth2/token", e.endpoint("connect.token", e.oauth.Token))
	r.Post("/oauth2/introspection", e.endpoint("connect.introspection", e.oauth.Introspect))
	r.Post("/oauth2/device_authorization", e.endpoint("connect.device_authorization", e.oauth.DeviceAuthorization))
	device := e.endpoint("connect.device", e.oauth.Device)
	r.Get("/oauth2/device", device)
	r.Post("/oauth2/device", device)
	r.MethodFunc(http.MethodOptions, "/oauth2/token", preflight)
	r.MethodFunc(http.MethodOptions, "/oauth2/register", preflight)
	r.MethodFunc(http.MethodOptions, "/.well-known/*", preflight)
}

// manage has the endpoints for which the API asks for its key.
func (e *Emulator) manage(r chi.Router) {
	route := func(method, pattern, name string, handle http.HandlerFunc) {
		r.MethodFunc(method, pattern, e.endpoint(name, e.withKey(handle)))
	}
	const memberships, membership = "/user_management/organization_memberships", "/user_management/organization_memberships/{id}"
	inactive := func(is bool) http.HandlerFunc {
		return changed(func(id string) (membershipJSON, error) { return e.setInactive(id, is) })
	}
	route(http.MethodGet, "/user_management/users/{id}/sessions", "sessions.list", e.listSessions)
	route(http.MethodPost, "/user_management/sessions/revoke", "sessions.revoke", e.revokeSession)
	route(http.MethodDelete, "/user_management/users/{id}", "users.delete", remove(e.DeleteUser))
	route(http.MethodDelete, "/organizations/{id}", "organizations.delete", remove(e.deleteOrganization))
	route(http.MethodDelete, "/Organizations/{id}", "organizations.delete", remove(e.deleteOrganization)) // as workos-go v4 spells it
	route(http.MethodGet, memberships, "memberships.list", e.listMemberships)
	route(http.MethodPut, membership, "memberships.update", e.updateMembership)
	route(http.MethodPut, membership+"/deactivate", "memberships.deactivate", inactive(true))
	route(http.MethodPut, membership+"/reactivate", "memberships.reactivate", inactive(false))
	route(http.MethodDelete, membership, "memberships.delete", remove(e.deleteMembership))

	const redirectURIs, endpoints = "/user_management/redirect_uris", "/webhook_endpoints"
	route(http.MethodGet, redirectURIs, "redirect_uris.list", e.listRedirectURIs)
	route(http.MethodPost, redirectURIs, "redirect_uris.create", e.postRedirectURI)
	route(http.MethodDelete, redirectURIs+"/{id}", "redirect_uris.delete", remove(e.deleteRedirectURI))
	route(http.MethodGet, endpoints, "webhook_endpoints.list", e.listWebhookEndpoints)
	route(http.MethodPost, endpoints, "webhook_endpoints.create", e.postWebhookEndpoint)
	route(http.MethodPatch, endpoints+"/{id}", "webhook_endpoints.update", e.patchWebhookEndpoint)
	route(http.MethodDelete, endpoints+"/{id}", "webhook_endpoints.delete", remove(e.webhooks.remove))

	const resources = "/user_management/authkit_oauth_resources"
	route(http.MethodGet, resources, "resources.list", func(w http.ResponseWriter, r *http.Request) {
		writePage(w, r, e.oauth.ListResources(), func(o oauth.Resource) string { return o.ID })
	})
	route(http.MethodPost, resources, "resources.create", e.oauth.PostResource)
	route(http.MethodPut, resources+"/{id}/default", "resources.default", changed(func(id string) (oauth.Resource, error) {
		made, ok := e.oauth.MakeDefault(id)
		return made, found(ok, "Resource")
	}))
	route(http.MethodDelete, resources+"/{id}", "resources.delete", remove(func(id string) error { return found(e.oauth.DeleteResource(id), "Resource") }))

	const ofOrganization, ofUser = "/organizations/{id}/api_keys", "/user_management/users/{id}/api_keys"
	route(http.MethodPost, "/api_keys/validations", "api_keys.validate", e.postValidation)
	route(http.MethodGet, ofOrganization, "api_keys.list", e.listAPIKeys)
	route(http.MethodPost, ofOrganization, "api_keys.create", e.postAPIKey(func(k *APIKey, id string) { k.OrganizationID = id }))
	route(http.MethodPost, ofUser, "api_keys.create", e.postAPIKey(func(k *APIKey, id string) { k.UserID = id }))
	route(http.MethodDelete, "/api_keys/{id}", "api_keys.delete", remove(e.DeleteAPIKey))
}

// control has the emulator's own endpoints. Faults don't reach them.
func (e *Emulator) control(r chi.Router) {
	route := func(method, path string, handle func(r *http.Request, body []byte) (any, error)) {
		r.MethodFunc(method, "/_emulator/"+path, e.withKey(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
			var answer any
			if err == nil {
				answer, err = handle(r, body)
			}
			if err != nil {
				writeError(w, badRequest(err))
				return
			}
			writeJSON(w, http.StatusOK, answer)
		}))
	}
	route(http.MethodGet, "faults", e.listFaults)
	route(http.MethodPost, "faults", e.postFault)
	route(http.MethodDelete, "faults", e.deleteFaults)
	route(http.MethodGet, "settings", e.getSettings)
	route(http.MethodPatch, "settings", e.patchSettings)
	route(http.MethodPost, "keys/rotate", e.postRotation)
	route(http.MethodPost, "keys/publish", func(*http.Request, []byte) (any, error) { e.PublishKey(); return struct{}{}, nil })
	route(http.MethodPut, "roles/{slug}", e.putRole)
	route(http.MethodGet, "oauth", func(*http.Request, []byte) (any, error) { return e.oauth.Change(func(*oauth.Settings) {}), nil })
	route(http.MethodPatch, "oauth", e.patchOAuth)
	route(http.MethodPost, "oauth/documents", func(_ *http.Request, body []byte) (any, error) { return struct{}{}, e.oauth.SetDocument(body) })
	route(http.MethodGet, "oauth/consents", func(*http.Request, []byte) (any, error) { return e.oauth.Consents(), nil })
	route(http.MethodDelete, "oauth/consents/{id}", func(r *http.Request, _ []byte) (any, error) {
		return struct{}{}, found(e.oauth.RevokeConsent(chi.URLParam(r, "id")), "Consent")
	})
	route(http.MethodPost, "events", e.postEvent)
	route(http.MethodGet, "webhooks", func(*http.Request, []byte) (any, error) { return e.Deliveries(), nil })
}

// found is nil where something was there.
func found(ok bool, what string) error {
	if ok {
		return nil
	}
	return notFound(what)
}

// patchOAuth answers PATCH /_emulator/oauth, which leaves what the body doesn't name.
func (e *Emulator) patchOAuth(_ *http.Request, body []byte) (any, error) {
	var unreadable error
	changed := e.oauth.Change(func(s *oauth.Settings) {
		next := *s
		if unreadable = strictly(body, &next); unreadable == nil {
			*s = next
		}
	})
	return changed, unreadable
}

// preflight lets clients in browsers ask.
func preflight(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "authorization, content-type, mcp-protocol-version")
	w.WriteHeader(http.StatusNoContent)
}
