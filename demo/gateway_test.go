package demo

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"
)

// rig is a gateway between a service that answers what the test says and an app
// that keeps what it got.
type rig struct {
	gateway *httptest.Server
	answer  http.HandlerFunc // of the service to a verify request
	verify  http.Header      // headers of the last verify request
	asked   atomic.Int64
	flow    atomic.Int64 // other requests to the service
	app     *http.Request
	appBody string
	entered atomic.Int64
}

func allow(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

func newRig(t *testing.T, answer http.HandlerFunc) *rig {
	t.Helper()
	r := &rig{answer: answer}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, verify *http.Request) {
		if verify.URL.Path != "/verify/forward-auth" {
			r.flow.Add(1)
			return
		}
		if verify.Method != http.MethodGet {
			t.Errorf("got a verify request with %s, want GET", verify.Method)
		}
		r.asked.Add(1)
		r.verify = verify.Header
		r.answer(w, verify)
	}))
	t.Cleanup(service.Close)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			t.Error(err)
		}
		r.entered.Add(1)
		r.app, r.appBody = request, string(body)
		w.Header().Add("Set-Cookie", "app=1")
		_, _ = io.WriteString(w, "app")
	}))
	t.Cleanup(app.Close)
	r.gateway = httptest.NewServer(newGateway(parse(t, service.URL), parse(t, app.URL), zerolog.Nop()))
	t.Cleanup(r.gateway.Close)
	return r
}

func parse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// raw sends a request as it is written, and returns status and header of the answer.
func (r *rig) raw(t *testing.T, request string) *http.Response {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.gateway.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return response
}

func TestVerifyRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t, allow)
	r.raw(t, `POST /reports?q=a%26b HTTP/1.1
Host: LOCALHOST:3000
Content-Length: 5
Content-Type: text/plain
Cookie: wos-session=sealed
Authorization: Bearer token
X-API-Key: sk_key
Sec-Fetch-Mode: navigate
Sec-WebSocket-Key: key
Connection: close, X-Forwarded-Uri, X-Dropped
X-Dropped: 1
Keep-Alive: timeout=5
Proxy-Authorization: Basic eA==
Upgrade: other
X-Forwarded-Method: GET
X-Forwarded-Proto: https
X-Forwarded-Host: other.example
X-Forwarded-Uri: /public
X_Forwarded_Uri: /public
X-Forwarded-For: 192.0.2.1
X-Forwarded-Server: other
X-Real-IP: 192.0.2.1
Forwarded: for=192.0.2.1

hello`)
	want := http.Header{
		"X-Forwarded-Method": {"POST"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"LOCALHOST:3000"},
		"X-Forwarded-Uri": {"/reports?q=a%26b"}, "X-Forwarded-For": {"127.0.0.1"},
		"Content-Type": {"text/plain"}, "Cookie": {"wos-session=sealed"},
		"Authorization": {"Bearer token"}, "X-Api-Key": {"sk_key"},
		"Sec-Fetch-Mode": {"navigate"}, "Sec-Websocket-Key": {"key"},
	}
	for name, values := range want {
		if got := r.verify[name]; !slices.Equal(got, values) {
			t.Errorf("%s: got %q, want %q", name, got, values)
		}
	}
	for name := range r.verify {
		if _, ok := want[name]; !ok && name != "User-Agent" {
			t.Errorf("the verify request has %s: %q", name, r.verify[name])
		}
	}
	if r.app == nil || r.appBody != "hello" {
		t.Errorf("the app got body %q, want hello", r.appBody)
	}
}

// The service is asked about the very request that the app gets.
func TestAppGetsWhatWasAskedAbout(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, line, host, uri string }{
		{"plain", "GET /a HTTP/1.1", "localhost:3000", "/a"},
		{"no path", "GET http://localhost:3000 HTTP/1.1", "localhost:3000", "/"},
		{"escapes", "GET /a%2fb%20c?d=%26&e=%zz;f HTTP/1.1", "localhost:3000", "/a%2fb%20c?d=%26&e=%zz;f"},
		{"empty query", "GET /a? HTTP/1.1", "localhost:3000", "/a?"},
		{"slashes", "GET //evil.example/..//b HTTP/1.1", "localhost:3000", "//evil.example/..//b"},
		{"absolute form, another host", "GET http://evil.example/a?b HTTP/1.1", "evil.example", "/a?b"},
		{"beside the flow", "GET /_auth/login/ HTTP/1.1", "localhost:3000", "/_auth/login/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, allow)
			r.raw(t, tt.line+"\nHost: localhost:3000\nConnection: close\n\n")
			if r.app == nil {
				t.Fatal("the app was not reached")
			}
			if r.app.Host != tt.host || r.app.RequestURI != tt.uri {
				t.Errorf("the app got %s %s, want %s %s", r.app.Host, r.app.RequestURI, tt.host, tt.uri)
			}
			asked := []string{r.verify.Get("X-Forwarded-Host"), r.verify.Get("X-Forwarded-Uri")}
			if !slices.Equal(asked, []string{tt.host, tt.uri}) {
				t.Errorf("asked about %q, want %s %s", asked, tt.host, tt.uri)
			}
		})
	}
}

