package emulator

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

const (
	maxAPIKeys = 1000
	maxKeyName = 256 // bytes

	keyPrefix                 = "sk_" // of every API key's value
	minKeyValue, maxKeyValue  = 16, 256
	obfuscatedKey, shownOfKey = "sk_...", 4

	ownerUser, ownerOrganization = "user", "organization"
)

// APIKey is a key that a customer's programs send to the application, which has WorkOS validate
// it. It is not the environment's, Config.APIKey.
type APIKey struct {
	ID             string   // empty: a new one
	Value          string   // 16 to 256 bytes that begin with sk_
	Name           string   // for people
	OrganizationID string   // what it opens
	UserID         string   // who owns it there, a member; empty: the organization owns it
	Permissions    []string // may be none
	AgentID        string   // the agent's registration (agent_reg_…) that it was issued for, empty for everybody else's
}

// apiKey is a key as the API has it, and its value, which the API shows once.
type apiKey struct {
	Object          string   `json:"object"`
	ID              string   `json:"id"`
	Owner           keyOwner `json:"owner"`
	Name            string   `json:"name"`
	ObfuscatedValue string   `json:"obfuscated_value"`
	LastUsedAt      *string  `json:"last_used_at"`
	Permissions     []string `json:"permissions"`
	CreatedAt       string   `json:"created_at"`
	UpdatedAt       string   `json:"updated_at"`

	value          string
	organizationID string // what it opens
	agentID        string
}

type keyOwner struct {
	Type           string `json:"type"`
	ID             string `json:"id"`
	OrganizationID string `json:"organization_id,omitempty"` // of a user's key
}

func newAPIKey(k APIKey, now time.Time) *apiKey {
	owner := keyOwner{Type: ownerOrganization, ID: k.OrganizationID}
	if k.UserID != "" {
		owner = keyOwner{ownerUser, k.UserID, k.OrganizationID}
	}
	return &apiKey{
		Object:          "api_key",
		ID:              cmp.Or(k.ID, newID("api_key_", now)),
		Owner:           owner,
		Name:            k.Name,
		ObfuscatedValue: obfuscatedKey + k.Value[len(k.Value)-shownOfKey:],
		Permissions:     append([]string{}, k.Permissions...), // [] where there are none
		CreatedAt:       timestamp(now),
		UpdatedAt:       timestamp(now),
		value:           k.Value,
		organizationID:  k.OrganizationID,
		agentID:         k.AgentID,
	}
}

func apiKeyProblems(keys []APIKey, users []User, organizations []Organization) []error {
	var problems []error
	if len(keys) > maxAPIKeys {
		problems = append(problems, fmt.Errorf("emulator: APIKeys: more than %d", maxAPIKeys))
	}
	known := map[string]bool{}
	for i, k := range keys {
		wrong := func(is bool, what string) {
			if is {
				problems = append(problems, fmt.Errorf("emulator: APIKeys: number %d: %s", i+1, what)) // the value is a secret
			}
		}
		wrong(!strings.HasPrefix(k.Value, keyPrefix) || len(k.Value) < minKeyValue || len(k.Value) > maxKeyValue,
			"the value must be 16 to 256 bytes that begin with sk_")
		wrong(known[k.Value] || k.ID != "" && known[k.ID], "its value or id is another's")
		known[k.Value], known[k.ID] = true, true
		if k.UserID == "" {
			wrong(!isKnown(organizations, k.OrganizationID), "needs a known organization")
			continue
		}
		owns := func(u User) bool {
			_, member := u.membership(k.OrganizationID)
			return u.ID == k.UserID && member
		}
		wrong(!slices.ContainsFunc(users, owns), "needs a user who is an active member of its organization")
	}
	return problems
}

// apiKeys are those that there are now. The environment's lock guards the list.
type apiKeys struct {
	*environment
	list []*apiKey
}

func newAPIKeys(e *environment) *apiKeys {
	k := &apiKeys{environment: e}
	for _, key := range e.config.APIKeys {
		k.list = append(k.list, newAPIKey(key, e.config.Now()))
	}
	return k
}

