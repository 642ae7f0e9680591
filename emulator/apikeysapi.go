package emulator

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"
)

// apiKeyJSON is the API's key.
type apiKeyJSON struct {
	Object          string       `json:"object"`
	ID              string       `json:"id"`
	Owner           keyOwnerJSON `json:"owner"`
	Name            string       `json:"name"`
	ObfuscatedValue string       `json:"obfuscated_value"`
	Value           string       `json:"value,omitempty"` // only in the answer to its creation
	LastUsedAt      *string      `json:"last_used_at"`
	Permissions     []string     `json:"permissions"`
	CreatedAt       string       `json:"created_at"`
	UpdatedAt       string       `json:"updated_at"`
}

type keyOwnerJSON struct {
	Type           string `json:"type"`
	ID             string `json:"id"`
	OrganizationID string `json:"organization_id,omitempty"` // of a user's key
}

// json describes the key without its value. The caller holds the lock.
func (k *apiKey) json() apiKeyJSON {
	owner := keyOwnerJSON{Type: "organization", ID: k.OrganizationID}
	if k.UserID != "" {
		owner = keyOwnerJSON{"user", k.UserID, k.OrganizationID}
	}
	return apiKeyJSON{
		Object:          "api_key",
		ID:              k.ID,
		Owner:           owner,
		Name:            k.Name,
		ObfuscatedValue: obfuscatedKey + k.Value[len(k.Value)-shownOfKey:],
		LastUsedAt:      timeOrNull(k.lastUsed),
		Permissions:     k.Permissions,
		CreatedAt:       timestamp(k.created),
		UpdatedAt:       timestamp(k.created),
	}
}

func (e *Emulator) routeAPIKeys(route routeFunc) {
	const ofOrganization, ofUser = "/organizations/{id}/api_keys", "/user_management/users/{id}/api_keys"
	route(http.MethodPost, "/api_keys/validations", "api_keys.validate", e.withKey(e.postValidation))
	route(http.MethodGet, ofOrganization, "api_keys.list", e.withKey(e.listAPIKeys))
	route(http.MethodPost, ofOrganization, "api_keys.create", e.withKey(e.postAPIKey(func(k *APIKey, id string) { k.OrganizationID = id })))
	route(http.MethodPost, ofUser, "api_keys.create", e.withKey(e.postAPIKey(func(k *APIKey, id string) { k.UserID = id })))
	route(http.MethodDelete, "/api_keys/{id}", "api_keys.delete", e.withKey(remove(e.DeleteAPIKey)))
}

// readJSON reads a body of JSON, whatever its type says, and ignores what it doesn't know.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(into); err != nil {
		return codeError(http.StatusBadRequest, "invalid_request", "The body is not a valid JSON object.")
	}
	return nil
}

// postValidation answers POST /api_keys/validations. A value that no key has is no error.
func (e *Emulator) postValidation(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Value string `json:"value"`
	}
	err := readJSON(w, r, &body)
	if err == nil && body.Value == "" {
		err = unprocessable("The value is required.")
	}
	if err != nil {
		writeError(w, err)
		return
	}
	var answer struct {
		APIKey *apiKeyJSON `json:"api_key"`
	}
	e.mu.Lock()
	if key, ok := e.validateAPIKey(body.Value); ok {
		found := key.json()
		answer.APIKey = &found
	}
	e.mu.Unlock()
	writeJSON(w, http.StatusOK, answer)
}

// postAPIKey answers POST …/api_keys, whose path names the owner.
func (e *Emulator) postAPIKey(own func(k *APIKey, id string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Name           string   `json:"name"`
			OrganizationID string   `json:"organization_id"`
			Permissions    []string `json:"permissions"`
		}
		if err := readJSON(w, r, &body); err != nil {
			writeError(w, err)
			return
		}
		wanted := APIKey{Name: body.Name, OrganizationID: body.OrganizationID, Permissions: body.Permissions}
		own(&wanted, chi.URLParam(r, "id"))
		e.mu.Lock()
		created, err := e.createAPIKey(wanted)
		e.mu.Unlock()
		if err != nil {
			writeError(w, err)
			return
		}
		writeJSON(w, http.StatusCreated, created)
	}
}

// listAPIKeys answers GET /organizations/{id}/api_keys with the keys that the organization itself
// owns, the newest first.
func (e *Emulator) listAPIKeys(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	list := []apiKeyJSON{}
	e.mu.Lock()
	_, known := e.organization(id)
	for _, k := range slices.Backward(e.apiKeys) {
		if k.OrganizationID == id && k.UserID == "" {
			list = append(list, k.json())
		}
	}
	e.mu.Unlock()
	if !known {
		writeError(w, notFound("Organization"))
		return
	}
	writeJSON(w, http.StatusOK, onePage(list))
}
