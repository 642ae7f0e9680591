package session

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
)

// How often AuthKit is asked to move one session.
const (
	switchBurst = 5
	switchEvery = 6 * time.Second
	maxSwitched = 10_000 // sessions
)

// switches limits the switches of each session.
type switches struct {
	bySession interface { // for the reason of memory
		ComputeIfAbsent(key family.Key, limiter func() (*rate.Limiter, bool)) (*rate.Limiter, bool)
	}
}

func newSwitches() *switches {
	return &switches{otter.Must(&otter.Options[family.Key, *rate.Limiter]{MaximumSize: maxSwitched})}
}

// allow returns an *Outage for one too many.
func (s *switches) allow(key family.Key, now time.Time) error {
	limiter, _ := s.bySession.ComputeIfAbsent(key, func() (*rate.Limiter, bool) {
		return rate.NewLimiter(rate.Every(switchEvery), switchBurst), false
	})
	r := limiter.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	r.CancelAt(now)
	return &Outage{RetryAfter: wait, Err: errors.New("too many switches of one session")}
}

// Switch moves the request's session to another organization of its user's by a
// refresh, and returns it sealed anew; older cookies lead to it from now on. Where it
// is there already, it is returned as it is, but only where the store itself says so; while other
// replicas can't be told it isn't made: the session's older cookies would lead to either. A refresh
// that is under way is waited for, and what it brings is moved. The access token may have
// expired.
//
// The error is ErrNone, ErrBad, ErrEnded, ErrRejected, ErrSuperseded, ErrMisconfigured, or one
// after which the session goes on in its present organization: *StepRequired with AuthKit's
// code (a step of the user's, or organization_membership_not_found and the like) and
// ErrUnavailable (*Outage).
func (m *Manager) Switch(ctx context.Context, request http.Header, organizationID string) (sealed string, id identity.Identity, err error) {
	c, err := m.selectCookie(ctx, request)
	if err != nil {
		return "", identity.Identity{}, err
	}
	o, err := m.open(c) // one that isn't sealed can't be refreshed
	if err != nil {
		return "", identity.Identity{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, askerWait, errors.New("the switch takes too long"))
	defer cancel()
	made, asked := false, family.Hash{} // by AuthKit for this switch, with that token
	for range maxRounds {
		if _, _, certain := m.records.Lookup(ctx, o.key, true); !certain && m.records.HasOthers() {
			return "", identity.Identity{}, &Outage{RetryAfter: backOff, Err: errUntold}
		}
		s, err := m.resolve(ctx, o, true)
		if err != nil {
			return "", identity.Identity{}, err
		}
		if _, err := m.check(ctx, s); err != nil && !isDue(err) {
			return "", identity.Identity{}, err
		}
		if s.session.claims.OrganizationID == organizationID && (made || m.surelyHere(ctx, s)) {
			return s.session.sealed, identityOf(s.session.Session, s.session.claims), nil
		}
		if made && s.cameFrom(asked) {
			return "", identity.Identity{}, &Outage{Refused: true, Err: errors.New("AuthKit answered a switch with a session of another organization")}
		}
		asked = s.session.token
		made, err = m.refresher.refresh(ctx, refreshRequest{opened: s.session, organization: organizationID, switches: true})
		if err != nil {
			return "", identity.Identity{}, err
		}
	}
	return "", identity.Identity{}, &Outage{RetryAfter: backOff, Err: errAlwaysChanging}
}

var errUntold = errors.New("the store can't be asked, so other replicas wouldn't know of the switch")

// surelyHere reports whether a session is what the store says now, with no exchange under way
// and no outcome unknown: only then a switch to where it is need not be made.
func (m *Manager) surelyHere(ctx context.Context, s *resolved) bool {
	_, r, certain := m.records.Lookup(ctx, s.session.key, true)
	t := r.Find(s.session.token)
	return certain && r.Settled() && (t == nil || !t.Spent) && r.Ended == 0
}

// cameFrom reports whether the session is what a token was exchanged for.
func (s *resolved) cameFrom(hash family.Hash) bool {
	t := s.record.Find(s.session.token)
	return t != nil && t.From == hash
}
