package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

const (
	askerWait = 5 * time.Second  // how long a request waits for a refresh that it needs
	aheadWait = time.Second      // and for one that it could do without
	backOff   = time.Second      // before AuthKit is asked again about a token, where it doesn't say
	maxPause  = time.Minute      // the longest wait that AuthKit can ask for
	stepPause = 10 * time.Second // before AuthKit is asked again whether it still wants a step of the user's
)

// Refresher exchanges a refresh token at AuthKit and returns the raw authenticate
// response. Its errors are ErrInvalidGrant, *StepRequired and *Outage.
type Refresher interface {
	Refresh(ctx context.Context, refreshToken, organizationID string) (json.RawMessage, error)
}

// aheadOf is how long before its expiry a token of this lifetime is refreshed,
// on answers that can carry the cookie: before WorkOS's SDKs do it, which is 60
// and 30 s.
func aheadOf(lifetime time.Duration) time.Duration {
	ahead := 90 * time.Second
	if lifetime <= 5*time.Minute {
		ahead = 60 * time.Second
	}
	return min(ahead, lifetime/4)
}

// renewal is one use of a session's refresh token: to go on where it is, or to move
// to another organization.
type renewal struct {
	*opened
	claims         *token.Claims // of the access token
	organizationID string        // that the new one is for
}

func (r renewal) switches() bool { return r.organizationID != r.claims.OrganizationID }

// canRefresh returns why a session can't be refreshed now, or nil. What AuthKit said
// of the present organization doesn't hinder a move to another.
func (m *Manager) canRefresh(r renewal, p place, now time.Time) error {
	switch {
	case r.RefreshToken == "":
		return fmt.Errorf("%w: no refresh token", ErrEnded)
	case p.refused:
		return fmt.Errorf("%w: %w", ErrEnded, ErrInvalidGrant)
	case r.switches() || !now.Before(p.pause):
	case p.step != nil:
		return p.step
	default:
		return &Outage{RetryAfter: p.pause.Sub(now), Err: errors.New("waiting before AuthKit is asked again")}
	}
	if wait := m.backoff.wait(now); wait > 0 {
		return resting(wait)
	}
	return nil
}

// renew refreshes a session, once however many ask, and returns what it became.
func (m *Manager) renew(ctx context.Context, r renewal, p place, wait time.Duration) (*Verified, error) {
	if err := m.canRefresh(r, p, m.Now()); err != nil {
		return nil, err
	}
	f, err := m.land(ctx, r, wait)
	if err != nil {
		return nil, err
	}
	became, err := m.resolveCurrent(ctx, f.sealed, lookup{remembered: true})
	if err != nil {
		return nil, err
	}
	became.place.fresh = f.here
	return m.judge(ctx, became, false)
}

// land waits until the session's refresh token is exchanged, whoever asked for it:
// one token is never sent twice. Where that was for another organization, what it
// brought is taken as it is, but why it failed is no answer to r.
func (m *Manager) land(ctx context.Context, r renewal, wait time.Duration) (*flight, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errors.New("the refresh takes too long"))
	defer cancel()
	for {
		f := m.flights.join(r.token, r.organizationID, func(ctx context.Context) (string, bool, error) {
			return m.exchange(ctx, r)
		})
		if f == nil {
			m.metrics.refreshes.WithLabelValues(resultOverloaded).Inc()
			return nil, &Outage{RetryAfter: backOff, Err: errors.New("too many refreshes are waiting")}
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, &Outage{RetryAfter: backOff, Err: context.Cause(ctx)}
		}
		if f.err == nil || f.organizationID == r.organizationID {
			return f, f.err
		}
	}
}

// exchange spends the refresh token and stores what it became before anybody
// is answered. here is false where somebody else has done that.
func (m *Manager) exchange(ctx context.Context, r renewal) (sealed string, here bool, err error) {
	p := m.rotations.find(r.token, r.sealed, m.Now())
	if p.current != "" {
		return p.current, false, nil // a flight that has just landed did it
	}
	if err := m.canRefresh(r, p, m.Now()); err != nil {
		return "", false, err // or was refused
	}
	release, locked := m.shared.lock(ctx, r.token)
	defer release()
	if m.Store != nil {
		if p = m.look(ctx, r.opened, true); p.current != "" {
			m.metrics.refreshes.WithLabelValues(resultElsewhere).Inc()
			return p.current, false, nil // another replica did it
		}
		if err := m.canRefresh(r, p, m.Now()); err != nil {
			return "", false, err
		}
	}
	begun := m.Now()
	if r.switches() {
		if err := m.switches.allow(lineOf(r.claims), begun); err != nil {
			return "", false, err
		}
	}
	probe, err := m.backoff.begin(begun)
	if err != nil {
		return "", false, err
	}
	made, err := m.askAuthKit(ctx, r)
	m.backoff.end(probe, r.switches(), err, m.Now())
	if err != nil {
		sealed, err = m.refused(context.WithoutCancel(ctx), r, locked, err)
		return sealed, false, err
	}
	m.rotations.record(made, begun, m.Now())
	m.remembered.Invalidate(r.hash)
	m.metrics.refreshes.WithLabelValues(resultRefreshed).Inc()
	m.shared.saveRotation(context.WithoutCancel(ctx), made, r.hash)
	r.audit(m.Log.Info()).Msg("session refreshed")
	return made.sealed, true, nil
}

// askAuthKit makes the call and seals what it brings. An answer that is no session
// is an outage: the token may be spent.
func (m *Manager) askAuthKit(ctx context.Context, r renewal) (rotation, error) {
	response, err := m.AuthKit.Refresh(ctx, r.RefreshToken, r.organizationID)
	if err != nil {
		return rotation{}, err
	}
	next, err := r.Refreshed(response)
	if err != nil {
		return rotation{}, &Outage{Refused: true, Err: err}
	}
	access, err := token.Parse(next.AccessToken)
	if err != nil {
		return rotation{}, &Outage{Refused: true, Err: err}
	}
	sealed, err := m.seal(next)
	if err != nil {
		return rotation{}, &Outage{Refused: true, Err: err}
	}
	return rotation{
		line: lineOf(r.claims), spent: r.token, next: hashToken(next.RefreshToken), from: r.sealed, sealed: sealed, issued: access.Unverified().IssuedAt,
	}, nil
}
