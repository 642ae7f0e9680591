package session

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// sealedSession is a session as its cookie has it. It is hashed and opened once.
type sealedSession struct {
	value  string
	hash   valueHash
	opened *opened // nil as long as nobody had to open it
}

func newSealed(value string) sealedSession {
	return sealedSession{value: value, hash: hashValue(value)}
}

// opened is an unsealed session with what it is looked up by.
type opened struct {
	*Session
	access  *token.Token // its access token, not verified
	sealed  string
	hash    valueHash
	token   tokenHash // of its refresh token
	arrived bool      // a request has brought it
}

// open unseals a session. The error is ErrBad.
func (m *Manager) open(s sealedSession) (*opened, error) {
	if s.opened != nil {
		return s.opened, nil
	}
	plaintext, err := m.Seal.Unseal(s.value)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBad, err)
	}
	parsed, err := Parse(plaintext)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBad, err)
	}
	access, err := token.Parse(parsed.AccessToken)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBad, err)
	}
	return &opened{Session: parsed, access: access, sealed: s.value, hash: s.hash, token: hashToken(parsed.RefreshToken)}, nil
}

// selectCookie chooses the request's session cookie. Of several, those that don't open
// are ignored and the newest counts; of different users none does.
func (m *Manager) selectCookie(request http.Header) (sealedSession, error) {
	values, present := m.Cookie.Read(request)
	switch {
	case len(values) == 1:
		return newSealed(values[0]), nil
	case len(values) == 0 && !present:
		return sealedSession{}, ErrNone
	case len(values) == 0:
		return sealedSession{}, fmt.Errorf("%w: no whole session in the cookies", ErrBad)
	}
	return m.newest(values)
}

// newest returns the session whose access token was issued last. The error is ErrBad.
func (m *Manager) newest(values []string) (sealedSession, error) {
	var newest sealedSession
	var user string
	var issued time.Time
	for _, value := range values {
		s := newSealed(value)
		subject, at, err := m.issued(&s)
		if err != nil {
			continue
		}
		if user != "" && user != subject {
			return sealedSession{}, ErrConflict
		}
		user = subject
		if newest.value == "" || at.After(issued) || at.Equal(issued) && m.succeeds(s, newest) {
			newest, issued = s, at
		}
	}
	if newest.value == "" {
		return sealedSession{}, fmt.Errorf("%w: none of %d session cookies opens", ErrBad, len(values))
	}
	return newest, nil
}

// issued returns whose a session is and when its access token was issued: as it is
// remembered, or else as the seal says.
func (m *Manager) issued(s *sealedSession) (user string, at time.Time, err error) {
	if v, ok := m.remembered.GetIfPresent(s.hash); ok {
		return v.Identity.Subject, v.issued, nil
	}
	if s.opened, err = m.open(*s); err != nil {
		return "", time.Time{}, err
	}
	return s.opened.User.ID, s.opened.access.Unverified().IssuedAt, nil
}

// succeeds reports whether a session counts before another whose access token was issued
// in the same second: one that goes on before one that has ended, and else the later by
// the tokens' ids, which AuthKit makes of the time in milliseconds (ULIDs). The order of
// the cookies never decides.
func (m *Manager) succeeds(s, other sealedSession) bool {
	mine, err := m.open(s)
	if err != nil { // remembered, and the password has changed
		return false
	}
	theirs, err := m.open(other)
	if err != nil {
		return true
	}
	if over := m.ended(theirs); over != m.ended(mine) {
		return over
	}
	return cmp.Or(
		cmp.Compare(mine.access.Unverified().ID, theirs.access.Unverified().ID),
		bytes.Compare(s.hash[:], other.hash[:]),
	) > 0
}

// ended reports whether this replica knows that a session was signed out or revoked.
func (m *Manager) ended(o *opened) bool {
	claims := o.access.Unverified()
	id := identityOf(o.Session, claims)
	return m.marks.judge(&id, lineOf(claims), claims.IssuedAt, time.Time{}) == ended
}

// StrayLines returns the Set-Cookie lines that expire session cookies in other scopes
// than the session's own, for an answer of host that sets or clears the session. There
// are none where no session cookie of the request opens; nor where a single one does
// beside others that don't: they are another application's, and are left alone.
func (m *Manager) StrayLines(request http.Header, host string) []string {
	values, _ := m.Cookie.Read(request)
	opening := 0
	for _, value := range values {
		if _, err := m.open(newSealed(value)); err == nil {
			opening++
		}
	}
	if opening == 0 || opening == 1 && m.Cookie.Count(request) > 1 {
		return nil
	}
	return m.Cookie.ExpireLines(request, host)
}

// lookup says how a session is resolved.
type lookup struct {
	remembered bool // a remembered session will do
	ahead      bool // but not one that an answer that can carry a cookie refreshes
	arrived    bool // the request has brought the cookie: that counts, and is noted
}

// resolved is the session that a cookie stands for.
type resolved struct {
	verified *Verified // remembered: nothing else is to be done. nil: the following are set
	*opened
	place   place
	current string // sealed, where the cookie is an older one of the session
}

// resolve returns the session that a sealed one stands for, which is itself or what it
// became. Nothing is verified. The error is ErrBad or ErrSuperseded.
func (m *Manager) resolve(ctx context.Context, s sealedSession, how lookup) (resolved, error) {
	if how.remembered {
		if v := m.recall(s.hash, how.ahead); v != nil && (v.arrived || !how.arrived) {
			return resolved{verified: v}, nil
		}
	}
	o, err := m.open(s)
	if err != nil {
		return resolved{}, err
	}
	p := m.look(ctx, o, false)
	if p.superseded {
		if how.arrived {
			m.metrics.superseded.Inc()
		}
		return resolved{}, ErrSuperseded
	}
	if o.arrived = how.arrived; o.arrived && m.rotations.arrived(o.token, m.Now()) {
		m.shared.saveLineOf(ctx, o.token)
	}
	if p.current != "" {
		return m.resolveCurrent(ctx, p.current, how)
	}
	return resolved{opened: o, place: p}, nil
}

// resolveCurrent is resolve for a session that is known as a request's current one.
func (m *Manager) resolveCurrent(ctx context.Context, current string, how lookup) (resolved, error) {
	s := newSealed(current)
	if how.remembered {
		if v := m.recall(s.hash, how.ahead); v != nil {
			return resolved{verified: v, current: current}, nil
		}
	}
	o, err := m.open(s)
	if err != nil {
		return resolved{}, err
	}
	return resolved{opened: o, place: m.look(ctx, o, false), current: current}, nil
}
