package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

const (
	maxBearers     = 20_000
	maxBearerBytes = 20 << 20
)

// bearer is a bearer token that was verified.
type bearer struct {
	Verified
	looked time.Time // when the store was asked about sign-outs and revocations
}

// VerifyBearer returns whose access token a request brought as a bearer token. It is
// shared between requests and must not be changed; it has no email address and no
// name, as tokens have none. The error is
//
//	ErrBad          malformed, forged, expired, not valid yet, or made for somebody else
//	ErrEnded        revoked, or its roles have changed: whoever holds it must refresh it
//	ErrUnavailable  nobody can tell now: there is no key set
func (m *Manager) VerifyBearer(ctx context.Context, raw string) (*identity.Identity, error) {
	if m.Bearer == nil {
		return nil, fmt.Errorf("%w: bearer tokens are not accepted", ErrBad)
	}
	hash, now := hashValue(raw), m.Now()
	b, ok := m.bearers.GetIfPresent(hash)
	if !ok || !now.Before(b.expires) || !b.looked.After(m.shared.missedAt()) {
		claims, err := m.verifyToken(ctx, raw)
		if err != nil {
			return nil, err
		}
		b = m.bearerOf(raw, claims, now)
		m.shared.lookMarks(ctx, b.line, &b.Identity)
		m.bearers.Set(hash, b)
	}
	if m.marks.judge(&b.Identity, b.line, b.issued, b.made) != untouched {
		return nil, ErrEnded
	}
	return &b.Identity, nil
}

// verifyToken has a bearer token verified by who is in charge of its issuer. What the
// token says for that isn't verified yet: it only chooses who verifies all of it.
func (m *Manager) verifyToken(ctx context.Context, raw string) (*token.Claims, error) {
	access, err := token.Parse(raw)
	if err != nil {
		return nil, bearerError(err)
	}
	claims := access.Unverified()
	verifier := m.Bearer
	if claims.ClientID != m.Bearer.ClientID {
		for _, connect := range m.Connect {
			if connect.IssuedBy(claims.Issuer) {
				verifier = connect
				break
			}
		}
	}
	claims, err = verifier.Verify(ctx, access)
	if err != nil {
		return nil, bearerError(err)
	}
	if claims.ClientID == "" && len(claims.Audience) == 0 && len(verifier.Issuers) == 0 {
		return nil, fmt.Errorf("%w: token: says neither by client_id nor by aud whom it is for, and WORKOS_ISSUER is not set", ErrBad)
	}
	return claims, nil
}

// bearerError maps the token package's errors to those of a token that anybody can
// have sent: what isn't known to be AuthKit's is bad, whatever the reason.
func bearerError(err error) error {
	if errors.Is(err, token.ErrUnavailable) && !errors.Is(err, token.ErrCooldown) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", ErrBad, err)
}

func (m *Manager) bearerOf(raw string, c *token.Claims, now time.Time) *bearer {
	b := &bearer{looked: now}
	b.Identity, b.line, b.issued, b.expires = identityOf(&Session{}, c), lineOf(c), c.IssuedAt, c.ExpiresAt
	if m.KeepAccessToken {
		b.Identity.AccessToken = raw
	}
	return b
}

// lookMarks merges what the store knows of an identity's sign-outs and revocations
// into the memory. If it can't be asked, what is known here has to do.
func (s *shared) lookMarks(ctx context.Context, key lineKey, id *identity.Identity) {
	if s.store == nil {
		return
	}
	var about []markKey
	var names []string
	add := func(k markKey) {
		for _, name := range s.markNames(k) {
			about, names = append(about, k), append(names, name)
		}
	}
	add(markKey{Subject: key.Subject, SID: key.SID})
	for k := range keysOf(id, false) {
		add(k)
	}
	values, err := s.store.Load(ctx, s.ttl, names...)
	if err != nil {
		return
	}
	for i, k := range about {
		for _, found := range unsealed[mark](s, names[i:i+1], values[i:i+1]) {
			s.marks.set(k, found, time.Time{})
		}
	}
}
