package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// errDue says that a session is good for nothing but a refresh: its access token has
// expired, AuthKit has withdrawn its key, or there is news that it doesn't know.
var errDue = errors.New("session: to be refreshed")

// assess verifies the access token of a session that is nobody's past. With errDue
// it returns session and claims, too.
func (m *Manager) assess(ctx context.Context, o *opened, p place) (*Verified, *token.Claims, error) {
	claims, err := m.Tokens.Verify(ctx, o.access)
	unknownKey := errors.Is(err, token.ErrUnknownKey)
	if unknownKey {
		claims = o.access.Unverified()
	}
	if claims == nil {
		return nil, nil, tokenError(err)
	}
	if claims.Subject != o.User.ID {
		return nil, nil, fmt.Errorf("%w: access token of another user than the sealed one", ErrBad)
	}
	now := m.Now()
	v := m.verified(o, claims, p, now)
	said := m.marks.judge(&v.Identity, v.line, v.issued, v.made)
	if said == ended {
		return nil, nil, ErrEnded
	}
	fresh := p.fresh || now.Sub(p.made) < justRefreshed
	expired := errors.Is(err, token.ErrExpired)
	if expired && fresh {
		m.Log.Warn().Time("expires", claims.ExpiresAt).Time("now", now).
			Msg("a token that was refreshed just now has expired by this machine's clock: check the clock")
		err = nil
	}
	switch {
	case said == outdated && p.fresh:
		return nil, nil, &Outage{RetryAfter: backOff, Err: errors.New("AuthKit's news arrived during the refresh")}
	case said == outdated && err == nil, expired && !fresh, unknownKey && !fresh:
		return v, claims, errDue
	case err != nil:
		return nil, nil, tokenError(err)
	}
	return v, claims, nil
}

// judge returns the session that a cookie stands for, refreshed where that is due.
func (m *Manager) judge(ctx context.Context, r resolved, ahead bool) (*Verified, error) {
	v, err := r.verified, error(nil)
	if v == nil {
		v, err = m.verifyOrRefresh(ctx, r.opened, r.place, ahead)
	}
	if err != nil || r.current == "" || v.Current != "" {
		return v, err
	}
	older := *v
	older.Current = r.current
	return &older, nil
}

// verifyOrRefresh refreshes a session that is nobody's past where that is due.
func (m *Manager) verifyOrRefresh(ctx context.Context, o *opened, p place, ahead bool) (*Verified, error) {
	v, claims, err := m.assess(ctx, o, p)
	if err != nil && !errors.Is(err, errDue) {
		return nil, err
	}
	r := renewal{opened: o, claims: claims, organizationID: claims.OrganizationID}
	if err != nil {
		return m.renew(ctx, r, p, askerWait)
	}
	now := m.Now()
	if ahead && !now.Before(v.renewAt) && m.canRefresh(r, p, now) == nil {
		if renewed, err := m.renew(ctx, r, p, aheadWait); err == nil {
			return renewed, nil
		}
	}
	if o.arrived && m.rotations.meet(v.line, o.token, o.sealed, v.issued, now) {
		m.shared.saveLine(ctx, v.line, now)
	}
	m.remember(o, v)
	return v, nil
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
