package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Why a token isn't good.
var (
	// ErrInvalid: malformed, forged, or made for another client.
	ErrInvalid = errors.New("token: invalid")
	// ErrEarly: not valid yet by this machine's clock. It is an ErrInvalid, too.
	ErrEarly = fmt.Errorf("%w: not valid yet", ErrInvalid)
	// ErrExpired: good but for its age. The claims come with it.
	ErrExpired = errors.New("token: expired")
	// ErrIssuer: signed by this client's keys, but of an issuer that isn't
	// configured. The operator's mistake, whatever the age; the claims come with it.
	ErrIssuer = errors.New("token: another issuer")
	// ErrUnavailable: there is no key set, or the token's key id is unknown and the set
	// may not, or can't, be fetched again yet.
	ErrUnavailable = errors.New("token: no key to verify it with now")
	// ErrCooldown is the ErrUnavailable for an unknown key id while the set, which was
	// fetched for one just now, may not be fetched again.
	ErrCooldown = fmt.Errorf("%w: unknown key, and the set was fetched for one just now", ErrUnavailable)
	// ErrUnknownKey: a set fetched for this has no such key. AuthKit withdrew the
	// key, or the token is another environment's.
	ErrUnknownKey = errors.New("token: unknown key")
)

// leeway is what clocks may differ by.
const leeway = 10 * time.Second

// Verifier verifies the access tokens of one kind of credential. It has a
// cooldown of its own for unknown keys: what strangers send as a bearer token
// can't keep a sealed session from having its key fetched. So make one for each
// kind; they may share a KeySet. It may be used by many goroutines, and must not
// be copied.
type Verifier struct {
	Keys     *KeySet // required
	ClientID string  // required without Audiences: the client that tokens are made for
	// Audiences are for the access tokens of AuthKit's Connect: those of OAuth and M2M
	// applications, whose audience is a resource or the environment's client id, and
	// whose client id is the application's own. Where they are set, a token must have an
	// audience among them, its client id is not looked at, and Issuers is required.
	Audiences []string
	// Issuers are those allowed, compared without a trailing slash. Empty: not
	// checked, since AuthKit's depends on the environment's age and domain.
	Issuers []string
	// Now is the clock. Nil means time.Now.
	Now func() time.Time

	unknown unknownKeys
}

// Verify returns the token's claims if its signature, client, issuer and times are
// right. With ErrExpired and ErrIssuer, it returns the claims too: signed, but not
// to be let in with. It waits for a fetch of the key set for as long as ctx allows.
//
// Without Audiences the token needn't have an audience or a client id, as AuthKit's
// older ones don't: the key set is the client's own. Where it has a client id, that
// must be ClientID; where it has only an audience, that must contain it.
func (v *Verifier) Verify(ctx context.Context, t *Token) (*Claims, error) {
	return v.verify(ctx, t, v.madeFor)
}

// VerifyFor is Verify for a token that has to be made for something in particular: madeFor says what is wrong with its
// audience, in place of ClientID and Audiences. Issuers is required.
func (v *Verifier) VerifyFor(ctx context.Context, t *Token, madeFor func(c *Claims) error) (*Claims, error) {
	if len(v.Issuers) == 0 {
		return nil, fmt.Errorf("%w: no issuer is known", ErrInvalid)
	}
	return v.verify(ctx, t, madeFor)
}

func (v *Verifier) verify(ctx context.Context, t *Token, madeFor func(c *Claims) error) (*Claims, error) {
	claims := t.claims
	if err := v.check(claims); err != nil {
		return nil, err
	}
	if err := madeFor(claims); err != nil {
		return nil, err
	}
	key, err := v.key(ctx, t.signed.Signatures[0].Protected.KeyID)
	if err != nil {
		return nil, err
	}
	if _, err := t.signed.Verify(key); err != nil {
		return nil, fmt.Errorf("%w: signature", ErrInvalid)
	}
	// Before the age: a refresh would bring a token of the same issuer, and so on for ever.
	anyIssuer := len(v.Issuers) == 0 && len(v.Audiences) == 0
	if !anyIssuer && !v.IssuedBy(claims.Issuer) {
		return claims, fmt.Errorf("%w: %q", ErrIssuer, claims.Issuer)
	}
	if v.now().After(claims.ExpiresAt.Add(leeway)) {
		return claims, ErrExpired
	}
	return claims, nil
}

// check looks at what must be right whoever signed the token: it is cheaper than
// a signature, and than a fetch for a key that nobody needs.
func (v *Verifier) check(c *Claims) error {
	switch {
	case c.Subject == "":
		return fmt.Errorf("%w: no sub", ErrInvalid)
	case c.ExpiresAt.IsZero():
		return fmt.Errorf("%w: no exp", ErrInvalid)
	case v.now().Before(c.NotBefore.Add(-leeway)):
		return ErrEarly
	}
	return nil
}

// madeFor reports whether the token is for the client, or for one of the audiences.
func (v *Verifier) madeFor(c *Claims) error {
	switch {
	case len(v.Audiences) > 0:
		return hasAudience(c, v.Audiences...)
	case c.ClientID != "" && c.ClientID != v.ClientID:
		return fmt.Errorf("%w: another client's", ErrInvalid)
	case c.ClientID == "" && len(c.Audience) > 0:
		return hasAudience(c, v.ClientID)
	}
	return nil
}

func hasAudience(c *Claims, audiences ...string) error {
	if !slices.ContainsFunc(c.Audience, func(a string) bool { return slices.Contains(audiences, a) }) {
		return fmt.Errorf("%w: another audience's", ErrInvalid)
	}
	return nil
}

// IssuedBy reports whether the issuer is one of Issuers.
func (v *Verifier) IssuedBy(issuer string) bool {
	return slices.ContainsFunc(v.Issuers, func(allowed string) bool {
		return strings.TrimSuffix(allowed, "/") == strings.TrimSuffix(issuer, "/")
	})
}

func (v *Verifier) now() time.Time { return clock(v.Now) }

func clock(now func() time.Time) time.Time {
	if now == nil {
		return time.Now()
	}
	return now()
}
