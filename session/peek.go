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
	ctx, cancel := context.WithTimeout(ctx, peekWait)
	defer cancel()
	c, err := m.selectCookie(ctx, request)
	if err != nil {
		return nil, false
	}
	if v := m.recall(c.hash); v != nil && m.timely(v, false) && m.unchanged(v) {
		return v.peeked(), true
	}
	o, err := m.openAny(ctx, c)
	if err != nil {
		return nil, false
	}
	s, err := m.resolve(ctx, o, false)
	if err != nil {
		return nil, false
	}
	v, err := m.check(ctx, s)
	if err != nil {
		return nil, false
	}
	if s.session == o { // not as brought: Verify looks again
		m.remember(o, v)
	}
	return v, true
}

// peeked is a remembered session without a cookie to set.
func (v *Verified) peeked() *Verified {
	if v.Current == "" {
		return v
	}
	p := *v
	p.Current, p.Sent = "", [16]byte{}
	return &p
}
