package assertion

import (
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

// claims say what the identity headers do. Empty ones are left out.
type claims struct {
	Issuer        string   `json:"iss"`
	Audience      string   `json:"aud"` // the host that was asked for
	Subject       string   `json:"sub"`
	SessionID     string   `json:"sid,omitempty"`
	Email         string   `json:"email,omitempty"` // only where AuthKit says that it is verified
	EmailVerified bool     `json:"email_verified,omitempty"`
	Name          string   `json:"name,omitempty"`
	Organization  string   `json:"org,omitempty"`
	Role          string   `json:"role,omitempty"`
	Roles         []string `json:"roles,omitempty"`
	Permissions   []string `json:"permissions,omitempty"`
	Entitlements  []string `json:"entitlements,omitempty"`
	Act           *actor   `json:"act,omitempty"` // who acts in the subject's place (RFC 8693, 4.1)
	Impersonator  string   `json:"impersonator,omitempty"`
	Client        string   `json:"client,omitempty"`
	Scope         string   `json:"scope,omitempty"`
}

type actor struct {
	Subject string `json:"sub"`
}

// claimsOf are those of an identity. An application that refuses whoever isn't there in person looks at act alone; impersonator
// tells support staff from agents, to whom the user has delegated.
func claimsOf(id *identity.Identity, issuer, audience string) claims {
	c := claims{
		Issuer: issuer, Audience: audience, Subject: id.Subject, SessionID: id.SessionID, Name: id.Name,
		Organization: id.OrganizationID, Role: id.Role, Roles: id.Roles, Permissions: id.Permissions, Entitlements: id.Entitlements,
		Impersonator: id.Impersonator, Client: id.Extra.ClientID(), Scope: strings.Join(id.Extra.Granted(), " "),
	}
	if id.EmailVerified && id.Email != "" {
		c.Email, c.EmailVerified = id.Email, true
	}
	switch {
	case id.Impersonator != "":
		c.Act = &actor{id.Impersonator}
	case id.Extra.DelegatedTo() != "":
		c.Act = &actor{id.Extra.DelegatedTo()}
	}
	return c
}

// sign makes an assertion that is good from now on.
func (k *Keys) sign(c claims, now time.Time) (string, error) {
	payload, err := json.Marshal(struct {
		claims
		IssuedAt int64 `json:"iat"`
		Expires  int64 `json:"exp"`
	}{c, now.Unix(), now.Add(life).Unix()})
	if err != nil {
		return "", err
	}
	signed, err := k.signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}
