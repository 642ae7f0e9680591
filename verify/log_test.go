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

// nginx's lines without HIDE_SESSION_COOKIE take all cookies from the app. That is said once.
func TestLostCookiesAreNoticed(t *testing.T) {
	t.Parallel()
	const asks = "X-Original-Method: GET\nX-Original-URL: https://app.example.com/\nX-Auth-Hide-Session-Cookie: 1"
	for _, tt := range []struct {
		name, endpoint, header string
		settings               map[string]string
		want                   []int // lines in the log, request by request
	}{
		{"without the variable", "/verify/auth-request", asks, nil, []int{1, 0}},
		{"with it", "/verify/auth-request", asks, map[string]string{"hide session cookie": "true"}, []int{0, 0}},
		{"without the lines", "/verify/auth-request", "X-Original-Method: GET\nX-Original-URL: https://app.example.com/", nil, []int{0, 0}},
		{"in another profile a client's word counts for nothing", "/verify/forward-auth", forwardedReports + "X-Auth-Hide-Session-Cookie: 1", nil, []int{0, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, tt.settings)
			s.sessions.state = "good"
			for i, want := range tt.want {
				s.ask("GET", tt.endpoint, headerOf(t, tt.header))
				if got := strings.Count(s.log.String(), "HIDE_SESSION_COOKIE=true"); got != want {
					t.Errorf("request %d: got log %q, want %d lines about it", i+1, s.log, want)
				}
			}
		})
	}
}
