package session

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// selectCookie chooses the request's session cookie. Of several, those that don't open
// are ignored and the newest counts; of different users none does. One in plain JSON counts where no sealed one opens.
func (m *Manager) selectCookie(ctx context.Context, request http.Header) (sealedSession, error) {
	values, present := m.Cookie.Read(request)
	switch {
	case len(values) == 1:
		return m.newSealed(values[0]), nil
	case len(values) == 0 && !present:
		return sealedSession{}, ErrNone
	case len(values) == 0:
		return sealedSession{}, fmt.Errorf("%w: no whole session in the cookies", ErrBad)
	}
	var sealed, unsealed []string
	for _, value := range values {
		if m.isUnsealed(value) {
			unsealed = append(unsealed, value)
		} else {
			sealed = append(sealed, value)
		}
	}
	newest, err := m.newest(ctx, sealed)
	if len(unsealed) > 0 && errors.Is(err, errNoneOpens) {
		return m.newest(ctx, unsealed)
	}
	return newest, err
}

// errNoneOpens is the ErrBad for cookies of which none opens.
var errNoneOpens = fmt.Errorf("%w: none of several session cookies opens", ErrBad)

// newest returns the session whose access token was issued last. The error is ErrConflict or errNoneOpens, and ErrUnavailable where
// nobody can tell.
func (m *Manager) newest(ctx context.Context, values []string) (sealedSession, error) {
	var newest sealedSession
	unopened := errNoneOpens
	var user string
	var issued time.Time
	for _, value := range values {
		s := m.newSealed(value)
		subject, at, err := m.issuedAt(ctx, &s)
		if errors.Is(err, ErrUnavailable) {
			unopened = err
		}
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
		return sealedSession{}, unopened
	}
	return newest, nil
}

// issuedAt returns whose a session is and when its access token was issued: as it is
// remembered, or else as the seal says.
func (m *Manager) issuedAt(ctx context.Context, s *sealedSession) (user string, at time.Time, err error) {
	if v := m.recall(s.hash); v != nil {
		return v.Identity.Subject, v.issued.time(), nil
	}
	if s.opened, err = m.openAny(ctx, *s); err != nil {
		return "", time.Time{}, err
	}
	return s.opened.User.ID, s.opened.claims.IssuedAt, nil
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
	if over := m.isOver(theirs); over != m.isOver(mine) {
		return over
	}
	return cmp.Or(cmp.Compare(mine.claims.ID, theirs.claims.ID), bytes.Compare(s.hash[:], other.hash[:])) > 0
}

// isOver reports whether this replica knows that a session was signed out or revoked.
func (m *Manager) isOver(o *opened) bool {
	id := identityOf(o.Session, o.claims)
	return m.records.Ended(o.key) || m.eventsSay(&id, 0, o.claims.IssuedAt) == eventEnded
}

// HasOtherScopes reports whether a request may carry session cookies in other scopes than the
// session's own, which an answer that sets or clears the session expires. It doesn't where no session
// cookie of the request opens; nor where a single one does
// beside others that don't: they are another application's, and are left alone. One in plain JSON doesn't count as opening.
func (m *Manager) HasOtherScopes(request http.Header) bool {
	values, _ := m.Cookie.Read(request)
	opening := 0
	for _, value := range values {
		if _, err := m.open(m.newSealed(value)); err == nil {
			opening++
		}
	}
	return opening > 1 || opening == 1 && m.Cookie.Count(request) <= 1
}
