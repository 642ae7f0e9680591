package session

import (
	"crypto/sha256"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
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
	Sent [32]byte

	line    lineKey
	arrived bool      // a request has brought its own cookie, not only an older one
	issued  time.Time // of the access token
	made    time.Time // when a refresh here brought it, zero if it came from outside
	expires time.Time // when the access token has to be looked at again
	renewAt time.Time // from when an answer that can carry a cookie refreshes
}

// newMemory remembers what was verified, as much of it as fits.
func newMemory[V interface{ size() uint32 }](items, bytes uint64, counter *stats.Counter) *otter.Cache[valueHash, V] {
	return otter.Must(&otter.Options[valueHash, V]{
		MaximumWeight: bytes,
		Weigher:       func(_ valueHash, v V) uint32 { return max(uint32(bytes/items), v.size()) },
		StatsRecorder: counter,
	})
}

// size is about what a remembered session takes in memory.
func (v *Verified) size() uint32 {
	i := &v.Identity
	size := 700 + len(i.Subject) + len(i.Email) + len(i.Name) + len(i.SessionID) + len(i.AccessToken)
	for _, list := range [][]string{i.Roles, i.Permissions, i.Entitlements, i.FeatureFlags} {
		for _, item := range list {
			size += 16 + len(item)
		}
	}
	return uint32(size)
}

// valueHash stands for a session cookie's value.
type valueHash [sha256.Size]byte

// hashValue hashes piece by piece: a conversion would copy 2 KB to the heap for
// every request.
func hashValue(sealed string) (hash valueHash) {
	var piece [512]byte
	digest := sha256.New()
	for len(sealed) > 0 {
		n := copy(piece[:], sealed)
		digest.Write(piece[:n])
		sealed = sealed[n:]
	}
	digest.Sum(hash[:0])
	return hash
}

// recall returns a remembered session while nothing about it can have changed.
func (m *Manager) recall(hash valueHash, ahead bool) *Verified {
	v, ok := m.remembered.GetIfPresent(hash)
	if !ok {
		return nil
	}
	limit := v.expires
	if ahead {
		limit = v.renewAt
	}
	if !m.Now().Before(limit) || m.marks.judge(&v.Identity, v.line, v.issued, v.made) != untouched {
		return nil
	}
	return v
}

// verified makes what is remembered of a good session.
func (m *Manager) verified(o *opened, c *token.Claims, p place, now time.Time) *Verified {
	v := &Verified{
		Identity: identityOf(o.Session, c), line: lineOf(c), arrived: o.arrived,
		issued: c.IssuedAt, made: p.made, expires: c.ExpiresAt,
	}
	if m.KeepAccessToken {
		v.Identity.AccessToken = o.AccessToken
	}
	v.renewAt = c.ExpiresAt.Add(-aheadOf(c.ExpiresAt.Sub(c.IssuedAt)))
	if until := p.made.Add(justRefreshed); until.After(now) {
		v.renewAt = later(v.renewAt, until)
		v.expires = later(v.expires, until)
	}
	return v
}

// remember keeps a verified session until it expires, unless its refresh token
// was exchanged meanwhile: an old cookie is looked up each time, as it may be
// superseded.
func (m *Manager) remember(o *opened, v *Verified) {
	m.remembered.Set(o.hash, v)
	if m.rotations.find(o.token, o.sealed, m.Now()).current != "" {
		m.remembered.Invalidate(o.hash)
	}
}
