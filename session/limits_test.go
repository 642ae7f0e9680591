package session

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

func TestSwitchWaitsFiveSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(8*time.Second))
		request := b.cookie(t, "r")
		begin := time.Now()
		var outage *Outage
		if _, _, err := b.Switch(t.Context(), request, "org_01OTHER"); !errors.As(err, &outage) || outage.RetryAfter <= 0 {
			t.Errorf("got %v, want an *Outage that says when to ask again", err)
		}
		took(t, begin, 5*time.Second)
		b.Wait() // it goes on, and what it brings is stored
		if v, err := b.Verify(t.Context(), request, false); err != nil || v.Current == "" {
			t.Errorf("got %v, %v, want the session that it became", v, err)
		}
		b.wantCalls(t, 3) // it wasn't answered after 3 s, nor after 6
	})
}

// Five seconds for the refresh that is waited for and the switch together.
func TestSwitchAfterSlowRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(2900*time.Millisecond))
		request := b.cookie(t, "r")
		pass(time.Hour)
		begin := time.Now()
		go b.Verify(t.Context(), request, false)
		synctest.Wait()
		if _, _, err := b.Switch(t.Context(), request, "org_01OTHER"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
		took(t, begin, 5*time.Second)
		b.Wait()
		b.wantCalls(t, 2)
	})
}

func TestSwitchWhereTooManyWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(0))
		request := b.cookie(t, "r")
		for i := range 1064 { // in slots, and waiting
			b.refresher.inFlight[inFlightKey{token: family.Hash{byte(i >> 8), byte(i)}}] = &inFlightRefresh{}
		}
		var outage *Outage
		if _, _, err := b.Switch(t.Context(), request, "org_01OTHER"); !errors.As(err, &outage) || outage.RetryAfter <= 0 {
			t.Errorf("got %v, want an *Outage that says when to ask again", err)
		}
		b.Wait()
		b.wantCalls(t, 0)
	})
}

// hanging is a network that never answers.
type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// A public page doesn't wait for a key set that is out of reach.
func TestPeekWaitsHalfASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(0))
		b.Tokens.Keys = &token.KeySet{URL: "http://authkit/", Client: &http.Client{Transport: hanging{}}}
		begin := time.Now()
		if v, ok := b.Peek(t.Context(), b.cookie(t, "r")); ok {
			t.Errorf("got %+v, want no session", v)
		}
		took(t, begin, 500*time.Millisecond)
		pass(5 * time.Second) // the fetch ends
		b.wantCalls(t, 0)
	})
}
