package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

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

// canRefresh returns why a session can't be refreshed now, or nil.
func (m *Manager) canRefresh(o *opened, p place, now time.Time) error {
	switch {
	case o.RefreshToken == "":
		return fmt.Errorf("%w: no refresh token", ErrEnded)
	case p.refused:
		return fmt.Errorf("%w: %w", ErrEnded, ErrInvalidGrant)
	case now.Before(p.pause) && p.step != nil:
		return p.step
	case now.Before(p.pause):
		return &Outage{RetryAfter: p.pause.Sub(now), Err: errors.New("waiting before AuthKit is asked again")}
	}
	if wait := m.backoff.wait(now); wait > 0 {
		return resting(wait)
	}
	return nil
}

// renew refreshes a session, once however many ask, and returns what it became.
func (m *Manager) renew(ctx context.Context, o *opened, c *token.Claims, p place, wait time.Duration) (*Verified, error) {
	if err := m.canRefresh(o, p, m.Now()); err != nil {
		return nil, err
	}
	f := m.flights.join(o.token, func(ctx context.Context) (string, bool, error) {
		return m.exchange(ctx, o, c)
	})
	if f == nil {
		m.metrics.refreshes.WithLabelValues(resultOverloaded).Inc()
		return nil, &Outage{RetryAfter: backOff, Err: errors.New("too many refreshes are waiting")}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-f.done:
	case <-timer.C:
		return nil, &Outage{RetryAfter: backOff, Err: errors.New("the refresh takes too long")}
	case <-ctx.Done():
		return nil, &Outage{Err: ctx.Err()}
	}
	if f.err != nil {
		return nil, f.err
	}
	return m.follow(ctx, f.sealed, false, f.here)
}

// exchange spends the refresh token and stores what it became before anybody
// is answered. here is false where somebody else has done that.
func (m *Manager) exchange(ctx context.Context, o *opened, c *token.Claims) (sealed string, here bool, err error) {
	p := m.rotations.find(o.token, o.sealed, m.Now())
	if p.current != "" {
		return p.current, false, nil // a flight that has just landed did it
	}
	if err := m.canRefresh(o, p, m.Now()); err != nil {
		return "", false, err // or was refused
	}
	release, locked := m.shared.lock(ctx, o.token)
	defer release()
	if m.Store != nil {
		if p = m.look(ctx, o, true); p.current != "" {
			m.metrics.refreshes.WithLabelValues(resultElsewhere).Inc()
			return p.current, false, nil // another replica did it
		}
		if err := m.canRefresh(o, p, m.Now()); err != nil {
			return "", false, err
		}
	}
	begun := m.Now()
	probe, err := m.backoff.begin(begun)
	if err != nil {
		return "", false, err
	}
	r, sealed, err := m.askAuthKit(ctx, o, c)
	m.backoff.end(probe, err, m.Now())
	if err != nil {
		sealed, err = m.refused(context.WithoutCancel(ctx), o, c, locked, err)
		return sealed, false, err
	}
	m.rotations.record(r, begun, m.Now())
	m.remembered.Invalidate(o.hash)
	m.metrics.refreshes.WithLabelValues(resultRefreshed).Inc()
	m.shared.saveRotation(context.WithoutCancel(ctx), r, o.hash)
	m.Log.Info().Str("event", "refresh").Str("subject", c.Subject).Str("session", c.SessionID).Str("session_hash", hashSession(c.SessionID)).Msg("session refreshed")
	return sealed, true, nil
}

