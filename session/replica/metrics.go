package replica

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const namespace = "authkit_forward_auth"

// metrics is what a Replica counts.
type metrics struct {
	evictions prometheus.Counter
	garbage   prometheus.Counter
	gaps      prometheus.Counter
}

// newMetrics registers them; a nil Registerer registers nothing.
func newMetrics(to prometheus.Registerer, r *Replica) *metrics {
	f := promauto.With(to)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
	}
	gauge := func(name, help string, read func() float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, read)
	}
	copies := func(which func(all, unwritten, bytes int) int) func() float64 {
		return func() float64 { return float64(which(r.copies.count())) }
	}
	gauge("session_records", "Session records in memory.", copies(func(all, _, _ int) int { return all }))
	gauge("session_record_bytes", "About how much memory they take.", copies(func(_, _, bytes int) int { return bytes }))
	gauge("session_records_unwritten", "Session records that the store hasn't got yet, or not as they are.", copies(func(_, unwritten, _ int) int {
		if r.alone() {
			return 0
		}
		return unwritten
	}))
	gauge("ended_sessions", "Sessions that are known to have ended.", func() float64 { return float64(r.ended.len()) })
	gauge("events", "Users, organizations, roles and so on of which something became within a day.", func() float64 { return float64(r.events.len()) })
	gauge("replicas", "Replicas of which a message came within a minute, this one included.", func() float64 { return float64(len(r.others()) + 1) })
	gauge("bus_up", "1 while messages of the other replicas arrive here.", func() float64 {
		if r.Connected() {
			return 1
		}
		return 0
	})
	return &metrics{
		evictions: counter("session_record_evictions_total", "Session records that made room for others."),
		garbage:   counter("store_garbage_total", "Values and messages that did not open."),
		gaps:      counter("bus_gaps_total", "Times that messages of other replicas may have been lost."),
	}
}
