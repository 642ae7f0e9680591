package server

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// metric is the line of a metric that begins like that, or nothing.
func (w *world) metric(t *testing.T, begins string) string {
	t.Helper()
	answer := ask(t, w.AdminHandler(), "GET", "/metrics", "")
	if answer.Code != http.StatusOK {
		t.Fatalf("got status %d, want 200", answer.Code)
	}
	for line := range strings.Lines(answer.Body.String()) {
		if strings.HasPrefix(line, "authkit_forward_auth_"+begins) {
			return strings.TrimSpace(strings.TrimPrefix(line, "authkit_forward_auth_"))
		}
	}
	return ""
}

func TestAdmin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "GATEWAY", "traefik").ready(t)
	sealed := w.signIn(t, paula, time.Hour)
	ask(t, w.Handler(), "GET", "/verify", forwarded+"Sec-Fetch-Mode: cors\nSec-Fetch-Dest: empty\nCookie: wos-session="+sealed)
	ask(t, w.Handler(), "GET", "/verify", forwarded)
	for begins, want := range map[string]string{
		`decisions_total{outcome="allowed"`:                                   `decisions_total{outcome="allowed",reason=""} 1`,
		`decisions_total{outcome="sign_in"`:                                   `decisions_total{outcome="sign_in",reason="no_session"} 1`,
		`refreshes_total{result="refreshed"`:                                  `refreshes_total{result="refreshed"} 1`,
		`authkit_request_seconds_count{endpoint="authenticate",result="200"}`: `authkit_request_seconds_count{endpoint="authenticate",result="200"} 1`,
		`authkit_request_seconds_count{endpoint="jwks",result="200"}`:         `authkit_request_seconds_count{endpoint="jwks",result="200"} 1`,
		`old_cookies_total`:                                                   `old_cookies_total 1`,
	} {
		if got := w.metric(t, begins); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := ask(t, w.AdminHandler(), "GET", "/readyz", ""); got.Code != 200 || got.Body.String() != "ready\n" {
		t.Errorf("got %d %q, want 200 ready", got.Code, got.Body)
	}
	for _, h := range []http.Handler{w.Handler(), w.VerifyHandler()} {
		if got := ask(t, h, "GET", "/metrics", ""); got.Code != http.StatusNotFound {
			t.Errorf("got metrics at another listener: %d", got.Code)
		}
	}
	if got := ask(t, w.AdminHandler(), "GET", "/verify", forwarded); got.Code != http.StatusNotFound {
		t.Errorf("got /verify at ADMIN_ADDR: %d", got.Code)
	}
}

// WorkOS's delivery of an event, signed now.
func (w *world) deliver(t *testing.T, secret, body string) *httptest.ResponseRecorder {
	t.Helper()
	stamp := fmt.Sprint(time.Now().UnixMilli())
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "." + body))
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/_auth/webhooks", strings.NewReader(body))
	r.Header.Set("WorkOS-Signature", "t="+stamp+", v1="+hex.EncodeToString(mac.Sum(nil)))
	answer := httptest.NewRecorder()
	w.Handler().ServeHTTP(answer, r)
	return answer
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "GATEWAY", "traefik", "WORKOS_WEBHOOK_SECRET", "whsec_0123456789abcdef").ready(t)
	sealed := w.signIn(t, paula, 0)
	request := forwarded + "Cookie: wos-session=" + sealed
	allowed := ask(t, w.Handler(), "GET", "/verify", request)
	if allowed.Code != http.StatusOK {
		t.Fatalf("got %d, want 200", allowed.Code)
	}
	user := allowed.Header().Get("X-Auth-Request-User")
	delivery := strings.Replace(forwarded, "/reports", "/_auth/webhooks", 1) // a middleware on the whole entry point
	if got := ask(t, w.Handler(), "GET", "/verify", delivery); got.Code != http.StatusOK || got.Header().Get("X-Auth-Request-User") != "" {
		t.Errorf("got %d about the webhooks' own path, want 200 for nobody", got.Code)
	}
	event := fmt.Sprintf(`{"id":"event_1","event":"user.deleted","data":{"id":%q},"created_at":%q}`, user, time.Now().UTC().Format(time.RFC3339Nano))
	if got := w.deliver(t, "another secret", event); got.Code != http.StatusUnauthorized {
		t.Errorf("got %d for another secret, want 401", got.Code)
	}
	if got := ask(t, w.Handler(), "GET", "/verify", request); got.Code != http.StatusOK {
		t.Errorf("got %d after a forged event, want 200", got.Code)
	}
	if got := w.deliver(t, "whsec_0123456789abcdef", event); got.Code != http.StatusOK {
		t.Errorf("got %d, want 200", got.Code)
	}
	if got := ask(t, w.Handler(), "GET", "/verify", request); got.Code != 401 || got.Header().Get("X-Auth-Reason") != "session_ended" {
		t.Errorf("got %d %s, want 401 session_ended", got.Code, got.Header().Get("X-Auth-Reason"))
	}
	if got, want := w.metric(t, `webhooks_total{event="user.deleted"`), `webhooks_total{event="user.deleted",result="ok"} 1`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	off := newWorld(t)
	if got := off.deliver(t, "", event); got.Code != http.StatusNotFound {
		t.Errorf("got %d without a secret, want 404", got.Code)
	}
}

// Readiness names what is degraded, and stays 200.
func TestReadinessNamesRedis(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	w := newWorld(t, "GATEWAY", "traefik", "REDIS_URL", "redis://"+m.Addr()).ready(t)
	ctx, cancel := context.WithCancel(t.Context())
	running := make(chan struct{})
	go func() { w.sessions.Run(ctx); close(running) }()
	t.Cleanup(func() { cancel(); <-running; w.store.Close() })
	eventually(t, "it hears itself", func() bool { return w.sessions.Degraded() == nil })
	request := forwarded + "Cookie: wos-session="
	if got := ask(t, w.Handler(), "GET", "/verify", request+w.signIn(t, paula, 0)); got.Code != 200 {
		t.Fatalf("got %d, want 200", got.Code)
	}
	if got := ask(t, w.Handler(), "GET", "/readyz", ""); got.Body.String() != "ready\n" || w.metric(t, "store_up") != "store_up 1" {
		t.Errorf("got %q, %s", got.Body, w.metric(t, "store_up"))
	}
	m.Close()
	if got := ask(t, w.Handler(), "GET", "/verify", request+w.signIn(t, paula, 0)); got.Code != 200 {
		t.Errorf("got %d without Redis, want 200", got.Code)
	}
	got := ask(t, w.Handler(), "GET", "/readyz", "")
	if got.Code != 200 || !strings.Contains(got.Body.String(), "degraded: Redis doesn't answer") || w.metric(t, "store_up") != "store_up 0" {
		t.Errorf("got %d %q, %s", got.Code, got.Body, w.metric(t, "store_up"))
	}
}
