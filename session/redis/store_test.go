package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

var (
	_ session.Store = (*Store)(nil)
	_ session.Bus   = (*Store)(nil)
)

const ttl = time.Hour

// open makes a Store of a server.
func open(t *testing.T, m *miniredis.Miniredis) *Store {
	t.Helper()
	s, err := New("redis://"+m.Addr(), "bus")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// set is an Update that doesn't look at what is there.
func set(t *testing.T, s *Store, key, value string) {
	t.Helper()
	if err := s.Update(t.Context(), key, ttl, func([]byte) []byte { return []byte(value) }); err != nil {
		t.Fatal(err)
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

func TestLoad(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	s := open(t, m)
	set(t, s, "one", "1")
	set(t, s, "two", "\x00\xff")
	values, err := s.Load(t.Context(), 2*ttl, "one", "none", "two", "one")
	if err != nil || len(values) != 4 || string(values[0]) != "1" || values[1] != nil || string(values[2]) != "\x00\xff" || string(values[3]) != "1" {
		t.Errorf("got %q, %v, want 1, none, two bytes, 1", values, err)
	}
	if got := m.TTL(prefix + "one"); got != 2*ttl {
		t.Errorf("got %s to live after a Load, want %s", got, 2*ttl)
	}
	for _, key := range m.Keys() {
		if !strings.HasPrefix(key, "authkit-forward-auth:") {
			t.Errorf("got key %q, want the prefix that an ACL allows", key)
		}
	}
	m.FastForward(2 * ttl)
	if values, err := s.Load(t.Context(), ttl, "one"); err != nil || values[0] != nil {
		t.Errorf("got %q, %v after its time, want none", values, err)
	}
}

func TestUpdateLosesNothing(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	stores := []*Store{open(t, m), open(t, m), open(t, m)}
	var wg sync.WaitGroup
	var done atomic.Int64
	for i := range 12 {
		wg.Go(func() {
			for range 5 {
				err := stores[i%3].Update(t.Context(), "count", ttl, func(old []byte) []byte {
					n, _ := strconv.Atoi(string(old))
					return strconv.AppendInt(nil, int64(n+1), 10)
				})
				if err == nil {
					done.Add(1)
				}
			}
		})
	}
	wg.Wait()
	values, err := stores[0].Load(t.Context(), ttl, "count")
	if err != nil || string(values[0]) != fmt.Sprint(done.Load()) || done.Load() == 0 {
		t.Errorf("got %q, %v, want the %d updates that succeeded", values, err, done.Load())
	}
	if err := stores[0].Update(t.Context(), "count", ttl, func([]byte) []byte { return nil }); err != nil {
		t.Error(err)
	}
	if after, _ := stores[0].Load(t.Context(), ttl, "count"); !bytes.Equal(after[0], values[0]) {
		t.Errorf("got %q after an update that leaves the value, want %q", after[0], values[0])
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	stores := []*Store{open(t, m), open(t, m)}
	var inside, total atomic.Int64
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			release, err := stores[i%2].Lock(t.Context(), "token")
			if err != nil {
				t.Error(err)
				return
			}
			if n := inside.Add(1); n != 1 {
				t.Errorf("got %d holders at a time", n)
			}
			total.Add(1)
			inside.Add(-1)
			release()
		})
	}
	wg.Wait()
	if total.Load() != 6 || m.Exists(prefix+"lock:token") {
		t.Errorf("got %d holders, lock left: %t, want 6 and none", total.Load(), m.Exists(prefix+"lock:token"))
	}
}

// The lease of a dead holder ends; a late release takes nothing from the next one.
func TestLockOfTheDead(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	s := open(t, m)
	if err := m.Set(prefix+"lock:token", "somebody"); err != nil {
		t.Fatal(err)
	}
	m.SetTTL(prefix+"lock:token", 3*time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Lock(ctx, "token"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want to give up with the context", err)
	}
	if err := s.Err(); err != nil {
		t.Errorf("got %v: a caller that gives up says nothing about Redis", err)
	}
	m.FastForward(3 * time.Second)
	release, err := s.Lock(t.Context(), "token")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Set(prefix+"lock:token", "the next"); err != nil {
		t.Fatal(err)
	}
	release()
	if got, _ := m.Get(prefix + "lock:token"); got != "the next" {
		t.Errorf("got lock %q after a late release, want the next holder's", got)
	}
}

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

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestLeftOutAndBack(t *testing.T) {
	t.Parallel()
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	address := m.Addr()
	s := open(t, m)
	var log logs
	var mu sync.Mutex
	s.Log = zerolog.New(&log)
	s.Observe = func(operation string, _ time.Duration, err error) {
		mu.Lock()
		defer mu.Unlock()
		if operation != "load" {
			t.Errorf("got %s observed, want loads", operation)
		}
	}
	m.Close()
	if _, err := s.Load(t.Context(), ttl, "key"); err == nil || errors.Is(err, ErrLeftOut) {
		t.Errorf("got %v, want the cause the first time", err)
	}
	for range 3 {
		if _, err := s.Load(t.Context(), ttl, "key"); !errors.Is(err, ErrLeftOut) {
			t.Errorf("got %v, want ErrLeftOut", err)
		}
	}
	if _, err := s.Lock(t.Context(), "key"); !errors.Is(err, ErrLeftOut) {
		t.Errorf("got %v, want ErrLeftOut", err)
	}
	if err := s.Publish(t.Context(), nil); !errors.Is(err, ErrLeftOut) {
		t.Errorf("got %v, want ErrLeftOut", err)
	}
	eventually(t, "reported", func() bool { return strings.Contains(log.String(), "doesn't answer") })
	if err := m.StartAddr(address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	eventually(t, "back", func() bool { return s.Err() == nil })
	if _, err := s.Load(t.Context(), ttl, "key"); err != nil {
		t.Errorf("got %v once it is back", err)
	}
	s.Close() // the probe has ended
	if got := log.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "doesn't answer") || !strings.Contains(got, "answers again") {
		t.Errorf("got log %s, want a line for each", got)
	}
}

// What Redis itself answers is that call's trouble.
func TestReplyErrors(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"OOM command not allowed when used memory > 'maxmemory'.", "READONLY You can't write against a read only replica.",
		"LOADING Redis is loading the dataset in memory", "NOAUTH Authentication required.", "CLUSTERDOWN The cluster is down",
	} {
		m := miniredis.RunT(t)
		s := open(t, m)
		set(t, s, "key", "value")
		m.SetError(text)
		if _, err := s.Load(t.Context(), ttl, "key"); err == nil || !strings.Contains(err.Error(), strings.Fields(text)[0]) {
			t.Errorf("got %v, want %s", err, text)
		}
		if err := s.Err(); err != nil {
			t.Errorf("%s: got %v, want the store in use", text, err)
		}
		m.SetError("")
		if _, err := s.Load(t.Context(), ttl, "key"); err != nil {
			t.Errorf("got %v afterwards", err)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	s := open(t, miniredis.RunT(t))
	set(t, s, "key", "value")
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() { _, _ = s.Load(t.Context(), ttl, "key") })
	}
	wg.Wait()
	eventually(t, "in use", func() bool { return s.Err() == nil })
}

func TestListen(t *testing.T) {
	t.Parallel()
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	address := m.Addr()
	s, other := open(t, m), open(t, m)
	var mu sync.Mutex
	var got []string
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, what)
	}
	heard := func(want ...string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return strings.Join(got, " ") == strings.Join(want, " ")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Listen(ctx, func(message []byte) { note(string(message)) }, func(emptied bool) { note(fmt.Sprint("missed:", emptied)) })
	}()
	eventually(t, "listening", heard("missed:false"))
	for _, text := range []string{"one", "two", "three"} {
		if err := other.Publish(t.Context(), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "three messages", heard("missed:false", "one", "two", "three"))

	epoch, _ := m.Get(prefix + "epoch")
	m.Close()
	if err := m.StartAddr(address); err != nil { // miniredis keeps its values
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	if now, _ := m.Get(prefix + "epoch"); now != epoch {
		t.Fatalf("got epoch %q after a restart, want %q", now, epoch)
	}
	eventually(t, "a gap", func() bool { mu.Lock(); defer mu.Unlock(); return len(got) > 4 && got[4] == "missed:false" })

	m.FlushAll()
	m.Close()
	if err := m.StartAddr(address); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a loss", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(strings.Join(got, " "), "missed:true")
	})
	cancel()
	<-done
}

