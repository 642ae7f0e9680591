package session_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica/replicatest"
)

const initechID = "org_01INITECH"

// threeOrganizations has Sam in each of them.
func threeOrganizations(o *options) {
	o.emulator.Organizations = []emulator.Organization{
		{ID: acmeID, Name: "Acme"}, {ID: globexID, Name: "Globex"}, {ID: initechID, Name: "Initech"},
	}
	o.emulator.Users = []emulator.User{{ID: "user_01SAM", Email: sam, Memberships: []emulator.Membership{
		{OrganizationID: acmeID, Roles: []string{"member"}},
		{OrganizationID: globexID, Roles: []string{"owner"}},
		{OrganizationID: initechID, Roles: []string{"guest"}},
	}}}
}

// switchTo moves a cookie's session, and returns its new cookie.
func (w *world) switchTo(t testing.TB, sealed, organizationID string) string {
	t.Helper()
	next, id, err := w.Switch(t.Context(), cookies(sealed), organizationID)
	if err != nil {
		t.Fatalf("got %v, want a switch", err)
	}
	if id.OrganizationID != organizationID {
		t.Errorf("got organization %q, want %q", id.OrganizationID, organizationID)
	}
	return next
}

func (w *world) noSwitch(t testing.TB, sealed, organizationID string) error {
	t.Helper()
	next, id, err := w.Switch(t.Context(), cookies(sealed), organizationID)
	if err == nil || next != "" || id.Subject != "" {
		t.Fatalf("got %.20q, %+v, %v, want an error alone", next, id, err)
	}
	return err
}

// in fails the test unless the cookie's session is valid in that organization.
func (w *world) in(t testing.TB, sealed, organizationID string) *session.Verified {
	t.Helper()
	v := w.valid(t, sealed)
	if v.Identity.OrganizationID != organizationID {
		t.Errorf("got organization %q, want %q", v.Identity.OrganizationID, organizationID)
	}
	return v
}

// wantTokensSentOnce fails the test if AuthKit got a refresh token twice.
func (f *front) wantTokensSentOnce(t testing.TB) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := map[string]bool{}
	for _, body := range f.bodies {
		token := refreshOf(body).Token
		if token == "" || seen[token] {
			t.Errorf("got refresh token %.5q a second time, or none", token)
		}
		seen[token] = true
	}
}

type refreshRequest struct {
	Token        string `json:"refresh_token"`
	Organization string `json:"organization_id"`
}

func refreshOf(body string) (r refreshRequest) {
	_ = json.Unmarshal([]byte(body), &r)
	return r
}

// answerIn has answer answer the refreshes for an organization, and the emulator the others.
func (f *front) answerIn(organizationID string, answer http.HandlerFunc) {
	f.answer(authenticate, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if refreshOf(string(body)).Organization == organizationID {
			answer(w, r)
			return
		}
		f.Emulator.ServeHTTP(w, r)
	})
}

func TestSwitch(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	old := w.signIn(t, sam, acmeID)
	before := w.in(t, old, acmeID).Identity
	next := w.switchTo(t, old, globexID)
	after := w.in(t, next, globexID)
	if after.Current != "" || after.Identity.Role != "owner" || after.Identity.SessionID != before.SessionID || after.Identity.Email != sam {
		t.Errorf("got %+v, want the same session as Globex's owner, and no other cookie", after)
	}
	if got := refreshOf(w.authKit.bodies[0]); got.Organization != globexID || got.Token != w.open(t, old).RefreshToken {
		t.Errorf("got a refresh for %q, want Globex with the cookie's token", got.Organization)
	}
	if v := w.in(t, old, globexID); v.Current != next {
		t.Error("got another session for the old cookie, want the switched one")
	}
	if want := `"event":"refresh","subject":"` + before.Subject + `","session":"` + before.SessionID; !strings.Contains(w.log.String(), want) ||
		!strings.Contains(w.log.String(), `"organization":"`+globexID+`"`) {
		t.Errorf("got log %s, want a refresh with the organization", w.log)
	}

	// From there it goes on like any other.
	w.clock.advance(time.Hour)
	latest := w.refreshed(t, next)
	w.in(t, latest, globexID)
	w.wantRefreshes(t, 2)
	w.clock.advance(time.Minute)
	w.refused(t, old, session.ErrSuperseded)
	if err := w.noSwitch(t, old, acmeID); !errors.Is(err, session.ErrSuperseded) {
		t.Errorf("got %v, want ErrSuperseded", err)
	}
	w.authKit.wantTokensSentOnce(t)
}

