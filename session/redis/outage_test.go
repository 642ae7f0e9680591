package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica"
)

// exchange swaps a value into its place, whatever comes of it.
func exchange(t *testing.T, s *Store) error {
	t.Helper()
	_, _, _, err := s.Swap(t.Context(), "key", replica.Tag{}, value("one"), ttl, nil)
	return err
}

func fetch(t *testing.T, s *Store) error {
	t.Helper()
	_, _, err := s.Load(t.Context(), "key", ttl)
	return err
}

func TestOpenAndClosed(t *testing.T) {
	t.Parallel()
	m := start(t)
	address := m.Addr()
	m.Close() // before the service starts
	s := open(t, "redis://"+address)
	log := &logs{}
	s.Log = log.logger()
	var observed []string
	s.Observe = func(operation string, _ time.Duration, err error) {
		observed = append(observed, fmt.Sprint(operation, " ", err == nil))
	}
	if err := fetch(t, s); err == nil || errors.Is(err, ErrOpen) {
		t.Errorf("got %v, want the cause the first time", err)
	}
	if err := fetch(t, s); !errors.Is(err, ErrOpen) {
		t.Errorf("load: got %v, want ErrOpen", err)
	}
	if err := exchange(t, s); !errors.Is(err, ErrOpen) || errors.Is(err, replica.ErrFull) {
		t.Errorf("swap: got %v, want ErrOpen", err)
	}
	if err := s.Publish(t.Context(), nil); !errors.Is(err, ErrOpen) {
		t.Errorf("publish: got %v, want ErrOpen", err)
	}
	if err := s.Err(); !errors.Is(err, ErrOpen) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v, want ErrOpen and why", err)
	}
	eventually(t, "a report", func() bool { return strings.Contains(log.String(), "doesn't answer") })
	if err := m.StartAddr(address); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	eventually(t, "closed", func() bool { return s.Err() == nil })
	if took := time.Since(begin); took > time.Second {
		t.Errorf("got it back after %s, want about 500ms", took)
	}
	if err := fetch(t, s); err != nil {
		t.Errorf("got %v once it is back", err)
	}
	if got := strings.Join(observed, ", "); got != "load false, load true" {
		t.Errorf("got %s observed, want the calls that reached for Redis", got)
	}
	s.Close() // the probe has ended
	if got := log.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "answers again") {
		t.Errorf("got log %s, want a line for each", got)
	}
}

// A Redis that takes connections and is silent. A caller that gives up sooner has
// learnt nothing about it.
func TestSilentRedis(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	s := open(t, "redis://"+listener.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, _, err := s.Load(ctx, "key", ttl); err == nil || s.Err() != nil {
		t.Errorf("got %v, then %v, want an error, and the breaker closed", err, s.Err())
	}
	begin := time.Now()
	if err := fetch(t, s); err == nil || errors.Is(err, ErrOpen) {
		t.Errorf("got %v, want the cause the first time", err)
	}
	if err := fetch(t, s); !errors.Is(err, ErrOpen) {
		t.Errorf("got %v, want ErrOpen", err)
	}
	if took := time.Since(begin); took > 500*time.Millisecond {
		t.Errorf("got two answers after %s, want about 250ms", took)
	}
}

// Nothing goes on after Close.
func TestCloseDuringAnOutage(t *testing.T) {
	t.Parallel()
	m := start(t)
	s := open(t, "redis://"+m.Addr())
	m.Close()
	if err := fetch(t, s); err == nil {
		t.Error("got an answer, want an error")
	}
	s.Close()
	s.fail(errors.New("late")) // a call that was under way
	s.outage.probes.Wait()
}

// A call that was slow while Redis answers is no outage.
func TestSlowForAMoment(t *testing.T) {
	t.Parallel()
	s := open(t, "redis://"+start(t).Addr())
	log := &logs{}
	s.Log = log.logger()
	s.fail(context.DeadlineExceeded)
	eventually(t, "in use", func() bool { return s.Err() == nil })
	s.Close() // the probe has ended
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "a call to Redis failed") {
		t.Errorf("got log %s, want one line", got)
	}
}

