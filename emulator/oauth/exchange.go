package oauth

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const accessTokenType = "urn:ietf:params:oauth:token-type:access_token"

// grantExchange gives an application a token of its own for a user who delegated to it: with the user's access token, for another
// resource, with those scopes or fewer (RFC 8693). Its act names the application.
func (s *Server) grantExchange(c *client, f url.Values) (*answer, error) {
	if c.application == nil {
		return nil, refuse("unauthorized_client", "Tokens are exchanged by applications of the environment.")
	}
	if f.Get("subject_token_type") != accessTokenType || f.Get("subject_token") == "" {
		return nil, refuse("invalid_request", "The subject_token must be an access token.")
	}
	if requested := f.Get("requested_token_type"); requested != "" && requested != accessTokenType || f.Has("actor_token") {
		return nil, refuse("invalid_request", "Only an access token can be had, and the actor is the client.")
	}
	if f.Has("audience") {
		return nil, refuse("invalid_target", "The audience is a resource: use resource.")
	}
	subject, given, ok := s.active(f.Get("subject_token"))
	if !ok || given == nil {
		return nil, refuse("invalid_grant", "The subject_token is not a user's valid access token.")
	}
	audience, err := s.audience(f.Get("resource"))
	if err != nil {
		return nil, err
	}
	granted := scopesOf(text(subject, "scope"))
	scopes := granted
	if f.Get("scope") != "" {
		scopes = scopesOf(f.Get("scope"))
		if slices.ContainsFunc(scopes, func(scope string) bool { return !slices.Contains(granted, scope) }) {
			return nil, refuse("invalid_scope", "The scope is wider than that of the subject_token.")
		}
	}
	claims, _, err := s.claimsOf(given, c.id, audience, scopes)
	if err != nil {
		return nil, err
	}
	actor := map[string]any{"sub": c.id}
	if before, ok := subject["act"]; ok { // RFC 8693, section 4.1
		actor["act"] = before
	}
	claims["act"] = actor
	token, err := s.sign(claims)
	if err != nil {
		return nil, err
	}
	return &answer{
		AccessToken: token, TokenType: "bearer", ExpiresIn: int(s.Lifetime().Seconds()), Scope: strings.Join(scopes, " "), Issued: accessTokenType,
	}, nil
}

// active returns the claims of an access token that is good now, and its consent; nil: a machine's has none.
func (s *Server) active(token string) (map[string]any, *consent, bool) {
	claims, err := s.Signer.Verify(token)
	if err != nil {
		return nil, nil, false
	}
	expires, _ := claims["exp"].(float64)
	if text(claims, "client_id") == "" || s.Now().Unix() >= int64(expires) { // an ID token has no client_id
		return nil, nil, false
	}
	sid := text(claims, "sid")
	if sid == "" {
		_, ok := s.client(text(claims, "client_id"))
		return claims, nil, ok
	}
	given := s.consentOf(sid)
	if given == nil {
		return nil, nil, false
	}
	_, ok := s.holds(given)
	return claims, given, ok
}

// consentOf finds a consent by its id; nil: there is none.
func (s *Server) consentOf(id string) *consent {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.consents.All()
	i := slices.IndexFunc(all, func(c *consent) bool { return c.id == id })
	if i < 0 {
		return nil
	}
	return all[i]
}

func text(claims map[string]any, name string) string {
	value, _ := claims[name].(string)
	return value
}

// Introspect answers POST /oauth2/introspection (RFC 7662), for applications of the environment.
func (s *Server) Introspect(w http.ResponseWriter, r *http.Request) {
	f, err := form(w, r)
	if err != nil {
		writeError(w, r, err)
		return
	}
	c, err := s.authenticate(r, f)
	if err == nil && c.application == nil {
		err = errClient
	}
	if err == nil && f.Get("token") == "" {
		err = refuse("invalid_request", "The token is required.")
	}
	if err != nil {
		writeError(w, r, err)
		return
	}
	claims, _, ok := s.active(f.Get("token"))
	if !ok {
		claims, ok = s.activeRefresh(f.Get("token"))
	}
	if !ok {
		writeJSON(w, http.StatusOK, map[string]any{"active": false})
		return
	}
	claims["active"] = true
	writeJSON(w, http.StatusOK, claims)
}

// activeRefresh is active for a refresh token.
func (s *Server) activeRefresh(token string) (map[string]any, bool) {
	s.mu.Lock()
	t, ok := s.tokens.Get(token)
	s.mu.Unlock()
	if !ok {
		return nil, false
	}
	if _, ok := s.holds(t.consent); !ok {
		return nil, false
	}
	return map[string]any{
		"client_id": t.client.id, "sub": t.consent.userID, "sid": t.consent.id, "aud": t.audience, "scope": strings.Join(t.scopes, " "), "iss": s.Issuer,
	}, true
}
