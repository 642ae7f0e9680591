package e2e

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// upgrader is an app that takes every upgrade it is offered, as some servers do: to h2c (RFC 7540, 3.2), to a
// WebSocket, to anything. It keeps what it was asked for.
type upgrader struct {
	address string
	mu      sync.Mutex
	paths   []string // of all requests, those inside of a connection of HTTP/2 too
	offers  []string // Upgrade headers
}

func startUpgrader(t *testing.T) *upgrader {
	t.Helper()
	u := &upgrader{}
	server := httptest.NewServer(u)
	t.Cleanup(server.Close)
	u.address = server.Listener.Addr().String()
	return u
}

func (u *upgrader) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	offer := r.Header.Get("Upgrade")
	u.mu.Lock()
	u.paths = append(u.paths, r.URL.Path)
	if offer != "" {
		u.offers = append(u.offers, strings.Join(r.Header.Values("Upgrade"), ", "))
	}
	u.mu.Unlock()
	if offer == "" || r.ProtoMajor == 2 {
		_, _ = io.WriteString(w, "the app's page")
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + offer + "\r\nSec-WebSocket-Accept: " + webSocketAccept(r) + "\r\n\r\n")
	_ = rw.Flush()
	if strings.Contains(strings.ToLower(offer), "h2c") {
		serveHTTP2(conn, u)
	}
}

// serveHTTP2 serves a connection that speaks HTTP/2 from here on, until it ends.
func serveHTTP2(conn net.Conn, h http.Handler) {
	closed := make(chan struct{})
	server := &http.Server{Handler: h, Protocols: onlyHTTP2(), ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			close(closed)
		}
	}}
	accept := make(chan net.Conn, 1)
	accept <- conn
	close(accept)
	_ = server.Serve(acceptOnce{accept, conn}) // net.ErrClosed at once: there is no other connection
	<-closed
}

func onlyHTTP2() *http.Protocols {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return protocols
}

// acceptOnce is a listener with one connection.
type acceptOnce struct {
	conns chan net.Conn
	net.Conn
}

func (a acceptOnce) Accept() (net.Conn, error) {
	if conn, ok := <-a.conns; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (a acceptOnce) Close() error   { return nil } // the connection is the server's
func (a acceptOnce) Addr() net.Addr { return a.LocalAddr() }

func (u *upgrader) taken() (paths, offers []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	paths, offers = u.paths, u.offers
	u.paths, u.offers = nil, nil
	return paths, offers
}

// offerUpgrade sends a request with these Upgrade lines and returns the status, and the connection if it was
// upgraded.
func offerUpgrade(t *testing.T, address, path, lines, cookie string) (int, net.Conn) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(startTimeout)); err != nil {
		t.Fatal(err)
	}
	request := "GET " + path + " HTTP/1.1\r\nHost: localhost:" + portOf(t, address) + "\r\n" + lines +
		"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	if cookie != "" {
		request += "Cookie: wos-session=" + cookie + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, bufferedConn{conn, reader}
}

// bufferedConn is a connection that was read ahead.
type bufferedConn struct {
	net.Conn
	reader *bufio.Reader
}

func (c bufferedConn) Read(p []byte) (int, error) { return c.reader.Read(p) }

// No connection is upgraded to HTTP/2, and but by Traefik none but to a WebSocket: over a connection that speaks HTTP/2 a client would reach every page of the
// app, with identity headers of its choice.
func TestUpgrades(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		app := startUpgrader(t)
		s := newSite(t, g)
		s.at.app = app.address
		s.startAuthKit(t)
		s.open(t, g)
		session := s.sealedSession(t, zoe)
		app.taken()

		// The app does what the test is about.
		status, conn := offerUpgrade(t, app.address, publicPath, "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n", "")
		if status != http.StatusSwitchingProtocols {
			t.Fatalf("the app itself: got status %d, want 101", status)
		}
		if body := throughTunnel(t, conn); body != "the app's page" {
			t.Fatalf("the app itself: got %q through the tunnel, want its page", body)
		}
		app.taken()

		offers := []string{
			"Connection: Upgrade\r\nUpgrade: h2c\r\n",
			"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n",
			"Connection: upgrade\r\nUpgrade: H2C\r\n",
			"Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n",
			"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n",
			"Connection: Upgrade\r\nUpgrade: websocket,h2c\r\n",
			"Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n",
			"Upgrade: h2c\r\n",
		}
		if g.profile != "traefik" { // which stops h2c alone, as its README says
			offers = append(offers,
				"Connection: Upgrade\r\nUpgrade: websocket/h2c\r\n",
				"Connection: Upgrade\r\nUpgrade: xwebsocket\r\n",
				"Connection: Upgrade\r\nUpgrade: h2\r\n",
				"Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n",
				"Connection: Upgrade\r\nUpgrade: foo\r\n")
		}
		for _, lines := range offers {
			for _, path := range []string{publicPath, "/page"} {
				status, _ := offerUpgrade(t, s.at.gateway, path, lines, session)
				if status == http.StatusSwitchingProtocols {
					t.Errorf("%s with %q: got status 101", path, lines)
				}
				if _, offers := app.taken(); len(offers) > 0 {
					t.Errorf("%s with %q: the app got Upgrade: %q", path, lines, offers)
				}
			}
			status, _ := offerUpgrade(t, s.at.gateway, "/page", lines, "")
			if paths, _ := app.taken(); status == http.StatusSwitchingProtocols || len(paths) > 0 {
				t.Errorf("/page without a session, with %q: got status %d, and %q at the app", lines, status, paths)
			}
		}
		for _, value := range []string{"websocket", "WebSocket", "WEBSOCKET"} {
			lines := "Connection: Upgrade\r\nUpgrade: " + value + "\r\n"
			if status, _ := offerUpgrade(t, s.at.gateway, "/live", lines, session); status != http.StatusSwitchingProtocols {
				t.Errorf("%s: got status %d, want 101", value, status)
			}
			if _, offers := app.taken(); len(offers) != 1 || !strings.EqualFold(offers[0], "websocket") {
				t.Errorf("%s: the app got Upgrade: %q, want websocket", value, offers)
			}
			if status, _ := offerUpgrade(t, s.at.gateway, "/live", lines, ""); status != http.StatusUnauthorized {
				t.Errorf("%s without a session: got status %d, want 401", value, status)
			}
			app.taken()
		}
	})
}

// throughTunnel asks for a page over a connection that was upgraded to HTTP/2.
func throughTunnel(t *testing.T, conn net.Conn) string {
	t.Helper()
	tunnel := &http.Transport{
		Protocols:   onlyHTTP2(),
		DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	}
	request := httpGet(t, "http://localhost/admin/secret")
	response, err := tunnel.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
