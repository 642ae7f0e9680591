package identity

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4/json" // case-sensitive, refuses duplicate names
	"github.com/go-jose/go-jose/v4/jwt"
)

// Claim says where a claim goes.
type Claim struct {
	Name   string
	Member string // where the claim is an object: the one member of it that counts
	Into   any    // *string, *[]string, *bool or *time.Time (seconds since 1970)
	OfUser bool   // of the sealed user: an access token that has it is not believed
}

// Claims is the table of the claims that say who is there.
func (i *Identity) Claims() []Claim {
	return []Claim{
		{Name: "sub", Into: &i.Subject},
		{Name: "sid", Into: &i.SessionID},
		{Name: "org_id", Into: &i.OrganizationID},
		{Name: "role", Into: &i.Role},
		{Name: "roles", Into: &i.Roles},
		{Name: "permissions", Into: &i.Permissions},
		{Name: "entitlements", Into: &i.Entitlements},
		{Name: "feature_flags", Into: &i.FeatureFlags},
		{Name: "act", Member: "sub", Into: &i.Impersonator},
		{Name: "auth_time", Into: &i.AuthTime},
		{Name: "email", Into: &i.Email, OfUser: true},
		{Name: "email_verified", Into: &i.EmailVerified, OfUser: true},
	}
}

// ErrNoActor is Decode's error for an act claim without sub: somebody acts as the user,
// and the token doesn't say who.
var ErrNoActor = errors.New("claim act names nobody")

// Decode sets what the members of a claims object say; one that is null or not there
// sets nothing. A claim with another JSON type than AuthKit's own is an error, which
// quotes no value: it must not pass for a user without that role or organization.
func (i *Identity) Decode(members map[string]json.RawMessage, withUser bool) error {
	for _, claim := range i.Claims() {
		value, ok := members[claim.Name]
		if !ok || string(value) == "null" || claim.OfUser && !withUser {
			continue
		}
		err := claim.decode(value)
		if errors.Is(err, ErrNoActor) {
			return err
		}
		if err != nil {
			return fmt.Errorf("claim %s has a wrong JSON type", claim.Name)
		}
	}
	return nil
}

func (c Claim) decode(value json.RawMessage) error {
	if c.Member != "" {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(value, &object); err != nil {
			return err
		}
		into := c.Into.(*string)
		if member, ok := object[c.Member]; ok {
			if err := json.Unmarshal(member, into); err != nil {
				return err
			}
		}
		if *into == "" {
			return ErrNoActor
		}
		return nil
	}
	if into, ok := c.Into.(*time.Time); ok {
		var date *jwt.NumericDate
		if err := json.Unmarshal(value, &date); err != nil {
			return err
		}
		*into = date.Time()
		return nil
	}
	return json.Unmarshal(value, c.Into)
}
