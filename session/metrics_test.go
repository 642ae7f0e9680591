package session_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// The log and metrics of a session that is remembered, refreshed, answered for an old cookie,
// superseded, rejected, and of a rate limit.
func TestMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	w := start(t, func(o *options) { o.session.Metrics = registry })
	old, rejected := w.signIn(t, zoe, ""), w.signIn(t, zoe, "")
	w.valid(t, old)
	w.valid(t, old)
	w.clock.advance(time.Hour)
	next := w.refreshed(t, old)
	w.valid(t, old)
	w.valid(t, next)
	w.clock.advance(3 * time.Minute)
	_, _ = w.verify(t, old) // superseded
	w.authKit.answer(authenticate, status(400, `{"error":"invalid_grant"}`))
	_, _ = w.verify(t, rejected)
	w.authKit.answer(authenticate, status(429, ""))
	limited := w.signIn(t, zoe, "")
	w.clock.advance(time.Hour)
	_, _ = w.verify(t, limited)

	const want = `
# HELP authkit_forward_auth_old_cookies_total Requests with an old cookie that were answered from the current session.
# TYPE authkit_forward_auth_old_cookies_total counter
authkit_forward_auth_old_cookies_total 2
# HELP authkit_forward_auth_refreshes_total Refreshes of sessions at AuthKit, by result.
# TYPE authkit_forward_auth_refreshes_total counter
authkit_forward_auth_refreshes_total{result="done_elsewhere"} 0
authkit_forward_auth_refreshes_total{result="overloaded"} 0
authkit_forward_auth_refreshes_total{result="refreshed"} 1
authkit_forward_auth_refreshes_total{result="refused"} 0
authkit_forward_auth_refreshes_total{result="rejected"} 1
authkit_forward_auth_refreshes_total{result="step_required"} 0
authkit_forward_auth_refreshes_total{result="unavailable"} 1
authkit_forward_auth_refreshes_total{result="uncertain"} 0
# HELP authkit_forward_auth_session_records Session records in memory.
# TYPE authkit_forward_auth_session_records gauge
authkit_forward_auth_session_records 3
# HELP authkit_forward_auth_superseded_cookies_total Requests refused because a later cookie of the session had been in use for three minutes.
# TYPE authkit_forward_auth_superseded_cookies_total counter
authkit_forward_auth_superseded_cookies_total 1
`
	var names []string
	for line := range strings.SplitSeq(want, "\n") {
		if fields := strings.Fields(line); len(fields) > 2 && fields[1] == "TYPE" {
			names = append(names, fields[2])
		}
	}
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	hits, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, metric := range hits {
		if metric.GetName() == "authkit_forward_auth_remembered_sessions" && metric.GetMetric()[0].GetGauge().GetValue() < 1 {
			t.Error("got no remembered session")
		}
	}
}
