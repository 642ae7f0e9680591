package bearer

import (
	"errors"
	"fmt"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// Why a bearer token isn't good. A Verifier also says session.ErrEnded and session.ErrUnavailable. Each stands for one answer at
// the gateway.
var (
	// ErrBad: malformed, forged, expired, not valid yet, or made for somebody else.
	ErrBad = errors.New("bearer: bad token")
	// ErrClientAudience is the ErrBad for one of AuthKit's authorization server that is for the environment's client id
	// in place of the resource: WorkOS doesn't know the resource, or the client didn't ask for it.
	ErrClientAudience = fmt.Errorf("%w: its audience is the environment's client id", ErrBad)
	// ErrForeign is the ErrBad for one that nobody says is AuthKit's: of no
	// issuer that is configured, or no token of AuthKit's form at all. It may be the
	// app's own. Where something else than a bearer token may decide, it is as if there were none.
	ErrForeign = fmt.Errorf("%w: not of an issuer that is configured", ErrBad)
)

// foreign is the error for a token that doesn't say it is one of ours.
func foreign(c *token.Claims) error {
	if c.Issuer == "" {
		return fmt.Errorf("%w: it names none", ErrForeign)
	}
	return fmt.Errorf("%w: its issuer is %.100q; an application's must be in BEARER_ISSUERS, a session's in WORKOS_ISSUER where that is set", ErrForeign, c.Issuer)
}

// bearerError maps the token package's errors to those of a token that anybody can
// have sent: one that isn't known to be AuthKit's is bad, whatever the reason.
func bearerError(err error) error {
	if errors.Is(err, token.ErrUnavailable) && !errors.Is(err, token.ErrCooldown) {
		return fmt.Errorf("%w: %w", session.ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", ErrBad, err)
}
