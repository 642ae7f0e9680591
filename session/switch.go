package session

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

// maxRounds is how many refreshes by others a switch lets pass before its own.
const maxRounds = 8

// How often AuthKit is asked to move one session.
const (
	switchBurst = 5
	switchEvery = 6 * time.Second
	maxSwitched = 10_000 // sessions
)

// switches limits the switches of each session.
type switches struct {
	bySession *otter.Cache[lineKey, *rate.Limiter]
}

func newSwitches() *switches {
	return &switches{otter.Must(&otter.Options[lineKey, *rate.Limiter]{MaximumSize: maxSwitched})}
}

// allow returns an *Outage for one too many.
func (s *switches) allow(key lineKey, now time.Time) error {
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
// is there already, it is returned as it is. A refresh that is under way is waited
// for, and what it brings is moved. The access token may have expired.
//
// The error is ErrNone, ErrBad, ErrEnded, ErrSuperseded, ErrMisconfigured, or one after
// which the session goes on in its present organization: *StepRequired with AuthKit's
// code (a step of the user's, or organization_membership_not_found and the like) and
// ErrUnavailable (*Outage).
func (m *Manager) Switch(ctx context.Context, request http.Header, organizationID string) (sealed string, id identity.Identity, err error) {
	s, err := m.selectCookie(request)
	if err != nil {
		return "", identity.Identity{}, err
	}
	r, err := m.resolve(ctx, s, lookup{arrived: true})
	if err != nil {
		return "", identity.Identity{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, askerWait, errors.New("the switch takes too long"))
	defer cancel()
	landed := false // r is what came of the switch, whatever somebody else made of that since
	for range maxRounds {
		v, claims, err := m.assess(ctx, r.opened, r.place)
		switch {
		case err != nil && !errors.Is(err, errDue):
			return "", identity.Identity{}, err
		case v.Identity.OrganizationID == organizationID:
			return r.sealed, v.Identity, nil
		case landed:
			return "", identity.Identity{}, &Outage{Refused: true, Err: errors.New("AuthKit answered a switch with a session of another organization")}
		}
		f, err := m.land(ctx, renewal{opened: r.opened, claims: claims, organizationID: organizationID}, askerWait)
		if err != nil {
			return "", identity.Identity{}, err
		}
		if landed = f.here && f.organizationID == organizationID; landed {
			r, err = m.resolveCurrent(ctx, f.sealed, lookup{})
		} else {
			r, err = m.resolve(ctx, newSealed(f.sealed), lookup{})
		}
		if err != nil {
			return "", identity.Identity{}, err
		}
	}
	return "", identity.Identity{}, &Outage{RetryAfter: backOff, Err: errors.New("the session changes all the time")}
}