func TestSwitchToWhereItIs(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, sam, acmeID)
	if got := w.switchTo(t, sealed, acmeID); got != sealed {
		t.Error("got another session, want the cookie's own")
	}
	w.authKit.wantAsked(t, 0)
	next := w.switchTo(t, sealed, globexID)
	if got := w.switchTo(t, sealed, globexID); got != next {
		t.Error("got another session for the old cookie, want its current one")
	}
	w.authKit.wantAsked(t, 1)
}

// Whatever the session's age, and however often.
func TestSwitchAtAnyAge(t *testing.T) {
	t.Parallel()
	for name, age := range map[string]time.Duration{
		"new": 0, "about to expire": 4*time.Minute + 50*time.Second, "expired": time.Hour, "long expired": 20 * 24 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			sealed := w.signIn(t, sam, acmeID)
			w.clock.advance(age)
			there := w.switchTo(t, sealed, globexID)
			back := w.switchTo(t, there, acmeID) // it was refreshed just now
			w.in(t, back, acmeID)
			w.in(t, there, acmeID)
			w.wantRefreshes(t, 2)
			w.authKit.wantTokensSentOnce(t)
		})
	}
}

func TestSwitchWithoutGoodSession(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	good := w.signIn(t, sam, acmeID)
	ended := w.signIn(t, sam, acmeID)
	if _, ok := w.End(t.Context(), cookies(ended)); !ok {
		t.Fatal("got nothing to end")
	}
	tests := []struct {
		name    string
		request http.Header
		want    error
	}{
		{"none", http.Header{}, session.ErrNone},
		{"garbage", cookies("garbage"), session.ErrBad},
		{"forged", cookies(w.resign(t, good, otherKey(), nil)), session.ErrBad},
		{"forged, expired", cookies(w.resign(t, good, otherKey(), map[string]any{"exp": 1})), session.ErrBad},
		{"token of another user", cookies(w.resign(t, good, signingKey(), map[string]any{"sub": "user_01OTHER", "exp": 1})), session.ErrBad},
		{"signed out", cookies(ended), session.ErrEnded},
		{"nothing to refresh it with", cookies(w.seal(t, map[string]any{
			"accessToken": w.open(t, good).AccessToken, "user": map[string]any{"id": w.open(t, good).User.ID}})), session.ErrEnded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if sealed, _, err := w.Switch(t.Context(), tt.request, globexID); sealed != "" || !errors.Is(err, tt.want) {
				t.Errorf("got %.20q, %v, want %v", sealed, err, tt.want)
			}
		})
	}
	t.Cleanup(func() { w.authKit.wantAsked(t, 0) })
}

// What AuthKit says of the other organization is no reason not to go on in this one.
func TestSwitchRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		answer http.HandlerFunc
		step   string // else an *Outage
	}{
		{"single sign-on", status(400, `{"error":"sso_required"}`), "sso_required"},
		{"second factor to enroll", status(400, `{"error":"mfa_enrollment"}`), "mfa_enrollment"},
		{"second factor", status(403, `{"code":"mfa_challenge","pending_authentication_token":"secret"}`), "mfa_challenge"},
		{"no member", status(400, `{"error":"organization_membership_not_found"}`), "organization_membership_not_found"},
		{"no such organization", status(400, `{"error":"organization_not_found"}`), "organization_not_found"},
		{"malformed organization", status(422, `{"code":"invalid_organization_id"}`), ""},
		{"forbidden", status(403, `{"message":"Forbidden"}`), ""},
		{"rate limit", status(429, "", "Retry-After", "30"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			sealed := w.signIn(t, sam, acmeID)
			w.clock.advance(time.Hour)
			w.authKit.answerIn(globexID, tt.answer)
			err := w.noSwitch(t, sealed, globexID)
			var step *session.StepRequired
			var outage *session.Outage
			switch {
			case tt.step != "" && (!errors.As(err, &step) || step.Code != tt.step || step.OrganizationID != globexID):
				t.Errorf("got %v, want a *StepRequired %s for Globex", err, tt.step)
			case tt.step == "" && (!errors.As(err, &outage) || errors.Is(err, session.ErrEnded)):
				t.Errorf("got %v, want an *Outage", err)
			}
			if strings.Contains(w.log.String(), `"level":"error"`) {
				t.Errorf("got log %s, want no error: the user may ask for anything", w.log)
			}
			w.in(t, w.refreshed(t, sealed), acmeID) // at once
			w.authKit.wantAsked(t, 2)

			other := w.signIn(t, sam, acmeID)
			for range 3 {
				w.noSwitch(t, other, globexID)
			}
			if w.BreakerOpen() {
				t.Error("got the circuit breaker open, want refreshes to go on: they are others'")
			}
			w.in(t, other, acmeID)
		})
	}
}

