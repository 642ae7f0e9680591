package session

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A switch that AuthKit, or the limit of switches, refuses leaves a pause as it was: nobody can have
// AuthKit asked all the time by switching in between.
func TestRefusedSwitchKeepsThePause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(context.Context) error {
			return &Outage{Status: http.StatusTooManyRequests, RetryAfter: time.Minute, Err: errors.New("too many")}
		})
		cookie := b.cookie(t, "r")
		pass(time.Hour)
		for i := range 12 {
			if _, err := b.Verify(t.Context(), cookie, false); !errors.Is(err, ErrUnavailable) {
				t.Errorf("got %v, want ErrUnavailable", err)
			}
			if _, _, err := b.Switch(t.Context(), cookie, "org_2"); !errors.Is(err, ErrUnavailable) {
				t.Errorf("switch %d: got %v, want ErrUnavailable", i, err)
			}
		}
		b.wantCalls(t, 1+5) // a refresh, and as many switches as the limit allows
	})
}
