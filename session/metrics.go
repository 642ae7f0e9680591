package session

import (
	"github.com/maypok86/otter/v2/stats"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics is what a Manager counts.
type metrics struct {
	refreshes  *prometheus.CounterVec // by result
	redelivers prometheus.Counter
	superseded prometheus.Counter
}

// Results of a refresh.
const (
	resultRefreshed  = "refreshed"
	resultElsewhere  = "done_elsewhere" // by another replica, or a moment ago
	resultRejected   = "rejected"       // invalid_grant: the refresh token is rejected
	resultStep       = "step_required"
	resultOutage     = "unavailable"
	resultRefused    = "refused" // our own request, or an answer that is no session
	resultOverloaded = "overloaded"
	resultUncertain  = "uncertain" // invalid_grant, and not every replica could be asked
)

const namespace = "authkit_forward_auth"

// newMetrics registers them; r may be nil.
func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
	}
	m := &metrics{
		refreshes: f.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "refreshes_total", Help: "Refreshes of sessions at AuthKit, by result.",
		}, []string{"result"}),
		redelivers: counter("old_cookies_total", "Requests with an old cookie that were answered from the current session."),
		superseded: counter("superseded_cookies_total", "Requests refused because a later cookie of the session had been in use for three minutes."),
	}
	for _, result := range []string{
		resultRefreshed, resultElsewhere, resultRejected, resultStep, resultOutage, resultRefused, resultOverloaded, resultUncertain,
	} {
		m.refreshes.WithLabelValues(result) // from the start, so that a first failure shows as an increase
	}
	return m
}

// observe registers what can be read off a Manager. size is how many sessions are remembered, and about how much memory they take.
func (m *Manager) observe(r prometheus.Registerer, remembered *stats.Counter, size func() (sessions int, bytes uint64)) {
	f := promauto.With(r)
	gauge := func(name, help string, read func() float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, read)
	}
	counter := func(name, help string, labels prometheus.Labels, read func(stats.Stats) uint64) {
		f.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help, ConstLabels: labels},
			func() float64 { return float64(read(remembered.Snapshot())) })
	}
	lookups := func(result string, read func(stats.Stats) uint64) {
		counter("remembered_lookups_total", "Lookups of session cookies in memory, by result.", prometheus.Labels{"result": result}, read)
	}
	lookups("hit", func(s stats.Stats) uint64 { return s.Hits })
	lookups("miss", func(s stats.Stats) uint64 { return s.Misses })
	counter("remembered_evictions_total", "Remembered sessions that made room for others.", nil, func(s stats.Stats) uint64 { return s.Evictions })
	gauge("remembered_sessions", "Verified sessions in memory.", func() float64 { n, _ := size(); return float64(n) })
	gauge("remembered_bytes", "About how much memory they take.", func() float64 { _, bytes := size(); return float64(bytes) })
	gauge("refreshes_pending", "Refreshes under way or waiting for their turn.", func() float64 { return float64(m.refresher.pending()) })
	gauge("authkit_breaker_open", "1 while the circuit breaker spares AuthKit, because refreshes of several sessions failed.", func() float64 {
		if m.BreakerOpen() {
			return 1
		}
		return 0
	})
}
