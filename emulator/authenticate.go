package emulator

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator/bounded"
)

// organizationSelection is the grant that finishes organization_selection_required.
const organizationSelection = "urn:workos:oauth:grant-type:organization-selection"

// authentication has the grants that make sessions and their tokens, and what is under way. The
// environment's lock guards it; the caller of its methods with small letters holds it.
type authentication struct {
	*environment
	codes    *bounded.Map[grant]
	pending  *bounded.Map[grant] // waiting for the choice of an organization
	sessions *bounded.Map[*session]
	tokens   *bounded.Map[*refreshToken]
}

func newAuthentication(e *environment) *authentication {
	now := e.config.Now
	return &authentication{
		environment: e,
		codes:       bounded.New[grant](maxCodes, codeLifetime, now),
		pending:     bounded.New[grant](maxCodes, codeLifetime, now),
		sessions:    bounded.New[*session](maxSessions, sessionLifetime, now),
		tokens:      bounded.New[*refreshToken](maxRefreshTokens, sessionLifetime, now),
	}
}

// grant is what a code or a pending authentication token stands for.
type grant struct {
	person         *person
	organizationID string // empty: not chosen
	challenge      string // PKCE S256 challenge, empty without
}

// authenticate answers POST /user_management/authenticate.
func (e *Emulator) authenticate(w http.ResponseWriter, r *http.Request) {
	e.count("authenticate")
	p, err := params(w, r)
	name := "authenticate"
	if grant := grantName(p.Get("grant_type")); grant != "" {
		name += "." + grant
		e.count(name)
	}
	e.serve(name, w, r, func(w http.ResponseWriter, _ *http.Request) {
		if err != nil {
			writeError(w, err)
			return
		}
		e.mu.Lock()
		answer, err := e.answer(p)
		e.mu.Unlock()
		if err != nil {
			writeError(w, err)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	})
}

// grantName is what a grant's calls are named after, or nothing.
func grantName(grantType string) string {
	switch grantType {
	case "authorization_code", "refresh_token":
		return grantType
	case organizationSelection:
		return "organization_selection"
	}
	return ""
}

// answer runs one grant.
func (a *authentication) answer(p url.Values) (*authenticated, error) {
	if err := a.checkClient(p); err != nil {
		return nil, err
	}
	switch p.Get("grant_type") {
	case "authorization_code":
		return a.grantCode(p)
	case "refresh_token":
		return a.grantRefresh(p)
	case organizationSelection:
		return a.grantSelection(p)
	}
	return nil, oauthError("invalid_request", "The grant_type is not supported.")
}

func (a *authentication) checkClient(p url.Values) error {
	if p.Get("client_id") != a.config.ClientID {
		return oauthError("invalid_client", "Invalid client ID.")
	}
	if !same(p.Get("client_secret"), a.config.APIKey) {
		return oauthError("invalid_client", "Invalid client secret.")
	}
	return nil
}

// grantCode spends the code, also when it is then refused. Like the real API it repeats the code
// in its refusal, so that a client that logs descriptions is found out here.
func (a *authentication) grantCode(p url.Values) (*authenticated, error) {
	code := p.Get("code")
	g, ok := a.codes.Take(code)
	if !ok || g.person.deleted {
		return nil, oauthError("invalid_grant", fmt.Sprintf("The code '%.64s' has expired or is invalid.", code))
	}
	if err := checkVerifier(g.challenge, p.Get("code_verifier")); err != nil {
		return nil, err
	}
	if _, ok := g.person.membership(g.organizationID); !ok {
		g.organizationID = ""
		switch organizations := a.organizationsOf(g.person.User); len(organizations) {
		case 0:
		case 1:
			g.organizationID = organizations[0].ID
		default:
			return nil, a.selectionRequired(g, organizations)
		}
	}
	return a.startSession(g, p.Get("ip_address"), p.Get("user_agent"))
}

func checkVerifier(challenge, verifier string) error {
	if challenge == "" && verifier != "" {
		return codeError(http.StatusBadRequest, "code_challenge_not_found", "No code challenge was sent for this code.")
	}
	if challenge == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(verifier))
	if !same(base64.RawURLEncoding.EncodeToString(sum[:]), challenge) {
		return oauthError("invalid_grant", "Invalid code verifier.")
	}
	return nil
}

// selectionRequired is the answer to a user of several organizations who has not
// chosen one.
func (a *authentication) selectionRequired(g grant, organizations []Organization) error {
	token := newSecret()
	a.pending.Put(token, g)
	type choice struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	var choices []choice
	for _, o := range organizations {
		choices = append(choices, choice{o.ID, o.Name})
	}
	return &apiError{http.StatusForbidden, map[string]any{
		"code":                         "organization_selection_required",
		"message":                      "The user must choose an organization to finish their authentication.",
		"pending_authentication_token": token,
		"organizations":                choices,
		"user":                         g.person.json(),
	}}
}

// grantSelection leaves the pending token for another try when the organization is refused.
func (a *authentication) grantSelection(p url.Values) (*authenticated, error) {
	token := p.Get("pending_authentication_token")
	g, ok := a.pending.Get(token)
	if !ok || g.person.deleted {
		return nil, codeError(http.StatusBadRequest, "invalid_pending_authentication_token",
			"The pending authentication token has expired or is invalid.")
	}
	if err := a.checkMembership(g.person, p.Get("organization_id")); err != nil {
		return nil, err
	}
	if err := a.checkSteps(g.person, p.Get("organization_id")); err != nil {
		return nil, err
	}
	a.pending.Take(token)
	g.organizationID = p.Get("organization_id")
	return a.startSession(g, p.Get("ip_address"), p.Get("user_agent"))
}

// grantRefresh rotates a refresh token. A refused one is not spent by the refusal.
func (a *authentication) grantRefresh(p url.Values) (*authenticated, error) {
	now := a.config.Now()
	token, ok := a.tokens.Get(p.Get("refresh_token"))
	if !ok {
		return nil, oauthError("invalid_grant", "Invalid refresh token.")
	}
	s, ok := a.sessions.Get(token.session.id)
	if !ok || !s.ended.IsZero() {
		return nil, oauthError("invalid_grant", "Session has already ended.")
	}
	if !token.spent.IsZero() && now.Sub(token.spent) >= a.settings.GraceWindow {
		return nil, oauthError("invalid_grant", "Refresh token already exchanged.")
	}
	// The session's own organization may have lost the user, or be gone.
	if organizationID := cmp.Or(p.Get("organization_id"), s.organizationID); organizationID != "" {
		if err := a.checkMembership(s.person, organizationID); err != nil {
			return nil, err
		}
		if organizationID != s.signedInto {
			if err := a.checkSteps(s.person, organizationID); err != nil {
				return nil, err
			}
		}
		s.organizationID = organizationID
	}
	if token.spent.IsZero() {
		token.spent = now
	}
	s.updated = a.now()
	return a.issue(s)
}
