package apikey

import (
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"github.com/authkit-forward-auth/authkit-forward-auth/breaker"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

const (
	clientBurst = 10
	clientEvery = 6 * time.Second
	maxClients  = 50_000
	warnEvery   = time.Minute

	failedKeys   = 5                // so many keys must fail for the circuit breaker to open
	failedWithin = 10 * time.Second // of each other
)

// limits decide whether WorkOS may be asked about one more key.
type limits struct {
	known, unknown *quota
	clients        interface { // of unknown keys; for the reason of cache
		ComputeIfAbsent(client netip.Prefix, limiter func() (*rate.Limiter, bool)) (*rate.Limiter, bool)
	}
	log zerolog.Logger

	mu     sync.Mutex
	warned map[string]time.Time // when a message was last logged
}

// quota is what one kind of keys has for itself.
type quota struct {
	keys    string // which, for the log
	budget  *rate.Limiter
	breaker breaker.Breaker
}

func newQuota(keys string, each rate.Limit, burst int, now func() time.Time) *quota {
	return &quota{
		keys: keys, budget: rate.NewLimiter(each, burst),
		breaker: breaker.Breaker{Threshold: failedKeys, Window: failedWithin, Interval: time.Second, Now: now},
	}
}

func newLimits(log zerolog.Logger, now func() time.Time) *limits {
	return &limits{
		known:   newQuota("known", 50, 100, now),
		unknown: newQuota("unknown", 20, 40, now),
		clients: otter.Must(&otter.Options[netip.Prefix, *rate.Limiter]{
			MaximumSize:      maxClients, // after the time that fills it a limit is as good as none
			ExpiryCalculator: otter.ExpiryAccessing[netip.Prefix, *rate.Limiter](clientBurst * clientEvery),
		}),
		log:    log,
		warned: map[string]time.Time{},
	}
}

// reserve takes what a call costs, or says why there can be none now; then it has cost
// nothing. refund gives back what the client has paid.
func (l *limits) reserve(q *quota, h hash, client netip.Addr, now time.Time) (refund func(), err error) {
	refund = func() {}
	if q == l.unknown {
		if refund, err = l.reserveClient(client, now); err != nil {
			return nil, err
		}
	}
	call := q.budget.ReserveN(now, 1)
	if call.DelayFrom(now) > 0 {
		call.CancelAt(now)
		refund()
		l.warn("too many API keys to validate at WorkOS; some requests are answered with 503", now, func(e *zerolog.Event) { e.Str("keys", q.keys) })
		return nil, &session.Outage{RetryAfter: time.Second, Err: errors.New("too many API keys to validate")}
	}
	if wait, ok := q.breaker.Allow(string(h[:])); !ok {
		call.CancelAt(now)
		refund()
		return nil, &session.Outage{RetryAfter: wait, Err: errors.New("WorkOS could not validate API keys; waiting before it is asked again")}
	}
	return refund, nil
}

// reserveClient takes from a client's limit.
func (l *limits) reserveClient(client netip.Addr, now time.Time) (refund func(), err error) {
	limiter, _ := l.clients.ComputeIfAbsent(prefixOf(client), func() (*rate.Limiter, bool) {
		return rate.NewLimiter(rate.Every(clientEvery), clientBurst), false
	})
	paid := limiter.ReserveN(now, 1)
	refund = func() { paid.CancelAt(now) }
	if wait := paid.DelayFrom(now); wait > 0 {
		refund()
		l.warn("too many unknown API keys from a client; more of them are answered with 429", now, func(e *zerolog.Event) { e.Stringer("client", client) })
		return nil, &LimitedError{RetryAfter: wait}
	}
	return refund, nil
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

// settle says how a call ended. An outage of a known key is WorkOS's, and counts for both
// kinds; that of an unknown one may be due to what somebody sent.
func (l *limits) settle(q *quota, h hash, outage bool) {
	if !outage {
		q.breaker.Success(string(h[:]))
		return
	}
	q.breaker.Failure(string(h[:]))
	if q == l.known {
		l.unknown.breaker.Failure(string(h[:]))
	}
}

// warn logs a message, and not again for a minute.
func (l *limits) warn(message string, now time.Time, about func(*zerolog.Event)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.warned[message]) < warnEvery {
		return
	}
	l.warned[message] = now
	line := l.log.Warn()
	about(line)
	line.Msg(message)
}
