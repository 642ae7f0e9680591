package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/authkit-forward-auth/authkit-forward-auth/jsonobject"
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

// IsExtra reports whether a claim of this name is an Extra's: neither one of the table nor one that every access token
// has (RFC 7519, 4.1; RFC 9068, 2.2).
func IsExtra(name string) bool { return isExtra(name, new(Identity).Claims()) }

func isExtra(name string, table []Claim) bool {
	switch name {
	case "iss", "aud", "exp", "nbf", "iat", "jti", "client_id", "scope":
		return false
	}
	return storable(name) && !slices.ContainsFunc(table, func(c Claim) bool { return c.Name == name })
}

// ErrNoActor is Decode's error for an act claim without sub: somebody acts as the user,
// and the token doesn't say who.
var ErrNoActor = errors.New("claim act names nobody")

// Decode sets what the members of a claims object say, as Decode does for any table, and Extra. The
// claims of the sealed user are left out unless withUser is set.
func (i *Identity) Decode(members map[string]json.RawMessage, withUser bool) error {
	claims := i.Claims()
	i.Extra = extraOf(members, claims)
	if !withUser {
		claims = slices.DeleteFunc(claims, func(c Claim) bool { return c.OfUser })
	}
	return Decode(members, claims)
}

// Decode sets what the members of a claims object say; one that is null or not there
// sets nothing. A claim with another JSON type than AuthKit's own is an error, which
// quotes no value: it must not pass for a user without that role or organization.
func Decode(members map[string]json.RawMessage, claims []Claim) error {
	for _, claim := range claims {
		value, ok := members[claim.Name]
		if !ok || string(value) == "null" {
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
		object, err := jsonobject.Members(value)
		if err != nil {
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
	switch into := c.Into.(type) {
	case *string:
		if text, ok := plainText(value); ok {
			*into = text
			return nil
		}
	case *[]string:
		if texts, ok := plainTexts(value); ok {
			*into = texts
			return nil
		}
	case *time.Time:
		var date *jwt.NumericDate
		if err := json.Unmarshal(value, &date); err != nil {
			return err
		}
		*into = date.Time()
		return nil
	}
	return json.Unmarshal(value, c.Into)
}

// plainText returns a JSON string that is as it looks, as most are: a decoder would read
// each of them twice.
func plainText(value json.RawMessage) (string, bool) {
	last := len(value) - 1
	if last < 1 || value[0] != '"' || bytes.IndexByte(value, '\\') >= 0 || !utf8.Valid(value) {
		return "", false
	}
	return string(value[1:last]), true
}

// plainTexts is plainText for a list of them without spaces.
func plainTexts(value json.RawMessage) ([]string, bool) {
	last := len(value) - 1
	if last < 1 || value[0] != '[' || bytes.IndexByte(value, '\\') >= 0 || !utf8.Valid(value) {
		return nil, false
	}
	texts := []string{}
	for rest := value[1:last]; len(rest) > 0; {
		end := bytes.IndexByte(rest[1:], '"') + 2
		if rest[0] != '"' || end < len(rest) && rest[end] != ',' {
			return nil, false
		}
		texts = append(texts, string(rest[1:end-1]))
		rest = rest[min(end+1, len(rest)):]
	}
	return texts, true
}
