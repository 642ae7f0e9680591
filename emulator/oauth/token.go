package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The grants of the token endpoint.
const (
	grantCode     = "authorization_code"
	grantRefresh  = "refresh_token"
	grantClient   = "client_credentials"
	grantDevice   = "urn:ietf:params:oauth:grant-type:device_code"
	grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// answer is that of RFC 6749, section 5.1.
type answer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
	Issued       string `json:"issued_token_type,omitempty"` // of an exchange
}

// Token answers POST /oauth2/token.
func (s *Server) Token(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*") // for clients in browsers
	given, err := s.grant(w, r)
	if err != nil {
		writeError(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, given)
}

func (s *Server) grant(w http.ResponseWriter, r *http.Request) (*answer, error) {
	f, err := form(w, r)
	if err != nil {
		return nil, err
	}
	c, err := s.authenticate(r, f)
	if err != nil {
		return nil, err
	}
	if scope := f.Get("scope"); scope != "" && !scopeFormat.MatchString(scope) {
		return nil, refuse("invalid_scope", "The scope is malformed.")
	}
	switch f.Get("grant_type") {
	case "":
		return nil, refuse("invalid_request", "The grant_type is required.")
	case grantClient:
		return s.grantMachine(c, f)
	case grantCode:
		return s.grantCode(c, f)
	case grantRefresh:
		return s.grantRefresh(c, f)
	case grantDevice:
		return s.grantDevice(c, f)
	case grantExchange:
		return s.grantExchange(c, f)
	}
	return nil, refuse("unsupported_grant_type", "The grant_type is not supported.")
}

// grantMachine gives an application a token for itself. Its audience is always the environment's client id.
func (s *Server) grantMachine(c *client, f url.Values) (*answer, error) {
	if c.application == nil {
		return nil, refuse("unauthorized_client", "Client credentials are for applications of the environment.")
	}
	claims := map[string]any{"aud": s.ClientID, "client_id": c.id, "sub": c.id, "org_id": c.application.OrganizationID}
	if scope := f.Get("scope"); scope != "" {
		claims["scope"] = scope
	}
	token, err := s.sign(claims)
	if err != nil {
		return nil, err
	}
	return &answer{AccessToken: token, TokenType: "bearer", ExpiresIn: int(s.Lifetime().Seconds()), Scope: f.Get("scope")}, nil
}

// sign makes an access token of its claims.
func (s *Server) sign(claims map[string]any) (string, error) {
	now := s.Now()
	all := map[string]any{"iss": s.Issuer, "jti": newID(""), "iat": now.Unix(), "exp": now.Add(s.Lifetime()).Unix()}
	maps.Copy(all, claims)
	return s.Signer.Sign(all)
}

// grantCode exchanges a code. One that comes twice ends what it was exchanged for (RFC 6749, section 4.1.2).
func (s *Server) grantCode(c *client, f url.Values) (*answer, error) {
	code := f.Get("code")
	s.mu.Lock()
	g, ok := s.codes.Get(code)
	if spent, again := s.spent.Get(code); again && spent.clientID == c.id {
		spent.revoked = true
	}
	s.mu.Unlock()
	switch {
	case code == "":
		return nil, refuse("invalid_request", "The code is required.")
	case !ok || g.client.id != c.id:
		return nil, refuse("invalid_grant", "The code is not valid.")
	case f.Get("redirect_uri") != g.redirectURI:
		return nil, refuse("invalid_grant", "The redirect_uri is not the one of the authorization request.")
	case !verified(f.Get("code_verifier"), g.challenge):
		return nil, refuse("invalid_grant", "The code_verifier is not the one of the code_challenge.")
	}
	if err := s.checkTarget(f, g.audience); err != nil {
		return nil, err
	}
	s.mu.Lock()
	_, ok = s.codes.Take(code)
	if ok {
		s.spent.Put(code, g.consent)
	}
	s.mu.Unlock()
	if !ok {
		return nil, refuse("invalid_grant", "The code is not valid.")
	}
	return s.issue(&refreshToken{client: g.client, consent: g.consent, scopes: g.scopes, audience: g.audience}, g.scopes, g.nonce)
}

// verified reports whether a code verifier is the challenge's (RFC 7636, 4.6).
func verified(verifier, challenge string) bool {
	if challenge == "" {
		return verifier == ""
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// checkTarget refuses a resource that the user didn't consent to. Where it is left out, the token is for the same as before.
func (s *Server) checkTarget(f url.Values, audience string) error {
	if !f.Has("resource") {
		return nil
	}
	asked, err := s.audience(f.Get("resource"))
	if err != nil {
		return err
	}
	if asked != audience {
		return refuse("invalid_target", "The resource is not the one of the authorization request.")
	}
	return nil
}

// refreshToken is one that works, once.
type refreshToken struct {
	client   *client
	consent  *consent
	scopes   []string // all that were granted
	audience string
}

// grantRefresh rotates a refresh token. Scopes can be narrowed, for this access token alone (RFC 6749, section 6).
func (s *Server) grantRefresh(c *client, f url.Values) (*answer, error) {
	s.mu.Lock()
	t, ok := s.tokens.Get(f.Get("refresh_token"))
	s.mu.Unlock()
	if !ok || t.client.id != c.id {
		return nil, refuse("invalid_grant", "The refresh token is not valid.")
	}
	scopes := t.scopes
	if f.Get("scope") != "" {
		scopes = scopesOf(f.Get("scope"))
		if slices.ContainsFunc(scopes, func(scope string) bool { return !slices.Contains(t.scopes, scope) }) {
			return nil, refuse("invalid_scope", "The scope is wider than what was granted.")
		}
	}
	if err := s.checkTarget(f, t.audience); err != nil {
		return nil, err
	}
	s.mu.Lock()
	_, ok = s.tokens.Take(f.Get("refresh_token"))
	s.mu.Unlock()
	if !ok {
		return nil, refuse("invalid_grant", "The refresh token is not valid.")
	}
	return s.issue(t, scopes, "")
}

// issue makes the tokens of a grant: an access token with these scopes, and the refresh token where the user allowed offline access.
func (s *Server) issue(t *refreshToken, scopes []string, nonce string) (*answer, error) {
	claims, user, err := s.claimsOf(t.consent, t.client.id, t.audience, scopes)
	if err != nil {
		return nil, err
	}
	a := &answer{TokenType: "bearer", ExpiresIn: int(s.Lifetime().Seconds()), Scope: strings.Join(scopes, " ")}
	if a.AccessToken, err = s.sign(claims); err != nil {
		return nil, err
	}
	if slices.Contains(scopes, "openid") {
		if a.IDToken, err = s.idToken(user, t.client.id, scopes, nonce); err != nil {
			return nil, err
		}
	}
	if slices.Contains(t.scopes, "offline_access") {
		a.RefreshToken = newID("")
		s.mu.Lock()
		s.tokens.Put(a.RefreshToken, t)
		s.mu.Unlock()
	}
	return a, nil
}

// claimsOf are those of a user's token, as long as the consent holds.
func (s *Server) claimsOf(given *consent, clientID, audience string, scopes []string) (map[string]any, User, error) {
	user, ok := s.holds(given)
	if !ok {
		return nil, user, refuse("invalid_grant", "The consent, the user or the membership is gone.")
	}
	claims := map[string]any{}
	maps.Copy(claims, user.Claims)
	for _, own := range []string{"scope", "org_id", "act", "nbf"} { // no template says these, even where the token has none
		delete(claims, own)
	}
	maps.Copy(claims, map[string]any{"aud": audience, "sub": user.ID, "client_id": clientID, "sid": given.id})
	if given.organizationID != "" {
		claims["org_id"] = given.organizationID
	}
	if len(scopes) > 0 {
		claims["scope"] = strings.Join(scopes, " ")
	}
	return claims, user, nil
}

// holds returns the user of a consent, and whether it goes on: it isn't revoked, and the user and the membership are there.
func (s *Server) holds(given *consent) (User, bool) {
	s.mu.Lock()
	revoked := given.revoked
	s.mu.Unlock()
	user, ok := s.Directory.User(given.userID)
	is := func(o Organization) bool { return o.ID == given.organizationID }
	return user, ok && !revoked && (given.organizationID == "" || slices.ContainsFunc(user.Organizations, is))
}

// idToken says to the client who signed in (OpenID Connect Core, 2). It is for the client alone.
func (s *Server) idToken(user User, clientID string, scopes []string, nonce string) (string, error) {
	claims := map[string]any{"aud": clientID, "sub": user.ID}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if slices.Contains(scopes, "email") {
		claims["email"], claims["email_verified"] = user.Email, true
	}
	if slices.Contains(scopes, "profile") {
		claims["name"] = user.Name
	}
	token, err := s.sign(claims)
	if err != nil {
		return "", errors.New("ID token: " + err.Error())
	}
	return token, nil
}
