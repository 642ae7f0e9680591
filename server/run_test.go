package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// serving runs a Server until the test ends or stop is called.
type serving struct {
	*world
	address string
	client  *http.Client
	stop    context.CancelFunc
	done    chan error // what Serve returned
}

func serve(t *testing.T, w *world) *serving {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	s := &serving{world: w, address: l.Addr().String(), stop: stop, done: make(chan error, 1), client: &http.Client{
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	go func() {
		s.done <- w.Serve(ctx, l)
		close(s.done)
	}()
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		stop()
		<-s.done
	})
	return s
}

// do asks over the network.
func (s *serving) do(ctx context.Context, path, header string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+path, nil)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(header) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		r.Header.Add(name, value)
	}
	response, err := s.client.Do(r)
	if err == nil {
		_, err = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
	return response, err
}

// holdRefreshes makes AuthKit wait with every refresh: began tells that one has come,
// and closing release lets them through.
func (w *world) holdRefreshes() (began chan struct{}, release chan struct{}) {
	began, release = make(chan struct{}, 10), make(chan struct{})
	front := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/user_management/authenticate" {
			began <- struct{}{}
			<-release
		}
		w.authKit.ServeHTTP(rw, r)
	})
	w.front.Store(&front)
	return began, release
}

// untilClosed returns when nobody listens any more.
func (s *serving) untilClosed(t *testing.T) {
	t.Helper()
	for {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.address)
		if err != nil {
			return
		}
		_ = c.Close()
	}
}

func TestStopFinishesRequests(t *testing.T) {
	t.Parallel()
	s := serve(t, newWorld(t).ready(t))
	cookie := "Cookie: wos-session=" + s.signIn(t, paula, time.Hour)
	began, release := s.holdRefreshes()
	answered := make(chan string, 1)
	go func() {
		response, err := s.do(t.Context(), "/verify/auth-request", original+document+cookie)
		if err != nil {
			answered <- err.Error()
			return
		}
		answered <- fmt.Sprint(response.StatusCode, " ", response.Header.Get("X-Auth-Request-Email"))
	}()
	<-began
	s.stop()
	s.untilClosed(t)
	close(release)
	if got, want := <-answered, "200 "+paula; got != want {
		t.Errorf("request under way: got %s, want %s", got, want)
	}
	if err := <-s.done; err != nil {
		t.Errorf("Serve: got %v, want nil", err)
	}
}

// A refresh goes on when its asker has left. Its new refresh token would be lost.
func TestStopWaitsForRefreshes(t *testing.T) {
	t.Parallel()
	s := serve(t, newWorld(t).ready(t))
	cookie := "Cookie: wos-session=" + s.signIn(t, paula, time.Hour)
	began, release := s.holdRefreshes()
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := s.do(ctx, "/verify/auth-request", original+cookie)
		left <- err
	}()
	<-began
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Fatalf("request: got %v, want it cancelled", err)
	}
	s.stop()
	s.untilClosed(t)
	for range 1000 { // long enough for a Serve that doesn't wait to return
		select {
		case err := <-s.done:
			t.Fatalf("Serve returned, with %v, while a refresh was under way", err)
		default:
			s.untilClosed(t)
		}
	}
	close(release)
	if err := <-s.done; err != nil {
		t.Errorf("Serve: got %v, want nil", err)
	}
	if !strings.Contains(s.log.String(), "session refreshed") {
		t.Errorf("got log %s, want the session refreshed before Serve returned", s.log)
	}
}

func TestStopTellsReadiness(t *testing.T) {
	t.Parallel()
	s := serve(t, newWorld(t).ready(t))
	if response, err := s.do(t.Context(), "/readyz", ""); err != nil || response.StatusCode != 200 {
		t.Fatalf("readyz: got %v, %v, want 200", response, err)
	}
	s.stop()
	if err := <-s.done; err != nil {
		t.Errorf("Serve: got %v, want nil", err)
	}
	if got := ask(t, s.Handler(), "GET", "/readyz", ""); got.Code != 503 {
		t.Errorf("readyz: got status %d, want 503", got.Code)
	}
}

// F14: gateways read 503 at /readyz, and are answered, for as long as they need to notice.
func TestStopIsAnnounced(t *testing.T) {
	t.Parallel()
	s := serve(t, newWorld(t, "SHUTDOWN_DELAY", "3s").ready(t))
	began := time.Now()
	s.stop()
	eventually(t, "readyz says 503 over the network", func() bool {
		response, err := s.do(t.Context(), "/readyz", "")
		return err == nil && response.StatusCode == 503
	})
	if response, err := s.do(t.Context(), "/verify/auth-request", original); err != nil || response.StatusCode != 401 {
		t.Errorf("meanwhile: got %v, %v, want 401", response, err)
	}
	if err := <-s.done; err != nil || time.Since(began) < 3*time.Second {
		t.Errorf("Serve: got %v after %v, want nil after 3 s", err, time.Since(began))
	}
}

