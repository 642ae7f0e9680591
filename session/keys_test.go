package session_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// Without a key the session's state is unknown: 503, never 401.
func TestKeySetDown(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		answer http.HandlerFunc
	}{
		{"500", status(http.StatusInternalServerError, "")},
		{"HTML", status(http.StatusOK, "<html>")},
		{"not found", status(http.StatusNotFound, `{"message":"Not Found"}`)},
		{"closed connection", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			sealed := w.signIn(t, zoe, "")
			w.authKit.answer(keySet, tt.answer)
			if err := w.refused(t, sealed, session.ErrUnavailable); errors.Is(err, session.ErrBad) || errors.Is(err, session.ErrEnded) {
				t.Errorf("got %v, want ErrUnavailable alone", err)
			}
			w.clock.advance(time.Hour)
			w.refused(t, sealed, session.ErrUnavailable)
			w.authKit.wantAsked(t, 0)

			w.authKit.answer(keySet, nil)
			w.clock.advance(time.Minute) // the key set's own back-off
			w.valid(t, sealed)
		})
	}
}

func TestKeySetOutageWithKeysAtHand(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.valid(t, w.signIn(t, zoe, ""))
	w.authKit.answer(keySet, status(http.StatusInternalServerError, ""))
	sealed := w.signIn(t, sam, acmeID)
	w.valid(t, sealed)
	w.clock.advance(time.Hour)
	w.valid(t, sealed)
}

// An unknown key is looked for once in a while. A sealed session whose key isn't
// there is refreshed: AuthKit may have withdrawn the key.
func TestUnknownKey(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.valid(t, w.signIn(t, paula, ""))
	withKeyID := func(email, kid string) string {
		s := w.open(t, w.signIn(t, email, ""))
		return w.withAccessToken(t, s, sign(t, otherKey(), kid, []byte(`{"sub":"`+s.User.ID+`","exp":1772370000}`)))
	}
	w.clock.advance(30 * time.Second) // the first fetch starts a cooldown too
	withdrawn, another := withKeyID(zoe, "withdrawn"), withKeyID(iris, "another")
	w.valid(t, w.refreshed(t, withdrawn))
	w.wantRefreshes(t, 1)

	// Within the cooldown nobody knows about another key, and nobody finds out.
	w.refused(t, another, session.ErrUnavailable)
	w.wantRefreshes(t, 1)
	if got := w.authKit.Calls()["jwks"]; got != 2 {
		t.Errorf("got %d fetches of the key set, want 2", got)
	}
	w.clock.advance(30 * time.Second)
	w.valid(t, w.refreshed(t, another))
	if got := w.authKit.Calls()["jwks"]; got != 3 {
		t.Errorf("got %d fetches of the key set, want 3", got)
	}
}

// A key that the set lacks even after a refresh is AuthKit's or the operator's
// trouble. It ends nobody's session, and asks AuthKit for no refresh but one in 30 s.
func TestUnknownKeyAfterRefresh(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.authKit.answer(keySet, status(http.StatusOK, anotherSet(t)))
	sealed := w.signIn(t, zoe, "")
	for range 3 {
		if err := w.refused(t, sealed, session.ErrUnavailable); errors.Is(err, session.ErrBad) || errors.Is(err, session.ErrEnded) {
			t.Errorf("got %v, want ErrUnavailable alone", err)
		}
		w.clock.advance(9 * time.Second)
	}
	w.wantRefreshes(t, 1)
	w.authKit.answer(keySet, nil)
	w.clock.advance(30 * time.Second) // the cooldown
	w.valid(t, sealed)
}

// anotherSet is a key set without AuthKit's key.
func anotherSet(t testing.TB) string {
	t.Helper()
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: otherKey().Public(), KeyID: "another", Algorithm: "RS256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(set)
}
