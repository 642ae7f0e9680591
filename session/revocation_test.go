package session_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica/replicatest"
)

// What a revocation ends, and what it leaves alone. Sam is in two organizations,
// Zoe is in one of them.
func TestRevoke(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		of    func(samAtAcme identity.Identity) session.Revocation
		ended map[string]bool // of: sam at acme, sam at globex, zoe at acme
	}{
		{"a session", func(id identity.Identity) session.Revocation {
			return session.Revocation{Subject: id.Subject, SessionID: id.SessionID}
		}, map[string]bool{"sam at acme": true}},
		{"a session of somebody else's by the same id", func(id identity.Identity) session.Revocation {
			return session.Revocation{Subject: "user_01OTHER", SessionID: id.SessionID}
		}, nil},
		{"a user", func(id identity.Identity) session.Revocation {
			return session.Revocation{Subject: id.Subject}
		}, map[string]bool{"sam at acme": true, "sam at globex": true}},
		{"an organization", func(identity.Identity) session.Revocation {
			return session.Revocation{OrganizationID: acmeID}
		}, map[string]bool{"sam at acme": true, "zoe at acme": true}},
		{"a membership", func(id identity.Identity) session.Revocation {
			return session.Revocation{Subject: id.Subject, OrganizationID: acmeID}
		}, map[string]bool{"sam at acme": true}},
		{"a role that they have", func(id identity.Identity) session.Revocation {
			return session.Revocation{Role: id.Roles[0]}
		}, map[string]bool{"sam at acme": true}},
		{"a role of the other organization", func(id identity.Identity) session.Revocation {
			return session.Revocation{OrganizationID: globexID, Role: id.Roles[0]}
		}, nil},
		{"a permission that nobody has", func(identity.Identity) session.Revocation {
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
				ids := map[string]identity.Identity{}
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
	w.clock.advance(12 * time.Second)
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
	w.authKit.answer(authenticate, status(429, ""))
	w.refused(t, sealed, session.ErrUnavailable)
	w.authKit.answer(authenticate, nil)
	w.clock.advance(time.Second)
	w.valid(t, w.refreshed(t, sealed))
	w.wantRefreshes(t, 1)
}

// What was said of an API key before news about it came doesn't count any more, on no
// replica. What is said after that does, at once.
func TestRevokedAPIKeys(t *testing.T) {
	t.Parallel()
	organizations := identity.Identity{Subject: "api_key_1", OrganizationID: acmeID, Permissions: []string{"invoices:read"}}
	users := identity.Identity{Subject: "user_01SAM", OrganizationID: acmeID, Permissions: []string{"invoices:read"}}
	tests := []struct {
		name    string
		news    session.Revocation
		id      identity.Identity
		keyID   string
		revoked bool
	}{
		{"the key", session.Revocation{APIKeyID: "api_key_1"}, organizations, "api_key_1", true},
		{"the key, updated", session.Revocation{APIKeyID: "api_key_1", Refresh: true}, organizations, "api_key_1", true},
		{"a user's key", session.Revocation{APIKeyID: "api_key_2"}, users, "api_key_2", true},
		{"another key", session.Revocation{APIKeyID: "api_key_2"}, organizations, "api_key_1", false},
		{"another key of the user's", session.Revocation{APIKeyID: "api_key_1"}, users, "api_key_2", false},
		{"its organization", session.Revocation{OrganizationID: acmeID}, organizations, "api_key_1", true},
		{"another organization", session.Revocation{OrganizationID: globexID}, organizations, "api_key_1", false},
		{"its user", session.Revocation{Subject: "user_01SAM"}, users, "api_key_2", true},
		{"its user's membership", session.Revocation{Subject: "user_01SAM", OrganizationID: acmeID}, users, "api_key_2", true},
		{"its user's membership, changed", session.Revocation{Subject: "user_01SAM", OrganizationID: acmeID, Refresh: true}, users, "api_key_2", true},
		{"its user's membership elsewhere", session.Revocation{Subject: "user_01SAM", OrganizationID: globexID}, users, "api_key_2", false},
		{"a session of its user's", session.Revocation{Subject: "user_01SAM", SessionID: "session_1"}, users, "api_key_2", false},
		{"another user", session.Revocation{Subject: "user_01ZOE"}, users, "api_key_2", false},
		{"a member of its organization", session.Revocation{Subject: "user_01SAM"}, organizations, "api_key_1", false},
		{"one of its permissions", session.Revocation{Permission: "invoices:read", Refresh: true}, organizations, "api_key_1", true},
		{"another permission", session.Revocation{Permission: "invoices:write", Refresh: true}, organizations, "api_key_1", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// A replica that didn't hear the others for a moment doubts every key from before, as it may on a busy machine.
			for range 4 {
				if !revokedMore(t, tt.news, &tt.id, tt.keyID, tt.revoked) {
					return
				}
			}
			t.Error("a key is doubted that the news isn't about")
		})
	}
}

// revokedMore revokes, waits until every key is doubted that should be, and reports whether others are.
func revokedMore(t *testing.T, news session.Revocation, id *identity.Identity, keyID string, revoked bool) bool {
	t.Helper()
	r := startReplicas(t, nil)
	r.clock.advance(24 * time.Hour) // nothing from before they listened counts
	noon := r.clock.Now()
	news.At = noon.Add(-time.Hour) // when it happened at WorkOS doesn't matter
	if err := r.all[0].Revoke(t.Context(), news); err != nil {
		t.Fatal(err)
	}
	more := false
	for i, m := range r.all {
		for _, validated := range []time.Duration{-time.Hour, 0} {
			since := noon.Add(validated)
			if revoked {
				eventually(t, fmt.Sprintf("replica %d doubts the key, validated %s after the news", i, validated), func() bool { return m.Revoked(id, keyID, since) })
			} else if m.Revoked(id, keyID, since) {
				more = true
			}
		}
		for _, validated := range []time.Duration{1, time.Hour} {
			if m.Revoked(id, keyID, noon.Add(validated)) {
				t.Errorf("replica %d, validated %s after the news: revoked", i, validated)
			}
		}
	}
	return more
}

// An API key's news touch no session.
func TestAPIKeysAreNoSessions(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, zoe, "")
	id := w.valid(t, sealed).Identity
	for _, keyID := range []string{"api_key_1", id.Subject, id.SessionID, id.OrganizationID} {
		if err := w.Revoke(t.Context(), session.Revocation{APIKeyID: keyID, At: w.clock.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	if v := w.valid(t, sealed); v.Current != "" {
		t.Error("got refreshed, want left alone")
	}
	w.wantRefreshes(t, 0)
}

// Messages that were missed may have been about any key. Those that could not be sent
// are sent when the store is back.
func TestRevokedAPIKeyDuringAnOutageOfTheStore(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil)
	id := identity.Identity{Subject: "api_key_1", OrganizationID: acmeID}
	r.clock.advance(time.Second)
	validated := r.clock.Now()
	r.server.Set(replicatest.Faults{Down: true})
	r.clock.advance(time.Second)
	if err := r.all[0].Revoke(t.Context(), session.Revocation{APIKeyID: "api_key_1", At: r.clock.Now()}); err == nil {
		t.Error("got no error, want that the others don't know")
	}
	if !r.all[0].Revoked(&id, "api_key_1", validated) {
		t.Error("got a key that counts where its revocation came, want it revoked")
	}
	r.server.Set(replicatest.Faults{})
	eventually(t, "the others hear again, and take every key from before for doubtful", func() bool {
		return r.all[1].Revoked(&id, "api_key_1", validated) && r.all[1].Revoked(&id, "api_key_2", validated)
	})
	eventually(t, "what was validated since counts", func() bool { // a busy machine may miss messages once more
		r.clock.advance(time.Hour)
		return !r.all[1].Revoked(&id, "api_key_2", r.clock.Now())
	})
}
