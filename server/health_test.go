package server

import (
	"net/http"
	"net/http/httptest"
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
