package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"
)

// An app's events reach the browser one by one, not when the app has said everything.
func TestServerSentEvents(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		read := make(chan struct{})
		app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: first\n\n")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-read:
			case <-r.Context().Done():
			}
			_, _ = io.WriteString(w, "data: second\n\n")
		}))
		t.Cleanup(app.Close)
		s := newSite(t, g)
		s.startAuthKit(t)
		cookie := s.sealedSessionOf(t, g, app.Listener.Addr().String())
		request := httpGet(t, s.origin+"/events")
		request.Header = fetchHeaders()
		request.Header.Set("Cookie", "wos-session="+cookie)

		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		lines := bufio.NewReader(response.Body)
		first, err := lines.ReadString('\n')
		if err != nil || first != "data: first\n" {
			t.Fatalf("got %q, %v, want the first event while the app waits", first, err)
		}
		close(read)
		rest, err := io.ReadAll(lines)
		if err != nil || string(rest) != "\ndata: second\n\n" {
			t.Errorf("got %q, %v, want the second event", rest, err)
		}
	})
}

// sealedSessionOf opens the site in front of another app, and returns a session.
func (s *stack) sealedSessionOf(t *testing.T, g gateway, app string) string {
	t.Helper()
	s.at.app = app
	s.open(t, g)
	return s.sealedSession(t, zoe)
}

// Caddy by itself waits for ever for a service that doesn't answer, and HAProxy 2.6 asks four times; the examples give up, and let
// nobody in.
func TestServiceThatHangs(t *testing.T) {
	t.Parallel()
	for _, g := range []struct {
		name   string
		status int
		start  func(t *testing.T, at addresses)
	}{
		{"caddy", http.StatusGatewayTimeout, func(t *testing.T, at addresses) {
			dir := caddyExample(t, at)
			replace(t, dir, "authkit.caddy", "response_header_timeout 15s", "response_header_timeout 300ms")
			runCaddy(t, dir, "Caddyfile", at.gateway)
		}},
		{"envoy", http.StatusServiceUnavailable, func(t *testing.T, at addresses) {
			file := envoyExample(t, at, "envoy.yaml")
			replace(t, filepath.Dir(file), "envoy.yaml", "timeout: 15s", "timeout: 0.3s")
			runEnvoy(t, file, at.gateway)
		}},
		{"haproxy", http.StatusGatewayTimeout, func(t *testing.T, at addresses) {
			dir := haproxyExample(t, at)
			replace(t, dir, "authkit.lua", "timeout = 15000", "timeout = 300")
			runHAProxy(t, dir, at.gateway)
		}},
	} {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			silent, err := net.Listen("tcp", "127.0.0.1:0") // connections wait in its queue
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = silent.Close() })
			s := newSite(t, gateway{name: g.name, profile: g.name, origin: localhost})
			at := s.at
			at.service = silent.Addr().String()
			g.start(t, at)

			a := newBrowser(t).open(s.origin + "/")

			if a.Status != g.status || s.app.requests.Load() != 0 {
				t.Errorf("got status %d and %d requests at the app, want %d and none", a.Status, s.app.requests.Load(), g.status)
			}
		})
	}
}

// HAProxy goes on with its next rule where a script fails: the rule lets nobody in.
func TestHAProxyAndScriptThatFails(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"before the question": `error("broken")`,
		"doesn't end":         `while true do end`,
		"returns at once":     `do return end`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, gateway{name: "haproxy", profile: "haproxy", origin: localhost})
			dir := haproxyExample(t, s.at)
			replace(t, dir, "authkit.lua", `txn:set_var("txn.authkit", "asked")`, `txn:set_var("txn.authkit", "asked") `+line)
			replace(t, dir, "haproxy.cfg", "global\n", "global\n    tune.lua.session-timeout 300ms\n")
			runHAProxy(t, dir, s.at.gateway)
			h := fetchHeaders()
			h.Set("Cookie", "wos-session=x")

			a := newBrowser(t).send(http.MethodGet, s.origin+"/", h, "")

			if a.Status != http.StatusServiceUnavailable || s.app.requests.Load() != 0 {
				t.Errorf("got status %d and %d requests at the app, want 503 and none", a.Status, s.app.requests.Load())
			}
		})
	}
}

// The files are as Caddy's own formatter writes them.
func TestCaddyFormat(t *testing.T) {
	t.Parallel()
	caddy := program(t, append(cachedBinaries(t, "caddy"), "caddy")...)
	for _, file := range []string{"authkit.caddy", "Caddyfile", "auth.example.com.caddy"} {
		out, err := exec.Command(caddy, "fmt", "../examples/caddy/"+file).Output()
		if err != nil && len(out) == 0 {
			t.Fatal(err)
		}
		if want := example(t, "caddy/"+file); string(out) != want {
			t.Errorf("%s: got another text from caddy fmt", file)
		}
	}
}