func TestSwitchInvalidGrant(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, sam, acmeID)
	w.valid(t, sealed)
	w.revoke(t, w.valid(t, sealed).Identity.SessionID)
	for range 2 {
		if err := w.noSwitch(t, sealed, globexID); !errors.Is(err, session.ErrEnded) {
			t.Errorf("got %v, want ErrEnded", err)
		}
	}
	w.authKit.wantAsked(t, 1)
	w.clock.advance(time.Hour)
	w.refused(t, sealed, session.ErrEnded)
	w.authKit.wantAsked(t, 1)
}

// What AuthKit said of the present organization doesn't keep anybody in it.
func TestSwitchFromWhereItIsHeldUp(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"a step is wanted":     status(400, `{"error":"sso_required"}`),
		"membership is gone":   status(400, `{"error":"organization_membership_not_found"}`),
		"a pause is wanted":    status(429, "", "Retry-After", "60"),
		"a refresh has failed": status(500, ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			sealed := w.signIn(t, sam, acmeID)
			w.clock.advance(time.Hour)
			w.authKit.answerIn(acmeID, answer)
			if _, err := w.verify(t, sealed); err == nil {
				t.Fatal("got a refresh, want it refused")
			}
			w.in(t, w.switchTo(t, sealed, globexID), globexID)
			w.in(t, sealed, globexID)
		})
	}
}

// An AuthKit that ignores the organization, or a JWT template that names another.
func TestSwitchToSomewhereElse(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, sam, acmeID)
	w.authKit.answer(authenticate, func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(strings.ReplaceAll(string(body), globexID, acmeID)))
		r.ContentLength = -1
		w.authKit.Emulator.ServeHTTP(rw, r)
	})
	if err := w.noSwitch(t, sealed, globexID); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	w.authKit.wantAsked(t, 1)
	w.in(t, sealed, acmeID)
}

// A refresh is under way: its token is spent, and the switch takes what it brings.
func TestSwitchDuringRefresh(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, sam, acmeID)
	w.clock.advance(time.Hour)
	asked, release := w.authKit.hang(t)
	var wg sync.WaitGroup
	wg.Go(func() { w.valid(t, sealed) })
	<-asked
	for range 3 {
		wg.Go(func() { w.switchTo(t, sealed, globexID) })
		wg.Go(func() { w.valid(t, sealed) })
	}
	release()
	wg.Wait()
	w.in(t, sealed, globexID)
	w.wantRefreshes(t, 2)
	w.authKit.wantTokensSentOnce(t)
}

// A switch is under way: plain refreshes get the switched session.
func TestRefreshDuringSwitch(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, sam, acmeID)
	w.clock.advance(time.Hour)
	asked, release := w.authKit.hang(t)
	var wg sync.WaitGroup
	wg.Go(func() { w.switchTo(t, sealed, globexID) })
	<-asked
	for range 20 {
		wg.Go(func() {
			if v, err := w.Verify(t.Context(), cookies(sealed), false); err != nil || v.Identity.OrganizationID != globexID || v.Current == "" {
				t.Errorf("got %+v, %v, want the switched session", v, err)
			}
		})
	}
	release()
	wg.Wait()
	w.wantRefreshes(t, 1)
}

// A switch that is under way fails: plain refreshes have their own turn then.
func TestRefreshDuringSwitchThatFails(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, sam, acmeID)
	w.clock.advance(time.Hour)
	asked, release := make(chan struct{}), make(chan struct{})
	w.authKit.answerIn(globexID, func(rw http.ResponseWriter, r *http.Request) {
		close(asked)
		<-release
		status(400, `{"error":"sso_required"}`)(rw, r)
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		var step *session.StepRequired
		if _, _, err := w.Switch(t.Context(), cookies(sealed), globexID); !errors.As(err, &step) {
			t.Errorf("got %v, want a *StepRequired", err)
		}
	})
	<-asked
	for range 20 {
		wg.Go(func() {
			if v, err := w.Verify(t.Context(), cookies(sealed), false); err != nil || v.Identity.OrganizationID != acmeID || v.Current == "" {
				t.Errorf("got %+v, %v, want the session refreshed where it is", v, err)
			}
		})
	}
	close(release)
	wg.Wait()
	w.wantRefreshes(t, 1)
	w.authKit.wantAsked(t, 2)
}

