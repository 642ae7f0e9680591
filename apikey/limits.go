package apikey

import (
	"errors"
	"net/netip"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

const (
	clientBurst = 10
	clientEvery = 6 * time.Second
	maxClients  = 50_000
	rest        = time.Second // between two tries while WorkOS is down
	warnEvery   = time.Minute
)

// limits decide whether WorkOS may be asked about one more key. Its methods are
// called under the Validator's lock.
type limits struct {
	known, unknown *lane
	clients        *otter.Cache[netip.Prefix, *rate.Limiter] // of unknown keys
	warned         time.Time                                 // about a client
	log            zerolog.Logger
}

// lane is what one kind of keys has for itself.
type lane struct {
	keys    string // which, for the log
	budget  *rate.Limiter
	failing bool      // the last call was an outage
	next    time.Time // when the next one may be tried, while failing
	warned  time.Time
}

func newLimits(log zerolog.Logger) *limits {
	return &limits{
		known:   &lane{keys: "known", budget: rate.NewLimiter(50, 100)},
		unknown: &lane{keys: "unknown", budget: rate.NewLimiter(20, 40)},
		clients: otter.Must(&otter.Options[netip.Prefix, *rate.Limiter]{
			MaximumSize:      maxClients, // after the time that fills it a limit is as good as none
			ExpiryCalculator: otter.ExpiryAccessing[netip.Prefix, *rate.Limiter](clientBurst * clientEvery),
		}),
		log: log,
	}
}

// begin takes what a call costs, or says why there can be none now. A rest comes
// first: it costs the client nothing. refund gives back what the client paid, for a key
// that turned out to be valid: whoever has many keys is no flood.
func (l *limits) begin(kind *lane, client netip.Addr, now time.Time) (refund func(), err error) {
	if wait := kind.next.Sub(now); kind.failing && wait > 0 {
		return nil, &session.Outage{RetryAfter: wait, Err: errors.New("WorkOS could not validate API keys; waiting before it is asked again")}
	}
	refund = func() {}
	if kind == l.unknown {
		if refund, err = l.charge(client, now); err != nil {
			return nil, err
		}
	}
	if !kind.budget.AllowN(now, 1) {
		if due(&kind.warned, now) {
			l.log.Warn().Str("keys", kind.keys).Msg("too many API keys to validate at WorkOS; some requests are answered with 503")
		}
		return nil, &session.Outage{RetryAfter: time.Second, Err: errors.New("too many API keys to validate")}
	}
	kind.next = now.Add(rest)
	return refund, nil
}

// charge takes from a client's limit.
func (l *limits) charge(client netip.Addr, now time.Time) (refund func(), err error) {
	limiter, _ := l.clients.ComputeIfAbsent(prefixOf(client), func() (*rate.Limiter, bool) {
		return rate.NewLimiter(rate.Every(clientEvery), clientBurst), false
	})
	paid := limiter.ReserveN(now, 1)
	wait := paid.DelayFrom(now)
	if wait == 0 {
		return func() { paid.CancelAt(now) }, nil
	}
	paid.CancelAt(now)
	if due(&l.warned, now) {
		l.log.Warn().Stringer("client", client).Msg("too many unknown API keys from a client; more of them are answered with 429")
	}
	return nil, &LimitedError{RetryAfter: wait}
}

// prefixOf is what one client may have for itself: an IPv4 address, a /64 of IPv6.
func prefixOf(client netip.Addr) netip.Prefix {
	client = client.Unmap()
	bits := 64
	if client.Is4() {
		bits = 32
	}
	prefix, _ := client.Prefix(bits) // the zero prefix for an invalid address
	return prefix
}

// end says how a call ended. An outage of a known key is WorkOS's, and all rest; that
// of an unknown one may be due to what somebody sent.
func (l *limits) end(kind *lane, outage bool, now time.Time) {
	kind.failing = outage
	if !outage {
		return
	}
	kind.next = now.Add(rest)
	if kind == l.known {
		l.unknown.failing, l.unknown.next = true, kind.next
	}
}

// due reports whether a warning is, and takes note of it.
func due(warned *time.Time, now time.Time) bool {
	if now.Sub(*warned) < warnEvery {
		return false
	}
	*warned = now
	return true
}
