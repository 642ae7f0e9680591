package session

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica/replicatest"
)

// connected is one more replica of a bubble's, that runs until the test ends.
func (b *bubble) connected(t *testing.T, server *replicatest.Server) *Manager {
	t.Helper()
	config := b.Config
	connection := server.Connect()
	config.Store, config.Bus, config.Passwords = connection, connection, []string{"0123456789abcdefghijklmnopqrstuv"}
	m, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { m.Run(ctx); close(done) }()
	t.Cleanup(func() { m.Wait(); cancel(); <-done })
	return m
}

// A sign-out that was announced holds, though the store never heard of it: also for a cookie
// that is remembered, and after the record was read again.
func TestAnnouncedEndHoldsWithoutTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, server := newBubble(t, slow(0)), replicatest.NewServer(nil)
		out, other := b.connected(t, server), b.connected(t, server)
		pass(2100 * time.Millisecond) // between two pings
		cookie := b.cookie(t, "r")
		if _, err := other.Verify(t.Context(), cookie, false); err != nil {
			t.Fatal(err)
		}
		deliveries := 0
		server.Set(replicatest.Faults{Full: true, LoseOne: func() bool { deliveries++; return deliveries > 2 }})
		out.End(t.Context(), cookie)
		synctest.Wait()
		for range 3 {
			if _, err := other.Verify(t.Context(), cookie, false); !errors.Is(err, ErrEnded) {
				t.Errorf("got %v, want ErrEnded", err)
			}
			if _, ok := other.Peek(t.Context(), cookie); ok {
				t.Error("a public page got the session")
			}
		}
		server.Set(replicatest.Faults{})
	})
}

// successors is a bubble in which a refresh of the token "old" has changed the sid. It returns
// an older cookie whose token isn't spent, and the new session's cookie.
func successors(t *testing.T) (b *bubble, unspent, after http.Header) {
	t.Helper()
	b = newBubble(t, slow(0))
	b.answer = func(string) (json.RawMessage, error) {
		next := b.mint("session_other", "", time.Hour)
		after = b.request(t, next, "next")
		return json.Marshal(map[string]any{"access_token": next, "refresh_token": "next"})
	}
	old := b.cookie(t, "old")
	pass(time.Hour)
	unspent = b.request(t, b.mint("session_01TEST", "", time.Hour), "elsewhere")
	for _, request := range []http.Header{unspent, old, unspent} {
		if _, err := b.Verify(t.Context(), request, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.watch(t); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Verify(t.Context(), after, false); err != nil {
		t.Fatal(err)
	}
	return b, unspent, after
}

// Ending a session under another sid ends what is remembered of the one before, and the
// other way round, by whatever it is ended.
func TestEndOfASuccessorWhatIsRemembered(t *testing.T) {
	t.Parallel()
	endings := map[string]func(t *testing.T, b *bubble, unspent, after http.Header){
		"sign-out of the new":    func(t *testing.T, b *bubble, _, after http.Header) { b.End(t.Context(), after) },
		"sign-out of the old":    func(t *testing.T, b *bubble, unspent, _ http.Header) { b.End(t.Context(), unspent) },
		"revocation of the old":  func(t *testing.T, b *bubble, _, _ http.Header) { b.revokeSession(t, "session_01TEST") },
		"revocation of the new":  func(t *testing.T, b *bubble, _, _ http.Header) { b.revokeSession(t, "session_other") },
		"half a minute after it": func(t *testing.T, b *bubble, unspent, _ http.Header) { b.End(t.Context(), unspent); pass(time.Minute) },
	}
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b, unspent, after := successors(t)
				end(t, b, unspent, after)
				for which, request := range map[string]http.Header{"old": unspent, "new": after} {
					if _, err := b.Verify(t.Context(), request, false); !errors.Is(err, ErrEnded) {
						t.Errorf("%s cookie: got %v, want ErrEnded", which, err)
					}
				}
				if err := b.watch(t); !errors.Is(err, ErrEnded) {
					t.Errorf("bearer token: got %v, want ErrEnded", err)
				}
			})
		})
	}
}

func (b *bubble) revokeSession(t *testing.T, sessionID string) {
	t.Helper()
	if err := b.Revoke(t.Context(), Revocation{Subject: b.user, SessionID: sessionID, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
}

// watch looks up a bearer token of the session before the refresh.
func (b *bubble) watch(t *testing.T) error {
	t.Helper()
	_, err := b.Watch(t.Context(), &identity.Identity{Subject: b.user, SessionID: "session_01TEST"}, "its access token", time.Now())
	return err
}
