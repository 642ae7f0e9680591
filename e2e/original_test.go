package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestForeignHost(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)
		b.signIn(s.origin+"/", paula)
		port := portOf(t, s.at.gateway)
		own, foreign := "localhost:"+port, "evil.test"
		cookie := "Cookie: wos-session=" + b.cookie(s.origin, "wos-session")
		document := "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document"

		for _, test := range []struct {
			name, line, host, header string
			status                   int
			reason                   string
		}{
			{name: "Host", line: "/", host: foreign, header: cookie, status: 403, reason: "wrong_host"},
			{name: "Host, no session", line: "/", host: foreign, header: document, status: 403, reason: "wrong_host"},
			{name: "Host with own port", line: "/", host: foreign + ":" + port, header: cookie, status: 403, reason: "wrong_host"},
			{name: "absolute URL names another host", line: "http://evil.test/", host: own, header: cookie, status: 403, reason: "wrong_host"},
			{name: "absolute URL names another host, no session", line: "http://evil.test/", host: own, header: document, status: 403, reason: "wrong_host"},
			{name: "Host names another host than an absolute URL", line: "http://" + own + "/", host: foreign, header: cookie, status: 200},
			{name: "client's own forwarded headers", line: "/", host: foreign, status: 403, reason: "wrong_host",
				header: cookie + "\r\nX-Forwarded-Host: " + own + "\r\nX-Original-URL: " + s.origin + "/\r\nForwarded: host=" + own},
		} {
			if g.traits().oneHost && strings.HasPrefix(test.line, "http:") {
				test.status, test.reason = http.StatusBadRequest, "" // the gateway's own answer
			}
			t.Run(test.name, func(t *testing.T) {
				request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\nConnection: close\r\n\r\n", test.line, test.host, test.header)

				response := raw(t, s.at.gateway, request)

				if response.StatusCode != test.status {
					t.Errorf("status: got %d, want %d", response.StatusCode, test.status)
				}
				if got := response.Header.Get("X-Auth-Reason"); got != test.reason {
					t.Errorf("X-Auth-Reason: got %q, want %q", got, test.reason)
				}
				if got := response.Header.Get("Location"); got != "" {
					t.Errorf("Location: got %q, want none", got)
				}
			})
		}
	})
}

// A client can't tell the service that it is asked about a flow endpoint, which
// needs no session.
func TestForgedOriginalRequest(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)
		h := fetchHeaders()
		for name, value := range map[string]string{
			"X-Forwarded-Uri": "/_auth/login", "X-Forwarded-Prefix": "/_auth", "X-Original-Url": s.origin + "/_auth/login",
			"X-Original-Uri": "/_auth/login", "X-Rewrite-Url": "/_auth/login", "X_Forwarded_Uri": "/_auth/login", "X_Original_Url": s.origin + "/_auth/login",
		} {
			h[name] = []string{value}
		}

		wantReason(t, b.send(http.MethodGet, s.origin+"/admin", h, ""), http.StatusUnauthorized, "no_session")
	})
}

// raw sends the bytes of a request and reads the answer. The body is what comes
// on the connection, which the end of the test closes.
func raw(t *testing.T, address, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		response.Body = io.NopCloser(reader)
	}
	return response
}
