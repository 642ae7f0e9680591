package session

import (
	"context"
	"crypto/sha256"
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
	issued  time.Time // of the access token
	made    time.Time // when a refresh here brought it, zero if it came from outside
	expires time.Time // when the access token has to be looked at again
	renewAt time.Time // from when an answer that can carry a cookie refreshes
}

// size is about what a remembered session takes in memory.
func (v *Verified) size() uint32 {
	i := &v.Identity
	size := 700 + len(i.Subject) + len(i.Email) + len(i.Name) + len(i.SessionID) + len(i.AccessToken)
	for _, list := range [][]string{i.Roles, i.Permissions, i.Entitlements} {
		for _, item := range list {
			size += 16 + len(item)
		}
	}
	return uint32(size)
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
	if !m.Now().Before(limit) || m.marks.judge(&v.Identity, v.line, v.issued, v.made) != untouched {
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

func (m *Manager) verified(o *opened, c *token.Claims, p place, now time.Time) *Verified {
	v := &Verified{
		Identity: identityOf(o.Session, c), line: lineOf(c), arrived: o.arrived,
		issued: c.IssuedAt, made: p.made, expires: c.ExpiresAt,
	}
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
