package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// justRefreshed is how long a new access token counts as valid whatever the clocks say,
// and is not refreshed again.
const justRefreshed = 30 * time.Second

// errDue says that a session is good for nothing but a refresh: its access token has
// expired, AuthKit has withdrawn its key, or there was an event that it doesn't know.
var errDue = errors.New("session: to be refreshed")

func isDue(err error) bool { return errors.Is(err, errDue) }

// check verifies the access token of a session. Its error is errDue, or one of Verify's.
func (m *Manager) check(ctx context.Context, s *resolved) (*Verified, error) {
	o := s.session
	claims, err := m.Tokens.Verify(ctx, o.access)
	unknownKey := errors.Is(err, token.ErrUnknownKey)
	if unknownKey {
		claims = o.claims
	}
	if claims == nil {
		return nil, tokenError(err)
	}
	if claims.Subject != o.User.ID {
		return nil, fmt.Errorf("%w: access token of another user than the sealed one", ErrBad)
	}
	v := m.verified(s, claims)
	v.seen = m.records.EventCount()
	switch m.eventsSay(&v.Identity, v.began, claims.IssuedAt) {
	case eventEnded:
		return nil, ErrEnded
	case eventChanged:
		if err == nil || unknownKey || errors.Is(err, token.ErrExpired) {
			return nil, due(o)
		}
	}
	if err == nil {
		return v, nil
	}
	expired := errors.Is(err, token.ErrExpired)
	if now := m.Now(); (expired || unknownKey) && v.refreshed && isJust(m.records.Moment(now).Sub(v.began)) {
		if expired {
			m.Log.Warn().Time("expires", claims.ExpiresAt).Time("now", now).
				Msg("a token that was refreshed just now has expired by this machine's clock: check the clock")
			return v, nil
		}
		return nil, tokenError(err)
	}
	if expired || unknownKey {
		return nil, due(o)
	}
	return nil, tokenError(err)
}

// isJust reports whether a refresh that began so long ago was just now. One of the future was
// not: the clock has been set back.
func isJust(ago time.Duration) bool { return -justRefreshed < ago && ago < justRefreshed }

// due is errDue, or ErrRejected for a session that can't be refreshed.
func due(o *opened) error {
	if o.RefreshToken == "" {
		return fmt.Errorf("%w: no refresh token", ErrRejected)
	}
	return errDue
}

// verified makes what is remembered of a good session.
func (m *Manager) verified(s *resolved, c *token.Claims) *Verified {
	o := s.session
	v := &Verified{
		Identity: identityOf(o.Session, c), token: o.token, copy: s.copy, record: s.record,
		checked: micros(m.Now()).minutes(), issued: micros(c.IssuedAt), expires: micros(c.ExpiresAt),
	}
	if m.KeepAccessToken {
		v.Identity.AccessToken = o.AccessToken
	}
	m.lists.compact(&v.Identity)
	v.renewAt = micros(c.ExpiresAt.Add(-aheadOf(c.ExpiresAt.Sub(c.IssuedAt))))
	if t := s.copy.Token(s.record, o.token); t != nil {
		v.began = t.Began
		v.refreshed = t.Began != 0 && (t.From != family.Hash{} || s.record.IsCurrent(t.Hash))
	}
	if v.refreshed {
		until := m.records.Local(v.began.Add(justRefreshed))
		if isJust(justRefreshed - until.Sub(m.Now())) {
			v.renewAt, v.expires = max(v.renewAt, micros(until)), max(v.expires, micros(until))
		}
	}
	return v
}

// identityOf joins what a session's access token says with what only its seal does.
func identityOf(s *Session, c *token.Claims) identity.Identity {
	id := c.Identity
	id.Email, id.EmailVerified, id.Name = s.User.Email, s.User.EmailVerified, s.User.Name
	if len(id.Roles) == 0 && id.Role != "" {
		id.Roles = []string{id.Role}
	}
	if id.Impersonator == "" {
		id.Impersonator = s.Impersonator
	}
	return id
}

// tokenError maps the token package's errors to this package's.
func tokenError(err error) error {
	switch {
	case errors.Is(err, token.ErrIssuer):
		return fmt.Errorf("%w: %w", ErrMisconfigured, err)
	case errors.Is(err, token.ErrEarly):
		return fmt.Errorf("%w: %w: check this machine's clock", ErrUnavailable, err)
	case errors.Is(err, token.ErrUnavailable), errors.Is(err, token.ErrUnknownKey): // the seal says that it is ours
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	default:
		return fmt.Errorf("%w: %w", ErrBad, err)
	}
}

// concerned reports whether a session knows nothing of what happened at a moment: its
// exchange or sign-in here began before. Of one that was never exchanged here only AuthKit's
// clock is known, which may be a minute off.
func concerned(at, began family.Moment, issued time.Time) bool {
	if at == 0 {
		return false
	}
	if began != 0 {
		return began <= at
	}
	return family.At(issued) <= at.Add(time.Minute)
}
