package session_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// peeks fails the test unless the cookie's session is good as it stands.
func (w *world) peeks(t testing.TB, sealed string) *session.Verified {
	t.Helper()
	v, ok := w.Peek(t.Context(), cookies(sealed))
	if !ok || v == nil {
		t.Fatal("got no session, want one")
	}
	if v.Current != "" || v.Sent != [16]byte{} {
		t.Errorf("got Current %.20q, want no cookie to set", v.Current)
	}
	return v
}

func (w *world) peeksNothing(t testing.TB, request http.Header) {
	t.Helper()
	if v, ok := w.Peek(t.Context(), request); ok || v != nil {
		t.Errorf("got %+v, %t, want no session", v, ok)
	}
}

func TestPeek(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, zoe, "")
	for range 2 {
		if got := w.peeks(t, sealed).Identity; got.Email != zoe || got.OrganizationID != acmeID {
			t.Errorf("got %+v, want Zoe at Acme", got)
		}
	}
	w.forget(t)
	w.peeks(t, sealed) // it is remembered
}

func TestPeekNoSession(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	good := w.signIn(t, zoe, "")
	w.peeks(t, good)
	for name, request := range map[string]http.Header{
		"no cookie":           {},
		"garbage":             cookies("garbage"),
		"two users":           cookies(good, w.signIn(t, sam, acmeID)),
		"forged":              cookies(w.resign(t, good, otherKey(), nil)),
		"of another user":     cookies(w.resign(t, good, signingKey(), map[string]any{"sub": "user_01OTHER"})),
		"expired":             cookies(w.resign(t, good, signingKey(), map[string]any{"exp": 1})),
		"bearer token":        {"Authorization": {"Bearer " + w.open(t, good).AccessToken}},
		"token as the cookie": cookies(w.open(t, good).AccessToken),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.peeksNothing(t, request)
		})
	}
	t.Cleanup(func() { w.authKit.wantAsked(t, 0) })
}

func TestPeekNeverRefreshes(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, zoe, "")
	w.clock.advance(5*time.Minute + 10*time.Second) // to the last second, with leeway
	w.peeks(t, sealed)
	w.clock.advance(time.Second)
	w.peeksNothing(t, cookies(sealed))
	w.authKit.wantAsked(t, 0)
}

func TestPeekAtRevoked(t *testing.T) {
	t.Parallel()
	for _, refresh := range []bool{false, true} {
		w := start(t, nil)
		sealed := w.signIn(t, zoe, "")
		id := w.peeks(t, sealed).Identity
		if err := w.Revoke(t.Context(), session.Revocation{Subject: id.Subject, At: w.clock.Now(), Refresh: refresh}); err != nil {
			t.Fatal(err)
		}
		w.peeksNothing(t, cookies(sealed))
		w.authKit.wantAsked(t, 0)
	}
}

// An old cookie stands for the session that it became, while that is valid and until it
// is superseded.
func TestPeekFollowsRotation(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	old := w.signIn(t, zoe, "")
	w.clock.advance(time.Hour)
	next := w.refreshed(t, old)
	for range 2 {
		if got, want := w.peeks(t, old).Identity.SessionID, w.peeks(t, next).Identity.SessionID; got != want {
			t.Errorf("got session %s, want %s", got, want)
		}
	}
	w.clock.advance(6 * time.Minute)
	w.peeksNothing(t, cookies(old))
	w.clock.advance(time.Hour)
	latest := w.refreshed(t, next)
	w.valid(t, latest)
	w.clock.advance(3 * time.Minute)
	w.peeks(t, latest)
	w.peeksNothing(t, cookies(old))
	w.peeksNothing(t, cookies(next))
	w.wantRefreshes(t, 2)
}

// A peek is no use of a cookie: it supersedes nothing, and doesn't hide the first use
// from Verify.
func TestPeekNotesNothing(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil)
	old := r.signIn(t, zoe, "")
	r.clock.advance(time.Hour)
	next := r.wantValid(t, 1, old).Current
	r.peeks(t, next) // where nobody has seen it
	r.clock.advance(2 * time.Minute)
	r.peeks(t, next)
	if got := r.refreshed(t, old); got != next {
		t.Error("got another session for the old cookie")
	}

	r.valid(t, next)
	r.clock.advance(3 * time.Minute)
	r.refused(t, old, session.ErrSuperseded)
}
