package session

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Where AuthKit leaves the refresh token as it is, the cookie from before an event doesn't count
// as refreshed with it: it leads to the session that the refresh brought.
func TestEventWhereTheRefreshTokenStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(0))
		b.answer = func(token string) (json.RawMessage, error) {
			return json.Marshal(map[string]any{"access_token": b.mint("session_01TEST", "org_new", time.Hour), "refresh_token": token})
		}
		old := b.cookie(t, "r")
		if _, err := b.Verify(t.Context(), old, false); err != nil {
			t.Fatal(err)
		}
		pass(2 * time.Minute)
		if err := b.Revoke(t.Context(), Revocation{Subject: b.user, Refresh: true, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			pass(time.Second)
			v, err := b.Verify(t.Context(), old, false)
			if err != nil || v.Identity.OrganizationID != "org_new" || v.Current == "" {
				t.Fatalf("got %+v, %v, want the session that the refresh brought", v, err)
			}
		}
		b.wantCalls(t, 1)
	})
}

// A sign-out during a refresh ahead of expiry counts, although the session could do without that.
func TestSignOutDuringARefreshAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(500*time.Millisecond))
		cookie := b.cookie(t, "r")
		pass(4*time.Minute + 30*time.Second)
		got := make(chan error)
		go func() {
			_, err := b.Verify(t.Context(), cookie, true)
			got <- err
		}()
		pass(100 * time.Millisecond)
		b.End(t.Context(), cookie)
		if err := <-got; !errors.Is(err, ErrEnded) {
			t.Errorf("got %v, want ErrEnded", err)
		}
	})
}

// A clock that was an hour ahead and is set right doesn't make a token that was refreshed
// meanwhile good for an hour: it is for half a minute, and has events count.
func TestClockSetBackAfterARefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(0))
		ahead := time.Hour
		b.Now = func() time.Time { return time.Now().Add(ahead) }
		b.Tokens.Now = b.Now
		b.lasts = 5 * time.Minute
		cookie := b.cookie(t, "r")
		v, err := b.Verify(t.Context(), cookie, false)
		if err != nil || v.Current == "" {
			t.Fatalf("got %v, want a refresh", err)
		}
		ahead = 0
		pass(6 * time.Minute)
		if _, err := b.Verify(t.Context(), cookie, false); err != nil {
			t.Fatal(err)
		}
		b.wantCalls(t, 2)
	})
}

// Nor does it make an event of the future of a refresh's.
func TestEventAfterTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(0))
		ahead := time.Hour
		b.Now = func() time.Time { return time.Now().Add(ahead) }
		b.lasts = 2 * time.Hour
		cookie := b.cookie(t, "r")
		b.Tokens.Now = b.Now
		if v, err := b.Verify(t.Context(), cookie, false); err != nil || v.Current == "" {
			t.Fatalf("got %v, want a refresh", err)
		}
		ahead = 0
		pass(time.Minute)
		if err := b.Revoke(t.Context(), Revocation{Subject: b.user, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Verify(t.Context(), cookie, false); !errors.Is(err, ErrEnded) {
			t.Errorf("got %v, want ErrEnded", err)
		}
	})
}

// A client that never takes a new cookie, and whose tokens have no sid of AuthKit's, isn't followed
// for ever: it has to sign in again, which no 503 would have it do.
func TestOldCookieWithoutSID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(0))
		b.lasts = 5 * time.Minute
		old := b.cookieOf(t, "r", "template")
		for i := range 12 {
			pass(time.Hour)
			_, err := b.Verify(t.Context(), old, false)
			if err != nil && (i < 5 || !errors.Is(err, ErrSuperseded)) {
				t.Errorf("refresh %d: got %v, want a session, later ErrSuperseded", i, err)
			}
		}
	})
}
