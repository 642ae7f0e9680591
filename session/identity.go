package session

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// Identity is what an application may learn about who is signed in. Organization,
// roles and the like come from the verified access token, the rest from the seal.
type Identity struct {
	Subject        string // user id
	Email          string
	EmailVerified  bool // by the user, as AuthKit says
	Name           string
	SessionID      string
	OrganizationID string
	Role           string
	Roles          []string
	Permissions    []string
	Entitlements   []string
	FeatureFlags   []string
	Impersonator   string    // who is really there, empty without impersonation
	AuthTime       time.Time // when the user last signed in, zero where the token doesn't say
	AccessToken    string    // empty unless asked for
}

// SessionHash names the session in log lines of decisions without giving its id
// away; the audit lines have both. Empty where there is no id.
func (i Identity) SessionHash() string { return hashSession(i.SessionID) }

func hashSession(id string) string {
	if id == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:6])
}

func identityOf(s *Session, c *token.Claims) Identity {
	id := Identity{
		Subject: c.Subject, Email: s.User.Email, EmailVerified: s.User.EmailVerified, Name: s.User.Name, SessionID: c.SessionID,
		OrganizationID: c.OrganizationID, Role: c.Role, Roles: c.Roles,
		Permissions: c.Permissions, Entitlements: c.Entitlements, FeatureFlags: c.FeatureFlags,
		Impersonator: c.Actor, AuthTime: c.AuthTime,
	}
	if len(id.Roles) == 0 && id.Role != "" {
		id.Roles = []string{id.Role}
	}
	if id.Impersonator == "" {
		id.Impersonator = s.Impersonator
	}
	return id
}
