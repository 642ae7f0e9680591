package verify

import (
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := newMetrics(registry)
	for _, d := range []*decision{
		{status: http.StatusOK},
		{status: http.StatusOK, notStored: true},
		{status: http.StatusSeeOther},
		{status: http.StatusUnauthorized, reason: ReasonRenewCookie},
		{status: http.StatusSeeOther, reason: ReasonNoSession},
		{status: http.StatusUnauthorized, reason: ReasonNoSession},
		{status: http.StatusForbidden, reason: ReasonWrongHost},
		{status: http.StatusBadRequest, reason: ReasonBadRequest},
		{status: http.StatusServiceUnavailable, reason: ReasonUnavailable},
	} {
		m.count(d)
	}
	want := `
# HELP authkit_forward_auth_cookies_not_stored_total Documents asked for with an old cookie although the browser was sent the new one a moment ago.
# TYPE authkit_forward_auth_cookies_not_stored_total counter
authkit_forward_auth_cookies_not_stored_total 1
# HELP authkit_forward_auth_decisions_total Decisions by outcome (allowed, renewed, sign_in, denied, unavailable) and reason, as X-Auth-Reason has it.
# TYPE authkit_forward_auth_decisions_total counter
authkit_forward_auth_decisions_total{outcome="allowed",reason=""} 2
authkit_forward_auth_decisions_total{outcome="denied",reason="bad_request"} 1
authkit_forward_auth_decisions_total{outcome="denied",reason="wrong_host"} 1
authkit_forward_auth_decisions_total{outcome="renewed",reason=""} 1
authkit_forward_auth_decisions_total{outcome="renewed",reason="renew_cookie"} 1
authkit_forward_auth_decisions_total{outcome="sign_in",reason="no_session"} 2
authkit_forward_auth_decisions_total{outcome="unavailable",reason="unavailable"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}
