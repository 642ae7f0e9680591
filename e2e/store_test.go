package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/redis"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica"
)

// The promises of package redis, against real servers.

func openStore(t *testing.T, rawURL string) *redis.Store {
	t.Helper()
	s, err := redis.New(rawURL, "bus")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func record(text string) replica.Value {
	v := replica.Value{Sealed: []byte(text)}
	copy(v.Tag[:], text+strings.Repeat("-", 16))
	return v
}

// swap describes what came of a swap: what is there otherwise, "swapped", "full", or the error.
func swap(t *testing.T, s *redis.Store, key, old, next, announcement string) string {
	t.Helper()
	tag := replica.Tag{}
	if old != "" {
		tag = record(old).Tag
	}
	swapped, current, now, err := s.Swap(t.Context(), key, tag, record(next), time.Hour, []byte(announcement))
	switch {
	case errors.Is(err, replica.ErrFull):
		return "full"
	case err != nil:
		return err.Error()
	case time.Since(now).Abs() > time.Minute:
		return "at " + now.String()
	case swapped:
		return "swapped"
	}
	return "there is " + string(current.Sealed)
}

func load(t *testing.T, s *redis.Store, key string) string {
	t.Helper()
	v, now, err := s.Load(t.Context(), key, 2*time.Hour)
	switch {
	case err != nil:
		return err.Error()
	case time.Since(now).Abs() > time.Minute:
		return "at " + now.String()
	case v.Tag == replica.Tag{}:
		return "none"
	}
	return string(v.Sealed)
}

// messages are those that a Listen has received.
type messages struct {
	mu          sync.Mutex
	connections int
	all         []string
}

func (m *messages) has(text string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Contains(m.all, text)
}

func (m *messages) connected() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.connections
}

// listenTo listens until the test ends, and returns once it does. Each 200 ms it sends a ping of its own.
func listenTo(t *testing.T, s *redis.Store) *messages {
	t.Helper()
	m := &messages{}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		s.Listen(ctx, 800*time.Millisecond,
			func() { m.mu.Lock(); m.connections++; m.mu.Unlock() },
			func(message []byte) { m.mu.Lock(); m.all = append(m.all, string(message)); m.mu.Unlock() })
	})
	running.Go(func() {
		for ctx.Err() == nil {
			_ = s.Publish(ctx, []byte("ping"))
			time.Sleep(200 * time.Millisecond)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	waitUntil(t, "listening", func() bool { return m.connected() == 1 })
	return m
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %s, want %s", what, got, want)
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) string{
		"one server": func(t *testing.T) string { return startRedis(t).url() },
		"Sentinel":   func(t *testing.T) string { return startSentinel(t).url() },
		"Cluster":    startCluster,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rawURL := start(t)
			s, other := openStore(t, rawURL), openStore(t, rawURL)
			heard, too := listenTo(t, s), listenTo(t, other)
			for i := range 20 { // keys of each node
				key := fmt.Sprint("key", i)
				expect(t, "before", load(t, s, key), "none")
				expect(t, "an old one where there is none", swap(t, s, key, "one", "two", "never"), "there is ")
				expect(t, "the first", swap(t, s, key, "", "one", "first "+key), "swapped")
				expect(t, "none, where there is one", swap(t, other, key, "", "two", "never"), "there is one")
				expect(t, "the second", swap(t, other, key, "one", "two\x00\xff", "second "+key), "swapped")
				expect(t, "afterwards", load(t, s, key), "two\x00\xff")
			}
			for _, m := range []*messages{heard, too} {
				for i := range 20 {
					waitUntil(t, "announcements", func() bool { return m.has(fmt.Sprint("first key", i)) && m.has(fmt.Sprint("second key", i)) })
				}
				if m.has("never") {
					t.Error("got the announcement of a swap that wasn't made")
				}
			}
		})
	}
}

