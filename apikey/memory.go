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
	good   cache[*valid]
	bad    cache[time.Time] // refused then
	seen   cache[time.Time] // valid then
	failed cache[time.Time] // WorkOS couldn't say then
}

// cache is one of the library's. It is an interface because every package that imports a type with one of its generic caches in it
// compiles all of that anew.
type cache[V any] interface {
	GetIfPresent(h hash) (V, bool)
	Set(h hash, v V) (V, bool)
	Invalidate(h hash) (V, bool)
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

func newTimes(ttl time.Duration) cache[time.Time] {
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
