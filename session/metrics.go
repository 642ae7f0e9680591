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
	uncertain  prometheus.Counter
	garbage    prometheus.Counter
	emptied    prometheus.Counter
}

// Results of a refresh.
const (
	resultRefreshed  = "refreshed"
	resultElsewhere  = "done_elsewhere" // by another replica, or by an app's own SDK
	resultEnded      = "invalid_grant"
	resultStep       = "step_required"
	resultOutage     = "unavailable"
	resultRejected   = "rejected" // our own request, or an answer that is no session
	resultOverloaded = "overloaded"
	resultUncertain  = "uncertain" // invalid_grant, and the store can't be asked
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
		redelivers: counter("rotations_redelivered_total", "Requests with an old cookie that were answered from the session that it became."),
		superseded: counter("rotations_superseded_total", "Requests refused because a later cookie of the session had been in use for a minute."),
		uncertain:  counter("store_uncertain_total", "Sessions looked up while the store could not say what other replicas know."),
		garbage:    counter("store_garbage_total", "Values in the store that did not open, or belonged to another key."),
		emptied:    counter("store_emptied_total", "Times the store was found to have lost its values."),
	}
	for _, result := range []string{
		resultRefreshed, resultElsewhere, resultEnded, resultStep, resultOutage, resultRejected, resultOverloaded, resultUncertain,
	} {
		m.refreshes.WithLabelValues(result) // from the start, so that a first failure shows as an increase
	}
	return m
}

// observe registers what can be read off a Manager.
func (m *Manager) observe(r prometheus.Registerer, remembered, bearers *stats.Counter) {
	f := promauto.With(r)
	gauge := func(name, help string, read func() float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, read)
	}
	counter := func(of *stats.Counter, name, help string, labels prometheus.Labels, read func(stats.Stats) uint64) {
		f.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help, ConstLabels: labels},
			func() float64 { return float64(read(of.Snapshot())) })
	}
	lookups := func(of *stats.Counter, name, help string) {
		counter(of, name, help, prometheus.Labels{"result": "hit"}, func(s stats.Stats) uint64 { return s.Hits })
		counter(of, name, help, prometheus.Labels{"result": "miss"}, func(s stats.Stats) uint64 { return s.Misses })
	}
	lookups(remembered, "remembered_lookups_total", "Lookups of session cookies in memory, by result.")
	lookups(bearers, "bearer_lookups_total", "Lookups of bearer tokens in memory, by result.")
	counter(remembered, "remembered_evictions_total", "Remembered sessions that made room for others.", nil, func(s stats.Stats) uint64 { return s.Evictions })
	gauge("remembered_sessions", "Verified sessions in memory.", func() float64 { return float64(m.remembered.EstimatedSize()) })
	gauge("remembered_bytes", "About how much memory they take.", func() float64 { return float64(m.remembered.WeightedSize()) })
	gauge("rotations", "Refresh tokens of which this process knows what became.", func() float64 { return float64(m.rotations.turns.EstimatedSize()) })
	gauge("refreshes_pending", "Refreshes under way or waiting for their turn.", func() float64 { return float64(m.flights.pending()) })
	gauge("authkit_resting", "1 while refreshes are held back because the last ones failed.", func() float64 {
		if _, failing := m.Resting(); failing {
			return 1
		}
		return 0
	})
}