// The ACL that docs/replicas.md gives is enough, and each part of it is needed.
func TestStoreACL(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/replicas.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile("An ACL needs `([^`]*)`, for a\\s+cluster `([^`]*)` too").FindSubmatch(text)
	if quoted == nil {
		t.Fatal("docs/replicas.md: got no ACL, want one")
	}
	rules := strings.Fields(string(quoted[1]))
	try := func(t *testing.T, rawURL string) (works bool) {
		s := openStore(t, rawURL)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		message := make(chan bool, 100)
		var listening sync.WaitGroup
		defer listening.Wait()
		defer cancel()
		listening.Go(func() {
			s.Listen(ctx, time.Second, func() { _ = s.Publish(ctx, []byte("published")) }, func([]byte) { message <- true })
		})
		select {
		case <-message:
		case <-ctx.Done():
			return false
		}
		return swap(t, s, "key", "", "one", "announced") == "swapped" && load(t, s, "key") == "one"
	}
	t.Run("one server", func(t *testing.T) {
		t.Parallel()
		r := startRedis(t)
		for i, missing := range append(rules, "none") {
			user := fmt.Sprint("user", i)
			granted := slices.DeleteFunc(slices.Clone(rules), func(rule string) bool { return rule == missing })
			redisCLI(t, r.address, append([]string{"ACL", "SETUSER", user, "on", ">secret"}, granted...)...)
			redisCLI(t, r.address, "FLUSHALL")
			if got, want := try(t, "redis://"+user+":secret@"+r.address+"/1"), missing == "none"; got != want {
				t.Errorf("without %s: got it working: %t, want %t", missing, got, want)
			}
		}
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		rawURL := startCluster(t)
		_, addresses, _ := strings.Cut(rawURL, "://")
		for address := range strings.SplitSeq(addresses, ",") {
			redisCLI(t, address, append([]string{"ACL", "SETUSER", "user", "on", ">secret", string(quoted[2])}, rules...)...)
		}
		if !try(t, "redis+cluster://user:secret@"+addresses) {
			t.Error("got it failing, want it working")
		}
	})
}

// After a failover the store and the bus go on with the new master.
func TestStoreFailsOver(t *testing.T) {
	t.Parallel()
	sentinel := startSentinel(t)
	s := openStore(t, sentinel.url())
	heard := listenTo(t, s)
	expect(t, "before", swap(t, s, "key", "", "one", ""), "swapped")
	sentinel.failOver(t)
	waitUntil(t, "a swap at the new master", func() bool { return swap(t, s, "other", "", "one", "announced") == "swapped" })
	waitUntil(t, "a message of the new master", func() bool {
		_ = s.Publish(t.Context(), []byte("after"))
		return heard.has("after")
	})
}

// Redis refuses writes: reads, and the bus, go on.
func TestStoreTakesNoWrites(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		refuse, end func(t *testing.T, r *redisServer)
	}{
		"full": {
			refuse: func(t *testing.T, r *redisServer) { r.set(t, "maxmemory", "1") },
			end:    func(t *testing.T, r *redisServer) { r.set(t, "maxmemory", "0") },
		},
		"too few replicas": {
			refuse: func(t *testing.T, r *redisServer) { r.set(t, "min-replicas-to-write", "1") },
			end:    func(t *testing.T, r *redisServer) { r.set(t, "min-replicas-to-write", "0") },
		},
		"a replica": {
			refuse: func(t *testing.T, r *redisServer) {
				master := startRedis(t)
				redisCLI(t, master.address, "SET", "authkit-forward-auth:key", "one-------------one")
				redisCLI(t, r.address, "REPLICAOF", "127.0.0.1", portOf(t, master.address))
				r.process.await(t, "its copy", func() bool {
					return strings.Contains(redisCLI(t, r.address, "INFO", "replication"), "master_link_status:up")
				})
			},
			end: func(t *testing.T, r *redisServer) { redisCLI(t, r.address, "REPLICAOF", "NO", "ONE") },
		},
		"a snapshot failed": {
			refuse: func(t *testing.T, r *redisServer) {
				r.set(t, "save", "3600 1")
				dir := strings.TrimPrefix(redisCLI(t, r.address, "CONFIG", "GET", "dir"), "dir\n")
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
				redisCLI(t, r.address, "BGSAVE")
				r.process.await(t, "its failure", func() bool {
					return strings.Contains(redisCLI(t, r.address, "INFO", "persistence"), "rdb_last_bgsave_status:err")
				})
			},
			end: func(t *testing.T, r *redisServer) {
				r.set(t, "stop-writes-on-bgsave-error", "no")
				r.set(t, "save", "") // or it won't end
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRedis(t)
			s := openStore(t, r.url())
			expect(t, "before", swap(t, s, "key", "", "one", ""), "swapped")
			row.refuse(t, r)
			heard := listenTo(t, s)
			expect(t, "a swap", swap(t, s, "key", "one", "two", "never"), "full")
			expect(t, "a new key", swap(t, s, "other", "", "one", "never"), "full")
			expect(t, "another tag", swap(t, s, "key", "two", "three", "never"), "there is one")
			expect(t, "a load", load(t, s, "key"), "one")
			if err := s.Publish(t.Context(), []byte("whole")); err != nil {
				t.Error(err)
			}
			waitUntil(t, "a message", func() bool { return heard.has("whole") })
			if err := s.Err(); err != nil || heard.has("never") {
				t.Errorf("got %v, want Redis in use and nothing announced", err)
			}
			row.end(t, r)
			waitUntil(t, "writes again", func() bool { return swap(t, s, "key", "one", "two", "") == "swapped" })
		})
	}
}

