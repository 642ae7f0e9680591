package emulator

import (
	"encoding/json"
	"fmt"
)

// claims of an access token, in the API's order. There is no audience.
type claims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Actor    *actor `json:"act,omitempty"`
	ClientID string `json:"client_id"`

	// Of the organization, where there is one.
	*organizationClaims

	SessionID string `json:"sid"`
	ID        string `json:"jti"`
	AuthTime  int64  `json:"auth_time"`
	IssuedAt  int64  `json:"iat"`
	Expires   int64  `json:"exp"`
}

// ownClaims are those that no template replaces here.
func ownClaims() []string {
	return []string{"iss", "sub", "act", "client_id", "org_id", "role", "roles", "permissions", "entitlements", "feature_flags",
		"sid", "jti", "auth_time", "iat", "exp", "nbf", "aud"}
}

// actor is who acts as the subject: the impersonator's email address.
type actor struct {
	Subject string `json:"sub"`
}

type organizationClaims struct {
	OrganizationID string   `json:"org_id"`
	Role           string   `json:"role"`
	Roles          []string `json:"roles"`
	Permissions    []string `json:"permissions"`
	Entitlements   []string `json:"entitlements,omitempty"`
	FeatureFlags   []string `json:"feature_flags,omitempty"`
}

// accessToken signs a new token of the session.
func (a *authentication) accessToken(s *session) (string, error) {
	now := a.now()
	c := claims{
		Issuer:             a.issuer(),
		Subject:            s.person.ID,
		ClientID:           a.config.ClientID,
		organizationClaims: a.organizationClaims(s),
		SessionID:          s.id,
		ID:                 newID("", now),
		AuthTime:           s.created.Unix(),
		IssuedAt:           now.Unix(),
		Expires:            now.Add(a.settings.AccessTokenLifetime).Unix(),
	}
	if by := s.person.Impersonator; by != nil {
		c.Actor = &actor{by.Email}
	}
	payload, err := withTemplate(c, s.person.Claims)
	if err != nil {
		return "", fmt.Errorf("emulator: access token: %w", err)
	}
	signed, err := a.keys.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("emulator: access token: %w", err)
	}
	return signed.CompactSerialize()
}

// withTemplate is the token's JSON with the claims of a JWT template behind AuthKit's own.
func withTemplate(c claims, template map[string]any) ([]byte, error) {
	payload, err := json.Marshal(c)
	if err != nil || len(template) == 0 {
		return payload, err
	}
	more, err := json.Marshal(template)
	if err != nil {
		return nil, err
	}
	return append(append(payload[:len(payload)-1], ','), more[1:]...), nil
}

// organizationClaims are nil without an organization.
func (a *authentication) organizationClaims(s *session) *organizationClaims {
	organization, _ := a.organization(s.organizationID)
	member, ok := s.person.membership(s.organizationID)
	if !ok {
		return nil
	}
	return &organizationClaims{
		OrganizationID: organization.ID,
		Role:           member.Roles[0],
		Roles:          member.Roles,
		Permissions:    append([]string{}, a.permissions(member)...), // [] where there are none
		Entitlements:   organization.Entitlements,
		FeatureFlags:   organization.FeatureFlags,
	}
}