// F16: a gateway that runs as another user of the group.
func TestSocketMode(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	_, done, stop := run(t, newWorld(t, "LISTEN_ADDR", "unix:"+path, "SOCKET_MODE", "0666"), 1)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("got %v, %v, want mode 0666", info, err)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run: got %v, want nil", err)
	}
}

// Serving fetches the key set by itself, and goes on trying.
func TestWarmUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asked := make(chan struct{}, 10)
	front := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.authKit.ServeHTTP(rw, r)
		asked <- struct{}{}
	})
	w.front.Store(&front)
	s := serve(t, w)
	<-asked
	for !w.keys.Ready() { // the answer is on its way
		if _, err := s.do(t.Context(), "/healthz", ""); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.authKit.Calls()["jwks"]; got != 1 {
		t.Errorf("calls of the key set: got %d, want 1", got)
	}
}

// exchange sends a request byte for byte and returns the status line, and headers in
// lower case.
func (s *serving) exchange(t *testing.T, request string) string {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() { _, _ = io.WriteString(c, request) }() // the server may hang up before it has read all
	r := bufio.NewReader(c)
	var answer strings.Builder
	for {
		line, err := r.ReadString('\n')
		answer.WriteString(line)
		if err != nil || line == "\r\n" {
			return answer.String()
		}
	}
}

func TestOverTheWire(t *testing.T) {
	t.Parallel()
	s := serve(t, newWorld(t).ready(t))
	request := "GET /verify/forward-auth HTTP/1.1\r\nHost: auth\r\n" + strings.ReplaceAll(forwarded, "\n", "\r\n")
	tests := []struct{ name, request, want string }{
		{"a request", request, "HTTP/1.1 401 Unauthorized"},
		{"a name in two spellings is one header twice", request + "x-forwarded-HOST: localhost:3000\r\n", "HTTP/1.1 400 Bad Request"},
		{"an odd method", strings.Replace(request, "GET", "FOO", 1), "HTTP/1.1 401 Unauthorized"},
		{"60 KB of headers", request + "Cookie: a=" + strings.Repeat("x", 60<<10) + "\r\n", "HTTP/1.1 401 Unauthorized"},
		{"80 KB of headers", request + "Cookie: a=" + strings.Repeat("x", 80<<10) + "\r\n", "HTTP/1.1 431 "},
		{"a control byte in a header", request + "X-A: \x01\r\n", "HTTP/1.1 400 Bad Request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := s.exchange(t, tt.request+"\r\n"); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %.200s, want %s", got, tt.want)
			}
		})
	}
}

// Identity headers come in canonical spelling, once, and with nothing behind a line end.
func TestIdentityOverTheWire(t *testing.T) {
	t.Parallel()
	s := serve(t, newWorld(t).ready(t))
	cookie := "Cookie: wos-session=" + s.signIn(t, "zoe@acme.example", 0)
	got := s.exchange(t, "GET /verify/forward-auth HTTP/1.1\r\nHost: auth\r\n"+strings.ReplaceAll(forwarded, "\n", "\r\n")+cookie+"\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") {
		t.Fatalf("got %s, want 200", got)
	}
	for _, want := range []string{
		"\r\nX-Auth-Request-User: user_01JE28JT97KB6CQ643DZVMXXQK\r\n", "\r\nX-Auth-Request-Email: zoe@acme.example\r\n",
		"\r\nX-Auth-Request-Name: Zo%C3%AB %C3%85ngstr%C3%B6m\r\n", "\r\nX-Auth-Request-Groups: admin,billing\r\n",
		"\r\nX-Auth-Request-Organization: org_01JSSZ5AWSH8VHTPRE95B9EE0Z\r\n", "\r\nX-Auth-Request-Role: admin\r\n",
		"\r\nX-Auth-Request-Permissions: reports:read,reports:write,users:manage\r\n", "\r\nX-Auth-Request-Entitlements: audit-logs,sso\r\n",
		"\r\nX-Auth-Request-Session: session_", "\r\nX-Auth-Request-Impersonator: \r\n", "\r\nX-Auth-Request-Access-Token: \r\n",
		"\r\nContent-Length: 0\r\n",
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("got %s, want %q once", got, want)
		}
	}
}

