package session_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica/replicatest"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// replicas are Managers of one AuthKit, clock and store. The first is w.Manager.
type replicas struct {
	*world
	server *replicatest.Server
	all    []*session.Manager
}

func startReplicas(t *testing.T, change func(*options)) *replicas {
	t.Helper()
	r := &replicas{}
	var config session.Config
	r.world = start(t, func(o *options) {
		r.server = replicatest.NewServer(nil)
		o.session.Passwords = []string{password}
		connection := r.server.Connect()
		o.session.Store, o.session.Bus = connection, connection
		if change != nil {
			change(o)
		}
		config = o.session
	})
	r.server.SetClock(r.clock.Now)
	r.all = []*session.Manager{r.Manager}
	for range 2 {
		r.add(t, config)
	}
	for _, m := range r.all {
		r.run(t, m)
	}
	return r
}

func (r *replicas) add(t *testing.T, config session.Config) *session.Manager {
	t.Helper()
	config.Tokens = &token.Verifier{Keys: config.Tokens.Keys, ClientID: clientID, Now: r.clock.Now}
	connection := r.server.Connect()
	config.Store, config.Bus = connection, connection
	m, err := session.New(config)
	if err != nil {
		t.Fatal(err)
	}
	r.all = append(r.all, m)
	return m
}

// run has a replica listen, until the test ends.
func (r *replicas) run(t *testing.T, m *session.Manager) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { m.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	eventually(t, "it hears itself", func() bool { return m.Degraded() == nil })
}

// ask is what replica i says of a cookie.
func (r *replicas) ask(t *testing.T, i int, sealed string) (*session.Verified, error) {
	t.Helper()
	return r.all[i].Verify(t.Context(), cookies(sealed), false)
}

func (r *replicas) wantValid(t *testing.T, i int, sealed string) *session.Verified {
	t.Helper()
	v, err := r.ask(t, i, sealed)
	if err != nil {
		t.Fatalf("replica %d: got %v, want a valid session", i, err)
	}
	return v
}

// wantRefused waits up to a second: what another replica did is announced.
func (r *replicas) wantRefused(t *testing.T, i int, sealed string, want error) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		v, err := r.ask(t, i, sealed)
		if v == nil && errors.Is(err, want) {
			return
		}
		if time.Since(begin) > time.Second {
			t.Fatalf("replica %d: got a session: %t, %v, want %v", i, v != nil, err, want)
		}
	}
}

// eventually waits for what another goroutine does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for !ok() {
		if t.Context().Err() != nil {
			t.Fatal("never: " + what)
		}
		time.Sleep(time.Millisecond)
	}
}

// waitForBus waits until every replica listens.
func (r *replicas) waitForBus(t *testing.T) {
	t.Helper()
	eventually(t, "all listen", func() bool { return r.server.Listeners() == len(r.all) })
}

func TestReplicasRefreshOnce(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil)
	old := r.signIn(t, zoe, "")
	r.clock.advance(time.Hour)
	var wg sync.WaitGroup
	var mu sync.Mutex
	currents := map[string]bool{}
	for i := range 1000 {
		wg.Go(func() {
			v, err := r.all[i%3].Verify(t.Context(), cookies(old), i%2 == 0)
			if err != nil {
				t.Errorf("got %v, want a session", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			currents[v.Current] = true
		})
	}
	wg.Wait()
	r.wantRefreshes(t, 1)
	if len(currents) != 1 || currents[""] {
		t.Errorf("got %d different sessions, want one that is new", len(currents))
	}
}

// A browser whose cookies are frozen, and one that moves on, from replica to replica.
func TestReplicasShareRotations(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil)
	old := r.signIn(t, zoe, "")
	var latest string
	for i := range 10 {
		r.clock.advance(time.Hour)
		latest = r.wantValid(t, i%3, old).Current
		for j := range 3 {
			if got := r.wantValid(t, j, old).Current; got != latest || got == "" {
				t.Fatalf("rotation %d, replica %d: got another session than the one made last", i, j)
			}
		}
	}
	r.wantRefreshes(t, 10)

	r.wantValid(t, 1, latest) // the browser has got it after all
	r.clock.advance(3*time.Minute + time.Second)
	for i := range 3 {
		r.wantRefused(t, i, old, session.ErrSuperseded) // who stole it is out
		r.wantValid(t, i, latest)
	}
}

// A cookie that other replicas remember as valid is superseded there, too.
func TestSupersededWhereItIsRemembered(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, func(o *options) { o.emulator.AccessTokenLifetime = time.Hour })
	old := r.signIn(t, zoe, "")
	for i := range 3 {
		r.wantValid(t, i, old)
	}
	r.clock.advance(59 * time.Minute)
	v, err := r.all[0].Verify(t.Context(), cookies(old), true)
	if err != nil || v.Current == "" {
		t.Fatalf("got %v, want a refresh ahead of expiry", err)
	}
	r.wantValid(t, 0, v.Current)
	r.clock.advance(3 * time.Minute) // the old token is valid still
	for i := range 3 {
		r.wantRefused(t, i, old, session.ErrSuperseded)
	}
}