// askAuthKit makes the call and seals what it brings. An answer that is no session
// is an outage: the token may be spent.
func (m *Manager) askAuthKit(ctx context.Context, o *opened, c *token.Claims) (rotation, string, error) {
	response, err := m.AuthKit.Refresh(ctx, o.RefreshToken, c.OrganizationID)
	if err != nil {
		return rotation{}, "", err
	}
	next, err := o.Refreshed(response)
	if err != nil {
		return rotation{}, "", &Outage{Refused: true, Err: err}
	}
	claims, err := token.Decode(next.AccessToken)
	if err != nil {
		return rotation{}, "", &Outage{Refused: true, Err: err}
	}
	sealed, err := m.seal(next)
	if err != nil {
		return rotation{}, "", &Outage{Refused: true, Err: err}
	}
	return rotation{
		line: lineOf(c), spent: o.token, next: hashToken(next.RefreshToken), from: o.sealed, sealed: sealed, issued: claims.IssuedAt,
	}, sealed, nil
}

// refused sorts AuthKit's refusals: what ends the session, what asks for a step,
// and what only means that nobody can tell now. A refused token may have been
// spent by somebody else meanwhile: then it returns their session.
func (m *Manager) refused(ctx context.Context, o *opened, c *token.Claims, locked bool, err error) (string, error) {
	log := func(e *zerolog.Event) *zerolog.Event {
		return e.Str("event", "refresh").Str("subject", c.Subject).Str("session", c.SessionID).Str("session_hash", hashSession(c.SessionID))
	}
	defer func() { _ = m.shared.saveTurn(ctx, o.token, m.Now()) }()
	var step *StepRequired
	if errors.As(err, &step) {
		if step.OrganizationID == "" {
			step = &StepRequired{Code: step.Code, OrganizationID: c.OrganizationID}
		}
		m.metrics.refreshes.WithLabelValues(resultStep).Inc()
		m.rotations.await(o.token, lineOf(c), step, m.Now())
		log(m.Log.Info()).Str("code", step.Code).Msg("AuthKit asks for a step of the user's")
		return "", step
	}
	if errors.Is(err, ErrInvalidGrant) {
		return m.condemned(ctx, o, c, locked, log)
	}
	var outage *Outage
	if !errors.As(err, &outage) {
		outage = &Outage{Err: err}
	}
	m.rotations.hold(o.token, lineOf(c), outage.RetryAfter, m.Now())
	result, line, text := resultOutage, m.Log.Warn(), "AuthKit can't refresh sessions now; sessions are kept"
	if outage.Refused {
		result, line, text = resultRejected, m.Log.Error(), "AuthKit refuses this service's own request, or answers with something that is no session; sessions are kept"
	}
	m.metrics.refreshes.WithLabelValues(result).Inc()
	log(line).Int("status", outage.Status).Str("code", outage.Code).Err(outage.Err).Msg(text)
	return "", outage
}

// condemned handles invalid_grant. It is about this refresh token, not about the
// session: a replica or an app's own SDK may have spent it.
func (m *Manager) condemned(ctx context.Context, o *opened, c *token.Claims, locked bool, log func(*zerolog.Event) *zerolog.Event) (string, error) {
	count := func(result string) { m.metrics.refreshes.WithLabelValues(result).Inc() }
	p := m.look(ctx, o, m.Store != nil)
	if p.current != "" {
		count(resultElsewhere)
		return p.current, nil
	}
	if p.uncertain || !locked {
		count(resultUncertain)
		m.rotations.hold(o.token, lineOf(c), backOff, m.Now())
		log(m.Log.Warn()).Msg("AuthKit refused the refresh token, and the store can't tell whether another replica has spent it; the session is kept")
		return "", &Outage{RetryAfter: backOff, Err: errors.New("refresh token refused, and the store can't be asked")}
	}
	m.rotations.refuse(o.token, lineOf(c), c.IssuedAt, m.Now())
	if p := m.rotations.find(o.token, o.sealed, m.Now()); p.current != "" {
		count(resultElsewhere)
		log(m.Log.Info()).Msg("AuthKit refused the refresh token, which an app's own SDK has spent: its session goes on")
		return p.current, nil
	}
	count(resultEnded)
	log(m.Log.Info()).Msg("AuthKit refused the refresh token: the session has ended")
	return "", fmt.Errorf("%w: %w", ErrEnded, ErrInvalidGrant)
}
