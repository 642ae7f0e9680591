package verify

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics counts decisions by outcome and reason.
type metrics struct {
	allowed   prometheus.Counter // most decisions
	others    *prometheus.CounterVec
	notStored prometheus.Counter
}

// newMetrics registers them, with r nil nowhere.
func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	decisions := f.NewCounterVec(prometheus.CounterOpts{
		Namespace: "authkit_forward_auth", Name: "decisions_total",
		Help: "Decisions by outcome (allowed, renewed, sign_in, denied, unavailable) and reason, as X-Auth-Reason has it.",
	}, []string{"outcome", "reason"})
	return &metrics{
		allowed: decisions.WithLabelValues("allowed", ""),
		others:  decisions,
		notStored: f.NewCounter(prometheus.CounterOpts{
			Namespace: "authkit_forward_auth", Name: "cookies_not_stored_total",
			Help: "Documents asked for with an old cookie although the browser was sent the new one a moment ago.",
		}),
	}
}

func (m *metrics) count(d *decision) {
	if d.notStored {
		m.notStored.Inc()
	}
	if d.status == http.StatusOK {
		m.allowed.Inc()
		return
	}
	m.others.WithLabelValues(d.kind(), d.reason).Inc()
}

// kind is the outcome of what isn't allowed at once.
func (d *decision) kind() string {
	switch {
	case d.reason == "", d.reason == ReasonRenewCookie:
		return "renewed"
	case d.status == http.StatusServiceUnavailable:
		return "unavailable"
	case d.reason == ReasonNoCredential, d.reason == ReasonBadCredential:
		return "denied"
	case d.status == http.StatusUnauthorized, d.status == http.StatusSeeOther:
		return "sign_in"
	}
	return "denied"
}
