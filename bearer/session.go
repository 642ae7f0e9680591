package bearer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// connect returns the verifier for the tokens of AuthKit's OAuth and M2M applications
// that is in charge of a token, nil if none is.
func (v *Verifier) connect(c *token.Claims) *token.Verifier {
	if c.ClientID == v.Session.ClientID {
		return nil
	}
	for _, connect := range v.Connect {
		if connect.IssuedBy(c.Issuer) {
			return connect
		}
	}
	return nil
}

// claimsSession reports whether a token says that it is a session's of this environment.
// Where the issuer isn't configured, AuthKit's can't be told from others, and the client
// says it.
func (v *Verifier) claimsSession(c *token.Claims) bool {
	if len(v.Session.Issuers) > 0 {
		return v.Session.IssuedBy(c.Issuer)
	}
	return c.ClientID == v.Session.ClientID || c.ClientID == "" && slices.Contains(c.Audience, v.Session.ClientID)
}

// verifySessionToken verifies the access token of a session. AuthKit signs others with
// the same keys: an agent's has no sid, and neither has an ID token.
func (v *Verifier) verifySessionToken(ctx context.Context, access *token.Token) (*token.Claims, error) {
	c, err := v.Session.Verify(ctx, access)
	unknownKey := errors.Is(err, token.ErrUnknownKey) || errors.Is(err, token.ErrCooldown)
	switch {
	case unknownKey && len(v.Session.Issuers) == 0 && access.Unverified().ClientID == "": // nothing says that it is ours
		return nil, foreign(access.Unverified())
	case err != nil:
		return nil, bearerError(err)
	case c.ClientID == "" && len(c.Audience) == 0 && len(v.Session.Issuers) == 0:
		return nil, fmt.Errorf("%w: says neither by client_id nor by aud whom it is for, and WORKOS_ISSUER is not set", ErrBad)
	case c.SessionID == "" || !strings.HasPrefix(c.Subject, "user_"):
		return nil, fmt.Errorf("%w: not of a user's session (it has no sid, or its sub is no user_…)", ErrBad)
	}
	return c, nil
}