// A refresh that is under way fails: the switch has its own turn then.
func TestSwitchDuringRefreshThatFails(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, sam, acmeID)
	w.clock.advance(time.Hour)
	asked, release := make(chan struct{}), make(chan struct{})
	w.authKit.answerIn(acmeID, func(rw http.ResponseWriter, r *http.Request) {
		close(asked)
		<-release
		status(400, `{"error":"sso_required"}`)(rw, r)
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		var step *session.StepRequired
		if _, err := w.Verify(t.Context(), cookies(sealed), false); !errors.As(err, &step) || step.OrganizationID != acmeID {
			t.Errorf("got %v, want a *StepRequired for Acme", err)
		}
	})
	<-asked
	wg.Go(func() { w.switchTo(t, sealed, globexID) })
	close(release)
	wg.Wait()
	w.in(t, sealed, globexID)
	w.authKit.wantAsked(t, 2)
}

// Several switches at once, on one replica and on several: each gets its own
// organization, and each spends a token of its own.
func TestSwitchesAtOnce(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, threeOrganizations)
	sealed := r.signIn(t, sam, acmeID)
	for _, replicas := range []int{1, 3} {
		r.clock.advance(time.Minute) // that so many are allowed again
		var wg sync.WaitGroup
		for i := range 12 {
			to := []string{globexID, initechID}[i%2]
			wg.Go(func() {
				_, id, err := r.all[i%replicas].Switch(t.Context(), cookies(sealed), to)
				if err != nil || id.OrganizationID != to {
					t.Errorf("got %+v, %v, want organization %s", id, err, to)
				}
			})
			wg.Go(func() {
				if _, err := r.all[i%replicas].Verify(t.Context(), cookies(sealed), true); err != nil {
					t.Errorf("got %v, want a session", err)
				}
			})
		}
		wg.Wait()
		if got := r.in(t, sealed, r.valid(t, sealed).Identity.OrganizationID).Identity.OrganizationID; got != globexID && got != initechID {
			t.Errorf("got organization %s, want one of those switched to", got)
		}
	}
	r.authKit.wantTokensSentOnce(t)
}

// A refresh under way at another replica, or a switch.
func TestSwitchWaitsForAnotherReplica(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(context.Context, *session.Manager, http.Header) error{
		"its refresh": func(ctx context.Context, m *session.Manager, request http.Header) error {
			_, err := m.Verify(ctx, request, false)
			return err
		},
		"its switch": func(ctx context.Context, m *session.Manager, request http.Header) error {
			_, _, err := m.Switch(ctx, request, initechID)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startReplicas(t, threeOrganizations)
			sealed := r.signIn(t, sam, acmeID)
			r.clock.advance(time.Hour)
			asked, release := r.authKit.hang(t)
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := begin(t.Context(), r.all[0], cookies(sealed)); err != nil {
					t.Error(err)
				}
			})
			<-asked
			wg.Go(func() {
				next, id, err := r.all[1].Switch(t.Context(), cookies(sealed), globexID)
				if err != nil || id.OrganizationID != globexID {
					t.Errorf("got %+v, %v, want Globex", id, err)
					return
				}
				if v := r.wantValid(t, 2, next); v.Identity.OrganizationID != globexID || v.Current != "" {
					t.Errorf("got %+v, want Globex, and no other cookie", v)
				}
			})
			release()
			wg.Wait()
			r.clock.advance(time.Second) // the others ask the store again
			for i := range r.all {
				if v := r.wantValid(t, i, sealed); v.Identity.OrganizationID != globexID {
					t.Errorf("replica %d: got %+v for the old cookie, want Globex", i, v.Identity)
				}
			}
			r.wantRefreshes(t, 2)
			r.authKit.wantTokensSentOnce(t)
		})
	}
}

