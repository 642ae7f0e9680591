package redis

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica"
)

var (
	_ replica.Store = (*Store)(nil)
	_ replica.Bus   = (*Store)(nil)
)

const ttl = time.Hour

// schemes are the ways to reach a Redis, with what stands after the host.
var schemes = map[string]string{"redis": "/0", "redis+sentinel": "/mymaster/0", "redis+cluster": ""}

// start starts a Redis, which is also its own Sentinel and a cluster of one node.
func start(t *testing.T) *miniredis.Miniredis {
	t.Helper()
	m := miniredis.RunT(t)
	err := m.Server().Register("SENTINEL", func(c *server.Peer, _ string, args []string) {
		switch {
		case !strings.EqualFold(args[0], "get-master-addr-by-name"):
			c.WriteLen(0)
		case args[1] != "mymaster":
			c.WriteNull()
		default:
			c.WriteStrings([]string{m.Host(), m.Port()})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// open makes a Store that reaches a server by URL.
func open(t *testing.T, rawURL string) *Store {
	t.Helper()
	s, err := New(rawURL, "bus")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// value is a value whose tag and content say the same.
func value(text string) replica.Value {
	v := replica.Value{Sealed: []byte(text)}
	copy(v.Tag[:], text+strings.Repeat("-", 16))
	return v
}

// text is what value made it of; "none" for no value.
func text(v replica.Value) string {
	switch {
	case v.Tag == (replica.Tag{}) && v.Sealed == nil:
		return "none"
	case value(string(v.Sealed)).Tag == v.Tag:
		return string(v.Sealed)
	}
	return "another tag than that of " + string(v.Sealed)
}

// loaded loads a value and leaves its time to live.
func loaded(t *testing.T, s *Store, key string) string {
	t.Helper()
	v, _, err := s.Load(t.Context(), key, 0)
	if err != nil {
		t.Fatal(err)
	}
	return text(v)
}

// put puts a value where there is none.
func put(t *testing.T, s *Store, key, content string) {
	t.Helper()
	swapped, current, _, err := s.Swap(t.Context(), key, replica.Tag{}, value(content), ttl, nil)
	if err != nil || !swapped {
		t.Fatalf("got %t, %s, %v, want %s put under %s", swapped, text(current), err, content, key)
	}
}

// eventually waits for what another goroutine does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	t.Log("waiting: " + what)
	for !ok() {
		time.Sleep(time.Millisecond)
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

func (l *logs) logger() zerolog.Logger { return zerolog.New(l) }

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
