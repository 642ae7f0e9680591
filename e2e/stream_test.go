package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
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

// Caddy by itself waits for ever for a service that doesn't answer; the example gives up, and lets nobody in.
func TestCaddyAndServiceThatHangs(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // connections wait in its queue
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	s := newSite(t, gateway{name: "caddy", profile: "caddy", origin: localhost, start: startCaddy})
	at := s.at
	at.service = silent.Addr().String()
	dir := caddyExample(t, at)
	replace(t, dir, "authkit.caddy", "response_header_timeout 15s", "response_header_timeout 300ms")
	runCaddy(t, dir, "Caddyfile", at.gateway)

	a := newBrowser(t).open(s.origin + "/")

	if a.Status != http.StatusGatewayTimeout || s.app.requests.Load() != 0 {
		t.Errorf("got status %d and %d requests at the app, want 504 and none", a.Status, s.app.requests.Load())
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