func TestFlowPaths(t *testing.T) {
	t.Parallel()
	tests := []struct {
		path string
		flow bool
	}{
		{"/_auth/login", true},
		{"/_auth/login?rd=%2F", true},
		{"/_auth/sign-up", true},
		{"/_auth/callback?code=1&state=2", true},
		{"/_auth/logout", true},
		{"/_auth/switch?organization_id=org_1", true},
		{"/_auth/switch/", false},
		{"/_auth/webhooks", false},
		{"/", false},
		{"/_auth/", false},
		{"/_auth/login/", false},
		{"/_auth/login/../x", false},
		{"/_auth//login", false},
		{"/_auth/%6cogin", false},
		{"/_auth/Login", false},
		{"/_auth/verify", false},
		{"/verify/forward-auth", false},
		{"/healthz", false},
		{"/login", false},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
			r.raw(t, "GET "+tt.path+" HTTP/1.1\nHost: localhost:3000\nConnection: close\n\n")
			if got := r.flow.Load() == 1; got != tt.flow {
				t.Errorf("went to the service: got %v, want %v", got, tt.flow)
			}
			if got := r.asked.Load() == 1; got == tt.flow {
				t.Errorf("asked about it: got %v, want %v", got, !tt.flow)
			}
		})
	}
}

func TestDenialPassesWhole(t *testing.T) {
	t.Parallel()
	for _, status := range []int{303, 400, 401, 403, 500, 503} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Set-Cookie"] = []string{"wos-session=; Max-Age=0", "wos-session.1=; Max-Age=0"}
				w.Header().Set("Location", "http://localhost:3000/_auth/login")
				w.Header().Set("X-Auth-Reason", "no_session")
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(status)
				_, _ = io.WriteString(w, "why")
			})
			b := newBrowser(t)
			got := b.open(r.gateway.URL+"/x", nil)
			if got.status != status || got.body != "why" {
				t.Errorf("got %d %q, want %d why", got.status, got.body, status)
			}
			for name, want := range map[string][]string{
				"Set-Cookie": {"wos-session=; Max-Age=0", "wos-session.1=; Max-Age=0"},
				"Location":   {"http://localhost:3000/_auth/login"}, "X-Auth-Reason": {"no_session"}, "Retry-After": {"1"},
			} {
				if !slices.Equal(got.header[name], want) {
					t.Errorf("%s: got %q, want %q", name, got.header[name], want)
				}
			}
			if r.entered.Load() != 0 {
				t.Error("the app was reached")
			}
		})
	}
}

func TestIdentityHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Auth-Request-User", "user_1")
		w.Header().Set("X-Auth-Request-Role", "")
		w.Header().Set("X-Other", "not for the app")
		w.Header().Add("Set-Cookie", "wos-session=new")
		w.WriteHeader(http.StatusOK)
	})
	response := r.raw(t, `GET / HTTP/1.1
Host: localhost:3000
Connection: close, X-Auth-Request-User
X-Auth-Request-User: spoofed
x-auth-request-user: spoofed
X_Auth_Request_User: spoofed
X.Auth.Request-User: spoofed
X-Auth-Request-Role: spoofed
X-Auth_Request-Email: spoofed
X-Auth-Request-Access-Token: spoofed
X-Forwarded-User: spoofed
X-Kept: 1

`)
	if got := r.app.Header["X-Auth-Request-User"]; !slices.Equal(got, []string{"user_1"}) {
		t.Errorf("X-Auth-Request-User: got %q, want user_1", got)
	}
	if got, ok := r.app.Header["X-Auth-Request-Role"]; !ok || !slices.Equal(got, []string{""}) {
		t.Errorf("X-Auth-Request-Role: got %q, want an empty one", got)
	}
	for name, values := range r.app.Header {
		if slices.Contains(values, "spoofed") || name == "X-Other" {
			t.Errorf("the app got %s: %q", name, values)
		}
	}
	if r.app.Header.Get("X-Kept") != "1" {
		t.Error("the app did not get X-Kept")
	}
	if got := response.Header["Set-Cookie"]; !slices.Equal(got, []string{"app=1"}) {
		t.Errorf("got Set-Cookie %q, want the app's alone", got)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	allowing := httptest.NewServer(http.HandlerFunc(allow))
	defer allowing.Close()
	var entered atomic.Int64
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { entered.Add(1) }))
	defer app.Close()
	for _, tt := range []struct{ name, service, app, path string }{
		{"service", gone.URL, app.URL, "/"},
		{"service, in the flow", gone.URL, app.URL, "/_auth/login"},
		{"app", allowing.URL, gone.URL, "/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			gateway := httptest.NewServer(newGateway(parse(t, tt.service), parse(t, tt.app), zerolog.Nop()))
			defer gateway.Close()
			if got := newBrowser(t).open(gateway.URL+tt.path, nil); got.status != http.StatusBadGateway {
				t.Errorf("got status %d, want 502", got.status)
			}
			if entered.Load() != 0 {
				t.Error("the app was reached")
			}
		})
	}
}

// The cookies are localhost's: a browser that comes by the address is sent to the name, and nothing else is.
func TestGatewayLeadsToLocalhost(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(byName(http.NotFoundHandler()))
	t.Cleanup(server.Close)
	const port = "3000"
	for _, tt := range []struct {
		name, method, host, mode string
		want                     string
	}{
		{"a page by the address", "GET", "127.0.0.1:" + port, "navigate", "http://localhost:" + port + "/reports?q=a%26b"},
		{"a page by the other address", "GET", "[::1]:" + port, "navigate", "http://localhost:" + port + "/reports?q=a%26b"},
		{"a page by the name", "GET", "localhost:" + port, "navigate", ""},
		{"a script", "GET", "127.0.0.1:" + port, "cors", ""},
		{"a form", "POST", "127.0.0.1:" + port, "navigate", ""},
	} {
		request, err := http.NewRequestWithContext(t.Context(), tt.method, server.URL+"/reports?q=a%26b", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = tt.host
		request.Header.Set("Sec-Fetch-Mode", tt.mode)
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if got := response.Header.Get("Location"); got != tt.want {
			t.Errorf("%s: got %d to %q, want %q", tt.name, response.StatusCode, got, tt.want)
		}
	}
}