func TestHTTP2(t *testing.T) {
	t.Parallel()
	s := serve(t, newWorld(t).ready(t))
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	s.client.Transport = &http.Transport{Protocols: protocols}
	response, err := s.do(t.Context(), "/verify/forward-auth", forwarded)
	if err != nil || response.ProtoMajor != 2 || response.StatusCode != 401 {
		t.Errorf("got %v, %v, want 401 over HTTP/2", response, err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	got := newWorld(t).httpServer(http.NotFoundHandler())
	if got.ReadHeaderTimeout != 5*time.Second || got.WriteTimeout != 15*time.Second || got.IdleTimeout != 180*time.Second || got.MaxHeaderBytes != 65536 {
		t.Errorf("got header %v, write %v, idle %v, %d bytes, want 5s, 15s, 3m0s, 65536",
			got.ReadHeaderTimeout, got.WriteTimeout, got.IdleTimeout, got.MaxHeaderBytes)
	}
}

// run runs Run, and returns once it listens on so many addresses.
func run(t *testing.T, w *world, listeners int) (addresses []string, done chan error, stop context.CancelFunc) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done = make(chan error, 1)
	lines, writer := io.Pipe()
	w.Server.log = w.Server.log.Output(io.MultiWriter(w.log, writer))
	go func() { done <- w.Run(ctx) }()
	scanner := bufio.NewScanner(lines)
	for len(addresses) < listeners && scanner.Scan() {
		var line struct{ Address, Message string }
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v", scanner.Text(), err)
		}
		if line.Message == "listening" {
			addresses = append(addresses, line.Address)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	t.Cleanup(stop)
	return addresses, done, stop
}

func TestRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "LISTEN_ADDR", "127.0.0.1:0", "VERIFY_ADDR", "localhost:0")
	addresses, done, stop := run(t, w, 2)
	var found string
	for _, address := range addresses {
		for _, path := range []string{"/_auth/logout", "/verify", "/healthz"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			found += fmt.Sprint(path, " ", response.StatusCode, " ")
		}
	}
	const flow, verify = "/_auth/logout 200 /verify 404 /healthz 200 ", "/_auth/logout 404 /verify 401 /healthz 200 "
	if found != flow+verify && found != verify+flow {
		t.Errorf("got %s, want %s and %s", found, flow, verify)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run: got %v, want nil", err)
	}
	for _, want := range []string{
		"protected hosts: localhost", "sign-in: http://localhost:3000/_auth/login", "trusted peers: 127.0.0.0/8",
		"no policy (POLICY_FILE): everybody who can sign in", "GATEWAY is not set",
	} {
		if !strings.Contains(w.log.String(), want) {
			t.Errorf("got log %s, want %q in it", w.log, want)
		}
	}
	if log := w.log.String(); strings.Contains(log, goodKey) || strings.Contains(log, goodPassword) {
		t.Errorf("got log %s, want no secret in it", log)
	}
}

func TestRunOnBusyAddress(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, name := range []string{"LISTEN_ADDR", "VERIFY_ADDR", "ADMIN_ADDR"} {
		w := newWorld(t, append([]string{"LISTEN_ADDR", "127.0.0.1:0"}, name, l.Addr().String())...)
		if err := w.Run(t.Context()); err == nil || !strings.Contains(err.Error(), name+": ") {
			t.Errorf("got %v, want an error about %s", err, name)
		}
	}
}

func TestRunOnSocket(t *testing.T) {
	t.Parallel()
	for trusted, want := range map[string]int{"unix": 401, "private": 401, "127.0.0.1": 403} {
		path := socketPath(t)
		leaveSocket(t, path) // as a killed process does
		w := newWorld(t, "LISTEN_ADDR", "unix:"+path, "TRUSTED_PROXIES", trusted)
		_, done, stop := run(t, w, 1)
		client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}}}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/verify", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("TRUSTED_PROXIES=%s: got status %d, want %d", trusted, response.StatusCode, want)
		}
		client.CloseIdleConnections()
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("after a stop: got %v, want the socket gone", err)
		}
	}
}

func TestSocketInTheWay(t *testing.T) {
	t.Parallel()
	t.Run("in use", func(t *testing.T) {
		t.Parallel()
		path := socketPath(t)
		l, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		err = newWorld(t, "LISTEN_ADDR", "unix:"+path).Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), "is in use") {
			t.Errorf("got %v, want an error that says that it is in use", err)
		}
	})
	t.Run("a file", func(t *testing.T) {
		t.Parallel()
		path := socketPath(t)
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := newWorld(t, "LISTEN_ADDR", "unix:"+path).Run(t.Context()); err == nil {
			t.Error("got no error")
		}
		if got, err := os.ReadFile(path); string(got) != "precious" {
			t.Errorf("the file: got %q, %v, want it as it was", got, err)
		}
	})
}

// socketPath is short, unlike that of t.TempDir: a socket's address has 107 bytes.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "afa")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func leaveSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
