package session

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica"
)

const (
	revokeAfter  = 30 * time.Second // a sign-out's browser is at AuthKit's logout by then
	revokeLimit  = 5 * time.Second  // for one call, and for all of them while stopping
	revokeWait   = time.Minute      // for a slot and the call
	forgetAfter  = 2 * time.Minute  // what another replica was to revoke
	maxUnrevoked = 20_000
	maxRevokes   = 16 // calls at one time
)

// End ends every session that the request carries, expired or not, and what each became, on
// every replica, and returns the identity of the newest. It returns false where there is
// none that opens. It is revoked at AuthKit half a minute later, in case the browser doesn't go on to
// its logout.
func (m *Manager) End(ctx context.Context, request http.Header) (identity.Identity, bool) {
	var last identity.Identity
	var issued time.Time
	values, _ := m.Cookie.Read(request)
	for _, value := range values {
		o, err := m.openAny(ctx, m.newSealed(value))
		if err != nil || o.claims.Subject != o.User.ID {
			continue
		}
		current := m.end(ctx, o)
		if id := identityOf(current.Session, current.claims); last.Subject == "" || o.claims.IssuedAt.After(issued) {
			last, issued = id, o.claims.IssuedAt
		}
	}
	return last, last.Subject != ""
}

// EndOther ends a session of a user's by its id, on every replica and at AuthKit.
func (m *Manager) EndOther(ctx context.Context, subject, sessionID string) {
	key := family.KeyOf(m.Tokens.ClientID, subject, sessionID)
	m.records.End(ctx, key, sessionID)
	_, became, _ := m.records.Lookup(ctx, key, false)
	m.endSuccessors(ctx, became)
	m.signOuts.revokeNow(key, sessionID)
}

// end ends a session and its successors, and returns what o became.
func (m *Manager) end(ctx context.Context, o *opened) *opened {
	for range maxSuccessors {
		_, r, _ := m.records.Lookup(ctx, o.key, true)
		m.endOne(ctx, o)
		next := m.successor(r)
		if next == nil {
			m.endSuccessors(ctx, r)
			break
		}
		if t := r.Find(o.token); t == nil || !t.Spent { // it goes on beside its successor
			m.endOne(ctx, next)
			_, r, _ = m.records.Lookup(ctx, next.key, false)
			m.endSuccessors(ctx, r)
			break
		}
		o = next
	}
	return o
}

// successor is the session that a record's exchange led to under another sid, nil where there is
// none, or another exchange came after it.
func (m *Manager) successor(r *record) *opened {
	if r.Successor == nil || r.Current == nil {
		return nil
	}
	next, err := m.open(m.newSealed(r.Current.Sealed))
	if err != nil || next.key != *r.Successor {
		return nil
	}
	return next
}

// endSuccessors ends what a record became under other sids. Who ended it told AuthKit.
func (m *Manager) endSuccessors(ctx context.Context, r *record) {
	for range maxSuccessors {
		if r.Successor == nil {
			return
		}
		key := *r.Successor
		m.records.End(ctx, key, "")
		_, r, _ = m.records.Lookup(ctx, key, false)
	}
}

func (m *Manager) endOne(ctx context.Context, o *opened) {
	sessionID := o.claims.SessionID
	if !strings.HasPrefix(sessionID, "session_") || m.RevokeSession == nil {
		sessionID = ""
	}
	announced, stored := m.records.End(ctx, o.key, sessionID)
	if sessionID == "" {
		return
	}
	if !announced && !stored {
		m.signOuts.revokeNow(o.key, sessionID)
		return
	}
	m.signOuts.add(replica.End{Key: o.key, SessionID: sessionID, Holder: m.holder()})
}

func (m *Manager) holder() []byte { h := m.records.Holder(); return h[:] }

