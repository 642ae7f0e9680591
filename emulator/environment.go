package emulator

import (
	"cmp"
	"net/http"
	"strings"
	"sync"
	"time"
)

// environment is what the parts of the emulator share.
type environment struct {
	config   Config // as it was given; what changes while it runs is below
	webhooks *webhooks

	mu           sync.Mutex // guards everything below, and what the parts keep of their own
	settings     Settings
	keys         *keys
	redirectURIs []redirectURI
	directory
}

func newEnvironment(config Config) (*environment, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	keys, err := newKeys(config.SigningKey)
	if err != nil {
		return nil, err
	}
	e := &environment{
		config:    config,
		settings:  Settings{AccessTokenLifetime: config.AccessTokenLifetime, GraceWindow: config.GraceWindow},
		keys:      keys,
		directory: newDirectory(config),
	}
	for i, uri := range config.RedirectURIs {
		e.redirectURIs = append(e.redirectURIs, newRedirectURI(uri, i == 0, config.Now()))
	}
	e.webhooks = newWebhooks(config.WebhookURLs, config.WebhookSecret, e.clock)
	return e, nil
}

// withKey lets a request with the API key through.
func (e *environment) withKey(handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || !same(key, e.config.APIKey) {
			writeError(w, &apiError{http.StatusUnauthorized, map[string]string{"message": "Unauthorized"}})
			return
		}
		handle(w, r)
	}
}

// issuer of the tokens issued now. The caller holds the lock.
func (e *environment) issuer() string { return cmp.Or(e.settings.Issuer, e.config.issuer()) }

// now is the time that the emulator claims. For what lasts, see config.Now. The caller holds
// the lock.
func (e *environment) now() time.Time { return e.config.Now().Add(e.settings.ClockSkew) }

// clock is now for callers without the lock.
func (e *environment) clock() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now()
}
