package session_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// forget takes the password and the keys away, so that only what is remembered is
// still verified.
func (w *world) forget(t *testing.T) {
	t.Helper()
	w.Seal = iron(t, nil, "no cookie opens with this password of mine")
	w.Tokens.Keys = &token.KeySet{URL: "http://127.0.0.1:0/", Now: w.clock.Now}
}

func TestRememberedIsNotUnsealed(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed, unseen := w.signIn(t, zoe, ""), w.signIn(t, sam, acmeID)
	want := w.valid(t, sealed)
	w.forget(t)
	if got := w.valid(t, sealed); got != want {
		t.Errorf("got %+v, want the remembered %+v", got, want)
	}
	w.refused(t, unseen, session.ErrBad) // not remembered, so it must be opened
}

// Of several cookies, those that are remembered aren't opened to see which counts.
func TestRememberedOfSeveralIsNotUnsealed(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	older := w.signIn(t, sam, acmeID)
	w.clock.advance(time.Minute)
	newer, somebodyElse := w.signIn(t, sam, globexID), w.signIn(t, zoe, "")
	for _, sealed := range []string{older, newer, somebodyElse} {
		w.valid(t, sealed)
	}
	w.forget(t)
	if v, err := w.verify(t, newer, older); err != nil || v.Identity.OrganizationID != globexID {
		t.Errorf("got %+v, %v, want the newest", v, err)
	}
	if _, err := w.verify(t, older, somebodyElse); !errors.Is(err, session.ErrConflict) {
		t.Errorf("different users: got %v, want ErrConflict", err)
	}
}

// A session is remembered by its cookie, to the last byte.
func TestRememberedIsOneCookie(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, zoe, "")
	w.valid(t, sealed)
	last := map[bool]string{true: "A", false: "Q"}[sealed[len(sealed)-3] != 'A'] // before the ~2
	tests := []struct{ name, cookie string }{
		{"another last byte", sealed[:len(sealed)-3] + last + "~2"},
		{"without its end", sealed[:len(sealed)-3]},
		{"with something behind it", sealed + "x"},
		{"in another case", strings.ToLower(sealed)},
		{"beginning alone", sealed[:64]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w.refused(t, tt.cookie, session.ErrBad)
		})
	}
	// The same bytes as a browser or a library may send them are the same cookie.
	for _, header := range []string{`wos-session="` + sealed + `"`, "wos-session=" + strings.ReplaceAll(sealed, "*", "%2A")} {
		if _, err := w.Verify(t.Context(), http.Header{"Cookie": {header}}, false); err != nil {
			t.Errorf("%.20s: got %v, want a session", header, err)
		}
	}
}

// Two environments share nothing that is remembered, be the password the same (E3, E5).
func TestRememberedIsOneManager(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, zoe, "")
	w.valid(t, sealed)
	for name, change := range map[string]func(*options){
		"another client": func(o *options) { o.session.Tokens.ClientID = "client_02OTHER" },
		"another key":    func(o *options) { o.emulator.SigningKey = otherKey() },
	} {
		other := start(t, change)
		if v, err := other.verify(t, sealed); err == nil {
			t.Errorf("%s: got %+v, want a refusal", name, v)
		}
	}
}

func TestRememberedNeverPastExpiry(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, zoe, "")
	w.valid(t, sealed)
	w.clock.advance(5*time.Minute - time.Second)
	before := w.valid(t, sealed)
	w.forget(t)
	if got := w.valid(t, sealed); got != before {
		t.Errorf("a second before: got %+v, want the remembered %+v", got, before)
	}
	w.clock.advance(time.Second)
	w.refused(t, sealed, session.ErrBad) // looked at again, and can't be opened
}

// Requests of many users at once get their own identity each (E11).
func TestVerifyConcurrently(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	emails := []string{paula, zoe, iris, "ann@example.com", "bob@example.com"}
	sealed := map[string]string{}
	for _, email := range emails {
		sealed[email] = w.signIn(t, email, "")
	}
	var wg sync.WaitGroup
	for range 20 {
		for _, email := range emails {
			wg.Go(func() {
				v, err := w.Verify(t.Context(), cookies(sealed[email]), true)
				if err != nil || v.Identity.Email != email {
					t.Errorf("got %+v, %v, want %s", v, err, email)
				}
			})
		}
	}
	wg.Wait()
	w.authKit.wantAsked(t, 0)
}

// Two sessions of one cookie each in one request: both are looked at every time, so
// none of the remembered ones hides the other.
func TestRememberedDoesNotHideAnotherUser(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	one, two := w.signIn(t, zoe, ""), w.signIn(t, sam, acmeID)
	w.valid(t, one)
	w.valid(t, two)
	for _, values := range [][]string{{one, two}, {two, one}} {
		if v, err := w.verify(t, values...); !errors.Is(err, session.ErrConflict) {
			t.Errorf("got %v, %v, want ErrConflict", v, err)
		}
	}
}

func BenchmarkVerifyRemembered(b *testing.B) {
	w := start(b, nil)
	request := cookies(w.signIn(b, zoe, ""))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Verify(b.Context(), request, true); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyFirstSight verifies a token that is in its ten seconds of leeway: that
// one is not remembered, and each request is as the first.
func BenchmarkVerifyFirstSight(b *testing.B) {
	w := start(b, nil)
	request := cookies(w.signIn(b, zoe, ""))
	w.clock.advance(5*time.Minute + 5*time.Second)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Verify(b.Context(), request, false); err != nil {
			b.Fatal(err)
		}
	}
	w.authKit.wantAsked(b, 0)
}

// BenchmarkVerifyParallel is many remembered sessions asked for at once.
func BenchmarkVerifyParallel(b *testing.B) {
	w := start(b, nil)
	var requests []http.Header
	for i := range 100 {
		requests = append(requests, cookies(w.signIn(b, fmt.Sprintf("user%d@example.com", i), "")))
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := w.Verify(b.Context(), requests[i%len(requests)], true); err != nil {
				b.Error(err)
			}
		}
	})
}
