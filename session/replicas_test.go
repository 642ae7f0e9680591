package session_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// board is a store in memory that can be switched off, emptied and looked into.
type board struct {
	mu        sync.Mutex
	values    map[string][]byte
	locks     map[string]chan struct{}
	listeners []listener
	down      bool // nothing works
	full      bool // reads work
	loads     int
}

type listener struct {
	receive func([]byte)
	missed  func(bool)
}

var errDown = errors.New("down")

func newBoard() *board { return &board{values: map[string][]byte{}, locks: map[string]chan struct{}{}} }

func (b *board) Load(_ context.Context, _ time.Duration, keys ...string) ([][]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return nil, errDown
	}
	b.loads++
	values := make([][]byte, len(keys))
	for i, key := range keys {
		values[i] = b.values[key]
	}
	return values, nil
}

func (b *board) Update(_ context.Context, key string, _ time.Duration, change func([]byte) []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down || b.full {
		return errDown
	}
	if value := change(b.values[key]); value != nil {
		b.values[key] = value
	}
	return nil
}

func (b *board) Lock(ctx context.Context, key string) (func(), error) {
	b.mu.Lock()
	if b.down || b.full {
		b.mu.Unlock()
		return nil, errDown
	}
	lock, ok := b.locks[key]
	if !ok {
		lock = make(chan struct{}, 1)
		b.locks[key] = lock
	}
	b.mu.Unlock()
	select {
	case lock <- struct{}{}:
		return func() { <-lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (b *board) Publish(_ context.Context, message []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return errDown
	}
	for _, l := range b.listeners {
		l.receive(message)
	}
	return nil
}

func (b *board) Listen(ctx context.Context, receive func([]byte), missed func(bool), _ func()) {
	b.mu.Lock()
	b.listeners = append(b.listeners, listener{receive, missed})
	b.mu.Unlock()
	<-ctx.Done()
}

// set switches the store, and has every replica know when it is back.
func (b *board) set(down, full, emptied bool) {
	b.mu.Lock()
	back := (b.down || b.full) && !down && !full
	b.down, b.full = down, full
	if emptied {
		clear(b.values)
	}
	listeners := slices.Clone(b.listeners)
	b.mu.Unlock()
	if back || emptied {
		for _, l := range listeners {
			l.missed(emptied)
		}
	}
}

// replicas are Managers of one AuthKit, clock and store. The first is w.Manager.
type replicas struct {
	*world
	board *board
	all   []*session.Manager
}

func startReplicas(t *testing.T, change func(*options)) *replicas {
	t.Helper()
	r := &replicas{board: newBoard()}
	var config session.Config
	r.world = start(t, func(o *options) {
		o.session.Store, o.session.Bus, o.session.Passwords = r.board, r.board, []string{password}
		if change != nil {
			change(o)
		}
		config = o.session
	})
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
	r.board.mu.Lock()
	before := len(r.board.listeners)
	r.board.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { m.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	for {
		r.board.mu.Lock()
		now := len(r.board.listeners)
		r.board.mu.Unlock()
		if now > before {
			return
		}
		time.Sleep(time.Millisecond)
	}
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

func (r *replicas) wantRefused(t *testing.T, i int, sealed string, want error) {
	t.Helper()
	if v, err := r.ask(t, i, sealed); v != nil || !errors.Is(err, want) {
		t.Fatalf("replica %d: got a session: %t, %v, want %v", i, v != nil, err, want)
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
	r.clock.advance(time.Minute + time.Second)
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
	r.clock.advance(time.Minute) // the old token is valid still
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
				r.wantRefused(t, i, sealed, session.ErrEnded)
			}
			late := r.add(t, r.all[0].Config)
			r.run(t, late)
			r.board.set(false, false, false)
			r.board.listeners[3].missed(false) // it begins to listen
			r.wantRefused(t, 3, sealed, session.ErrEnded)
		})
	}
}

// Without its store each replica goes on with what it knows. What one of them did
// meanwhile, the others learn afterwards; until then nobody is signed out.
func TestStoreDown(t *testing.T) {
	t.Parallel()
	for name, full := range map[string]bool{"dead": false, "full": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startReplicas(t, nil) // without a grace window
			seen, unseen, ended := r.signIn(t, zoe, ""), r.signIn(t, sam, acmeID), r.signIn(t, sam, globexID)
			for i := range 3 {
				r.wantValid(t, i, seen)
			}
			r.board.set(!full, full, false)
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
			// AuthKit refuses the spent token, and nobody can say who spent it.
			r.wantRefused(t, 1, seen, session.ErrUnavailable)
			r.wantRefused(t, 1, seen, session.ErrUnavailable)

			r.board.set(false, false, false)
			r.clock.advance(time.Second)
			eventually(t, "the others learn of the refresh", func() bool {
				v, err := r.ask(t, 1, seen)
				if errors.Is(err, session.ErrEnded) {
					t.Fatal("got the session ended by the store's outage")
				}
				r.clock.advance(time.Second)
				return err == nil && v.Current == next
			})
			eventually(t, "and of the sign-out", func() bool {
				_, err := r.ask(t, 2, ended)
				r.clock.advance(time.Second)
				return errors.Is(err, session.ErrEnded)
			})
		})
	}
}

