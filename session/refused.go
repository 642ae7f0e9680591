package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

// refused sorts AuthKit's refusals: what ends the session, what asks for a step,
// and what only means that nobody can tell now. A refused token may have been
// spent by somebody else meanwhile: then it returns their session. What AuthKit says
// of a switch is not kept: the session goes on where it is.
func (m *Manager) refused(ctx context.Context, r renewal, locked bool, err error) (string, error) {
	if errors.Is(err, ErrInvalidGrant) {
		return m.condemned(ctx, r, locked)
	}
	var step *StepRequired
	if errors.As(err, &step) {
		if step.OrganizationID == "" {
			step = &StepRequired{Code: step.Code, OrganizationID: r.organizationID}
		}
		m.metrics.refreshes.WithLabelValues(resultStep).Inc()
		r.audit(m.Log.Info()).Str("code", step.Code).Msg("AuthKit asks for a step of the user's")
		if !r.switches() {
			m.rotations.await(r.token, lineOf(r.claims), step, m.Now())
			_ = m.shared.saveTurn(ctx, r.token, m.Now()) // told later, where it can't be now
		}
		return "", step
	}
	var outage *Outage
	if !errors.As(err, &outage) {
		outage = &Outage{Err: err}
	}
	result, level, text := resultOutage, zerolog.WarnLevel, "AuthKit can't refresh sessions now; sessions are kept"
	switch {
	case outage.Refused && r.switches(): // anybody can ask for an organization that there isn't
		result, text = resultRejected, "AuthKit refuses to move the session to this organization"
	case outage.Refused:
		result, level, text = resultRejected, zerolog.ErrorLevel, "AuthKit refuses this service's own request, or answers with something that is no session; sessions are kept"
	}
	m.metrics.refreshes.WithLabelValues(result).Inc()
	r.audit(m.Log.WithLevel(level)).Int("status", outage.Status).Str("code", outage.Code).Err(outage.Err).Msg(text)
	if !r.switches() {
		m.rotations.hold(r.token, lineOf(r.claims), outage.RetryAfter, m.Now())
		_ = m.shared.saveTurn(ctx, r.token, m.Now())
	}
	return "", outage
}

// condemned handles invalid_grant. It is about this refresh token, not about the
// session: a replica or an app's own SDK may have spent it.
func (m *Manager) condemned(ctx context.Context, r renewal, locked bool) (string, error) {
	count := func(result string) { m.metrics.refreshes.WithLabelValues(result).Inc() }
	defer func() { _ = m.shared.saveTurn(ctx, r.token, m.Now()) }() // told later, where it can't be now
	p := m.look(ctx, r.opened, m.Store != nil)
	if p.current != "" {
		count(resultElsewhere)
		return p.current, nil
	}
	if p.uncertain || !locked {
		count(resultUncertain)
		m.rotations.hold(r.token, lineOf(r.claims), backOff, m.Now())
		r.audit(m.Log.Warn()).Msg("AuthKit refused the refresh token, and the store can't tell whether another replica has spent it; the session is kept")
		return "", &Outage{RetryAfter: backOff, Err: errors.New("refresh token refused, and the store can't be asked")}
	}
	m.rotations.refuse(r.token, lineOf(r.claims), r.claims.IssuedAt, m.Now())
	if p := m.rotations.find(r.token, r.sealed, m.Now()); p.current != "" {
		count(resultElsewhere)
		r.audit(m.Log.Info()).Msg("AuthKit refused the refresh token, which an app's own SDK has spent: its session goes on")
		return p.current, nil
	}
	count(resultEnded)
	r.audit(m.Log.Info()).Msg("AuthKit refused the refresh token: the session has ended")
	return "", fmt.Errorf("%w: %w", ErrEnded, ErrInvalidGrant)
}

// audit is a log line about the refresh, with whose it is.
func (r renewal) audit(line *zerolog.Event) *zerolog.Event {
	c := r.claims
	line = line.Str("event", "refresh").Str("subject", c.Subject).Str("session", c.SessionID).Str("session_hash", identity.HashSession(c.SessionID))
	if r.switches() {
		line = line.Str("organization", r.organizationID)
	}
	return line
}
