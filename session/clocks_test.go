package session_test

import (
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

// AuthKit's servers' clocks differ, and step back: nothing is ordered by them.
func TestAuthKitClockBack(t *testing.T) {
	t.Parallel()
	for _, back := range []time.Duration{2 * time.Second, 30 * time.Second} {
		t.Run(back.String(), func(t *testing.T) {
			t.Parallel()
			r := startReplicas(t, nil)
			skew := func(d time.Duration) {
				if err := r.authKit.Change(func(s *emulator.Settings) { s.ClockSkew = d }); err != nil {
					t.Fatal(err)
				}
			}
			old, moved := r.signIn(t, zoe, ""), r.signIn(t, sam, acmeID)
			r.clock.advance(time.Second)
			skew(-back)
			if _, _, err := r.all[0].Switch(t.Context(), cookies(moved), globexID); err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				eventually(t, "Globex", func() bool {
					return r.wantValid(t, i, moved).Identity.OrganizationID == globexID
				})
			}
			r.clock.advance(time.Hour)
			next := r.wantValid(t, 0, old).Current
			for i := range 3 {
				if got := r.wantValid(t, i, old).Current; got != next {
					t.Errorf("replica %d: got another session than the refresh brought", i)
				}
				if got := r.wantValid(t, i, moved).Identity.OrganizationID; got != globexID {
					t.Errorf("replica %d: got organization %s, want Globex", i, got)
				}
			}
			r.authKit.wantTokensSentOnce(t)
		})
	}
}

// A switch there at one replica and back at another, with the same old cookie: the last one counts.
func TestSwitchThereAndBack(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil)
	sealed := r.signIn(t, sam, acmeID)
	for i := range 3 {
		r.wantValid(t, i, sealed)
	}
	for i, organization := range []string{globexID, acmeID, globexID, acmeID} {
		if _, id, err := r.all[i%2].Switch(t.Context(), cookies(sealed), organization); err != nil || id.OrganizationID != organization {
			t.Fatalf("switch %d: got %+v, %v", i, id, err)
		}
	}
	for i := range 3 {
		eventually(t, "Acme", func() bool { return r.wantValid(t, i, sealed).Identity.OrganizationID == acmeID })
	}
	r.wantRefreshes(t, 4)
}