// An error that Redis itself answers is that call's trouble.
func TestReplyErrors(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		reply string
		full  bool
	}{
		{"OOM command not allowed when used memory > 'maxmemory'.", true},
		{"-OOM command not allowed when used memory > 'maxmemory'.", true}, // Redis 6.2, handed on by a script
		{"READONLY You can't write against a read only replica. script: 32d8, on @user_script:4.", true},
		{"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", true},
		{"NOREPLICAS Not enough good replicas to write.", true},
		{"LOADING Redis is loading the dataset in memory", false},
		{"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", false},
		{"CLUSTERDOWN The cluster is down", false},
		{"BUSY Redis is busy running a script.", false},
		{"NOAUTH Authentication required.", false},
		{"NOPERM this user has no permissions", false},
		{"ERR max number of clients reached", false},
		{"ERR OOM", false},
	} {
		t.Run(row.reply, func(t *testing.T) {
			t.Parallel()
			m := start(t)
			s := open(t, "redis://"+m.Addr())
			log := &logs{}
			s.Log = log.logger()
			if err := fetch(t, s); err != nil {
				t.Fatal(err)
			}
			m.SetError(row.reply)
			for range 2 {
				if err := exchange(t, s); err == nil || !strings.Contains(err.Error(), row.reply) || errors.Is(err, replica.ErrFull) != row.full {
					t.Errorf("swap: got %v, want the reply, and ErrFull: %t", err, row.full)
				}
			}
			if err := fetch(t, s); err == nil || errors.Is(err, replica.ErrFull) {
				t.Errorf("load: got %v, want an error that isn't ErrFull", err)
			}
			if err := s.Publish(t.Context(), nil); err == nil || errors.Is(err, replica.ErrFull) {
				t.Errorf("publish: got %v, want an error that isn't ErrFull", err)
			}
			if err := s.Err(); err != nil {
				t.Errorf("got %v, want the breaker closed", err)
			}
			m.SetError("")
			if err := exchange(t, s); err != nil {
				t.Errorf("got %v afterwards", err)
			}
			if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, strings.Fields(row.reply)[0]) {
				t.Errorf("got log %s, want one line", got)
			}
		})
	}
}

// A password that Redis doesn't take is said, and not the password.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	m := start(t)
	m.RequireAuth("right-secret")
	s := open(t, "redis://:wrong-secret@"+m.Addr())
	log := &logs{}
	s.Log = log.logger()
	h := listen(t, s, silence)
	eventually(t, "a report", func() bool { return strings.Contains(log.String(), "WRONGPASS") })
	err := fetch(t, s)
	if err == nil || !strings.Contains(err.Error(), "WRONGPASS") || s.Err() != nil {
		t.Errorf("got %v, then %v, want WRONGPASS, and the breaker closed", err, s.Err())
	}
	if got := log.String() + err.Error(); strings.Contains(got, "secret") || h.String() != "" {
		t.Errorf("got %s, heard %s, want no password and nothing heard", got, h)
	}
}

// A pool whose connections are all in use says nothing about Redis.
func TestBusyPool(t *testing.T) {
	t.Parallel()
	s := open(t, "redis://"+start(t).Addr())
	for range 32 {
		conn := s.commands.(*library).redis.(*redis.Client).Conn()
		defer conn.Close()
		if err := conn.Ping(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := fetch(t, s); !errors.Is(err, redis.ErrPoolTimeout) || s.Err() != nil {
		t.Errorf("got %v, then %v, want to wait in vain for a connection, and the breaker closed", err, s.Err())
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	s := open(t, "redis://"+start(t).Addr())
	put(t, s, "key", "one")
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() { _, _, _ = s.Load(t.Context(), "key", ttl) })
	}
	wg.Wait()
	if got := s.commands.(*library).redis.PoolStats().TotalConns; got > 32 {
		t.Errorf("got %d connections, want 32 at most", got)
	}
	eventually(t, "in use", func() bool { return s.Err() == nil })
}
