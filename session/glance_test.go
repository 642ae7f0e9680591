package session_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// glances fails the test unless the cookie's session is good as it stands.
func (w *world) glances(t testing.TB, sealed string) *session.Verified {
	t.Helper()
	v, ok := w.Glance(t.Context(), cookies(sealed))
	if !ok || v == nil {
		t.Fatal("got no session, want one")
	}
	if v.Current != "" || v.Sent != [32]byte{} {
		t.Errorf("got Current %.20q, want no cookie to set", v.Current)
	}
	return v
}

func (w *world) glancesNothing(t testing.TB, request http.Header) {
	t.Helper()
	if v, ok := w.Glance(t.Context(), request); ok || v != nil {
		t.Errorf("got %+v, %t, want no session", v, ok)
	}
}

func TestGlance(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, zoe, "")
	for range 2 {
		if got := w.glances(t, sealed).Identity; got.Email != zoe || got.OrganizationID != acmeID {
			t.Errorf("got %+v, want Zoe at Acme", got)
		}
	}
	w.forget(t)
	w.glances(t, sealed) // it is remembered
}

func TestGlanceNoSession(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	good := w.signIn(t, zoe, "")
	w.glances(t, good)
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
			w.glancesNothing(t, request)
		})
	}
	t.Cleanup(func() { w.authKit.wantAsked(t, 0) })
}

func TestGlanceNeverRefreshes(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, zoe, "")
	w.clock.advance(5*time.Minute + 10*time.Second) // to the last second, with leeway
	w.glances(t, sealed)
	w.clock.advance(time.Second)
	w.glancesNothing(t, cookies(sealed))
	w.authKit.wantAsked(t, 0)
}

func TestGlanceAtRevoked(t *testing.T) {
	t.Parallel()
	for _, refresh := range []bool{false, true} {
		w := start(t, nil)
		sealed := w.signIn(t, zoe, "")
		id := w.glances(t, sealed).Identity
		if err := w.Revoke(t.Context(), session.Revocation{Subject: id.Subject, At: w.clock.Now(), Refresh: refresh}); err != nil {
			t.Fatal(err)
		}
		w.glancesNothing(t, cookies(sealed))
		w.authKit.wantAsked(t, 0)
	}
}

// An old cookie stands for the session that it became, while that is valid and until it
// is superseded.
func TestGlanceFollowsRotation(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	old := w.signIn(t, zoe, "")
	w.clock.advance(time.Hour)
	next := w.refreshed(t, old)
	for range 2 {
		if got, want := w.glances(t, old).Identity.SessionID, w.glances(t, next).Identity.SessionID; got != want {
			t.Errorf("got session %s, want %s", got, want)
		}
	}
	w.clock.advance(6 * time.Minute)
	w.glancesNothing(t, cookies(old))
	w.clock.advance(time.Hour)
	latest := w.refreshed(t, next)
	w.valid(t, latest)
	w.clock.advance(time.Minute)
	w.glances(t, latest)
	w.glancesNothing(t, cookies(old))
	w.glancesNothing(t, cookies(next))
	w.wantRefreshes(t, 2)
}

// A glance is no use of a cookie: it supersedes nothing, and doesn't hide the first use
// from Verify.
func TestGlanceNotesNothing(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil)
	old := r.signIn(t, zoe, "")
	r.clock.advance(time.Hour)
	next := r.wantValid(t, 1, old).Current
	r.glances(t, next) // where nobody has seen it
	r.clock.advance(2 * time.Minute)
	r.glances(t, next)
	if got := r.refreshed(t, old); got != next {
		t.Error("got another session for the old cookie")
	}

	r.valid(t, next)
	r.clock.advance(time.Minute)
	r.refused(t, old, session.ErrSuperseded)
}