// A Redis that hangs costs one call 250 ms; then nobody waits, until it answers again.
func TestStoreHangs(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := openStore(t, r.url())
	expect(t, "before", swap(t, s, "key", "", "one", ""), "swapped")
	r.process.freeze(t)
	begin := time.Now()
	_, _, err := s.Load(t.Context(), "key", time.Hour)
	first := time.Since(begin)
	if err == nil || errors.Is(err, redis.ErrOpen) || first > time.Second {
		t.Errorf("got %v after %s, want an error after about 250ms", err, first)
	}
	time.Sleep(300 * time.Millisecond) // the first probe is over
	begin = time.Now()
	for range 1000 {
		if _, _, err := s.Load(t.Context(), "key", time.Hour); !errors.Is(err, redis.ErrOpen) {
			t.Fatalf("got %v, want ErrOpen", err)
		}
	}
	if took := time.Since(begin); took > 100*time.Millisecond {
		t.Errorf("got 1,000 answers in %s, want them at once", took)
	}
	r.process.thaw()
	waitUntil(t, "in use", func() bool { return s.Err() == nil })
	expect(t, "afterwards", load(t, s, "key"), "one")
}

// A subscription to a Redis that hung goes on, by another connection, when it is back.
func TestBusHangs(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := openStore(t, r.url())
	heard := listenTo(t, s)
	before := heard.connected()
	r.process.freeze(t)
	waitUntil(t, "an outage", func() bool { return s.Err() != nil })
	time.Sleep(time.Second)
	r.process.thaw()
	waitUntil(t, "another connection", func() bool { return heard.connected() > before })
	waitUntil(t, "a message", func() bool { return s.Publish(t.Context(), []byte("after")) == nil && heard.has("after") })
}

// A Redis that comes back with an old snapshot has an older tag, which a swap sees.
func TestStoreComesBackOlder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := startRedis(t, "--dir", dir)
	s := openStore(t, r.url())
	heard := listenTo(t, s)
	expect(t, "the first", swap(t, s, "key", "", "one", ""), "swapped")
	expect(t, "SAVE", redisCLI(t, r.address, "SAVE"), "OK")
	expect(t, "the second", swap(t, s, "key", "one", "two", ""), "swapped")
	expect(t, "one that isn't saved", swap(t, s, "other", "", "one", ""), "swapped")
	r.process.kill()
	r.start(t)
	waitUntil(t, "in use", func() bool { return s.Err() == nil && load(t, s, "other") == "none" })
	expect(t, "loaded", load(t, s, "key"), "one")
	expect(t, "the third", swap(t, s, "key", "two", "three", ""), "there is one")
	expect(t, "by the tag that is there", swap(t, s, "key", "one", "three", "third"), "swapped")
	waitUntil(t, "an announcement", func() bool {
		return heard.has("third") || swap(t, s, "key", "three", "three", "third") != "swapped"
	})
}
