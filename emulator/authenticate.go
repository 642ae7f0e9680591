package emulator

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// organizationSelection is the grant that finishes organization_selection_required.
const organizationSelection = "urn:workos:oauth:grant-type:organization-selection"

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
		answer, err := e.grant(p)
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

// params reads a body of form values or of a JSON object, whose strings count.
func params(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if mediaType == "application/x-www-form-urlencoded" {
		if err := r.ParseForm(); err != nil {
			return nil, oauthError("invalid_request", "The body is not a valid form.")
		}
		return r.PostForm, nil
	}
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, oauthError("invalid_request", "The body is not a valid JSON object.")
	}
	p := url.Values{}
	for name, value := range body {
		if s, ok := value.(string); ok {
			p.Set(name, s)
		}
	}
	return p, nil
}

// grant runs one grant. The caller holds the lock.
func (e *Emulator) grant(p url.Values) (*authenticated, error) {
	if err := e.checkClient(p); err != nil {
		return nil, err
	}
	switch p.Get("grant_type") {
	case "authorization_code":
		return e.grantCode(p)
	case "refresh_token":
		return e.grantRefresh(p)
	case organizationSelection:
		return e.grantSelection(p)
	}
	return nil, oauthError("invalid_request", "The grant_type is not supported.")
}

func (e *Emulator) checkClient(p url.Values) error {
	if p.Get("client_id") != e.config.ClientID {
		return oauthError("invalid_client", "Invalid client ID.")
	}
	if !same(p.Get("client_secret"), e.config.APIKey) {
		return oauthError("invalid_client", "Invalid client secret.")
	}
	return nil
}

// same compares secrets.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// grantCode spends the code, also when it is then refused. Like the real API it repeats the code
// in its refusal, so that a client that logs descriptions is found out here.
func (e *Emulator) grantCode(p url.Values) (*authenticated, error) {
	code := p.Get("code")
	g, ok := e.codes.take(e.config.Now(), code)
	if !ok || g.person.deleted {
		return nil, oauthError("invalid_grant", fmt.Sprintf("The code '%.64s' has expired or is invalid.", code))
	}
	if err := checkVerifier(g.challenge, p.Get("code_verifier")); err != nil {
		return nil, err
	}
	if _, ok := g.person.membership(g.organizationID); !ok {
		g.organizationID = ""
		switch organizations := e.organizationsOf(g.person.User); len(organizations) {
		case 0:
		case 1:
			g.organizationID = organizations[0].ID
		default:
			return nil, e.selectionRequired(g, organizations)
		}
	}
	return e.startSession(g, p.Get("ip_address"), p.Get("user_agent"))
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
func (e *Emulator) selectionRequired(g grant, organizations []Organization) error {
	token := newSecret()
	e.pending.put(e.config.Now(), token, g)
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
func (e *Emulator) grantSelection(p url.Values) (*authenticated, error) {
	now, token := e.config.Now(), p.Get("pending_authentication_token")
	g, ok := e.pending.get(now, token)
	if !ok || g.person.deleted {
		return nil, codeError(http.StatusBadRequest, "invalid_pending_authentication_token",
			"The pending authentication token has expired or is invalid.")
	}
	if err := e.checkMembership(g.person, p.Get("organization_id")); err != nil {
		return nil, err
	}
	if err := e.checkSteps(g.person, p.Get("organization_id")); err != nil {
		return nil, err
	}
	e.pending.take(now, token)
	g.organizationID = p.Get("organization_id")
	return e.startSession(g, p.Get("ip_address"), p.Get("user_agent"))
}

func (e *Emulator) checkMembership(p *person, organizationID string) error {
	if _, ok := e.organization(organizationID); !ok {
		return oauthError("organization_not_found", "The organization does not exist.")
	}
	if _, ok := p.membership(organizationID); !ok {
		return oauthError("organization_membership_not_found", "The user is not a member of the organization.")
	}
	return nil
}

// What an organization may require of those who enter it.
const (
	ssoRequired   = "sso_required"
	mfaEnrollment = "mfa_enrollment"
)

// checkSteps refuses a user whom the organization asks for a step that only the hosted page has.
// Nothing takes the pending token: the way is a sign-in with the organization's id. The caller holds
// the lock.
func (e *Emulator) checkSteps(p *person, organizationID string) error {
	o, _ := e.organization(organizationID)
	switch o.Requires {
	case ssoRequired:
		return &apiError{http.StatusBadRequest, map[string]any{
			"error":                        ssoRequired,
			"error_description":            "The user must sign in through the organization's connection.",
			"connection_ids":               []string{"conn_" + strings.TrimPrefix(o.ID, "org_")},
			"email":                        p.Email,
			"pending_authentication_token": newSecret(),
		}}
	case mfaEnrollment:
		return oauthError(mfaEnrollment, "The user must enroll a second factor to finish their authentication.")
	}
	return nil
}
