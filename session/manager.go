package session

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/maypok86/otter/v2/stats"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/keyedhash"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/cookie"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// Config is what a Manager works with.
type Config struct {
	Cookie  cookie.Config
	Seal    *seal.Cookie
	Tokens  *token.Verifier
	AuthKit Refresher
	// RevokeSession ends a session at AuthKit. Nil: a sign-out whose browser doesn't go on to
	// AuthKit's logout leaves the session there as it is.
	RevokeSession func(ctx context.Context, sessionID string) error
	// Unsealed is for the access tokens of session cookies in plain JSON; nil: none is read. It is a Verifier of its own, so that what
	// strangers send doesn't start the cooldown of Tokens.
	Unsealed *token.Verifier
	// Slim leaves out of cookies what identity headers don't need of the user.
	Slim bool
	// KeepAccessToken puts the access token into identities.
	KeepAccessToken bool
	// RotationTTL is how long a session's record is kept since it was last used. 0
	// means 30 days.
	RotationTTL time.Duration
	// Store and Bus connect replicas; both nil: this process is alone. Passwords seal
	// what is put there: the first one seals, all of them open.
	Store     replica.Store
	Bus       replica.Bus
	Passwords []string
	Metrics   prometheus.Registerer // may be nil
	Log       zerolog.Logger        // may be zero
	Now       func() time.Time      // nil: time.Now
}

// Manager answers what session a request has. It is safe for concurrent use.
type Manager struct {
	Config
	*state
	site string // whose sessions these are alone, see Bound; empty: nobody's in particular
}

// state is what the Managers of all sites share.
type state struct {
	remembered memory[*Verified] // by the hash of a cookie
	hasher     *keyedhash.Hasher
	records    *replica.Replica
	refresher  *refresher
	signOuts   *signOuts
	switches   *switches
	metrics    *metrics
	lists      lists
	foreignSID sync.Once // the warning
}

// New makes a Manager with empty memories; have Run run. The error is that of an empty
// password.
func New(c Config) (*Manager, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.RotationTTL == 0 {
		c.RotationTTL = 30 * 24 * time.Hour
	}
	lookups := stats.NewCounter()
	remembered := newMemory[*Verified](maxRemembered, maxRememberedBytes, lookups)
	m := &Manager{Config: c, state: &state{
		remembered: remembered,
		switches:   newSwitches(),
		metrics:    newMetrics(c.Metrics),
	}}
	m.signOuts = newSignOuts(m)
	if c.Tokens == nil {
		return nil, errors.New("session: no verifier of access tokens")
	}
	var err error
	if m.hasher, err = keyedhash.New(); err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	m.records, err = replica.New(replica.Config{
		Store: c.Store, Bus: c.Bus, Name: c.Tokens.ClientID, Passwords: c.Passwords, TTL: c.RotationTTL,
		OnEnd: m.signOuts.ended, OnGone: m.signOuts.holderGone, Metrics: c.Metrics, Log: c.Log, Now: func() time.Time { return m.Now() },
	})
	if err != nil {
		return nil, err
	}
	m.refresher = newRefresher(m)
	m.observe(c.Metrics, lookups, func() (sessions int, bytes uint64) { return remembered.EstimatedSize(), remembered.WeightedSize() })
	return m, nil
}

// Bound is a Manager of one site's sessions. Their cookies are sealed with keys of the site's own (made of Passwords), so
// they are nothing at another site, nor to apps' SDKs. All else is shared.
func (m *Manager) Bound(site string) (*Manager, error) {
	keys := make([]string, len(m.Passwords))
	for i, password := range m.Passwords {
		keys[i] = base64.StdEncoding.EncodeToString(seal.MACKey("session cookies of the site "+site, password))
	}
	own, err := seal.NewCookie(m.Seal.Format(), keys...)
	if err != nil {
		return nil, err
	}
	own.Now = m.Seal.Now
	bound := *m
	bound.Seal, bound.site = own, site
	return &bound, nil
}

// Run keeps this replica and the others informed of each other until ctx ends, and revokes
// at AuthKit what was signed out.
func (m *Manager) Run(ctx context.Context) {
	var background sync.WaitGroup
	background.Go(func() { m.signOuts.run(ctx) })
	m.records.Run(ctx)
	background.Wait()
}

// Stop begins the end: no call to AuthKit begins after five seconds. Call Wait after the
// last request was answered.
func (m *Manager) Stop() { m.refresher.stop() }

// Wait returns when no refresh is under way any more, AuthKit knows of all sign-outs, and the
// other replicas know that this one has no lease any more.
func (m *Manager) Wait() {
	m.refresher.running.Wait()
	m.signOuts.finish()
	m.records.Goodbye(context.Background())
}

