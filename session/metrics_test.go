package session_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// What an operator sees of a session that is remembered, refreshed, redelivered,
// superseded, refused, and of an outage.
func TestMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	r := startReplicas(t, func(o *options) { o.session.Metrics = nil })
	config := r.all[0].Config
	config.Metrics = registry
	m := r.add(t, config)
	ask := func(sealed string) { _, _ = m.Verify(t.Context(), cookies(sealed), false) }

	old, ended := r.signIn(t, zoe, ""), r.signIn(t, zoe, "")
	ask(old)
	ask(old)
	r.clock.advance(time.Hour)
	v, err := m.Verify(t.Context(), cookies(old), false)
	if err != nil {
		t.Fatal(err)
	}
	ask(old)
	ask(v.Current)
	r.clock.advance(2 * time.Minute)
	ask(old) // superseded
	r.authKit.answer(authenticate, status(400, `{"error":"invalid_grant"}`))
	ask(ended)
	r.authKit.answer(authenticate, status(500, ""))
	down := r.signIn(t, zoe, "")
	r.clock.advance(time.Hour)
	ask(down)
	r.board.set(true, false, false)
	ask(r.signIn(t, sam, acmeID))

	want := `
# HELP authkit_forward_auth_refreshes_total Refreshes of sessions at AuthKit, by result.
# TYPE authkit_forward_auth_refreshes_total counter
authkit_forward_auth_refreshes_total{result="done_elsewhere"} 0
authkit_forward_auth_refreshes_total{result="invalid_grant"} 1
authkit_forward_auth_refreshes_total{result="overloaded"} 0
authkit_forward_auth_refreshes_total{result="refreshed"} 1
authkit_forward_auth_refreshes_total{result="rejected"} 0
authkit_forward_auth_refreshes_total{result="step_required"} 0
authkit_forward_auth_refreshes_total{result="unavailable"} 1
authkit_forward_auth_refreshes_total{result="uncertain"} 0
# HELP authkit_forward_auth_rotations_redelivered_total Requests with an old cookie that were answered from the session that it became.
# TYPE authkit_forward_auth_rotations_redelivered_total counter
authkit_forward_auth_rotations_redelivered_total 2
# HELP authkit_forward_auth_rotations_superseded_total Requests refused because a later cookie of the session had been in use for a minute.
# TYPE authkit_forward_auth_rotations_superseded_total counter
authkit_forward_auth_rotations_superseded_total 1
# HELP authkit_forward_auth_store_uncertain_total Sessions looked up while the store could not say what other replicas know.
# TYPE authkit_forward_auth_store_uncertain_total counter
authkit_forward_auth_store_uncertain_total 1
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
	hits, remembered := 0.0, 0.0
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "authkit_forward_auth_remembered_sessions" {
			remembered = family.GetMetric()[0].GetGauge().GetValue()
		}
		if family.GetName() == "authkit_forward_auth_remembered_lookups_total" {
			for _, metric := range family.GetMetric() {
				if metric.GetLabel()[0].GetValue() == "hit" {
					hits = metric.GetCounter().GetValue()
				}
			}
		}
	}
	if hits < 1 || remembered < 1 {
		t.Errorf("got %v hits, %v remembered sessions, want some: the second look at the first cookie", hits, remembered)
	}
}