// create adds a key with a new value, and sends api_key.created. The caller holds the lock.
func (k *apiKeys) create(wanted APIKey) (apiKey, error) {
	if wanted.Name == "" || len(wanted.Name) > maxKeyName || len(wanted.Permissions) > maxPermissions {
		return apiKey{}, unprocessable(fmt.Sprintf("The name is required, with %d bytes at most; permissions may be %d.", maxKeyName, maxPermissions))
	}
	if wanted.UserID != "" {
		p, ok := k.byID(wanted.UserID)
		if !ok {
			return apiKey{}, notFound("User")
		}
		if _, ok := p.membership(wanted.OrganizationID); !ok {
			return apiKey{}, unprocessable("The user is not an active member of the organization.")
		}
	} else if _, ok := k.organization(wanted.OrganizationID); !ok {
		return apiKey{}, notFound("Organization")
	}
	if len(k.list) >= maxAPIKeys {
		return apiKey{}, unprocessable(fmt.Sprintf("There are %d API keys already.", maxAPIKeys))
	}
	wanted.Value = keyPrefix + newSecret() + newSecret()
	key := newAPIKey(wanted, k.now())
	k.list = append(k.list, key)
	k.emit("api_key.created", key)
	return *key, nil
}

// validate finds a key by its value. One whose user is no active member any more is as good as
// none. The caller holds the lock.
func (k *apiKeys) validate(value string) (apiKey, bool) {
	i := slices.IndexFunc(k.list, func(key *apiKey) bool { return same(key.value, value) })
	if i < 0 {
		return apiKey{}, false
	}
	key := k.list[i]
	if key.Owner.Type == ownerUser {
		p, ok := k.byID(key.Owner.ID)
		if !ok {
			return apiKey{}, false
		}
		if _, ok := p.membership(key.organizationID); !ok {
			return apiKey{}, false
		}
	}
	key.LastUsedAt = timeOrNull(k.now())
	return *key, true
}

// DeleteAPIKey removes an API key, and sends api_key.revoked.
func (k *apiKeys) DeleteAPIKey(id string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.IndexFunc(k.list, func(key *apiKey) bool { return key.ID == id })
	if i < 0 {
		return notFound("API Key")
	}
	k.emit("api_key.revoked", k.list[i])
	k.list = slices.Delete(k.list, i, i+1)
	return nil
}

// drop removes the keys of what is gone, without an event. The caller holds the lock.
func (k *apiKeys) drop(gone func(*apiKey) bool) { k.list = slices.DeleteFunc(k.list, gone) }

// postValidation answers POST /api_keys/validations. A value that no key has is no error.
func (k *apiKeys) postValidation(w http.ResponseWriter, r *http.Request) {
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
		APIKey  *apiKey `json:"api_key"`
		AgentID string  `json:"agent_registration_id,omitempty"`
	}
	k.mu.Lock()
	if key, ok := k.validate(body.Value); ok {
		answer.APIKey, answer.AgentID = &key, key.agentID
	}
	k.mu.Unlock()
	writeJSON(w, http.StatusOK, answer)
}

// postAPIKey answers POST …/api_keys, whose path names the owner. Only this answer has the key's value.
func (k *apiKeys) postAPIKey(own func(k *APIKey, id string)) http.HandlerFunc {
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
		k.mu.Lock()
		created, err := k.create(wanted)
		k.mu.Unlock()
		if err != nil {
			writeError(w, err)
			return
		}
		writeJSON(w, http.StatusCreated, struct {
			apiKey
			Value string `json:"value"`
		}{created, created.value})
	}
}

// listAPIKeys answers GET /organizations/{id}/api_keys with the keys that the organization itself owns, the
// newest first.
func (k *apiKeys) listAPIKeys(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	list := []apiKey{}
	k.mu.Lock()
	_, known := k.organization(id)
	for _, key := range slices.Backward(k.list) {
		if key.Owner.Type == ownerOrganization && key.Owner.ID == id {
			list = append(list, *key)
		}
	}
	k.mu.Unlock()
	if !known {
		writeError(w, notFound("Organization"))
		return
	}
	writeJSON(w, http.StatusOK, onePage(list))
}
