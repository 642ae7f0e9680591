package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Monitors ask with HEAD as well.
func TestHealthAnswersHead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable} {
		answer := httptest.NewRecorder()
		w.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodHead, path, nil))
		if answer.Code != want {
			t.Errorf("HEAD %s: got %d, want %d", path, answer.Code, want)
		}
	}
}

// The service's own address says where one is. To a gateway that asks there it is a no.
func TestRoot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := ask(t, w.Handler(), "GET", "/", "")
	if got.Code != 404 || !strings.Contains(got.Body.String(), "http://localhost:3000/_auth/login") {
		t.Errorf("got %d %s, want where people sign in", got.Code, got.Body)
	}
}
