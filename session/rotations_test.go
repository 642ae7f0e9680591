package session_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// A browser that never gets a new cookie goes on.
func TestOldCookieThroughTenRotations(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	old := w.signIn(t, zoe, "")
	first := w.valid(t, old)
	current := old
	for i := range 10 {
		w.clock.advance(6 * time.Minute)
		next := w.refreshed(t, old)
		if next == current {
			t.Fatalf("rotation %d: got the session before", i+1)
		}
		current = next
		if again := w.refreshed(t, old); again != current { // not refreshed, but found
			t.Errorf("rotation %d: got another session the second time", i+1)
		}
	}
	w.wantRefreshes(t, 10)
	v := w.valid(t, old)
	if v.Identity.SessionID != first.Identity.SessionID || v.Identity.Email != zoe {
		t.Errorf("got %+v, want the session of %s", v.Identity, first.Identity.SessionID)
	}
	if v := w.valid(t, current); v.Current != "" {
		t.Error("got a successor for the current cookie, want none")
	}
}

// Which cookie was sent: whoever tells a browser about the new one needs it.
func TestSentStandsForTheOldCookie(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	old := w.signIn(t, zoe, "")
	w.clock.advance(time.Hour)
	first := w.valid(t, old)
	w.clock.advance(time.Hour)
	second, third := w.valid(t, old), w.valid(t, first.Current)
	if first.Sent == [32]byte{} || second.Sent != first.Sent {
		t.Errorf("got Sent %x and %x for one cookie, want the same", first.Sent, second.Sent)
	}
	if third.Sent == [32]byte{} || third.Sent == first.Sent || third.Current != second.Current {
		t.Errorf("got Sent %x for another old cookie, want one of its own and the same current session", third.Sent)
	}
}

// An ancestor works for 60 s once a later cookie has come back, and not a moment more.
func TestSuperseded(t *testing.T) {
	t.Parallel()
	hour := func(o *options) { o.emulator.AccessTokenLifetime = time.Hour }
	w := start(t, hour)
	old := w.signIn(t, zoe, "")
	w.clock.advance(2 * time.Hour)
	next := w.refreshed(t, old)

	// The later cookie hasn't come back yet: the old one works for as long as it takes.
	w.clock.advance(50 * time.Minute)
	w.refreshed(t, old)

	w.valid(t, next)
	w.clock.advance(30 * time.Second)
	w.valid(t, next) // seen once more: the first time counts
	w.clock.advance(30*time.Second - time.Millisecond)
	if got := w.refreshed(t, old); got != next {
		t.Error("got another session within the minute, want the later cookie's")
	}
	w.clock.advance(time.Millisecond)
	w.refused(t, old, session.ErrSuperseded)
	w.valid(t, next)
	w.clock.advance(24 * time.Hour)
	w.refused(t, old, session.ErrSuperseded)
	w.refreshed(t, next)
	w.refused(t, old, session.ErrSuperseded)
	w.wantRefreshes(t, 2)
}

// The browser's request for a cookie that was remembered on its way out counts.
func TestSupersededByRememberedCookie(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	old := w.signIn(t, zoe, "")
	w.valid(t, old)
	w.clock.advance(4*time.Minute + 30*time.Second)
	next := w.ahead(t, old).Current
	if next == "" {
		t.Fatal("got no refresh ahead of expiry")
	}
	for range 10 {
		w.valid(t, next)
	}
	w.clock.advance(time.Minute)
	w.refused(t, old, session.ErrSuperseded)
	w.valid(t, next)
}

// Of a run of cookies, each supersedes those before it.
func TestSupersededByAnyLaterCookie(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	run := []string{w.signIn(t, zoe, "")}
	for range 4 {
		w.clock.advance(time.Hour)
		run = append(run, w.refreshed(t, run[0]))
	}
	w.refreshed(t, run[2]) // old itself by now
	w.clock.advance(30 * time.Second)
	w.refreshed(t, run[1]) // an earlier one changes nothing
	w.clock.advance(30 * time.Second)
	w.refused(t, run[0], session.ErrSuperseded)
	w.refused(t, run[1], session.ErrSuperseded)
	w.refreshed(t, run[2])
	w.refreshed(t, run[3])
	w.clock.advance(time.Minute)
	w.refused(t, run[2], session.ErrSuperseded)
	w.refreshed(t, run[3])
}

// A browser that only ever sends its one old cookie supersedes nothing of its own.
func TestFrozenBrowser(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	old := w.signIn(t, zoe, "")
	w.clock.advance(time.Hour)
	frozen := w.refreshed(t, old)
	w.valid(t, frozen)
	for range 20 {
		w.clock.advance(10 * time.Minute)
		w.refreshed(t, frozen)
	}
	w.refused(t, old, session.ErrSuperseded)
}