func TestSignOutOnEveryReplica(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil)
	sealed, other := r.signIn(t, sam, acmeID), r.signIn(t, sam, globexID)
	for i := range 3 {
		r.wantValid(t, i, sealed)
	}
	if _, ok := r.all[2].End(t.Context(), cookies(sealed)); !ok {
		t.Fatal("got nothing to end")
	}
	for i := range 3 {
		r.wantRefused(t, i, sealed, session.ErrEnded)
		r.wantValid(t, i, other)
	}
	late := r.add(t, r.all[0].Config) // started afterwards
	if _, err := late.Verify(t.Context(), cookies(sealed), false); !errors.Is(err, session.ErrEnded) {
		t.Errorf("got %v from a new replica, want ErrEnded", err)
	}
}

// What a revocation of each kind means to replicas that listen, and to one that
// starts later.
func TestRevocationOnEveryReplica(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"user", "organization", "membership", "role", "permission"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := startReplicas(t, func(o *options) { o.emulator.Organizations, o.emulator.Users = directory() })
			sealed := r.signIn(t, sam, acmeID)
			for i := range 3 {
				r.wantValid(t, i, sealed)
			}
			r.clock.advance(time.Minute)
			news := session.Revocation{At: r.clock.Now()}
			switch kind {
			case "user":
				news.Subject = "user_01SAM"
			case "organization":
				news.OrganizationID = acmeID
			case "membership":
				news.Subject, news.OrganizationID = "user_01SAM", acmeID
			case "role":
				news.Role = "billing"
			case "permission":
				news.Permission = "invoices:read"
			}
			if err := r.all[1].Revoke(t.Context(), news); err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				eventually(t, "every replica knows", func() bool {
					_, err := r.ask(t, i, sealed)
					return errors.Is(err, session.ErrEnded)
				})
			}
			late := r.add(t, r.all[0].Config)
			r.run(t, late)
			r.wantRefused(t, 3, sealed, session.ErrEnded)
		})
	}
}

// Without its store each replica goes on with what it knows. What one of them did
// meanwhile, the others learn afterwards; until then nobody is signed out.
func TestStoreDown(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil) // without a grace window
	seen, unseen, ended := r.signIn(t, zoe, ""), r.signIn(t, sam, acmeID), r.signIn(t, sam, globexID)
	for i := range 3 {
		r.wantValid(t, i, seen)
	}
	r.server.Set(replicatest.Faults{Down: true})
	r.wantValid(t, 0, unseen)
	r.wantValid(t, 1, seen)
	if err := r.all[1].Revoke(t.Context(), session.Revocation{Subject: "user_01OTHER", At: r.clock.Now()}); err == nil {
		t.Error("got no error from a revocation that nobody else learns of")
	}
	if _, ok := r.all[1].End(t.Context(), cookies(ended)); !ok {
		t.Error("got nothing to end")
	}
	r.wantRefused(t, 1, ended, session.ErrEnded)

	r.clock.advance(time.Hour)
	next := r.wantValid(t, 0, seen).Current
	if next == "" {
		t.Fatal("got no refresh")
	}
	r.wantValid(t, 0, next)
	// AuthKit refuses the spent token, and it isn't known who spent it.
	r.wantRefused(t, 1, seen, session.ErrUnavailable)
	r.wantRefused(t, 1, seen, session.ErrUnavailable)

	r.server.Set(replicatest.Faults{})
	eventually(t, "the others learn of the refresh", func() bool {
		v, err := r.ask(t, 1, seen)
		if errors.Is(err, session.ErrEnded) {
			t.Fatal("got the session ended by the store's outage")
		}
		r.clock.advance(10 * time.Millisecond)
		return err == nil && v.Current == next
	})
	eventually(t, "and of the sign-out", func() bool {
		_, err := r.ask(t, 2, ended)
		return errors.Is(err, session.ErrEnded)
	})
}

// A full store can't keep anything, but what happens is announced, whole.
func TestStoreFull(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil)
	old, ended := r.signIn(t, zoe, ""), r.signIn(t, sam, globexID)
	for i := range 3 {
		r.wantValid(t, i, ended)
	}
	r.server.Set(replicatest.Faults{Full: true})
	if _, ok := r.all[1].End(t.Context(), cookies(ended)); !ok {
		t.Error("got nothing to end")
	}
	r.clock.advance(time.Hour)
	next := r.wantValid(t, 0, old).Current
	for i := range 3 {
		eventually(t, "every replica knows", func() bool {
			_, err := r.ask(t, i, ended)
			v, ok := r.ask(t, i, old)
			return errors.Is(err, session.ErrEnded) && ok == nil && v.Current == next
		})
	}
	r.wantRefreshes(t, 1)
}

