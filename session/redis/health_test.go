package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

// logs is a log that is read while it is written.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) logger() zerolog.Logger { return zerolog.New(l) }

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestLeftOutAndBack(t *testing.T) {
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
	if _, err := s.Load(t.Context(), ttl, "key"); err == nil || errors.Is(err, ErrLeftOut) {
		t.Errorf("got %v, want the cause the first time", err)
	}
	if _, err := s.Load(t.Context(), ttl, "key"); !errors.Is(err, ErrLeftOut) {
		t.Errorf("load: got %v, want ErrLeftOut", err)
	}
	if err := s.Update(t.Context(), "key", ttl, func(old []byte) []byte { return old }); !errors.Is(err, ErrLeftOut) {
		t.Errorf("update: got %v, want ErrLeftOut", err)
	}
	if _, err := s.Lock(t.Context(), "key"); !errors.Is(err, ErrLeftOut) {
		t.Errorf("lock: got %v, want ErrLeftOut", err)
	}
	if err := s.Publish(t.Context(), nil); !errors.Is(err, ErrLeftOut) {
		t.Errorf("publish: got %v, want ErrLeftOut", err)
	}
	if err := s.Err(); !errors.Is(err, ErrLeftOut) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v, want ErrLeftOut and why", err)
	}
	eventually(t, "a report", func() bool { return strings.Contains(log.String(), "doesn't answer") })
	if err := m.StartAddr(address); err != nil {
		t.Fatal(err)
	}
	eventually(t, "back", func() bool { return s.Err() == nil })
	if _, err := s.Load(t.Context(), ttl, "key"); err != nil {
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
	if _, err := s.Load(ctx, ttl, "key"); err == nil || s.Err() != nil {
		t.Errorf("got %v, then %v, want an error, and the store in use", err, s.Err())
	}
	if _, err := s.Load(t.Context(), ttl, "key"); err == nil || errors.Is(err, ErrLeftOut) {
		t.Errorf("got %v, want the cause the first time", err)
	}
	if _, err := s.Load(t.Context(), ttl, "key"); !errors.Is(err, ErrLeftOut) {
		t.Errorf("got %v, want ErrLeftOut", err)
	}
}

// A call that was slow while Redis answers is no outage.
func TestSlowForAMoment(t *testing.T) {
	t.Parallel()
	s := open(t, "redis://"+start(t).Addr())
	log := &logs{}
	s.Log = log.logger()
	h := listen(t, s)
	eventually(t, "listening", func() bool { return h.String() == "missed:false" })
	s.leaveOut(context.DeadlineExceeded)
	eventually(t, "in use", func() bool { return s.Err() == nil })
	publish(t, s, "heard")
	eventually(t, "a message", func() bool { return h.String() == "missed:false heard" })
	s.Close() // the probe has ended
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "a call to Redis failed") {
		t.Errorf("got log %s, want one line", got)
	}
}

// What Redis itself answers is that call's trouble.
func TestReplyErrors(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"OOM command not allowed when used memory > 'maxmemory'.", "READONLY You can't write against a read only replica.",
		"LOADING Redis is loading the dataset in memory", "NOAUTH Authentication required.", "CLUSTERDOWN The cluster is down",
		"MASTERDOWN Link with MASTER is down", "ERR max number of clients reached", "NOPERM this user has no permissions",
	} {
		m := start(t)
		s := open(t, "redis://"+m.Addr())
		log := &logs{}
		s.Log = log.logger()
		set(t, s, "key", "value")
		m.SetError(text)
		for range 2 {
			if _, err := s.Load(t.Context(), ttl, "key"); err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("got %v, want %s", err, text)
			}
		}
		if err := s.Publish(t.Context(), nil); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %s", err, text)
		}
		if err := s.Err(); err != nil {
			t.Errorf("%s: got %v, want the store in use", text, err)
		}
		m.SetError("")
		if _, err := s.Load(t.Context(), ttl, "key"); err != nil {
			t.Errorf("%s: got %v afterwards", text, err)
		}
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, strings.Fields(text)[0]) {
			t.Errorf("%s: got log %s, want one line", text, got)
		}
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
	h := listen(t, s)
	eventually(t, "a report", func() bool { return strings.Contains(log.String(), "WRONGPASS") })
	_, err := s.Load(t.Context(), ttl, "key")
	if err == nil || !strings.Contains(err.Error(), "WRONGPASS") || s.Err() != nil {
		t.Errorf("got %v, then %v, want WRONGPASS, and the store in use", err, s.Err())
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
		conn := s.client.(*redis.Client).Conn()
		defer conn.Close()
		if err := conn.Ping(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Load(t.Context(), ttl, "key"); !errors.Is(err, redis.ErrPoolTimeout) || s.Err() != nil {
		t.Errorf("got %v, then %v, want to wait in vain for a connection, and the store in use", err, s.Err())
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	s := open(t, "redis://"+start(t).Addr())
	set(t, s, "key", "value")
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() { _, _ = s.Load(t.Context(), ttl, "key") })
	}
	wg.Wait()
	if got := s.client.PoolStats().TotalConns; got > 32 {
		t.Errorf("got %d connections, want 32 at most", got)
	}
	eventually(t, "in use", func() bool { return s.Err() == nil })
}
