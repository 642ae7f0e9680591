package session

import (
	"context"
	"net/http"
	"time"
)

// glanceWait is the longest that a public page waits for a key.
const glanceWait = 500 * time.Millisecond

// Glance returns the request's session if it is valid as it stands, for pages that
// need none: it is never refreshed, and there is no cookie to set (Current is empty).
// An older cookie leads to the session that it became.
//
// It notes nothing of the request: not that a new cookie has come back either, which
// would be true, but which the next page that needs the session finds out as well. So
// nobody can end an older cookie by what they ask of a public page.
func (m *Manager) Glance(ctx context.Context, request http.Header) (*Verified, bool) {
	sealed, err := m.pick(request)
	if err != nil {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, glanceWait)
	defer cancel()
	return m.glance(ctx, sealed, true)
}

func (m *Manager) glance(ctx context.Context, sealed string, follow bool) (*Verified, bool) {
	if v := m.recall(hashValue(sealed), false); v != nil {
		return v, true
	}
	o, err := m.open(sealed)
	if err != nil {
		return nil, false
	}
	p := m.look(ctx, o, false)
	if p.superseded {
		return nil, false
	}
	if follow && p.current != "" {
		return m.glance(ctx, p.current, false)
	}
	v, _, err := m.assess(ctx, o, p)
	if err != nil {
		return nil, false
	}
	m.remember(o, v) // not as arrived: Verify looks again
	return v, true
}
