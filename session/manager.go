package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// maxRemembered bounds the verified sessions in memory, at about 1 KB each.
const maxRemembered = 100_000

// Config is what a Manager works with. Log and Now may be zero; the rest must be set.
type Config struct {
	Cookie  Cookie
	Seal    *seal.Iron
	Tokens  *token.Verifier
	AuthKit Refresher
	// KeepAccessToken puts the access token into identities.
	KeepAccessToken bool
	Log             zerolog.Logger
	Now             func() time.Time // nil: time.Now
}

// Manager answers what session a request has. It is safe for concurrent use.
type Manager struct {
	Config
	remembered *otter.Cache[valueHash, *Verified]
	rotations  *rotations
	flights    *flights
}

// valueHash stands for a session cookie's value.
type valueHash [sha256.Size]byte

// hashValue hashes piece by piece: a conversion would copy 2 KB to the heap for
// every request.
func hashValue(sealed string) (hash valueHash) {
	var piece [512]byte
	digest := sha256.New()
	for len(sealed) > 0 {
		n := copy(piece[:], sealed)
		digest.Write(piece[:n])
		sealed = sealed[n:]
	}
	digest.Sum(hash[:0])
	return hash
}

// New makes a Manager with empty memories.
func New(c Config) *Manager {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Manager{
		Config:     c,
		remembered: otter.Must(&otter.Options[valueHash, *Verified]{MaximumSize: maxRemembered}),
		rotations:  newRotations(),
		flights:    newFlights(),
	}
}

// Verified is a session whose seal, signature and age are good. It is shared
// between requests and must not be changed.
type Verified struct {
	Identity Identity
	// Current is the sealed session that the browser should have instead of what
	// it sent. Empty where it has that already.
	Current string
	// Sent stands for the older cookie that the browser sent. Zero where Current is empty.
	Sent [32]byte

	line    lineKey
	arrived bool      // a request has brought its own cookie, not only an older one
	expires time.Time // when the access token has to be looked at again
	renewAt time.Time // from when an answer that can carry a cookie refreshes
}

// Verify returns the session that a request's cookie stands for. ahead says that
// the answer can carry a new cookie: then a session that is about to expire is
// refreshed now. The error is one of this package's, see errors.go: ErrNone,
// ErrBad, ErrEnded, ErrSuperseded, ErrUnavailable (*Outage), ErrMisconfigured or
// *StepRequired.
func (m *Manager) Verify(ctx context.Context, request http.Header, ahead bool) (*Verified, error) {
	sealed, err := m.pick(request)
	if err != nil {
		return nil, err
	}
	if v := m.recall(hashValue(sealed), ahead); v != nil && v.arrived {
		return v, nil
	}
	o, err := m.open(sealed)
	if err != nil {
		return nil, err
	}
	o.arrived = true
	now := m.Now()
	p := m.rotations.find(o.token, sealed, now)
	if p.superseded {
		return nil, ErrSuperseded
	}
	m.rotations.arrived(o.token, now)
	var v *Verified
	if p.current != "" {
		v, err = m.follow(ctx, p.current, ahead)
	} else {
		v, err = m.judge(ctx, o, p, ahead)
	}
	if err != nil || v.Current == "" {
		return v, err
	}
	stale := *v
	stale.Sent = o.hash
	return &stale, nil
}

// follow returns the session that a request's older cookie became.
func (m *Manager) follow(ctx context.Context, sealed string, ahead bool) (*Verified, error) {
	v := m.recall(hashValue(sealed), ahead)
	if v == nil {
		o, err := m.open(sealed)
		if err != nil {
			return nil, err
		}
		if v, err = m.judge(ctx, o, m.rotations.find(o.token, sealed, m.Now()), ahead); err != nil {
			return nil, err
		}
	}
	if v.Current == "" {
		copied := *v
		copied.Current = sealed
		v = &copied
	}
	return v, nil
}

// recall returns a remembered session while nothing about it can have changed.
func (m *Manager) recall(hash valueHash, ahead bool) *Verified {
	v, ok := m.remembered.GetIfPresent(hash)
	if !ok {
		return nil
	}
	limit := v.expires
	if ahead {
		limit = v.renewAt
	}
	if !m.Now().Before(limit) || m.rotations.hasEnded(v.line) {
		return nil
	}
	return v
}

// judge verifies the access token of a session that is nobody's past, and
// refreshes it where that is due.
func (m *Manager) judge(ctx context.Context, o *opened, p place, ahead bool) (*Verified, error) {
	claims, err := m.Tokens.Verify(ctx, o.AccessToken)
	unknownKey := errors.Is(err, token.ErrUnknownKey)
	if unknownKey {
		claims, _ = token.Decode(o.AccessToken)
	}
	if claims == nil {
		return nil, tokenError(err)
	}
	if claims.Subject != o.User.ID {
		return nil, fmt.Errorf("%w: access token of another user than the sealed one", ErrBad)
	}
	if m.rotations.hasEnded(lineOf(claims)) {
		return nil, ErrEnded
	}
	now := m.Now()
	fresh := now.Sub(p.made) < justRefreshed
	expired := errors.Is(err, token.ErrExpired)
	if expired && fresh {
		m.Log.Warn().Time("expires", claims.ExpiresAt).Time("now", now).
			Msg("a token that was refreshed just now has expired by this machine's clock: check the clock")
		err = nil
	}
	if err != nil && (expired || unknownKey && !fresh) {
		return m.renew(ctx, o, claims, p, askerWait)
	}
	if err != nil {
		return nil, tokenError(err)
	}
	v := m.verified(o, claims, p, now)
	if ahead && !now.Before(v.renewAt) && m.canRefresh(o, p, now) == nil {
		if renewed, err := m.renew(ctx, o, claims, p, aheadWait); err == nil {
			return renewed, nil
		}
	}
	m.remember(o, v)
	return v, nil
}

// tokenError maps the token package's errors to this package's.
func tokenError(err error) error {
	switch {
	case errors.Is(err, token.ErrIssuer):
		return fmt.Errorf("%w: %w", ErrMisconfigured, err)
	case errors.Is(err, token.ErrUnavailable), errors.Is(err, token.ErrUnknownKey): // the seal says that it is ours
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	default:
		return fmt.Errorf("%w: %w", ErrBad, err)
	}
}

func lineOf(c *token.Claims) lineKey { return lineKey{c.Subject, c.SessionID} }

func (m *Manager) verified(o *opened, c *token.Claims, p place, now time.Time) *Verified {
	v := &Verified{Identity: identityOf(o.Session, c), line: lineOf(c), arrived: o.arrived, expires: c.ExpiresAt}
	if m.KeepAccessToken {
		v.Identity.AccessToken = o.AccessToken
	}
	v.renewAt = c.ExpiresAt.Add(-aheadOf(c.ExpiresAt.Sub(c.IssuedAt)))
	if until := p.made.Add(justRefreshed); until.After(now) {
		v.renewAt = later(v.renewAt, until)
		v.expires = later(v.expires, until)
	}
	return v
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// remember keeps a verified session until it expires, unless its refresh token
// was exchanged meanwhile: an old cookie is looked up each time, as it may be
// superseded.
func (m *Manager) remember(o *opened, v *Verified) {
	m.remembered.Set(o.hash, v)
	if m.rotations.find(o.token, o.sealed, m.Now()).current != "" {
		m.remembered.Invalidate(o.hash)
	}
}

// Wait returns when no refresh is under way any more. Call it after the last
// request was answered.
func (m *Manager) Wait() { m.flights.running.Wait() }