// Siblings come from one refresh token in AuthKit's grace window. Each is judged by its
// own token, whoever made them.
func TestSiblings(t *testing.T) {
	t.Parallel()
	grace := func(c *emulator.Config) { c.GraceWindow = time.Minute }
	t.Run("one made here, one outside", func(t *testing.T) {
		t.Parallel()
		w := start(t, func(o *options) { grace(&o.emulator) })
		old := w.signIn(t, zoe, "")
		w.clock.advance(time.Hour)
		here := w.refreshed(t, old)
		w.clock.advance(30 * time.Second)
		outside := w.refreshOutside(t, old)
		for range 5 {
			w.valid(t, here)
			w.valid(t, outside)
			w.clock.advance(time.Hour)
		}
		w.refused(t, old, session.ErrSuperseded) // the one made here has come back
		w.valid(t, here)
		w.valid(t, outside)
	})
	t.Run("both outside", func(t *testing.T) {
		t.Parallel()
		w := start(t, func(o *options) { grace(&o.emulator) })
		old := w.signIn(t, zoe, "")
		one, two := w.refreshOutside(t, old), w.refreshOutside(t, old)
		if v := w.valid(t, old); v.Current != "" { // still valid by itself
			t.Error("got a successor for a cookie that wasn't refreshed here")
		}
		w.clock.advance(time.Hour)
		later := w.refreshed(t, one)
		w.valid(t, later)
		w.clock.advance(time.Minute)
		w.refused(t, one, session.ErrSuperseded)
		for range 5 { // each has a run of its own
			w.valid(t, two)
			w.valid(t, later)
			w.clock.advance(time.Hour)
		}
	})
}

// Of several refreshes of one session, the latest token's is where old cookies go.
func TestOldCookieGoesToTheLatestSession(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *options) { o.emulator.GraceWindow = time.Minute })
	old := w.signIn(t, sam, acmeID)
	w.clock.advance(time.Hour)
	here := w.refreshed(t, old)
	outside := w.refreshOutside(t, old)
	w.clock.advance(time.Hour)
	latest := w.refreshed(t, outside)
	w.clock.advance(time.Second)
	if got := w.refreshed(t, old); got != latest {
		t.Error("got another session for the old cookie, want the one with the latest token")
	}
	if got := w.refreshed(t, here); got == latest { // not exchanged yet: judged by its own token
		t.Error("got the sibling's session, want one of its own")
	}
}

// An answer that was long on its way doesn't replace a later token.
func TestLateAnswerIsNotTheLatestSession(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *options) { o.emulator.GraceWindow = time.Minute })
	old := w.signIn(t, zoe, "")
	sibling := w.refreshOutside(t, old)
	w.clock.advance(30 * time.Second)
	other := w.refreshOutside(t, old)
	w.clock.advance(time.Hour)

	answered, release := make(chan struct{}), make(chan struct{})
	w.authKit.answer(authenticate, func(rw http.ResponseWriter, r *http.Request) {
		recorder := httptest.NewRecorder()
		w.authKit.Emulator.ServeHTTP(recorder, r)
		close(answered)
		<-release
		_, _ = rw.Write(recorder.Body.Bytes())
	})
	late := make(chan struct{})
	go func() {
		defer close(late)
		if v, err := w.Verify(t.Context(), cookies(sibling), false); err != nil || v.Current == "" {
			t.Errorf("got %v, want a refreshed session", err)
		}
	}()
	<-answered
	w.authKit.answer(authenticate, nil)
	w.clock.advance(time.Second)
	latest := w.refreshed(t, other)
	close(release)
	<-late
	if got := w.refreshed(t, sibling); got != latest {
		t.Error("got the earlier token's session, want the latest")
	}
}

// Two sign-ins of one user are two sessions.
func TestTwoSessionsOfOneUser(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	laptop, phone := w.signIn(t, sam, acmeID), w.signIn(t, sam, globexID)
	w.clock.advance(time.Hour)
	w.valid(t, w.refreshed(t, laptop))
	w.valid(t, phone)
	w.clock.advance(time.Minute)
	w.refused(t, laptop, session.ErrSuperseded)
	if v := w.valid(t, phone); v.Identity.OrganizationID != globexID {
		t.Errorf("got organization %s, want that of the phone's session", v.Identity.OrganizationID)
	}
}

// AuthKit's servers needn't agree about the time: what the current session became is
// current, even if its token is older.
func TestDescendantIsCurrentWhateverTheClock(t *testing.T) {
	t.Parallel()
	var authKit clock
	w := start(t, func(o *options) {
		o.emulator.AccessTokenLifetime = time.Hour
		o.emulator.Now = authKit.Now
	})
	authKit.now = w.clock.Now()
	old := w.signIn(t, zoe, "")
	subject := w.valid(t, old).Identity.Subject
	changed := func() {
		w.clock.advance(time.Minute)
		if err := w.Revoke(t.Context(), session.Revocation{Subject: subject, At: w.clock.Now(), Refresh: true}); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(time.Millisecond)
	}
	authKit.advance(30 * time.Second)
	changed()
	next := w.refreshed(t, old)
	authKit.advance(-20 * time.Second)
	changed()
	latest := w.refreshed(t, old)
	if latest == next {
		t.Fatal("got no refresh")
	}
	if got := w.refreshed(t, next); got != latest {
		t.Error("got another session than the latest")
	}
	w.valid(t, latest)
	w.wantRefreshes(t, 2)
}