func TestURL(t *testing.T) {
	t.Parallel()
	good := map[string]string{
		"redis://localhost":                         "localhost:6379",
		"redis://:secret@10.0.0.1:6380/3":           "10.0.0.1:6380 db 3 secret",
		"rediss://user:secret@redis:6379":           "redis:6379 user secret tls",
		"unix:///run/redis.sock":                    "/run/redis.sock",
		"redis+sentinel://a:26379,b:26379/mymaster": "a:26379 b:26379 master mymaster",
		"rediss+sentinel://:secret@a:26379,b:26380/main/2?sentinel_username=u&sentinel_password=p": "a:26379 b:26380 db 2 secret master main tls sentinel u p",
		"redis+cluster://user:se%2Ccret@a:6379,b:6379":                                             "a:6379 b:6379 user se,cret cluster",
		"redis+cluster://one:6379":                                                                 "one:6379 cluster",
	}
	for raw, want := range good {
		o, err := parseURL(raw)
		if err != nil {
			t.Errorf("%s: got %v", raw, err)
			continue
		}
		got := strings.Join(o.Addrs, " ")
		if o.DB != 0 {
			got += fmt.Sprint(" db ", o.DB)
		}
		for _, part := range []string{o.Username, o.Password} {
			if part != "" {
				got += " " + part
			}
		}
		if o.MasterName != "" {
			got += " master " + o.MasterName
		}
		if o.IsClusterMode {
			got += " cluster"
		}
		if o.TLSConfig != nil {
			got += " tls"
		}
		if o.SentinelUsername != "" {
			got += " sentinel " + o.SentinelUsername + " " + o.SentinelPassword
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
	for _, raw := range []string{
		"", "redis", "localhost:6379", "http://:secret@localhost", "redis://:secret@host:port", "redis://:secret@host/db",
		"redis+sentinel://:secret@a:26379", "redis+cluster://:secret@a:6379,,b:6379", "redis+other://:secret@a", "redis://:secret@%zz", "unix+cluster://x",
	} {
		if _, err := New(raw, "bus"); err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "redis+sentinel://") {
			t.Errorf("%s: got %v, want an error that lists the forms and no secret", raw, err)
		}
	}
}
