package session

import (
	"context"
	"net/http"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/cookie"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// Config is what a Manager works with.
type Config struct {
	Cookie  cookie.Config
	Seal    *seal.Cookie
	Tokens  *token.Verifier
	AuthKit Refresher
	// Bearer is for session access tokens that come as bearer tokens. Nil: none is
	// accepted. Connect are for those of AuthKit's OAuth and M2M applications, and tell
	// them by their Issuers. Each must be a Verifier of its own: what strangers send must
	// not start the cooldown of Tokens.
	Bearer  *token.Verifier
	Connect []*token.Verifier
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
	remembered *otter.Cache[valueHash, *Verified] // by the hash of a cookie
	bearers    *otter.Cache[valueHash, *bearer]   // by the hash of a bearer token
	rotations  *rotations
	marks      *marks
	shared     *shared
	flights    *flights
	switches   *switches
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
	cookieCount, bearerCount := stats.NewCounter(), stats.NewCounter()
	m := &Manager{
		Config:     c,
		remembered: newMemory[*Verified](maxRemembered, maxRememberedBytes, cookieCount),
		bearers:    newMemory[*bearer](maxBearers, maxBearerBytes, bearerCount),
		rotations:  newRotations(c.RotationTTL),
		marks:      newMarks(c.RotationTTL, c.Now),
		flights:    newFlights(),
		switches:   newSwitches(),
		metrics:    newMetrics(c.Metrics),
	}
	m.observe(c.Metrics, cookieCount, bearerCount)
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
	s, err := m.selectCookie(request)
	if err != nil {
		return nil, err
	}
	r, err := m.resolve(ctx, s, lookup{remembered: true, ahead: ahead, arrived: true})
	if err != nil {
		return nil, err
	}
	v, err := m.judge(ctx, r, ahead)
	if err != nil || v.Current == "" {
		return v, err
	}
	m.metrics.redelivers.Inc()
	stale := *v
	stale.Sent = s.hash
	return &stale, nil
}

// look returns what is known of a session's refresh token, here and, at most once
// in a second unless now is set, by the other replicas.
func (m *Manager) look(ctx context.Context, o *opened, now bool) place {
	certain := true
	if m.Store != nil {
		claims := o.access.Unverified()
		id := identityOf(o.Session, claims)
		certain = m.shared.look(ctx, o, lineOf(claims), &id, now)
	}
	if !certain {
		m.metrics.uncertain.Inc()
	}
	p := m.rotations.find(o.token, o.sealed, m.Now())
	p.uncertain = !certain
	return p
}

func lineOf(c *token.Claims) lineKey { return lineKey{Subject: c.Subject, SID: c.SessionID} }

// Wait returns when no refresh is under way any more. Call it after the last
// request was answered.
func (m *Manager) Wait() { m.flights.running.Wait() }