// A store that comes back empty is filled again with what the replicas know.
func TestStoreEmptied(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil)
	old, ended := r.signIn(t, zoe, ""), r.signIn(t, sam, acmeID)
	r.clock.advance(time.Hour)
	next := r.wantValid(t, 0, old).Current
	if _, ok := r.all[0].End(t.Context(), cookies(ended)); !ok {
		t.Fatal("got nothing to end")
	}
	r.clock.advance(24 * time.Hour)
	before := len(r.board.values)
	r.board.set(true, false, true)
	r.board.set(false, false, true)
	eventually(t, "the store has it again", func() bool {
		r.board.mu.Lock()
		defer r.board.mu.Unlock()
		return len(r.board.values) >= before
	})
	late := r.add(t, r.all[0].Config)
	v, err := late.Verify(t.Context(), cookies(old), false)
	if err != nil || v.Current == "" {
		t.Fatalf("got %v, want the session", err)
	}
	if _, err := late.Verify(t.Context(), cookies(next), false); err != nil {
		t.Errorf("got %v, want the session", err)
	}
	if _, err := late.Verify(t.Context(), cookies(ended), false); !errors.Is(err, session.ErrEnded) {
		t.Errorf("got %v, want ErrEnded", err)
	}
}

// Nothing in the store can be read there, or put there by somebody else.
func TestStoreIsSealed(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil)
	old := r.signIn(t, zoe, "")
	other := r.signIn(t, sam, acmeID)
	r.clock.advance(time.Hour)
	next := r.wantValid(t, 0, old).Current
	r.wantValid(t, 0, other)
	s := r.open(t, next)
	for key, value := range r.board.values {
		for _, secret := range []string{s.RefreshToken, s.AccessToken, next, s.User.ID, zoe, "session_"} {
			if strings.Contains(key, secret) || strings.Contains(string(value), secret) {
				t.Errorf("got %.20q in the store", secret)
			}
		}
	}
	// Every value where another belongs, and garbage: as good as nothing.
	keys := slices.Sorted(maps.Keys(r.board.values))
	swapped := map[string][]byte{}
	for i, key := range keys {
		swapped[key] = r.board.values[keys[(i+1)%len(keys)]]
		if i%3 == 0 {
			swapped[key] = fmt.Append(nil, "garbage ", i)
		}
	}
	r.board.values = swapped
	fresh := r.add(t, r.all[0].Config)
	v, err := fresh.Verify(t.Context(), cookies(next), false)
	if err != nil || v.Identity.Email != zoe {
		t.Errorf("got %v, %v, want the session of %s", v, err, zoe)
	}
	if got := strings.Count(r.log.String(), "isn't ours"); got != 1 {
		t.Errorf("got %d lines about the store's values, want 1", got)
	}
}

// Deployments with different passwords can use one store.
func TestStoreOfTwoDeployments(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil)
	old := r.signIn(t, zoe, "")
	r.clock.advance(time.Hour)
	r.wantValid(t, 0, old)
	config := r.all[0].Config
	config.Passwords = []string{"another password, of 32 characters"}
	stranger := r.add(t, config)
	before := len(r.board.values)
	_, _ = stranger.Verify(t.Context(), cookies(old), false)
	if strings.Contains(r.log.String(), "isn't ours") {
		t.Errorf("got %s, want other keys, not other values under the same", r.log)
	}
	if len(r.board.values) <= before {
		t.Error("got no values of its own")
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

// The steady state asks nobody, and a frozen cookie asks the store once in a second.
func TestStoreIsLeftAlone(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil)
	sealed := r.signIn(t, zoe, "")
	r.wantValid(t, 0, sealed)
	before := r.board.loads
	for range 100 {
		r.wantValid(t, 0, sealed)
	}
	if got := r.board.loads - before; got != 0 {
		t.Errorf("got %d loads for a remembered session, want none", got)
	}
	r.clock.advance(time.Hour)
	r.wantValid(t, 0, sealed)
	before = r.board.loads
	for range 100 {
		r.wantValid(t, 0, sealed)
	}
	if got := r.board.loads - before; got > 2 {
		t.Errorf("got %d loads for an old cookie at one moment, want 2 at most", got)
	}
}
