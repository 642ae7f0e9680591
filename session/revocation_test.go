package session_test

import (
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit/emulator"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// What a revocation ends, and what it leaves alone. Sam is in two organizations,
// Zoe is in one of them.
func TestRevoke(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		of    func(samAtAcme session.Identity) session.Revocation
		ended map[string]bool // of: sam at acme, sam at globex, zoe at acme
	}{
		{"a session", func(id session.Identity) session.Revocation {
			return session.Revocation{Subject: id.Subject, SessionID: id.SessionID}
		}, map[string]bool{"sam at acme": true}},
		{"a session of somebody else's by the same id", func(id session.Identity) session.Revocation {
			return session.Revocation{Subject: "user_01OTHER", SessionID: id.SessionID}
		}, nil},
		{"a user", func(id session.Identity) session.Revocation {
			return session.Revocation{Subject: id.Subject}
		}, map[string]bool{"sam at acme": true, "sam at globex": true}},
		{"an organization", func(session.Identity) session.Revocation {
			return session.Revocation{OrganizationID: acmeID}
		}, map[string]bool{"sam at acme": true, "zoe at acme": true}},
		{"a membership", func(id session.Identity) session.Revocation {
			return session.Revocation{Subject: id.Subject, OrganizationID: acmeID}
		}, map[string]bool{"sam at acme": true}},
		{"a role that they have", func(id session.Identity) session.Revocation {
			return session.Revocation{Role: id.Roles[0]}
		}, map[string]bool{"sam at acme": true}},
		{"a role of the other organization", func(id session.Identity) session.Revocation {
			return session.Revocation{OrganizationID: globexID, Role: id.Roles[0]}
		}, nil},
		{"a permission that nobody has", func(session.Identity) session.Revocation {
			return session.Revocation{Permission: "nobody:has"}
		}, nil},
	}
	for _, tt := range tests {
		for _, refresh := range []bool{false, true} {
			t.Run(tt.name+map[bool]string{true: ", to be refreshed"}[refresh], func(t *testing.T) {
				t.Parallel()
				w := start(t, func(o *options) { o.emulator.Organizations, o.emulator.Users = directory() })
				cookies := map[string]string{
					"sam at acme": w.signIn(t, sam, acmeID), "sam at globex": w.signIn(t, sam, globexID), "zoe at acme": w.signIn(t, zoe, acmeID),
				}
				ids := map[string]session.Identity{}
				for name, sealed := range cookies {
					ids[name] = w.valid(t, sealed).Identity // remembered
				}
				w.clock.advance(time.Minute)
				r := tt.of(ids["sam at acme"])
				r.At, r.Refresh = w.clock.Now(), refresh
				if err := w.Revoke(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				w.clock.advance(time.Millisecond)
				want := 0
				for name, sealed := range cookies {
					switch {
					case tt.ended[name] && !(refresh && r.SessionID == ""):
						w.refused(t, sealed, session.ErrEnded)
					case tt.ended[name]:
						w.valid(t, w.refreshed(t, sealed))
						want++
					default:
						if v := w.valid(t, sealed); v.Current != "" {
							t.Errorf("%s: got refreshed, want left alone", name)
						}
					}
				}
				w.wantRefreshes(t, want)
			})
		}
	}
}

func directory() ([]emulator.Organization, []emulator.User) {
	return []emulator.Organization{{ID: acmeID, Name: "Acme"}, {ID: globexID, Name: "Globex"}}, []emulator.User{
		{ID: "user_01SAM", Email: sam, Memberships: []emulator.Membership{
			{OrganizationID: acmeID, Roles: []string{"billing"}, Permissions: []string{"invoices:read"}},
			{OrganizationID: globexID, Roles: []string{"member"}},
		}},
		{ID: "user_01ZOE", Email: zoe, Memberships: []emulator.Membership{{OrganizationID: acmeID, Roles: []string{"member"}}}},
	}
}

// News of the past doesn't touch what was signed in or refreshed since, whenever it
// arrives and however often.
func TestRevocationComparesTimes(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	before := w.signIn(t, zoe, "")
	happened := w.clock.Now().Add(time.Second)
	w.clock.advance(2 * time.Second)
	after := w.signIn(t, zoe, "")
	subject := w.valid(t, after).Identity.Subject
	w.clock.advance(time.Minute)
	for range 3 {
		for _, refresh := range []bool{true, false} {
			if err := w.Revoke(t.Context(), session.Revocation{Subject: subject, At: happened, Refresh: refresh}); err != nil {
				t.Fatal(err)
			}
		}
		w.refused(t, before, session.ErrEnded)
		if v := w.valid(t, after); v.Current != "" {
			t.Error("got a refresh of a session that is newer than the news")
		}
	}
	w.wantRefreshes(t, 0)
}

// A change within the 30 s in which a session isn't refreshed again is no exception.
func TestChangeRightAfterARefresh(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	old := w.signIn(t, zoe, "")
	w.clock.advance(time.Hour)
	first := w.refreshed(t, old)
	subject := w.valid(t, first).Identity.Subject
	w.clock.advance(5 * time.Second)
	change := session.Revocation{Subject: subject, At: w.clock.Now(), Refresh: true}
	if err := w.Revoke(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Millisecond) // the new token's second is the change's own
	second := w.refreshed(t, first)
	for range 3 { // once is enough
		w.valid(t, second)
		if err := w.Revoke(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(2 * time.Second)
		w.valid(t, second)
	}
	if got := w.refreshes(); got > 3 {
		t.Errorf("got %d refreshes, want 3 at most: one by age, one for each change that arrived in the token's own second", got)
	}
}

// With AuthKit out of reach, a changed session isn't used, and isn't lost.
func TestChangeDuringAnOutage(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, zoe, "")
	subject := w.valid(t, sealed).Identity.Subject
	w.clock.advance(time.Minute)
	if err := w.Revoke(t.Context(), session.Revocation{Subject: subject, At: w.clock.Now(), Refresh: true}); err != nil {
		t.Fatal(err)
	}
	w.authKit.answer(authenticate, status(500, ""))
	w.refused(t, sealed, session.ErrUnavailable)
	w.authKit.answer(authenticate, nil)
	w.clock.advance(time.Second)
	w.valid(t, w.refreshed(t, sealed))
	w.wantRefreshes(t, 1)
}
