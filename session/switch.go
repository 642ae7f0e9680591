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
	sealed, err = m.pick(request)
	if err != nil {
		return "", identity.Identity{}, err
	}
	if _, _, err = m.arrive(ctx, sealed); err != nil {
		return "", identity.Identity{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, askerWait, errors.New("the switch takes too long"))
	defer cancel()
	landed := false // sealed is what came of the switch, whatever somebody else made of that since
	for range maxRounds {
		r, id, err := m.stand(ctx, sealed, !landed)
		switch {
		case err != nil:
			return "", identity.Identity{}, err
		case id.OrganizationID == organizationID:
			return r.sealed, id, nil
		case landed:
			return "", identity.Identity{}, &Outage{Refused: true, Err: errors.New("AuthKit answered a switch with a session of another organization")}
		}
		r.organizationID = organizationID
		f, err := m.land(ctx, r, askerWait)
		if err != nil {
			return "", identity.Identity{}, err
		}
		sealed, landed = f.sealed, f.here && f.organizationID == organizationID
	}
	return "", identity.Identity{}, &Outage{RetryAfter: backOff, Err: errors.New("the session changes all the time")}
}

// stand returns a session, or with follow what it became, and whose it is: valid, or
// good for a refresh.
func (m *Manager) stand(ctx context.Context, sealed string, follow bool) (renewal, identity.Identity, error) {
	o, err := m.open(sealed)
	if err != nil {
		return renewal{}, identity.Identity{}, err
	}
	p := m.look(ctx, o, false)
	if follow && p.current != "" {
		return m.stand(ctx, p.current, false)
	}
	v, claims, err := m.assess(ctx, o, p)
	if err != nil && !errors.Is(err, errDue) {
		return renewal{}, identity.Identity{}, err
	}
	return renewal{opened: o, claims: claims}, v.Identity, nil
}
