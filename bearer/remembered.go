package bearer

import (
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/keyedhash"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

const (
	maxRemembered      = 20_000
	maxRememberedBytes = 20 << 20
)

// verified is a token that was verified. It is shared between requests and never changed.
type verified struct {
	identity  identity.Identity
	issued    time.Time
	expires   time.Time
	unchanged func() bool // as Sessions.Watch says
}

func (v *Verifier) verifiedOf(raw string, c *token.Claims) *verified {
	id := c.Identity
	if len(id.Roles) == 0 && id.Role != "" {
		id.Roles = []string{id.Role}
	}
	if v.KeepAccessToken {
		id.AccessToken = raw
	}
	return &verified{identity: id, issued: c.IssuedAt, expires: c.ExpiresAt}
}

// memory is a cache of what was verified. It is an interface because every package that imports a type with one of the library's
// generic caches in it compiles all of that anew.
type memory interface {
	GetIfPresent(hash keyedhash.Value) (*verified, bool)
	Set(hash keyedhash.Value, v *verified) (*verified, bool)
}

func newMemory(lookups *stats.Counter) memory {
	return otter.Must(&otter.Options[keyedhash.Value, *verified]{
		MaximumWeight: maxRememberedBytes,
		Weigher: func(_ keyedhash.Value, v *verified) uint32 {
			return max(maxRememberedBytes/maxRemembered, uint32(700+v.identity.Size()))
		},
		StatsRecorder: lookups,
	})
}

// observe registers the metrics; r may be nil.
func observe(r prometheus.Registerer, lookups *stats.Counter) {
	f := promauto.With(r)
	for result, read := range map[string]func(stats.Stats) uint64{
		"hit":  func(s stats.Stats) uint64 { return s.Hits },
		"miss": func(s stats.Stats) uint64 { return s.Misses },
	} {
		f.NewCounterFunc(prometheus.CounterOpts{
			Namespace: "authkit_forward_auth", Name: "bearer_lookups_total", Help: "Lookups of bearer tokens in memory, by result.",
			ConstLabels: prometheus.Labels{"result": result},
		}, func() float64 { return float64(read(lookups.Snapshot())) })
	}
}
