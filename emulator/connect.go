package emulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"sync"
)

// Application is a machine-to-machine application of WorkOS Connect: a customer's program, which
// gets access tokens for itself.
type Application struct {
	ClientID       string
	ClientSecret   string
	Name           string // for people
	OrganizationID string // whose program it is
}

func applicationProblems(applications []Application, environment string, organizations []Organization) []error {
	var problems []error
	known := map[string]bool{environment: true}
	for _, a := range applications {
		if a.ClientID == "" || known[a.ClientID] || a.ClientSecret == "" || !isKnown(organizations, a.OrganizationID) {
			problems = append(problems, fmt.Errorf(
				"emulator: application %q: needs a client ID of its own, a secret and a known organization", a.ClientID))
		}
		known[a.ClientID] = true
	}
	return problems
}

// connectIssuer is the AuthKit domain, which issues Connect's tokens.
func (c Config) connectIssuer() string { return c.BaseURL.Scheme + "://" + c.BaseURL.Host }

// connect is WorkOS Connect, whose issuer has keys of its own: who verifies its tokens with the key set
// of sessions finds out.
type connect struct {
	*environment
	connectKeys func() (*keys, error) // made when first asked for
}

func newConnect(e *environment) *connect {
	return &connect{e, sync.OnceValues(func() (*keys, error) { return newKeys(e.config.ConnectSigningKey) })}
}

// ConnectToken signs an access token of WorkOS Connect with these claims. What they don't name is
// as in a token that the first application gets for itself. With a sub of their own it is a user's
// token for an application: there is an app_consent_ sid, and no org_id unless it is given. A claim
// that is nil is left out.
func (c *connect) ConnectToken(claims map[string]any) (string, error) {
	c.mu.Lock()
	now, lifetime := c.now(), c.settings.AccessTokenLifetime
	c.mu.Unlock()
	all := map[string]any{
		"iss": c.config.connectIssuer(), "aud": c.config.ClientID, "jti": newID("", now),
		"iat": now.Unix(), "exp": now.Add(lifetime).Unix(),
	}
	if applications := c.config.Applications; len(applications) > 0 {
		all["client_id"] = applications[0].ClientID
	}
	if _, user := claims["sub"]; user {
		all["sid"] = newID("app_consent_", now)
	} else if applications := c.config.Applications; len(applications) > 0 {
		all["sub"], all["org_id"] = applications[0].ClientID, applications[0].OrganizationID
	}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	return c.sign(all)
}

// sign signs the claims of a token.
func (c *connect) sign(claims map[string]any) (string, error) {
	keys, err := c.connectKeys()
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("emulator: connect token: %w", err)
	}
	signed, err := keys.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("emulator: connect token: %w", err)
	}
	return signed.CompactSerialize()
}

// connectJWKS answers GET /oauth2/jwks.
func (c *connect) connectJWKS(w http.ResponseWriter, _ *http.Request) {
	keys, err := c.connectKeys()
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, keys.set)
}