// Degraded says why the store or the bus aren't as they should be: replica.ErrFull or
// replica.ErrDisconnected.
func (m *Manager) Degraded() error { return m.records.Err() }

// Verify returns the session that a request's cookie stands for. ahead says that
// the answer can carry a new cookie: then a session that is about to expire is
// refreshed now. The error is one of this package's, see errors.go: ErrNone,
// ErrBad, ErrEnded, ErrRejected, ErrSuperseded, ErrUnavailable (*Outage), ErrMisconfigured or
// *StepRequired.
func (m *Manager) Verify(ctx context.Context, request http.Header, ahead bool) (*Verified, error) {
	c, err := m.selectCookie(ctx, request)
	if err != nil {
		return nil, err
	}
	v := m.recall(c.hash)
	if v != nil && v.brought && m.timely(v, ahead) {
		if !m.unchanged(v) {
			v = m.recheck(ctx, c.hash, v)
		}
		if v != nil && m.timely(v, ahead) {
			return m.answered(v), nil
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, askerWait, errRefreshSlow)
	defer cancel()
	o, err := m.openAny(ctx, c)
	if err != nil {
		return nil, err
	}
	if v, err = m.verify(ctx, o, ahead); err != nil {
		return nil, err
	}
	return m.answered(v), nil
}

func (m *Manager) answered(v *Verified) *Verified {
	if v.Current != "" {
		m.metrics.redelivers.Inc()
	}
	return v
}

// maxRounds is how often a session may have changed while one request is answered.
const maxRounds = 8

// verify checks a session that a request brought, and refreshes it where that is due.
func (m *Manager) verify(ctx context.Context, o *opened, ahead bool) (*Verified, error) {
	var before *Verified // a session that was refreshed ahead of time, and valid as it was
	for range maxRounds {
		s, err := m.resolve(ctx, o, true)
		if err != nil {
			return nil, err
		}
		v, err := m.check(ctx, s)
		switch {
		case before != nil && errors.Is(err, ErrUnavailable):
			return before, nil
		case err == nil && !(ahead && m.renewable(v, s)):
			return m.deliver(ctx, o, s, v, ahead), nil
		case err == nil:
			_, err := m.refreshAhead(ctx, s)
			if errors.Is(err, ErrEnded) && !errors.Is(err, ErrRejected) { // signed out meanwhile
				return nil, err
			}
			if err != nil {
				return m.deliver(ctx, o, s, v, ahead), nil
			}
			before, ahead = v, false
		case isDue(err):
			if _, err := m.refresher.refresh(ctx, s.refreshRequest()); err != nil {
				return nil, err
			}
			if v := m.recall(o.hash); v != nil && v.brought && m.timely(v, ahead) && m.unchanged(v) {
				return v, nil // another request with this cookie was quicker
			}
		default:
			return nil, err
		}
	}
	return nil, &Outage{RetryAfter: backOff, Err: errAlwaysChanging}
}

// renewable reports whether a valid session is to be refreshed ahead of its expiry.
func (m *Manager) renewable(v *Verified, s *resolved) bool {
	return micros(m.Now()) >= v.renewAt && s.session.RefreshToken != "" && s.record.Settled()
}

// refreshAhead refreshes a session that could do without.
func (m *Manager) refreshAhead(ctx context.Context, s *resolved) (made bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, aheadWait, errRefreshSlow)
	defer cancel()
	return m.refresher.refresh(ctx, s.refreshRequest())
}

// deliver makes the answer to a request with the cookie o, and remembers it.
func (m *Manager) deliver(ctx context.Context, o *opened, s *resolved, v *Verified, ahead bool) *Verified {
	v.brought = true
	if s.session == o {
		m.remember(o, v)
		return v
	}
	v.Current, v.Sent = s.session.sealed, o.hash
	if s.until != 0 {
		v.expires = min(v.expires, micros(m.records.Local(s.until)))
	}
	if ahead {
		m.carry(ctx, s)
		v.record = s.record
	}
	if t := s.record.Find(s.session.token); s.session.key == o.key {
		v.carried = t == nil || t.Carried != 0 || t.Brought != 0 || ahead
		v.token = o.token
		m.remembered.Set(o.hash, v)
	}
	return v
}

// carry notes that an answer carries a session whose token no request has brought yet.
func (m *Manager) carry(ctx context.Context, s *resolved) {
	if t := s.record.Find(s.session.token); t == nil || t.Carried != 0 || t.Brought != 0 {
		return
	}
	s.record, _ = m.records.Change(ctx, s.session.key, func(r *record) bool { return r.Carry(s.session.token, m.records.Now()) })
}
