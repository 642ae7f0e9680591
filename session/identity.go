package session

import (
	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// identityOf joins what a session's access token says with what only its seal does.
func identityOf(s *Session, c *token.Claims) identity.Identity {
	id := c.Identity
	id.Email, id.EmailVerified, id.Name = s.User.Email, s.User.EmailVerified, s.User.Name
	if len(id.Roles) == 0 && id.Role != "" {
		id.Roles = []string{id.Role}
	}
	if id.Impersonator == "" {
		id.Impersonator = s.Impersonator
	}
	return id
}
