package token

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/jsonobject"
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
	Scopes            []string // scope, of tokens of OAuth clients
	IssuedAt          time.Time
	NotBefore         time.Time
	ExpiresAt         time.Time
}

// Token is an access token that was taken apart, so that this is done once. Nothing of
// it is verified but its form.
type Token struct {
	signed *jose.JSONWebSignature
	claims *Claims
}

// Parse takes a token apart. Its error is ErrInvalid.
func Parse(raw string) (*Token, error) {
	return parse(raw, parseClaims, jose.RS256)
}

func parse(raw string, read func(payload []byte) (*Claims, error), algorithms ...jose.SignatureAlgorithm) (*Token, error) {
	// The base64 decoder skips line ends; a token may be passed on as a header.
	if len(raw) > maxTokenBytes || strings.ContainsAny(raw, "\r\n") {
		return nil, fmt.Errorf("%w: too long, or with line ends", ErrInvalid)
	}
	signed, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil { // left out: it quotes the token
		return nil, fmt.Errorf("%w: not a JWT with %s", ErrInvalid, strings.Trim(fmt.Sprint(algorithms), "[]"))
	}
	claims, err := read(signed.UnsafePayloadWithoutVerification())
	if err != nil {
		return nil, err
	}
	return &Token{signed, claims}, nil
}

// Unverified returns the claims of a token that MAY BE FORGED: anybody could have
// written them. They are for a token that comes out of a seal and grants nothing,
// such as that of a session to sign out.
func (t *Token) Unverified() *Claims { return t.claims }

// Claimed returns whom a text that may be no token of AuthKit's at all says it is for, and
// from: issuer, client id and audience, all empty where it can't be read. ANYBODY could
// have written them. It is for choosing between two refusals.
func Claimed(raw string) *Claims {
	c := &Claims{}
	parts := strings.Split(raw, ".")
	if len(raw) > maxTokenBytes || len(parts) != 3 {
		return c
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return c
	}
	members, err := jsonobject.Members(payload)
	if err != nil {
		return c
	}
	var audience jwt.Audience
	_ = json.Unmarshal(members["iss"], &c.Issuer)
	_ = json.Unmarshal(members["client_id"], &c.ClientID)
	_ = json.Unmarshal(members["aud"], &audience)
	c.Audience = audience
	return c
}

func parseClaims(payload []byte) (*Claims, error) {
	members, err := jsonobject.Members(payload)
	if err != nil || members == nil {
		return nil, fmt.Errorf("%w: claims are not a JSON object", ErrInvalid)
	}
	c := &Claims{}
	if err := c.Identity.Decode(members, false); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	var audience jwt.Audience
	var scope string
	if err := identity.Decode(members, []identity.Claim{
		{Name: "jti", Into: &c.ID}, {Name: "iss", Into: &c.Issuer}, {Name: "client_id", Into: &c.ClientID}, {Name: "aud", Into: &audience},
		{Name: "scope", Into: &scope},
		{Name: "iat", Into: &c.IssuedAt}, {Name: "nbf", Into: &c.NotBefore}, {Name: "exp", Into: &c.ExpiresAt},
	}); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	c.Audience = audience
	if scope != "" {
		c.Scopes = strings.Fields(scope)
	}
	return c, nil
}
