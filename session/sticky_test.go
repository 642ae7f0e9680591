package session_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// sticky is an AuthKit that leaves refresh tokens as they are.
func sticky(e http.Handler) http.HandlerFunc {
	var mu sync.Mutex
	current := map[string]string{} // the emulator's token by the one that the client has
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		var request, answer map[string]any
		_ = json.NewDecoder(r.Body).Decode(&request)
		known, _ := request["refresh_token"].(string)
		if token, ok := current[known]; ok {
			request["refresh_token"] = token
		}
		body, _ := json.Marshal(request)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		recorder := httptest.NewRecorder()
		e.ServeHTTP(recorder, r)
		_ = json.Unmarshal(recorder.Body.Bytes(), &answer)
		if next, ok := answer["refresh_token"].(string); ok {
			current[known], answer["refresh_token"] = next, known
		}
		w.WriteHeader(recorder.Code)
		_ = json.NewEncoder(w).Encode(answer)
	}
}

// Where AuthKit doesn't rotate, an old cookie follows all the same.
func TestRefreshTokenThatStays(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.authKit.answer(authenticate, sticky(w.authKit.Emulator))
	sealed := w.signIn(t, zoe, "")
	w.valid(t, sealed)
	current := sealed
	for i := range 5 {
		w.clock.advance(time.Hour)
		next := w.refreshed(t, current)
		if got, want := w.open(t, next).RefreshToken, w.open(t, sealed).RefreshToken; got != want {
			t.Fatalf("got refresh token %q, want %q: this AuthKit leaves it", got, want)
		}
		for range 3 {
			for _, old := range []string{sealed, current} {
				if got := w.refreshed(t, old); got != next {
					t.Errorf("got another session for an old cookie, want the new one")
				}
			}
			if v := w.valid(t, next); v.Current != "" {
				t.Errorf("got a successor for the new cookie, want none")
			}
			w.clock.advance(time.Minute)
		}
		w.authKit.wantAsked(t, i+1)
		current = next
	}
}

// The rule of 30 s holds there too, else a clock that is ahead would have AuthKit asked for ever.
func TestRefreshTokenThatStaysJustNow(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *options) {
		now := o.emulator.Now
		o.emulator.Now = func() time.Time { return now().Add(-time.Hour) }
	})
	w.authKit.answer(authenticate, sticky(w.authKit.Emulator))
	sealed := w.signIn(t, zoe, "")
	next := w.refreshed(t, sealed)
	w.clock.advance(29 * time.Second)
	w.valid(t, next)
	w.valid(t, sealed)
	w.authKit.wantAsked(t, 1)
	w.clock.advance(time.Second)
	w.refreshed(t, next)
	w.authKit.wantAsked(t, 2)
}
