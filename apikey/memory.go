package apikey

import (
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

const (
	remembered = time.Minute // an answer of WorkOS's
	knownFor   = time.Hour   // that a key was valid
	pauseFor   = time.Second // before WorkOS is asked again about a key that it couldn't validate
	maxKeys    = 50_000      // of each kind
)

// valid is a key that WorkOS held for valid. It is not changed once made.
type valid struct {
	identity identity.Identity
	id       string    // the key's
	since    time.Time // when WorkOS was asked
}

// memory is what this process knows of keys. It goes by the times in it; the caches'
// own only make room.
type memory struct {
	good   *otter.Cache[hash, *valid]
	bad    *otter.Cache[hash, time.Time] // refused then
	seen   *otter.Cache[hash, time.Time] // valid then
	failed *otter.Cache[hash, time.Time] // WorkOS couldn't say then
}

func newMemory() *memory {
	return &memory{
		good: otter.Must(&otter.Options[hash, *valid]{
			MaximumSize: maxKeys, ExpiryCalculator: otter.ExpiryWriting[hash, *valid](remembered),
		}),
		bad:    newTimes(remembered),
		seen:   newTimes(knownFor),
		failed: newTimes(pauseFor),
	}
}

func newTimes(ttl time.Duration) *otter.Cache[hash, time.Time] {
	return otter.Must(&otter.Options[hash, time.Time]{
		MaximumSize: maxKeys, ExpiryCalculator: otter.ExpiryWriting[hash, time.Time](ttl),
	})
}

func (m *memory) valid(h hash, now time.Time) *valid {
	good, ok := m.good.GetIfPresent(h)
	if !ok || now.Sub(good.since) >= remembered {
		return nil
	}
	return good
}

func (m *memory) refused(h hash, now time.Time) bool {
	at, ok := m.bad.GetIfPresent(h)
	return ok && now.Sub(at) < remembered
}

// seenValid reports whether the key was valid within the last hour.
func (m *memory) seenValid(h hash, now time.Time) bool {
	at, ok := m.seen.GetIfPresent(h)
	return ok && now.Sub(at) < knownFor
}

// paused is for how long WorkOS isn't asked about a key.
func (m *memory) paused(h hash, now time.Time) time.Duration {
	at, ok := m.failed.GetIfPresent(h)
	if !ok {
		return 0
	}
	return max(0, at.Add(pauseFor).Sub(now))
}

func (m *memory) pause(h hash, now time.Time) { m.failed.Set(h, now) }

func (m *memory) accept(h hash, good *valid) {
	m.bad.Invalidate(h)
	m.good.Set(h, good)
	m.seen.Set(h, good.since)
}

func (m *memory) refuse(h hash, now time.Time) {
	m.good.Invalidate(h)
	m.seen.Invalidate(h)
	m.bad.Set(h, now)
}

// forget has a key validated before its next use.
func (m *memory) forget(h hash) { m.good.Invalidate(h) }
