package session

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/keyedhash"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica"
)

const (
	maxRemembered      = 100_000
	maxRememberedBytes = 100 << 20
)

// Verified is a session whose seal, signature and age are good. It is shared
// between requests and must not be changed.
type Verified struct {
	Identity identity.Identity
	// Current is the sealed session that the browser should have instead of what
	// it sent. Empty where it has that already.
	Current string
	// Sent stands for the older cookie that the browser sent. Zero where Current is empty.
	Sent [16]byte

	token     family.Hash   // of the cookie that a request brought
	copy      *replica.Copy // of the session's record
	record    *record       // by which it was checked
	seen      uint64        // events until then
	began     family.Moment // when the exchange began here that brought it; zero: it came from elsewhere
	issued    instant       // of the access token
	expires   instant       // when it has to be checked again
	renewAt   instant       // from when an answer that can carry a cookie refreshes
	refreshed bool          // began says when it was refreshed, not when it was signed in
	brought   bool          // a request has brought its cookie, and that is noted
	carried   bool          // of Current: an answer has carried it, or a request has brought it
	checked   uint32        // when, in minutes since 1970
}

// instant is a time of this machine's clock in microseconds since 1970: a third of a time.Time.
type instant int64

func micros(t time.Time) instant { return instant(t.UnixMicro()) }

func (i instant) minutes() uint32 { return uint32(i / instant(time.Minute/time.Microsecond)) }

func (i instant) time() time.Time { return time.UnixMicro(int64(i)) }

// lists are those of roles, permissions and so on that many identities have in common.
type lists struct {
	mu    sync.Mutex
	known map[string][]string
}

const maxLists = 10_000

// shared returns the list that all have who have the same.
func (l *lists) shared(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	key := strings.Join(list, "\x00")
	l.mu.Lock()
	defer l.mu.Unlock()
	if known, ok := l.known[key]; ok {
		return known
	}
	if l.known == nil || len(l.known) >= maxLists {
		l.known = map[string][]string{}
	}
	l.known[key] = list
	return list
}

// compact has an identity take less memory: its lists are shared, and its texts in one piece.
func (l *lists) compact(id *identity.Identity) {
	for _, list := range []*[]string{&id.Roles, &id.Permissions, &id.Entitlements, &id.FeatureFlags} {
		*list = l.shared(*list)
	}
	texts := [...]*string{&id.Subject, &id.Email, &id.Name, &id.SessionID, &id.OrganizationID, &id.Role, &id.Impersonator, &id.AccessToken}
	var piece strings.Builder
	for _, text := range texts {
		piece.WriteString(*text)
	}
	rest := strings.Clone(piece.String())
	for _, text := range texts {
		*text, rest = rest[:len(*text)], rest[len(*text):]
	}
}

// memory is a cache of what was verified. It is an interface because every package that imports a type with one of the library's
// generic caches in it compiles all of that anew.
type memory[V any] interface {
	GetIfPresent(hash keyedhash.Value) (V, bool)
	Set(hash keyedhash.Value, v V) (V, bool)
}

// newMemory remembers what was verified, as much of it as fits.
func newMemory[V interface{ size() uint32 }](items, bytes uint64, counter *stats.Counter) *otter.Cache[keyedhash.Value, V] {
	return otter.Must(&otter.Options[keyedhash.Value, V]{
		MaximumWeight: bytes,
		Weigher:       func(_ keyedhash.Value, v V) uint32 { return max(uint32(bytes/items), v.size()) },
		StatsRecorder: counter,
	})
}

// size is about what a remembered session takes in memory.
func (v *Verified) size() uint32 { return uint32(700 + v.Identity.Size()) }

// remember keeps a session that is as its cookie has it. Of one that nobody has sealed a user can make as many cookies as they like, which
// must not take others' place.
func (m *Manager) remember(o *opened, v *Verified) {
	if !o.unsealed {
		m.remembered.Set(o.hash, v)
	}
}

func (m *Manager) recall(hash keyedhash.Value) *Verified {
	v, _ := m.remembered.GetIfPresent(hash)
	return v
}

// timely reports whether a remembered session is young enough for an answer that can, or
// can't, carry a new cookie.
func (m *Manager) timely(v *Verified, ahead bool) bool {
	now := micros(m.Now())
	if ahead && (v.Current != "" && !v.carried || now >= v.renewAt) {
		return false
	}
	return now < v.expires && now.minutes()+clockBack >= v.checked
}

// clockBack is how far the clock may be set back before what was checked by it is checked again.
const clockBack = 1 // minutes

// unchanged reports whether nothing new is known about a remembered session since it was checked.
// One that went on under another sid has to be looked up, since it ends with that.
func (m *Manager) unchanged(v *Verified) bool { return m.stands(v.copy, v.record, v.seen) }

// stands reports whether a record that was read is the one that counts, and there were no events since.
func (m *Manager) stands(c *replica.Copy, r *record, seen uint64) bool {
	return seen == m.records.EventCount() && c.Fresh(r) && !c.Over() && r.Successor == nil
}

// recheck checks a remembered session by what its record and the events say now. It is nil
// where that needs more than the memory has.
func (m *Manager) recheck(ctx context.Context, hash keyedhash.Value, v *Verified) *Verified {
	if micros(m.Now()) >= v.expires {
		return nil
	}
	c, r, _ := m.records.Lookup(ctx, v.copy.Key(), false)
	if m.ended(ctx, c, r) != nil {
		return nil
	}
	if t := c.Token(r, v.token); v.token != (family.Hash{}) && (t == nil || t.Brought == 0) {
		return nil
	}
	current, until, err := m.statusOf(r, v.token)
	if err != nil || current != (v.Current != "") || current && r.Current.Sealed != v.Current {
		return nil
	}
	seen := m.records.EventCount()
	if m.eventsSay(&v.Identity, v.began, v.issued.time()) != eventNone {
		return nil
	}
	next := *v
	next.copy, next.record, next.seen = c, r, seen
	if current && until != 0 {
		next.expires = min(next.expires, micros(m.records.Local(until)))
	}
	if current {
		t := r.Find(r.Current.Token)
		next.carried = t == nil || t.Carried != 0 || t.Brought != 0
	}
	m.remembered.Set(hash, &next)
	return &next
}
