package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

const (
	maxRemembered      = 100_000
	maxRememberedBytes = 100 << 20
)

// Config is what a Manager works with.
type Config struct {
	Cookie  Cookie
	Seal    *seal.Cookie
	Tokens  *token.Verifier
	AuthKit Refresher
	// Slim leaves out of cookies what identity headers don't need of the user.
	Slim bool
	// KeepAccessToken puts the access token into identities.
	KeepAccessToken bool
	// RotationTTL is how long a rotation is remembered after it was last used. 0
	// means 30 days.
	RotationTTL time.Duration
	// Store and Bus connect replicas; both nil: this process is alone. Passwords seal
	// what is put there: the first one seals, all of them open.
	Store     Store
	Bus       Bus
	Passwords []string
	Metrics   prometheus.Registerer // may be nil
	Log       zerolog.Logger        // may be zero
	Now       func() time.Time      // nil: time.Now
}

// Manager answers what session a request has. It is safe for concurrent use.
type Manager struct {
	Config
	remembered *otter.Cache[valueHash, *Verified]
	rotations  *rotations
	marks      *marks
	shared     *shared
	flights    *flights
	backoff    backoff
	metrics    *metrics
}

// New makes a Manager with empty memories. With a Store, have Run run. The error is
// that of an empty password.
func New(c Config) (*Manager, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.RotationTTL == 0 {
		c.RotationTTL = 30 * 24 * time.Hour
	}
	counter := stats.NewCounter()
	m := &Manager{
		Config: c,
		remembered: otter.Must(&otter.Options[valueHash, *Verified]{
			MaximumWeight: maxRememberedBytes,
			Weigher:       func(_ valueHash, v *Verified) uint32 { return max(maxRememberedBytes/maxRemembered, v.size()) },
			StatsRecorder: counter,
		}),
		rotations: newRotations(c.RotationTTL),
		marks:     newMarks(c.RotationTTL),
		flights:   newFlights(),
		metrics:   newMetrics(c.Metrics),
	}
	m.observe(c.Metrics, counter)
	var err error
	m.shared, err = newShared(c, m.rotations, m.marks, m.metrics)
	return m, err
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
	p := m.look(ctx, o, false)
	if p.superseded {
		m.metrics.superseded.Inc()
		return nil, ErrSuperseded
	}
	if m.rotations.arrived(o.token, m.Now()) {
		m.shared.saveLineOf(ctx, o.token)
	}
	var v *Verified
	if p.current != "" {
		v, err = m.follow(ctx, p.current, ahead, false)
	} else {
		v, err = m.judge(ctx, o, p, ahead)
	}
	if err != nil || v.Current == "" {
		return v, err
	}
	m.metrics.redelivers.Inc()
	stale := *v
	stale.Sent = o.hash
	return &stale, nil
}

// look returns what is known of a session's refresh token, here and, at most once
// in a second unless now is set, by the other replicas.
func (m *Manager) look(ctx context.Context, o *opened, now bool) place {
	certain := true
	if m.Store != nil {
		if claims, err := token.Decode(o.AccessToken); err == nil {
			id := identityOf(o.Session, claims)
			certain = m.shared.look(ctx, o, lineOf(claims), &id, now)
		}
	}
	if !certain {
		m.metrics.uncertain.Inc()
	}
	p := m.rotations.find(o.token, o.sealed, m.Now())
	p.uncertain = !certain
	return p
}

// follow returns the session that a request's older cookie became. fresh says that
// it was refreshed for this very request, and isn't to be refreshed again.
func (m *Manager) follow(ctx context.Context, sealed string, ahead, fresh bool) (*Verified, error) {
	v := m.recall(hashValue(sealed), ahead)
	if v == nil {
		o, err := m.open(sealed)
		if err != nil {
			return nil, err
		}
		p := m.look(ctx, o, false)
		p.fresh = fresh
		if v, err = m.judge(ctx, o, p, ahead); err != nil {
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
	now := m.Now()
	v := m.verified(o, claims, p, now)
	said := m.marks.judge(&v.Identity, v.line, v.issued, v.made)
	if said == ended {
		return nil, ErrEnded
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
		return nil, &Outage{RetryAfter: backOff, Err: errors.New("AuthKit's news arrived during the refresh")}
	case said == outdated && err == nil, expired && !fresh, unknownKey && !fresh:
		return m.renew(ctx, o, claims, p, askerWait)
	}
	if err != nil {
		return nil, tokenError(err)
	}
	if ahead && !now.Before(v.renewAt) && m.canRefresh(o, p, now) == nil {
		if renewed, err := m.renew(ctx, o, claims, p, aheadWait); err == nil {
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

func lineOf(c *token.Claims) lineKey { return lineKey{Subject: c.Subject, SID: c.SessionID} }

// Wait returns when no refresh is under way any more. Call it after the last
// request was answered.
func (m *Manager) Wait() { m.flights.running.Wait() }
