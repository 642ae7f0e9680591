package token

import (
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/jsonobject"
)

// ParseWorkload is Parse for a token of another issuer than AuthKit, with RS256 or ES256. name is the policy's for that issuer:
// the identity is a workload's of this name, whatever the token's claims are called. See identity.Workload.
func ParseWorkload(raw, name string) (*Token, error) {
	return parse(raw, func(payload []byte) (*Claims, error) { return workloadClaims(payload, name) }, jose.RS256, jose.ES256)
}

func workloadClaims(payload []byte, name string) (*Claims, error) {
	members, err := jsonobject.Members(payload)
	if err != nil || members == nil {
		return nil, fmt.Errorf("%w: claims are not a JSON object", ErrInvalid)
	}
	var subject string
	if json.Unmarshal(members["sub"], &subject) != nil {
		return nil, fmt.Errorf("%w: no sub", ErrInvalid)
	}
	id, ok := identity.Workload(name, identity.ClaimValues(members))
	if !ok {
		return nil, fmt.Errorf("%w: no sub, or one that is too long or has control characters", ErrInvalid)
	}
	c := &Claims{Identity: *id}
	var audience jwt.Audience
	if err := identity.Decode(members, []identity.Claim{
		{Name: "iss", Into: &c.Issuer}, {Name: "aud", Into: &audience},
		{Name: "iat", Into: &c.IssuedAt}, {Name: "nbf", Into: &c.NotBefore}, {Name: "exp", Into: &c.ExpiresAt},
	}); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	c.Audience = audience
	return c, nil
}
