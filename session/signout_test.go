package session_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// end signs out with a cookie.
func (w *world) end(t *testing.T, sealed string) identity.Identity {
	t.Helper()
	id, ok := w.End(t.Context(), cookies(sealed))
	if !ok {
		t.Fatal("got no session to end")
	}
	return id
}

func TestEnd(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		want error
		with func(t *testing.T, w *world, first string) string // the cookie that signs out
	}{
		{"at once", session.ErrEnded, func(_ *testing.T, _ *world, first string) string { return first }},
		{"remembered", session.ErrEnded, func(t *testing.T, w *world, first string) string {
			w.valid(t, first)
			return first
		}},
		{"with an expired token", session.ErrEnded, func(_ *testing.T, w *world, first string) string {
			w.clock.advance(24 * time.Hour)
			return first
		}},
		{"with an old cookie", session.ErrEnded, func(t *testing.T, w *world, first string) string {
			w.clock.advance(time.Hour)
			w.refreshed(t, first)
			return first
		}},
		{"with the new cookie of an old one", session.ErrEnded, func(t *testing.T, w *world, first string) string {
			w.clock.advance(time.Hour)
			return w.refreshed(t, first)
		}},
		{"with a superseded cookie", session.ErrEnded, func(t *testing.T, w *world, first string) string {
			w.clock.advance(time.Hour)
			w.valid(t, w.refreshed(t, first))
			w.clock.advance(3 * time.Minute)
			return first
		}},
		{"with an app's cookie", session.ErrEnded, func(t *testing.T, w *world, first string) string { return w.refreshOutside(t, first) }},
		{"with the key set down", session.ErrEnded, func(_ *testing.T, w *world, first string) string {
			w.authKit.answer(keySet, status(http.StatusInternalServerError, ""))
			return first
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			first, elsewhere, somebodyElse := w.signIn(t, sam, acmeID), w.signIn(t, sam, globexID), w.signIn(t, zoe, "")
			with := tt.with(t, w, first)
			asked := w.authKit.asked()
			id := w.end(t, with)
			if id.Email != sam || id.SessionID != claims(t, w.open(t, first).AccessToken)["sid"] {
				t.Errorf("got %+v, want Sam's session", id)
			}
			w.authKit.wantAsked(t, asked)

			w.authKit.answer(keySet, nil)
			w.clock.advance(time.Minute) // the key set's back-off
			for _, cookie := range []string{with, first} {
				w.refused(t, cookie, tt.want)
			}
			w.clock.advance(time.Hour)
			w.refused(t, with, tt.want)
			w.authKit.wantAsked(t, asked)
			if v := w.valid(t, elsewhere); v.Identity.OrganizationID != globexID {
				t.Errorf("got %+v, want the user's other session", v.Identity)
			}
			w.valid(t, somebodyElse)
		})
	}
}

// Every cookie of the session is ended, whichever signed out.
func TestEndAllCookiesOfASession(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *options) { o.emulator.GraceWindow = time.Minute })
	all := []string{w.signIn(t, zoe, "")}
	for range 3 {
		w.clock.advance(time.Hour)
		v, err := w.Verify(t.Context(), cookies(all[0]), true) // carried: a browser may have it
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v.Current)
	}
	all = append(all, w.refreshOutside(t, all[3]))
	for _, cookie := range all {
		w.valid(t, cookie) // remembered, if that can be
	}
	w.end(t, all[1])
	for i, cookie := range all {
		for _, ahead := range []bool{false, true} {
			if v, err := w.Verify(t.Context(), cookies(cookie), ahead); err != session.ErrEnded {
				t.Errorf("cookie %d: got %v, %v, want ErrEnded", i, v, err)
			}
		}
	}
}

// A refresh that is under way doesn't bring a session back.
func TestEndDuringRefresh(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, zoe, "")
	w.clock.advance(time.Hour)
	asked, release := w.authKit.hang(t)
	go func() {
		<-asked
		w.End(t.Context(), cookies(sealed))
		release()
	}()
	w.refused(t, sealed, session.ErrEnded)
	w.refused(t, sealed, session.ErrEnded)
	w.authKit.wantAsked(t, 1)
}

func TestEndOfSeveral(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	older := w.signIn(t, sam, acmeID)
	w.clock.advance(time.Second)
	newer := w.signIn(t, zoe, "")
	id, ok := w.End(t.Context(), cookies(older, "garbage", newer))
	if !ok || id.Email != zoe {
		t.Errorf("got %+v, %t, want the newest", id, ok)
	}
	w.refused(t, older, session.ErrEnded)
	w.refused(t, newer, session.ErrEnded)
}

func TestEndOfNothing(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, zoe, "")
	wrongUser := w.resign(t, sealed, signingKey(), map[string]any{"sub": "user_01OTHER"})
	for name, h := range map[string]http.Header{
		"no cookie": {}, "nil": nil, "garbage": cookies("garbage"), "sealed, but no session": cookies(w.seal(t, map[string]any{})),
		"token that is none": cookies(w.withAccessToken(t, w.open(t, sealed), "opaque")), "another user's token": cookies(wrongUser),
	} {
		if id, ok := w.End(t.Context(), h); ok || id.Subject != "" {
			t.Errorf("%s: got %+v, want nothing to end", name, id)
		}
	}
	w.valid(t, sealed)
}

// Who signs in again has a new session.
func TestSignInAfterEnd(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.end(t, w.signIn(t, zoe, ""))
	w.valid(t, w.signIn(t, zoe, ""))
}
