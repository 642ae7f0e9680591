package emulator

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	maxAPIKeys = 1000
	maxKeyName = 256 // bytes

	keyPrefix                 = "sk_" // of every API key's value
	minKeyValue, maxKeyValue  = 16, 256
	obfuscatedKey, shownOfKey = "sk_...", 4
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
}

// apiKey is a key with what changes while the emulator runs.
type apiKey struct {
	APIKey
	created  time.Time
	lastUsed time.Time // zero: never
}

func newAPIKey(k APIKey, now time.Time) *apiKey {
	k.ID = cmp.Or(k.ID, newID("api_key_", now))
	k.Permissions = append([]string{}, k.Permissions...) // [] where there are none
	return &apiKey{APIKey: k, created: now}
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

// createAPIKey adds a key with a new value, which only this answer has, and sends api_key.created. The
// caller holds the lock.
func (e *Emulator) createAPIKey(k APIKey) (created apiKeyJSON, err error) {
	if k.Name == "" || len(k.Name) > maxKeyName || len(k.Permissions) > maxPermissions {
		return created, unprocessable(fmt.Sprintf("The name is required, with %d bytes at most; permissions may be %d.", maxKeyName, maxPermissions))
	}
	if k.UserID != "" {
		p, ok := e.byID(k.UserID)
		if !ok {
			return created, notFound("User")
		}
		if _, ok := p.membership(k.OrganizationID); !ok {
			return created, unprocessable("The user is not an active member of the organization.")
		}
	} else if _, ok := e.organization(k.OrganizationID); !ok {
		return created, notFound("Organization")
	}
	if len(e.apiKeys) >= maxAPIKeys {
		return created, unprocessable(fmt.Sprintf("There are %d API keys already.", maxAPIKeys))
	}
	k.Value = keyPrefix + newSecret() + newSecret()
	key := newAPIKey(k, e.now())
	e.apiKeys = append(e.apiKeys, key)
	created = key.json()
	e.emit("api_key.created", created)
	created.Value = key.Value
	return created, nil
}

// validateAPIKey finds a key by its value. One whose user is no active member any more is as good
// as none. The caller holds the lock.
func (e *Emulator) validateAPIKey(value string) (*apiKey, bool) {
	i := slices.IndexFunc(e.apiKeys, func(k *apiKey) bool { return same(k.Value, value) })
	if i < 0 {
		return nil, false
	}
	key := e.apiKeys[i]
	if key.UserID != "" {
		p, ok := e.byID(key.UserID)
		if !ok {
			return nil, false
		}
		if _, ok := p.membership(key.OrganizationID); !ok {
			return nil, false
		}
	}
	key.lastUsed = e.now()
	return key, true
}

// DeleteAPIKey removes an API key, and sends api_key.revoked.
func (e *Emulator) DeleteAPIKey(id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.IndexFunc(e.apiKeys, func(k *apiKey) bool { return k.ID == id })
	if i < 0 {
		return notFound("API Key")
	}
	revoked := e.apiKeys[i].json()
	e.apiKeys = slices.Delete(e.apiKeys, i, i+1)
	e.emit("api_key.revoked", revoked)
	return nil
}

// dropAPIKeys removes the keys of what is gone, without an event. The caller holds the lock.
func (e *Emulator) dropAPIKeys(gone func(*apiKey) bool) {
	e.apiKeys = slices.DeleteFunc(e.apiKeys, gone)
}

func unprocessable(message string) error {
	return codeError(http.StatusUnprocessableEntity, "unprocessable_entity", message)
}
