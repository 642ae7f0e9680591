package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Identity is what an application may learn about who is signed in. Organization,
// roles and the like come from the verified access token, the rest from the sealed user.
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
	Extra          *Extra    // what most tokens don't say; nil: nothing
}

// SessionHash names the session in log lines of decisions without giving its id
// away; the audit lines have both. Empty where there is no id.
func (i Identity) SessionHash() string { return HashSession(i.SessionID) }

// HashSession is the SessionHash of a session id.
func HashSession(id string) string {
	if id == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:6])
}

// Size is about what its texts and lists take in memory, in bytes.
func (i *Identity) Size() int {
	size := len(i.Subject) + len(i.Email) + len(i.Name) + len(i.SessionID) + len(i.AccessToken) + i.Extra.Size()
	for _, list := range [][]string{i.Roles, i.Permissions, i.Entitlements, i.FeatureFlags} {
		for _, item := range list {
			size += 16 + len(item)
		}
	}
	return size
}
