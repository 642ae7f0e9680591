package session

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/keyedhash"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

type record = family.Record

// sealedSession is a session as its cookie has it. It is hashed and opened once.
type sealedSession struct {
	value  string
	hash   keyedhash.Value
	opened *opened // nil as long as nobody had to open it
}

func (m *Manager) newSealed(value string) sealedSession {
	return sealedSession{value: value, hash: m.hasher.Of(m.site, value)}
}

// opened is an unsealed session with what it is looked up by.
type opened struct {
	*Session
	access *token.Token  // its access token, not verified
	claims *token.Claims // of that, NOT VERIFIED
	sealed string
	hash   keyedhash.Value
	token  family.Hash // of its refresh token; zero: it has none
	key    family.Key  // of its record
	seal   *seal.Cookie

	unsealed bool // it came in plain JSON
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
	return m.openedOf(parsed, access, s), nil
}

func (m *Manager) openedOf(s *Session, access *token.Token, from sealedSession) *opened {
	o := &opened{Session: s, access: access, claims: access.Unverified(), sealed: from.value, hash: from.hash, seal: m.Seal}
	if s.RefreshToken != "" {
		o.token = family.HashToken(s.RefreshToken)
	}
	o.key = m.keyOf(o.claims.Subject, o.claims.SessionID, o.token, s.AccessToken)
	return o
}

// keyOf is the key of a session's record. Without a session id of AuthKit's own there is
// none across requests: a JWT template that makes it something else must not mix sessions.
func (m *Manager) keyOf(subject, sessionID string, refreshToken family.Hash, accessToken string) family.Key {
	if strings.HasPrefix(sessionID, "session_") {
		return family.KeyOf(m.Tokens.ClientID, subject, sessionID)
	}
	if refreshToken == (family.Hash{}) {
		refreshToken = family.HashToken(accessToken)
	}
	m.warnOfSID()
	return family.PrivateKey(m.Tokens.ClientID, subject, refreshToken)
}

// warnOfSID says once that a JWT template is in the way.
func (m *Manager) warnOfSID() {
	m.foreignSID.Do(func() {
		m.Log.Warn().Msg("access tokens have no sid of AuthKit's (session_…): check the JWT template in the WorkOS dashboard; " +
			"their sessions can't be told apart, so each cookie is refreshed by itself and a sign-out ends only the cookie at hand")
	})
}

// resolved is what a cookie's session is now.
type resolved struct {
	session *opened // itself, or the current session of its record, or of one that followed
	record  *record // by which it was resolved
	copy    *replica.Copy
	until   family.Moment // the cookie is superseded then; zero: not as far as is known
	certain bool          // the store was asked, where that was due
}

// maxSuccessors is how many records of another sid are followed.
const maxSuccessors = 8

// resolve finds what a session is now. bring says that a request brought it. The error is
// ErrEnded, ErrRejected, ErrSuperseded or an *Outage.
func (m *Manager) resolve(ctx context.Context, o *opened, bring bool) (*resolved, error) {
	s, err := m.resolveOne(ctx, o, bring)
	for range maxSuccessors {
		if err != nil || s.session.key == s.keyOf() {
			return s, err
		}
		until := s.until
		if s, err = m.resolveOne(ctx, s.session, false); err == nil && s.until == 0 {
			s.until = until
		}
	}
	return nil, fmt.Errorf("%w, by more sessions than are followed", ErrSuperseded)
}

// keyOf is the key of the record that was asked.
func (s *resolved) keyOf() family.Key { return s.copy.Key() }

// resolveOne looks a session up in its own record.
func (m *Manager) resolveOne(ctx context.Context, o *opened, bring bool) (*resolved, error) {
	c, r, certain := m.records.Lookup(ctx, o.key, false)
	if err := m.ended(ctx, c, r); err != nil {
		return nil, err
	}
	if bring && o.token != (family.Hash{}) {
		r = m.bring(ctx, o, c, r)
	}
	s := &resolved{session: o, record: r, copy: c, certain: certain}
	current, until, err := m.statusOf(r, o.token)
	switch {
	case err != nil:
		if bring && errors.Is(err, ErrSuperseded) {
			m.metrics.superseded.Inc()
		}
		return nil, err
	case current:
		s.until = until
		s.session, err = m.open(m.newSealed(r.Current.Sealed))
		return s, err
	case r.IsCurrent(o.token) && r.Current.Sealed != o.sealed:
		// AuthKit may leave a refresh token as it is.
		if later, err := m.open(m.newSealed(r.Current.Sealed)); err == nil && later.AccessToken != o.AccessToken && !later.claims.ExpiresAt.Before(o.claims.ExpiresAt) {
			s.session = later
		}
	}
	return s, nil
}

// statusOf is a token's status in a record: whether the current session counts in its
// place, and until when.
func (m *Manager) statusOf(r *record, hash family.Hash) (current bool, until family.Moment, err error) {
	t := r.Find(hash)
	if t == nil || !t.Spent && !t.Rejected {
		return false, 0, nil
	}
	if !t.Spent {
		return false, 0, ErrRejected
	}
	if until = r.SupersededAt(hash); until != 0 && m.records.Now() >= until {
		return false, 0, ErrSuperseded
	}
	if r.Current == nil {
		return false, 0, &Outage{RetryAfter: backOff, Err: errors.New("the refresh token is spent, and the session that it became isn't known")}
	}
	return true, until, nil
}

// bring notes that a request brought a token. What was only seen stays in memory; the first
// token from elsewhere is for everybody to know.
func (m *Manager) bring(ctx context.Context, o *opened, c *replica.Copy, r *record) *record {
	t := c.Token(r, o.token)
	if t != nil && t.Brought != 0 {
		return r
	}
	note := func(r *record) bool { return r.Bring(o.token, m.records.Now()) }
	if t == nil && c.Known(r) {
		r, _ = m.records.Change(ctx, o.key, note)
		return r
	}
	return m.records.Seen(ctx, o.key, note)
}

// ended reports ErrEnded for a record that has ended, or of which a successor has.
func (m *Manager) ended(ctx context.Context, c *replica.Copy, r *record) error {
	for range maxSuccessors {
		if r.Ended != 0 || m.records.Ended(c.Key()) {
			return ErrEnded
		}
		if r.Successor == nil {
			return nil
		}
		c, r, _ = m.records.Lookup(ctx, *r.Successor, false)
	}
	return nil
}