// signOuts are the sessions that were signed out here or at another replica, and of which
// AuthKit may not know: the holder revokes them half a minute later, or who notices its death.
type signOuts struct {
	manager   *Manager
	slots     chan struct{}
	mu        sync.Mutex
	unrevoked map[family.Key]unrevoked
	calls     context.Context    // of those to AuthKit
	giveUp    context.CancelFunc // once a stop has waited long enough
	running   sync.WaitGroup
}

func newSignOuts(m *Manager) *signOuts {
	s := &signOuts{manager: m, slots: make(chan struct{}, maxRevokes)}
	s.calls, s.giveUp = context.WithCancel(context.Background())
	return s
}

type unrevoked struct {
	sessionID string
	holder    family.Holder
	at        time.Time
}

func (s *signOuts) add(end replica.End) {
	if end.SessionID == "" || len(end.Holder) != len(family.Holder{}) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unrevoked == nil {
		s.unrevoked = map[family.Key]unrevoked{}
	}
	if len(s.unrevoked) < maxUnrevoked {
		s.unrevoked[end.Key] = unrevoked{end.SessionID, family.Holder(end.Holder), time.Now()}
	}
}

// ended notes another replica's sign-out.
func (s *signOuts) ended(end replica.End) { s.add(end) }

// take returns those that this replica revokes now, by key.
func (s *signOuts) take(due func(unrevoked) bool) map[family.Key]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := map[family.Key]string{}
	for key, u := range s.unrevoked {
		if due(u) {
			taken[key] = u.sessionID
			delete(s.unrevoked, key)
		}
	}
	return taken
}

// holderGone takes over what a dead replica was to revoke.
func (s *signOuts) holderGone(holder family.Holder) {
	for key, sessionID := range s.take(func(u unrevoked) bool { return u.holder == holder }) {
		s.revokeNow(key, sessionID)
	}
}

// run revokes them at AuthKit as they become due, until ctx ends.
func (s *signOuts) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		me := s.manager.records.Holder()
		due := func(u unrevoked) bool { return u.holder == me && time.Since(u.at) >= revokeAfter }
		for key, sessionID := range s.take(due) {
			s.revokeNow(key, sessionID)
		}
		s.take(func(u unrevoked) bool { return u.holder != me && time.Since(u.at) >= forgetAfter })
	}
}

// revokeNow ends a session here and at AuthKit.
func (s *signOuts) revokeNow(key family.Key, sessionID string) {
	if s.manager.RevokeSession == nil || sessionID == "" {
		return
	}
	s.mu.Lock()
	calls := s.calls
	s.mu.Unlock()
	s.running.Go(func() {
		ctx, cancel := context.WithTimeout(calls, revokeWait)
		defer cancel()
		s.manager.records.End(ctx, key, "")
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		case <-ctx.Done():
		}
		s.revoke(ctx, key, sessionID)
	})
}

// revoke ends a session at AuthKit.
func (s *signOuts) revoke(ctx context.Context, key family.Key, sessionID string) {
	m := s.manager
	ctx, cancel := context.WithTimeout(ctx, revokeLimit)
	defer cancel()
	err := ctx.Err()
	if err == nil {
		err = m.RevokeSession(ctx, sessionID)
	}
	if err != nil {
		m.Log.Warn().Str("event", "sign_out").Str("session_hash", identity.HashSession(sessionID)).Err(err).
			Msg("a session that was signed out can't be revoked at AuthKit; it ends there by itself")
		return
	}
	m.records.Change(ctx, key, func(r *record) bool { return r.Revoked() })
}

// finish revokes at once what is left, and waits.
func (s *signOuts) finish() {
	me := s.manager.records.Holder()
	for key, sessionID := range s.take(func(u unrevoked) bool { return u.holder == me }) {
		s.revokeNow(key, sessionID)
	}
	limit := time.AfterFunc(revokeLimit, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.giveUp()
		s.calls, s.giveUp = context.WithCancel(context.Background())
	})
	defer limit.Stop()
	s.running.Wait()
}
