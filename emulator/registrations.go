package emulator

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

// Limits of what the API registers for an environment.
const (
	maxRedirectURIs = 1000
	maxPage         = 100 // of a list
	defaultPage     = 10
)

// redirectURI is one that is registered.
type redirectURI struct {
	Object    string `json:"object"`
	ID        string `json:"id"`
	URI       string `json:"uri"`
	Default   bool   `json:"default"`
	CreatedAt string `json:"created_at"`
	UpdatedAt string `json:"updated_at"`
}

func newRedirectURI(uri string, first bool, now time.Time) redirectURI {
	return redirectURI{"redirect_uri", newID("redir_", now), uri, first, timestamp(now), timestamp(now)}
}

// isRedirectURI reports whether it is registered, compared exactly.
func (e *environment) isRedirectURI(uri string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.redirectURIs, func(u redirectURI) bool { return u.URI == uri })
}

// RedirectURIs lists the registered ones.
func (e *environment) RedirectURIs() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []string
	for _, u := range e.redirectURIs {
		all = append(all, u.URI)
	}
	return all
}

func (e *environment) listRedirectURIs(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	list := slices.Clone(e.redirectURIs)
	e.mu.Unlock()
	writePage(w, r, list, func(u redirectURI) string { return u.ID })
}

func (e *environment) postRedirectURI(w http.ResponseWriter, r *http.Request) {
	p, err := params(w, r)
	if err != nil {
		writeError(w, err)
		return
	}
	uri := p.Get("uri")
	u, err := url.Parse(uri)
	if err != nil || !u.IsAbs() || u.Host == "" || strings.Contains(uri, "#") {
		writeError(w, &apiError{http.StatusBadRequest, map[string]string{"message": "The redirect URI is invalid."}})
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case slices.ContainsFunc(e.redirectURIs, func(u redirectURI) bool { return u.URI == uri }):
		writeError(w, &apiError{http.StatusUnprocessableEntity, map[string]string{"message": "The redirect URI already exists."}})
		return
	case len(e.redirectURIs) == maxRedirectURIs:
		writeError(w, &apiError{http.StatusUnprocessableEntity, map[string]string{"message": "There are too many redirect URIs."}})
		return
	}
	made := newRedirectURI(uri, len(e.redirectURIs) == 0, e.now())
	e.redirectURIs = append(e.redirectURIs, made)
	writeJSON(w, http.StatusCreated, made)
}

func (e *environment) deleteRedirectURI(id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.IndexFunc(e.redirectURIs, func(u redirectURI) bool { return u.ID == id })
	if i < 0 {
		return notFound("Redirect URI")
	}
	e.redirectURIs = slices.Delete(e.redirectURIs, i, i+1)
	return nil
}

// endpointJSON is the API's webhook endpoint.
type endpointJSON struct {
	Object    string   `json:"object"`
	ID        string   `json:"id"`
	URL       string   `json:"endpoint_url"`
	Secret    string   `json:"secret"`
	Status    string   `json:"status"`
	Events    []string `json:"events"`
	CreatedAt string   `json:"created_at"`
	UpdatedAt string   `json:"updated_at"`
}

// endpointFields are what a request can say of an endpoint; nil: nothing.
type endpointFields struct {
	URL    *string   `json:"endpoint_url"`
	Status *string   `json:"status"`
	Events *[]string `json:"events"`
}

// check refuses values as the API does.
func (f endpointFields) check() error {
	if f.URL != nil {
		if u, err := url.Parse(*f.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return codeError(http.StatusUnprocessableEntity, "invalid_url", "The endpoint URL is invalid.")
		}
	}
	if f.Status != nil && *f.Status != statusEnabled && *f.Status != statusDisabled {
		return unprocessable("The status must be enabled or disabled.")
	}
	if f.Events == nil {
		return nil
	}
	var unknown []map[string]string
	for _, name := range *f.Events {
		if !slices.Contains(eventTypes(), name) {
			unknown = append(unknown, map[string]string{"code": "unknown_event_type", "message": "Unknown event type: " + name})
		}
	}
	if unknown == nil {
		return nil
	}
	return &apiError{http.StatusUnprocessableEntity, map[string]any{
		"code": "invalid_request_parameters", "message": "The request is invalid.", "errors": unknown,
	}}
}

const (
	statusEnabled  = "enabled"
	statusDisabled = "disabled"
)

// eventTypes are those that an endpoint can be registered for. WorkOS has more.
func eventTypes() []string {
	return []string{
		"agent.registration.created", "agent.registration.deleted", "agent.registration.expired", "agent.registration.organization.switched",
		"agent.registration.revoked",
		"api_key.created", "api_key.revoked", "api_key.updated",
		"authentication.email_verification_succeeded", "authentication.magic_auth_succeeded", "authentication.mfa_succeeded",
		"authentication.oauth_succeeded", "authentication.password_succeeded", "authentication.sso_succeeded",
		"connection.activated", "connection.deactivated", "connection.deleted",
		"dsync.activated", "dsync.deleted", "dsync.group.created", "dsync.group.deleted", "dsync.group.updated",
		"dsync.group.user_added", "dsync.group.user_removed", "dsync.user.created", "dsync.user.deleted", "dsync.user.updated",
		"invitation.accepted", "invitation.created", "invitation.revoked",
		"organization.created", "organization.deleted", "organization.updated",
		"organization_membership.created", "organization_membership.deleted", "organization_membership.updated",
		"organization_role.created", "organization_role.deleted", "organization_role.updated",
		"permission.created", "permission.deleted", "permission.updated",
		"role.created", "role.deleted", "role.updated",
		"session.created", "session.revoked",
		"user.created", "user.deleted", "user.updated",
	}
}

func (e *environment) listWebhookEndpoints(w http.ResponseWriter, r *http.Request) {
	writePage(w, r, e.webhooks.list(), func(to endpointJSON) string { return to.ID })
}

func (e *environment) postWebhookEndpoint(w http.ResponseWriter, r *http.Request) {
	var f endpointFields
	if err := readJSON(w, r, &f); err != nil {
		writeError(w, err)
		return
	}
	if f.URL == nil || f.Events == nil || len(*f.Events) == 0 {
		writeError(w, unprocessable("The endpoint_url and events are required."))
		return
	}
	if err := f.check(); err != nil {
		writeError(w, err)
		return
	}
	made, err := e.webhooks.register(*f.URL, *f.Events, e.clock())
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusCreated, made)
}

func (e *environment) patchWebhookEndpoint(w http.ResponseWriter, r *http.Request) {
	var f endpointFields
	err := readJSON(w, r, &f)
	if err == nil {
		err = f.check()
	}
	if err != nil {
		writeError(w, err)
		return
	}
	changed, err := e.webhooks.change(chi.URLParam(r, "id"), f, e.clock())
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, changed)
}

// writePage answers with the part of a list that limit and after ask for.
func writePage[T any](w http.ResponseWriter, r *http.Request, list []T, id func(T) string) {
	limit := defaultPage
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxPage {
			writeError(w, unprocessable("The limit must be from 1 to 100."))
			return
		}
		limit = n
	}
	if after := r.URL.Query().Get("after"); after != "" {
		i := slices.IndexFunc(list, func(item T) bool { return id(item) == after })
		list = list[i+1:]
	}
	var next *string
	if len(list) > limit {
		list = list[:limit]
		next = orNull(id(list[limit-1]))
	}
	answer := onePage(append([]T{}, list...)) // [] where there are none
	answer["list_metadata"] = map[string]any{"before": nil, "after": next}
	writeJSON(w, http.StatusOK, answer)
}
