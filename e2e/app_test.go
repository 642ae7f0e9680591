package e2e

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// app is what the gateway protects. It answers every request with what it saw of
// it, and sets a cookie of its own. A WebSocket it accepts, and then says what it
// saw in the first line on the connection.
type app struct {
	address  string
	requests atomic.Int64
}

// seen is what the app got of a request: what the gateway let through and added.
type seen struct {
	Method string      `json:"method"`
	Host   string      `json:"host"`
	URI    string      `json:"uri"`
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
}

func startApp(t *testing.T) *app {
	t.Helper()
	a := &app{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.requests.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("app: read body: %v", err)
		}
		echo, err := json.Marshal(seen{r.Method, r.Host, r.RequestURI, r.Header, string(body)})
		if err != nil {
			t.Errorf("app: %v", err)
		}
		if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			acceptWebSocket(t, w, r, echo)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "public, max-age=60")
		http.SetCookie(w, &http.Cookie{Name: "app", Value: "1", Path: "/"})
		_, _ = w.Write(echo) // a client may have gone away
	}))
	t.Cleanup(server.Close)
	a.address = server.Listener.Addr().String()
	return a
}

func acceptWebSocket(t *testing.T, w http.ResponseWriter, r *http.Request, greeting []byte) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Errorf("app: hijack: %v", err)
		return
	}
	defer conn.Close()
	_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + webSocketAccept(r) + "\r\n\r\n")
	_, _ = rw.Write(append(greeting, '\n'))
	_ = rw.Flush()
}

// webSocketAccept returns the answer to a handshake's key, RFC 6455 4.2.2.
func webSocketAccept(r *http.Request) string {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
