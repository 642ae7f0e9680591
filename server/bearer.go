package server

import (
	"net/http"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/bearer"
	"github.com/authkit-forward-auth/authkit-forward-auth/config"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

func (s *Server) bearerSettings(toAuthKit http.RoundTripper) bearer.Config {
	session, connect := s.bearerVerifiers(s.config, toAuthKit)
	return bearer.Config{
		Sessions: s.sessions, Session: session, Connect: connect, Resources: authKitVerifier(s.config, toAuthKit),
		KeepAccessToken: s.config.IdentityHeaders.AccessToken, Metrics: s.metrics.registry,
	}
}

// bearerVerifiers verify access tokens that come as bearer tokens: those of sessions,
// and those of WorkOS Connect, whose keys each issuer serves.
func (s *Server) bearerVerifiers(c *config.Config, keys http.RoundTripper) (session *token.Verifier, connect []*token.Verifier) {
	session = &token.Verifier{Keys: s.keys, ClientID: c.ClientID, Issuers: c.Issuers}
	audiences := c.BearerAudiences
	if len(audiences) == 0 {
		audiences = []string{c.ClientID}
	}
	for _, issuer := range c.BearerIssuers {
		connect = append(connect, &token.Verifier{
			Keys:     &token.KeySet{URL: strings.TrimSuffix(issuer, "/") + "/oauth2/jwks", Client: &http.Client{Transport: keys}},
			ClientID: c.ClientID, Issuers: []string{issuer}, Audiences: audiences,
		})
	}
	return session, connect
}

// authKitVerifier verifies the tokens of AuthKit's authorization server; nil without AUTHKIT_DOMAIN.
func authKitVerifier(c *config.Config, keys http.RoundTripper) *token.Verifier {
	if c.AuthKitDomain == nil {
		return nil
	}
	issuer := c.AuthKitDomain.String()
	return &token.Verifier{
		Keys:     &token.KeySet{URL: issuer + "/oauth2/jwks", Client: &http.Client{Transport: keys}},
		ClientID: c.ClientID, Issuers: []string{issuer},
	}
}
