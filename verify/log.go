package verify

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

// log writes one line for a denial, and for what is allowed where that is asked for.
func (h *Handler) log(c *checkRequest, d *decision, id string) {
	if d.reason == "" && d.note == "" && !h.LogAllowed {
		return
	}
	e := h.Log.WithLevel(d.level(c.profile))
	if d.reason != "" {
		e.Str("reason", d.reason).Str("detail", d.detail)
	}
	if h.hasPolicy && d.rule != nil {
		e.Str("rule", d.rule.Name)
	}
	if d.credential != "" && d.credential != policy.Cookie {
		e.Str("credential", string(d.credential))
	}
	if d.requirement != "" {
		e.Str("requirement", d.requirement)
	}
	if d.note != "" {
		e.Str("note", d.note)
	}
	if d.identity != nil {
		e.Str("subject", d.identity.Subject).Str("session_hash", d.identity.SessionHash())
	}
	if gateway := first(c.header, "X-Request-Id"); gateway != "" {
		e.Str("gateway_request_id", cut(gateway, 128))
	}
	e.Str("event", "verify").Int("status", d.status).Str("method", c.original.method).
		Str("host", c.original.host.String()).Str("path", cut(c.original.path, 512)).
		Str("request_id", id).Msg(d.message())
}

// noticeLostCookies says once that nginx's lines for HIDE_SESSION_COOKIE are there, which
// the examples tell in a header, and the variable isn't: then the app gets no cookies.
func (h *Handler) noticeLostCookies(c *checkRequest) {
	if c.profile != authRequest || h.AppCookies != nil || first(c.header, "X-Auth-Hide-Session-Cookie") == "" {
		return
	}
	h.cookiesLost.Do(func() {
		h.Log.Error().Str("event", "verify").Str("host", c.original.host.String()).
			Msg("the gateway takes the app's cookies from this service's answers, so the app gets none: set HIDE_SESSION_COOKIE=true, or remove the gateway's lines")
	})
}

// level is the one of a decision's line. /verify/auth-request has logged already what
// /verify/sign-in answers.
func (d *decision) level(p profile) zerolog.Level {
	switch {
	case p == signIn && !d.unreported:
		return zerolog.DebugLevel
	case d.reason == ReasonMisconfigured, d.reason == ReasonUntrustedProxy, d.reason == ReasonBadRequest && !d.byClient:
		return zerolog.ErrorLevel
	case d.reason == ReasonUnavailable, d.note != "":
		return zerolog.WarnLevel
	}
	return zerolog.InfoLevel
}

func (d *decision) message() string {
	switch {
	case d.reason == ReasonRenewCookie:
		return "sent to /verify/sign-in for new cookies"
	case d.reason != "":
		return "denied"
	case d.status == http.StatusSeeOther:
		return "sent back with a new cookie"
	}
	return "allowed"
}

func cut(s string, n int) string { return s[:min(len(s), n)] }

// metrics counts decisions by outcome and reason.
type metrics struct {
	allowed   prometheus.Counter // most decisions
	others    *prometheus.CounterVec
	notStored prometheus.Counter
}

// newMetrics registers them; with a nil r nothing is registered.
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
	m.others.WithLabelValues(d.outcome(), d.reason).Inc()
}

// outcome is the metric's word for a decision that isn't a 200.
func (d *decision) outcome() string {
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
