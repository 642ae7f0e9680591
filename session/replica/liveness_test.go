package replica_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica/replicatest"
)

// A replica that was silent for a while, and dies later, is noticed both times: what it was to
// tell AuthKit, and leases, are the others'.
func TestGoneAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := replicatest.NewServer(nil)
		var mu sync.Mutex
		gone := 0
		_, stop := listening(t, server, func(family.Holder) { mu.Lock(); defer mu.Unlock(); gone++ })
		defer stop()
		for want := 1; want <= 2; want++ {
			connection := server.Connect()
			_, die := listeningOn(t, connection, nil)
			time.Sleep(5 * time.Second)
			for range 2 {
				connection.Cut(true, true)
				time.Sleep(5 * time.Second)
				connection.Cut(false, false)
				time.Sleep(5 * time.Second)
			}
			die()
			time.Sleep(5 * time.Second)
			mu.Lock()
			if got := gone; got != 3*want {
				t.Errorf("got %d times gone, want %d", got, 3*want)
			}
			mu.Unlock()
		}
	})
}

func listening(t *testing.T, server *replicatest.Server, onGone func(family.Holder)) (*replica.Replica, func()) {
	t.Helper()
	return listeningOn(t, server.Connect(), onGone)
}

// listeningOn is a replica that runs until stop.
func listeningOn(t *testing.T, connection *replicatest.Conn, onGone func(family.Holder)) (r *replica.Replica, stop func()) {
	t.Helper()
	r, err := replica.New(replica.Config{
		Store: connection, Bus: connection, Name: "client_01TEST", Passwords: []string{"0123456789abcdefghijklmnopqrstuv"}, TTL: time.Hour, OnGone: onGone,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { r.Run(ctx); close(done) }()
	return r, func() { cancel(); <-done }
}

// A stored list of events that doesn't open doesn't hide the others.
func TestEventsBesideOneThatDoesNotOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := replicatest.NewServer(nil)
		teller, stop := listening(t, server, nil)
		users := func(yield func(replica.Whom) bool) {
			for i := range 100 {
				if !yield(replica.Whom{Subject: fmt.Sprint("user_", i)}) {
					return
				}
			}
		}
		for whom := range users {
			if err := teller.Announce(t.Context(), replica.Event{Whom: whom, Ended: true, At: teller.Now(), Happened: teller.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		values := server.Snapshot()
		for key, value := range values {
			if strings.HasSuffix(key, "-0") {
				value.Sealed = []byte("sealed with another password")
				values[key] = value
			}
		}
		server.Restore(values)
		late, stop := listening(t, server, nil)
		defer stop()
		time.Sleep(time.Second)
		known := 0
		for whom := range users {
			if ended, _ := late.Events().Latest(slices.Values([]replica.Whom{whom})); ended != 0 {
				known++
			}
		}
		if known < 50 || known == 100 {
			t.Errorf("got %d of 100 events, want those of the lists that open", known)
		}
	})
}
