package token

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json" // case-sensitive, refuses duplicate names
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

const maxTokenBytes = 32 << 10

// Claims is what an access token says. What it doesn't say, or says as null, is
// the zero value.
//
// A JWT template of the operator's can replace most claims. One of those below, or of
// identity.Claims, with another JSON type than AuthKit's own makes the token invalid.
type Claims struct {
	identity.Identity          // without what only the sealed user says
	ID                string   // jti
	Issuer            string   // iss
	ClientID          string   // client_id
	Audience          []string // aud, usually absent
	IssuedAt          time.Time
	NotBefore         time.Time
	ExpiresAt         time.Time
}

// Decode returns the claims of a token WITHOUT VERIFYING it: anybody could have
// written them. It is for a token that comes out of a seal and grants nothing,
// such as that of a session to sign out. Its error is ErrInvalid.
func Decode(raw string) (*Claims, error) {
	_, claims, err := parse(raw)
	return claims, err
}

// parse takes a token apart. Nothing is verified but its form.
func parse(raw string) (*jose.JSONWebSignature, *Claims, error) {
	// The base64 decoder skips line ends; a token may be passed on as a header.
	if len(raw) > maxTokenBytes || strings.ContainsAny(raw, "\r\n") {
		return nil, nil, fmt.Errorf("%w: too long, or with line ends", ErrInvalid)
	}
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil { // left out: it quotes the token
		return nil, nil, fmt.Errorf("%w: not a JWT with RS256", ErrInvalid)
	}
	claims, err := parseClaims(signed.UnsafePayloadWithoutVerification())
	if err != nil {
		return nil, nil, err
	}
	return signed, claims, nil
}

func parseClaims(payload []byte) (*Claims, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(payload, &members); err != nil || members == nil {
		return nil, fmt.Errorf("%w: claims are not a JSON object", ErrInvalid)
	}
	c := &Claims{}
	if err := c.Identity.Decode(members, false); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	var audience jwt.Audience
	var issuedAt, notBefore, expiresAt *jwt.NumericDate
	for _, claim := range []struct {
		name string
		into any
	}{
		{"jti", &c.ID}, {"iss", &c.Issuer}, {"client_id", &c.ClientID}, {"aud", &audience},
		{"iat", &issuedAt}, {"nbf", &notBefore}, {"exp", &expiresAt},
	} {
		value, present := members[claim.name]
		if !present || string(value) == "null" {
			continue
		}
		if err := json.Unmarshal(value, claim.into); err != nil { // left out: it may quote the value
			return nil, fmt.Errorf("%w: claim %s has a wrong JSON type", ErrInvalid, claim.name)
		}
	}
	c.Audience = audience
	c.IssuedAt, c.NotBefore, c.ExpiresAt = issuedAt.Time(), notBefore.Time(), expiresAt.Time()
	return c, nil
}
