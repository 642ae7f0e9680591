package session

import (
	"context"
	"net/http"
	"time"
)

// peekWait is the longest that a public page waits for a key.
const peekWait = 500 * time.Millisecond

// Peek returns the request's session if it is valid as it stands, for pages that
// need none: it is never refreshed, and there is no cookie to set (Current is empty).
// An older cookie leads to the session that it became.
//
// It notes nothing of the request: not that a new cookie has come back either, which
// would be true, but which the next page that needs the session finds out as well. So
// nobody can end an older cookie by what they ask of a public page.
func (m *Manager) Peek(ctx context.Context, request http.Header) (*Verified, bool) {
	s, err := m.selectCookie(request)
	if err != nil {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, peekWait)
	defer cancel()
	r, err := m.resolve(ctx, s, lookup{remembered: true})
	if err != nil {
		return nil, false
	}
	if r.verified != nil {
		return r.verified, true
	}
	v, _, err := m.assess(ctx, r.opened, r.place)
	if err != nil {
		return nil, false
	}
	m.remember(r.opened, v) // not as arrived: Verify looks again
	return v, true
}