// A store that comes back empty, or with an old snapshot, has what is known as soon as it is
// used; nobody is signed out.
func TestStoreEmptied(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"empty", "old snapshot"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startReplicas(t, nil)
			old, ended := r.signIn(t, zoe, ""), r.signIn(t, sam, acmeID)
			snapshot := r.server.Snapshot()
			if name == "empty" {
				snapshot = nil
			}
			r.clock.advance(time.Hour)
			next := r.wantValid(t, 0, old).Current
			if _, ok := r.all[0].End(t.Context(), cookies(ended)); !ok {
				t.Fatal("got nothing to end")
			}
			r.server.Restore(snapshot)
			time.Sleep(1100 * time.Millisecond) // they have heard each other for a second
			for i := range 3 {
				if v := r.wantValid(t, i, old); v.Current != next {
					t.Errorf("replica %d: got another session than the old cookie became", i)
				}
				r.wantRefused(t, i, ended, session.ErrEnded)
			}
			late := r.add(t, r.all[0].Config)
			if v, err := late.Verify(t.Context(), cookies(old), false); err != nil || v.Current != next {
				t.Errorf("got %v from a new replica, want the session", err)
			}
		})
	}
}

// A store that fails over while a session is refreshed may have lost the outcome, and have the lease still: the
// other replicas ask for it, and don't wait until the lease is over.
func TestOutcomeLostByTheStore(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil)
	old := r.signIn(t, zoe, "")
	var during map[string]replica.Value
	r.authKit.answer(authenticate, func(w http.ResponseWriter, request *http.Request) {
		during = r.server.Snapshot()
		r.authKit.Emulator.ServeHTTP(w, request)
		r.server.Set(replicatest.Faults{LoseOne: func() bool { return true }})
	})
	r.clock.advance(time.Hour)
	next := r.wantValid(t, 0, old).Current
	r.server.Restore(during)
	r.server.Set(replicatest.Faults{})
	for i := range 3 {
		if v := r.wantValid(t, i, old); v.Current != next {
			t.Errorf("replica %d: got another session than the old cookie became", i)
		}
	}
	r.wantRefreshes(t, 1)
}

// Nothing in the store can be read there, or put there by somebody else.
func TestStoreIsSealed(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil)
	old, other := r.signIn(t, zoe, ""), r.signIn(t, sam, acmeID)
	r.clock.advance(time.Hour)
	next := r.wantValid(t, 0, old).Current
	r.wantValid(t, 0, other)
	s := r.open(t, next)
	values := r.server.Snapshot()
	for key, value := range values {
		for _, secret := range []string{s.RefreshToken, s.AccessToken, next, s.User.ID, zoe, "session_"} {
			if strings.Contains(key, secret) || strings.Contains(string(value.Sealed), secret) {
				t.Errorf("got %.20q in the store", secret)
			}
		}
	}
	// Every value where another belongs, and garbage: as good as no answer, and left alone.
	keys := slices.Sorted(maps.Keys(values))
	swapped := map[string]replica.Value{}
	for i, key := range keys {
		swapped[key] = values[keys[(i+1)%len(keys)]]
		if i%2 == 0 {
			swapped[key] = replica.Value{Tag: replica.Tag{byte(i + 1)}, Sealed: fmt.Append(nil, "garbage ", i)}
		}
	}
	r.server.Restore(swapped)
	fresh := r.add(t, r.all[0].Config)
	v, err := fresh.Verify(t.Context(), cookies(next), false)
	if err != nil || v.Identity.Email != zoe {
		t.Errorf("got %v, %v, want the session of %s", v, err, zoe)
	}
	fresh.End(t.Context(), cookies(next))
	for key, value := range r.server.Snapshot() {
		if was, ok := swapped[key]; ok && was.Tag != value.Tag {
			t.Errorf("got a value overwritten that doesn't open")
		}
	}
	if got := strings.Count(r.log.String(), "doesn't open"); got != 1 {
		t.Errorf("got %d lines about the store's values, want 1", got)
	}
}

// What was written under the previous password is found.
func TestStoreUnderThePreviousPassword(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil)
	old, ended := r.signIn(t, zoe, ""), r.signIn(t, sam, acmeID)
	r.clock.advance(time.Hour)
	next := r.wantValid(t, 0, old).Current
	if _, ok := r.all[0].End(t.Context(), cookies(ended)); !ok {
		t.Fatal("got nothing to end")
	}
	config := r.all[0].Config
	config.Passwords = []string{"the next password, of 32 characters", password}
	config.Seal = iron(t, r.clock.Now, config.Passwords...)
	after := r.add(t, config)
	if v, err := after.Verify(t.Context(), cookies(old), false); err != nil || v.Current != next {
		t.Errorf("got %v, want the session that the old cookie became", err)
	}
	if _, err := after.Verify(t.Context(), cookies(ended), false); !errors.Is(err, session.ErrEnded) {
		t.Errorf("got %v, want ErrEnded", err)
	}
}

// The steady state asks nobody, and neither does a frozen cookie.
func TestStoreIsLeftAlone(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil)
	sealed := r.signIn(t, zoe, "")
	for range 2 {
		for range 2 { // bring it, and read what that wrote
			r.wantValid(t, 0, sealed)
		}
		before := r.server.Loads()
		for range 100 {
			r.wantValid(t, 0, sealed)
		}
		if got := r.server.Loads() - before; got > 1 { // pings aside
			t.Errorf("got %d loads for a remembered session, want none", got)
		}
		r.clock.advance(time.Hour)
	}
}
