package session_test

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

// front stands before the emulator and answers in its place where a test says so.
type front struct {
	*emulator.Emulator
	mu      sync.Mutex
	answers map[string]http.HandlerFunc // by path
	bodies  []string                    // of the requests for authenticate
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	f.mu.Lock()
	if r.URL.Path == authenticate {
		f.bodies = append(f.bodies, string(body))
	}
	answer := f.answers[r.URL.Path]
	f.mu.Unlock()
	if answer == nil {
		answer = f.Emulator.ServeHTTP
	}
	answer(w, r)
}

// asked is how often authenticate was asked, answered by the emulator or not.
func (f *front) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.bodies)
}

func (f *front) wantAsked(t testing.TB, want int) {
	t.Helper()
	if got := f.asked(); got != want {
		t.Errorf("got %d requests for a refresh, want %d", got, want)
	}
}

// answer sets who answers a path; nil is the emulator.
func (f *front) answer(path string, h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[path] = h
}

// hang makes refreshes wait until release is called, for the emulator to answer then.
func (f *front) hang(t testing.TB) (asked <-chan struct{}, release func()) {
	t.Helper()
	begun, released := make(chan struct{}, 1), make(chan struct{})
	f.answer(authenticate, func(w http.ResponseWriter, r *http.Request) {
		select {
		case begun <- struct{}{}:
		default:
		}
		<-released
		f.Emulator.ServeHTTP(w, r)
	})
	release = sync.OnceFunc(func() { close(released) })
	t.Cleanup(release)
	return begun, release
}

// status answers with a status, a body, and headers given as name, value.
func status(code int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// logs is what was logged.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
