package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
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
	keys, err := c.connectKeys()
	if err != nil {
		return "", err
	}
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
	payload, err := json.Marshal(all)
	if err != nil {
		return "", fmt.Errorf("emulator: connect token: %w", err)
	}
	signed, err := keys.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("emulator: connect token: %w", err)
	}
	return signed.CompactSerialize()
}

// connectTokenJSON is the answer of RFC 6749, section 5.1.
type connectTokenJSON struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"` // seconds
	Scope       string `json:"scope,omitempty"`
}

// postToken answers POST /oauth2/token.
func (c *connect) postToken(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	answer, err := c.grantApplication(r)
	if err != nil {
		if errors.Is(err, errApplication) && r.Header.Get("Authorization") != "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="WorkOS Connect"`) // RFC 6749, section 5.2
		}
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// scopeFormat is RFC 6749's, section 3.3.
var scopeFormat = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+( [\x21\x23-\x5B\x5D-\x7E]+)*$`)

// grantApplication gives an application a token for itself.
func (c *connect) grantApplication(r *http.Request) (*connectTokenJSON, error) {
	form, err := tokenRequest(r)
	if err != nil {
		return nil, err
	}
	a, err := c.authenticateApplication(r, form)
	if err != nil {
		return nil, err
	}
	scope := form.Get("scope")
	switch {
	case form.Get("grant_type") == "":
		return nil, oauthError("invalid_request", "The grant_type is required.")
	case form.Get("grant_type") != "client_credentials":
		return nil, oauthError("unsupported_grant_type", "The grant_type must be client_credentials.")
	case scope != "" && !scopeFormat.MatchString(scope):
		return nil, oauthError("invalid_scope", "The scope is malformed.")
	}
	claims := map[string]any{"client_id": a.ClientID, "sub": a.ClientID, "org_id": a.OrganizationID, "sid": nil}
	if scope != "" {
		claims["scope"] = scope
	}
	token, err := c.ConnectToken(claims)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return &connectTokenJSON{token, "bearer", int(c.settings.AccessTokenLifetime.Seconds()), scope}, nil
}

// tokenRequest reads the form, in which no parameter stands twice (RFC 6749, section 3.2).
func tokenRequest(r *http.Request) (url.Values, error) {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err := r.ParseForm(); err != nil || mediaType != "application/x-www-form-urlencoded" {
		return nil, oauthError("invalid_request", "The body is not a valid form.")
	}
	for _, values := range r.PostForm {
		if len(values) > 1 {
			return nil, oauthError("invalid_request", "A parameter is repeated.")
		}
	}
	return r.PostForm, nil
}

var errApplication error = &apiError{http.StatusUnauthorized,
	map[string]string{"error": "invalid_client", "error_description": "Client authentication failed."}}

// authenticateApplication knows an application by its id and secret, in the form or as HTTP Basic
// but not both (RFC 6749, section 2.3). It goes with its organization.
func (c *connect) authenticateApplication(r *http.Request, form url.Values) (Application, error) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if r.Header.Get("Authorization") != "" {
		if form.Has("client_id") || form.Has("client_secret") {
			return Application{}, oauthError("invalid_request", "The client authenticates in two ways.")
		}
		user, password, ok := r.BasicAuth()
		var badID, badSecret error
		id, badID = url.QueryUnescape(user)
		secret, badSecret = url.QueryUnescape(password)
		if !ok || badID != nil || badSecret != nil {
			return Application{}, errApplication
		}
	}
	i := slices.IndexFunc(c.config.Applications, func(a Application) bool { return a.ClientID == id })
	if i < 0 || !same(secret, c.config.Applications[i].ClientSecret) {
		return Application{}, errApplication
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.organization(c.config.Applications[i].OrganizationID); !ok {
		return Application{}, errApplication
	}
	return c.config.Applications[i], nil
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

// connectMetadata answers GET /.well-known/oauth-authorization-server (RFC 8414).
func (c *connect) connectMetadata(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                c.config.connectIssuer(),
		"token_endpoint":                        c.config.under("oauth2/token").String(),
		"jwks_uri":                              c.config.under("oauth2/jwks").String(),
		"grant_types_supported":                 []string{"client_credentials"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
	})
}
