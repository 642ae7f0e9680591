package bearer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// Audience is an OAuth protected resource that tokens of AuthKit's authorization server have to be made for.
type Audience struct {
	URL      string                     // of the resource
	Is       func(audience string) bool // whether a token's audience is this one
	Machines bool                       // takes tokens of machines (M2M), whose audience is the environment's client id
	Agents   bool                       // takes agents' tokens
}

// key tells apart what a token was verified for: one that this audience takes may be none at the next.
func (a *Audience) key() string {
	if a == nil {
		return ""
	}
	key := a.URL // as it is for most: a request costs no text of its own
	if a.Machines {
		key += " m2m"
	}
	if a.Agents {
		key += " agents"
	}
	return key
}

// verifyFor verifies a token for a resource. parsed is what Parse has said of it.
func (v *Verifier) verifyFor(ctx context.Context, access *token.Token, parsed error, audience *Audience) (*token.Claims, error) {
	switch {
	case parsed != nil:
		return nil, bearerError(parsed)
	case v.Resources == nil:
		return nil, fmt.Errorf("%w: AUTHKIT_DOMAIN is not set", ErrForeign)
	case !v.Resources.IssuedBy(access.Unverified().Issuer):
		return nil, fmt.Errorf("%w: its issuer is %.100q, and a resource takes those of AUTHKIT_DOMAIN alone", ErrForeign, access.Unverified().Issuer)
	}
	claims, err := v.Resources.VerifyFor(ctx, access, func(c *token.Claims) error { return v.madeFor(c, audience) })
	switch {
	case errors.Is(err, ErrClientAudience):
		return nil, err
	case err != nil:
		return nil, bearerError(err)
	case isAgent(claims) && !audience.Agents:
		return nil, fmt.Errorf("%w: an agent's, and the rule has no agents: allow", ErrBad)
	case !isAgent(claims) && !isMachine(claims) && !strings.HasPrefix(claims.Subject, "user_"):
		return nil, fmt.Errorf("%w: of nobody that is known (its sub is neither user_… nor its client's id)", ErrBad)
	}
	return delegated(claims), nil
}

// madeFor says what is wrong with a token's audience.
func (v *Verifier) madeFor(c *token.Claims, audience *Audience) error {
	switch {
	case isMachine(c) && !audience.Machines:
		return fmt.Errorf("%w: a machine's, and the rule has no m2m: allow", token.ErrInvalid)
	case isMachine(c) && slices.Contains(c.Audience, v.Session.ClientID), slices.ContainsFunc(c.Audience, audience.Is):
		return nil
	case slices.Contains(c.Audience, v.Session.ClientID):
		return fmt.Errorf("%w: register %s at WorkOS (Connect, Configuration, MCP resource indicators), or have the client send it as resource", ErrClientAudience, audience.URL)
	}
	return fmt.Errorf("%w: another audience's", token.ErrInvalid)
}

// A machine's token is its own: WorkOS Connect's client credentials.
func isMachine(c *token.Claims) bool {
	return c.ClientID != "" && c.Subject == c.ClientID && c.SessionID == ""
}

func isAgent(c *token.Claims) bool { return strings.HasPrefix(c.Subject, "agent_reg_") }

// delegated reads act as what it is in tokens of OAuth clients: delegation, to an agent say, and no impersonation. Their sid is a
// consent's and no session's.
func delegated(c *token.Claims) *token.Claims {
	extra := identity.Extra{}
	if c.Extra != nil {
		extra = *c.Extra
	}
	extra.Scopes, extra.Client, extra.Actor = c.Scopes, c.ClientID, c.Impersonator
	c.Extra, c.Impersonator = &extra, ""
	return c
}