// Who lost the old organization keeps a session that was moved before that; news from
// before the switch doesn't concern what AuthKit said then.
func TestRevocationAroundSwitch(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	old := w.signIn(t, sam, acmeID)
	subject := w.valid(t, old).Identity.Subject
	at := w.clock.Now()
	w.clock.advance(time.Second)
	next := w.switchTo(t, old, globexID)
	w.valid(t, next)
	w.clock.advance(time.Second)
	for _, news := range []session.Revocation{
		{Subject: subject, OrganizationID: acmeID, At: w.clock.Now()},
		{OrganizationID: acmeID, At: w.clock.Now()},
		{Subject: subject, OrganizationID: globexID, At: at.Add(-2 * time.Minute)}, // delivered late
	} {
		if err := w.Revoke(t.Context(), news); err != nil {
			t.Fatal(err)
		}
	}
	w.in(t, next, globexID)
	w.in(t, old, globexID)
	if err := w.Revoke(t.Context(), session.Revocation{Subject: subject, OrganizationID: globexID, At: w.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	w.refused(t, next, session.ErrEnded)
	w.refused(t, old, session.ErrEnded)
	if err := w.noSwitch(t, next, acmeID); !errors.Is(err, session.ErrEnded) {
		t.Errorf("got %v, want ErrEnded", err)
	}
}

// News that a session has to be refreshed for is no obstacle.
func TestSwitchOfOutdatedSession(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, sam, acmeID)
	id := w.valid(t, sealed).Identity
	w.clock.advance(time.Second)
	if err := w.Revoke(t.Context(), session.Revocation{Subject: id.Subject, At: w.clock.Now(), Refresh: true}); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Second)
	w.in(t, w.switchTo(t, sealed, globexID), globexID)
	w.wantRefreshes(t, 1)
}

// One who switches for fun doesn't have AuthKit asked each time.
func TestSwitchLimit(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, sam, acmeID)
	other := w.signIn(t, sam, acmeID)
	for range 5 {
		w.noSwitch(t, sealed, "org_01NONE")
	}
	asked := 5
	w.authKit.wantAsked(t, asked)
	var outage *session.Outage
	if err := w.noSwitch(t, sealed, "org_01NONE"); !errors.As(err, &outage) || outage.RetryAfter != 6*time.Second {
		t.Errorf("got %v, want an *Outage for 6s", err)
	}
	w.authKit.wantAsked(t, asked)
	w.noSwitch(t, other, "org_01NONE") // another session
	w.authKit.wantAsked(t, asked+1)
	w.clock.advance(6 * time.Second)
	w.noSwitch(t, sealed, "org_01NONE")
	w.authKit.wantAsked(t, asked+2)
}

// Replicas that lose the store a moment after a switch know of it, also those that never saw the
// session: its old cookie doesn't lead to the former organization.
func TestSwitchIsKnownWithoutStore(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		faults replicatest.Faults // during the switch
	}{
		{"stored at once", replicatest.Faults{}},
		{"written later", replicatest.Faults{Full: true, BusDown: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := startReplicas(t, nil)
			old := r.signIn(t, sam, acmeID)
			r.wantValid(t, 1, old) // replica 2 sees it for the first time after the switch
			r.waitForBus(t)
			r.server.Set(tt.faults)
			r.switchTo(t, old, globexID)
			if tt.faults.BusDown {
				r.server.Set(replicatest.Faults{Full: true})
				time.Sleep(time.Second) // connections that were silent for too long are made anew
				r.waitForBus(t)
			}
			r.server.Set(replicatest.Faults{})
			eventually(t, "the switch is stored", func() bool { return len(r.server.Snapshot()) > 0 })
			r.server.Set(replicatest.Faults{Down: true})
			for i := range r.all {
				var got string
				for range 1000 { // a message's way, on a busy machine
					if got = r.wantValid(t, i, old).Identity.OrganizationID; got == globexID {
						break
					}
					time.Sleep(10 * time.Millisecond)
				}
				if got != globexID {
					t.Errorf("replica %d: got organization %s for the old cookie, want Globex", i, got)
				}
			}
		})
	}
}

// While other replicas can't be told of a switch it isn't made, by AuthKit neither.
func TestNoSwitchWithoutStore(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil)
	old := r.signIn(t, sam, acmeID)
	time.Sleep(time.Second) // they hear each other
	r.server.Set(replicatest.Faults{Down: true, BusDown: true})
	if err := r.noSwitch(t, old, globexID); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	r.in(t, old, acmeID)
	r.wantRefreshes(t, 0)
	r.server.Set(replicatest.Faults{})
	eventually(t, "the store is back", func() bool {
		_, _, err := r.all[0].Switch(t.Context(), cookies(old), globexID)
		return err == nil
	})
	r.in(t, old, globexID)
}
