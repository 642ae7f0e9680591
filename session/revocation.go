package session

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

// Revocation says which sessions were ended or changed at AuthKit. A field left
// empty doesn't narrow it down; at least one must be set. Only tokens issued
// until At are concerned: what AuthKit issues later is right again. API keys are
// validated anew whatever Refresh says, see Revoked.
type Revocation struct {
	Subject        string    // a user's id
	SessionID      string    // one session of Subject's; it ends whatever its token's age
	OrganizationID string    // tokens of this organization
	Role           string    // tokens with this role
	Permission     string    // tokens with this permission
	APIKeyID       string    // one API key, no token
	At             time.Time // when it happened at AuthKit
	Refresh        bool      // to be refreshed before the next use; false: ended
}

// Revoke ends sessions, or has them refreshed before their next use, on every
// replica. The error says that it holds on this replica, but that the others could
// not be told; they are told later, but do call it again.
func (m *Manager) Revoke(ctx context.Context, r Revocation) error {
	now := m.Now()
	key := markKey{r.Subject, r.SessionID, r.OrganizationID, r.Role, r.Permission, r.APIKeyID}
	k := mark{Arrived: now}
	if r.Refresh {
		k.Changed = r.At
	} else {
		k.Ended = r.At
	}
	m.marks.set(key, k, now)
	return m.shared.saveMark(ctx, key, now)
}

// Revoked reports whether what AuthKit said of an API key at since, by this machine's
// clock, may be out of date: news about the key, its owner, organization or
// permissions has come here since then, or may have been missed. id is whom the key
// stands for.
func (m *Manager) Revoked(id *identity.Identity, apiKeyID string, since time.Time) bool {
	if !since.After(m.shared.missedAt()) {
		return true
	}
	s := m.marks
	if s.byKey.EstimatedSize() == 0 {
		return false
	}
	if s.came(markKey{APIKey: apiKeyID}, since) {
		return true
	}
	for key := range keysOf(id, s.broad.Load()) {
		if s.came(key, since) {
			return true
		}
	}
	return false
}

// came reports whether news about somebody may have come since then.
func (s *marks) came(key markKey, since time.Time) bool {
	k, ok := s.byKey.GetIfPresent(key)
	return ok && !since.After(k.came)
}

const maxMarks = 200_000 // about 300 bytes each

// markKey says whom a mark concerns: whoever fits all that is set.
type markKey struct {
	Subject      string `json:"u,omitempty"`
	SID          string `json:"s,omitempty"`
	Organization string `json:"o,omitempty"`
	Role         string `json:"r,omitempty"`
	Permission   string `json:"p,omitempty"`
	APIKey       string `json:"k,omitempty"`
}

func (k markKey) broad() bool { return k.Role != "" || k.Permission != "" }

// mark is what became of those whom it concerns.
type mark struct {
	Ended   time.Time `json:"e,omitzero"` // tokens issued until then have ended
	Changed time.Time `json:"c,omitzero"` // tokens issued until then are to be refreshed
	Arrived time.Time `json:"a,omitzero"` // when this service learned it

	changed time.Time // here
	came    time.Time // to this process, from wherever
}

func (k mark) merge(other mark) mark {
	return mark{
		Ended: later(k.Ended, other.Ended), Changed: later(k.Changed, other.Changed), Arrived: later(k.Arrived, other.Arrived),
	}
}

func (k mark) same(other mark) bool {
	return k.Ended.Equal(other.Ended) && k.Changed.Equal(other.Changed) && k.Arrived.Equal(other.Arrived)
}

// marks are the sign-outs and revocations that this process knows of.
type marks struct {
	byKey *otter.Cache[markKey, mark]
	broad atomic.Bool // some are about a role or a permission
	now   func() time.Time
}

func newMarks(ttl time.Duration, now func() time.Time) *marks {
	return &marks{now: now, byKey: otter.Must(&otter.Options[markKey, mark]{
		MaximumSize: maxMarks, ExpiryCalculator: otter.ExpiryWriting[markKey, mark](ttl),
	})}
}

func (s *marks) set(key markKey, k mark, now time.Time) {
	if key.broad() {
		s.broad.Store(true)
	}
	s.byKey.Compute(key, func(old mark, _ bool) (mark, otter.ComputeOp) {
		k = k.merge(old)
		k.changed, k.came = later(old.changed, now), old.came
		if !k.same(old) {
			k.came = s.now()
		}
		return k, otter.WriteOp
	})
}

// verdict is what the marks say of a token.
type verdict int

const (
	untouched verdict = iota
	outdated          // refresh it before it is used again
	ended
)

// judge looks a session up. made is when a refresh here brought its token.
func (s *marks) judge(id *identity.Identity, line lineKey, issued, made time.Time) verdict {
	if s.byKey.EstimatedSize() == 0 {
		return untouched
	}
	if _, ok := s.byKey.GetIfPresent(markKey{Subject: line.Subject, SID: line.SID}); ok && line.SID != "" {
		return ended // for good, whatever the token's age
	}
	worst := untouched
	for key := range keysOf(id, s.broad.Load()) {
		if k, ok := s.byKey.GetIfPresent(key); ok {
			worst = max(worst, k.judge(issued, made))
		}
	}
	return worst
}

// judge compares in AuthKit's own time, of which a token has whole seconds: of
// what happened in the second of its issue, it is taken to know nothing. Only a
// refresh that was made here after the news knows better.
func (k mark) judge(issued, made time.Time) verdict {
	second := issued.Unix()
	switch {
	case !k.Ended.IsZero() && second <= k.Ended.Unix():
		return ended
	case !k.Changed.IsZero() && second <= k.Changed.Unix() && !made.After(k.Arrived):
		return outdated
	}
	return untouched
}

// keysOf yields every key that concerns an identity, but for its session's own.
func keysOf(id *identity.Identity, broad bool) iter.Seq[markKey] {
	return func(yield func(markKey) bool) {
		organization := id.OrganizationID
		more := yield(markKey{Subject: id.Subject})
		if organization != "" {
			more = more && yield(markKey{Organization: organization}) && yield(markKey{Subject: id.Subject, Organization: organization})
		}
		if !broad {
			return
		}
		for _, role := range id.Roles {
			more = more && yield(markKey{Role: role}) && (organization == "" || yield(markKey{Organization: organization, Role: role}))
		}
		for _, permission := range id.Permissions {
			more = more && yield(markKey{Permission: permission})
		}
	}
}
