package extauthz

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/verify"
)

// check is a CheckRequest as Envoy makes it.
type check struct {
	method, path, host, source string
	headers                    [][2]string
	raw                        bool // header_map instead of headers
	extensions                 [][2]string
}

func (c check) message() []byte {
	var request []byte
	for _, field := range []struct {
		number number
		value  string
	}{{2, c.method}, {4, c.path}, {5, c.host}, {6, "https"}, {10, "HTTP/2"}} {
		request = appendBytes(request, field.number, field.value)
	}
	request = appendInt(request, 9, 12345) // size
	var list []byte
	for _, h := range c.headers {
		if c.raw {
			list = appendBytes(list, 1, appendBytes(appendBytes(nil, 1, h[0]), 3, h[1]))
		} else {
			request = appendBytes(request, 3, appendBytes(appendBytes(nil, 1, h[0]), 2, h[1]))
		}
	}
	if c.raw {
		request = appendBytes(request, 13, list)
	}
	address := appendInt(appendBytes(nil, 2, c.source), 3, 50000)
	attributes := appendBytes(nil, 1, appendBytes(nil, 1, appendBytes(nil, 1, address)))
	attributes = appendBytes(attributes, 4, appendBytes(appendBytes(nil, 1, "time"), 2, request))
	for _, e := range c.extensions {
		attributes = appendBytes(attributes, 10, appendBytes(appendBytes(nil, 1, e[0]), 2, e[1]))
	}
	return appendBytes(nil, 1, attributes)
}

func reports() check {
	return check{
		method: "GET", path: "/reports?year=2026&q=a%26b", host: "app.example.com", source: "192.0.2.7",
		headers: [][2]string{
			{":path", "/other"}, {":authority", "other.example"}, {"host", "other.example"},
			{"cookie", "a=1; wos-session=x"}, {"x_auth_request_user", "mallory"}, {"empty", ""},
		},
	}
}

// newServer serves a Handler over h2c, as the service does.
func newServer(t *testing.T, h *Handler) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc(CheckPath, h.Check)
	mux.HandleFunc(HealthPath, h.Health)
	server := httptest.NewUnstartedServer(mux)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return server
}

func frame(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

// send makes a call, and returns its answer's message and status.
func send(t *testing.T, url string, body []byte, change func(*http.Request)) (answer []byte, status, message string) {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("Te", "trailers")
	if change != nil {
		change(r)
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "application/grpc" {
		t.Fatalf("got %d %q %s", response.StatusCode, response.Header, all)
	}
	if len(all) >= 5 {
		if want := frame(all[5:]); !bytes.Equal(all, want) {
			t.Fatalf("got frame %x, want %x", all[:5], want[:5])
		}
		all = all[5:]
	}
	return all, response.Trailer.Get("Grpc-Status"), response.Trailer.Get("Grpc-Message")
}

// The request is the one that Envoy would send over HTTP.
func TestCheckBecomesRequest(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]bool{"headers": false, "header_map": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got *http.Request
			h := &Handler{Verify: func(w http.ResponseWriter, r *http.Request) { got = r; w.WriteHeader(http.StatusOK) }}
			c := reports()
			c.raw = raw

			if _, status, message := send(t, newServer(t, h).URL+CheckPath, frame(c.message()), nil); status != "0" {
				t.Fatalf("got status %s %s", status, message)
			}

			if got.Method != "GET" || got.Host != "app.example.com" || got.RequestURI != "/verify/ext-authz/reports?year=2026&q=a%26b" {
				t.Errorf("got %s %s at %s", got.Method, got.RequestURI, got.Host)
			}
			if !strings.HasPrefix(got.RemoteAddr, "127.0.0.1:") {
				t.Errorf("got peer %s, want the gateway's", got.RemoteAddr)
			}
			want := http.Header{
				"Cookie": {"a=1; wos-session=x"}, "X_auth_request_user": {"mallory"}, "Empty": {""}, "X-Forwarded-For": {"192.0.2.7"},
			}
			for name := range want {
				if !slices.Equal(got.Header[name], want[name]) {
					t.Errorf("%s: got %q, want %q", name, got.Header[name], want[name])
				}
			}
			if len(got.Header) != len(want) {
				t.Errorf("got headers %q, want %q", got.Header, want)
			}
		})
	}
}

// values returns the texts at a path of a message.
func values(t *testing.T, message []byte, path ...number) []string {
	t.Helper()
	var all []string
	if err := each(message, path, func(value []byte) error { all = append(all, string(value)); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// options returns the HeaderValueOptions at a path, "name: value", with "=" in front of those that overwrite.
func options(t *testing.T, message []byte, path ...number) []string {
	t.Helper()
	var all []string
	for _, option := range values(t, message, path...) {
		line := strings.Join(values(t, []byte(option), 1, 1), "") + ": " + strings.Join(values(t, []byte(option), 1, 2), "")
		if bytes.HasSuffix([]byte(option), []byte{3 << 3, overwriteAction}) {
			line = "=" + line
		}
		all = append(all, line)
	}
	return all
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	h := &Handler{Identity: []string{"X-Auth-Request-User", "X-Auth-Request-Name"}}
	for _, tt := range []struct {
		name               string
		header             http.Header
		app, gone, browser []string
	}{
		{"identity; what has no value is removed", http.Header{
			"X-Auth-Request-User": {"user_1"}, "X-Auth-Request-Name": {""}, verify.RemoveHeader: {"x-auth-request-name,x_auth_request_user"},
			"Cache-Control": {"private, no-store"}, "Vary": {"Cookie"}, "X-Request-Id": {"ID"},
		}, []string{"=x-auth-request-user: user_1"}, []string{"x-auth-request-name", "x_auth_request_user"}, nil},
		{"every new cookie, and no cache keeps it", http.Header{
			"Set-Cookie": {"wos-session=1", "wos-session.1=2"}, "Cache-Control": {"private, no-store"},
		}, nil, nil, []string{"set-cookie: wos-session=1", "set-cookie: wos-session.1=2", "=cache-control: private, no-store"}},
		{"cookies without the session's", http.Header{"Cookie": {"a=1"}}, []string{"=cookie: a=1"}, nil, nil},
		{"no cookie but the session's", http.Header{"Cookie": {""}}, nil, []string{"cookie"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := &Handler{Identity: h.Identity, Verify: func(w http.ResponseWriter, _ *http.Request) {
				for name, values := range tt.header {
					w.Header()[name] = values
				}
				w.WriteHeader(http.StatusOK)
			}}

			answer, status, message := send(t, newServer(t, h).URL+CheckPath, frame(reports().message()), nil)

			if status != "0" {
				t.Fatalf("got status %s %s", status, message)
			}
			if code := values(t, answer, 1); !slices.Equal(code, []string{""}) {
				t.Errorf("got google.rpc.Status %q, want OK", code)
			}
			if got := options(t, answer, 3, 2); !slices.Equal(got, tt.app) {
				t.Errorf("headers for the app: got %q, want %q", got, tt.app)
			}
			if got := values(t, answer, 3, 5); !slices.Equal(got, tt.gone) {
				t.Errorf("headers to remove: got %q, want %q", got, tt.gone)
			}
			if got := options(t, answer, 3, 6); !slices.Equal(got, tt.browser) {
				t.Errorf("headers for the browser: got %q, want %q", got, tt.browser)
			}
		})
	}
}

// Whatever isn't 200 is denied, with its status, body and headers.
func TestDenied(t *testing.T) {
	t.Parallel()
	for _, code := range []int{303, 401, 403, 400, 429, 503, 204, 201} {
		h := &Handler{Verify: func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
			w.Header()["Vary"] = []string{"Cookie", "Origin"}
			w.Header()["Content-Type"] = []string{"text/html"}
			w.Header()["Content-Length"] = []string{"4"}
			w.WriteHeader(code)
			_, _ = io.WriteString(w, "page")
		}}

		answer, status, _ := send(t, newServer(t, h).URL+CheckPath, frame(reports().message()), nil)

		wantHeaders := []string{"=content-type: text/html", "set-cookie: a=1", "set-cookie: b=2", "=vary: Cookie", "vary: Origin"}
		if got := options(t, answer, 2, 2); status != "0" || !slices.Equal(got, wantHeaders) {
			t.Errorf("got status %s, headers %q, want %q", status, got, wantHeaders)
		}
		if got := values(t, answer, 2, 3); !slices.Equal(got, []string{"page"}) {
			t.Errorf("got body %q", got)
		}
		if got, want := values(t, answer, 2, 1), string(appendInt(nil, 1, uint64(code))); !slices.Equal(got, []string{want}) {
			t.Errorf("got HttpStatus %q, want %d", got, code)
		}
		if got := values(t, answer, 1); !slices.Equal(got, []string{"\x08\x07"}) {
			t.Errorf("got google.rpc.Status %q, want PERMISSION_DENIED", got)
		}
		if got := values(t, answer, 3); len(got) != 0 {
			t.Errorf("got an ok_response %q", got)
		}
	}
}

// A call that can't be answered fails, which Envoy takes for a denial, and the log says why.
func TestCallsThatFail(t *testing.T) {
	t.Parallel()
	with := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	good := frame(reports().message())
	changed := func(change func(*check)) []byte {
		c := reports()
		change(&c)
		return frame(c.message())
	}
	for _, tt := range []struct {
		name    string
		body    []byte
		change  func(*http.Request)
		status  string
		message string
	}{
		{"compressed by its encoding", good, with("Grpc-Encoding", "gzip"), "12", "must not be compressed"},
		{"compressed by its flag", append([]byte{1}, good[1:]...), nil, "12", "must not be compressed"},
		{"another flag", append([]byte{2}, good[1:]...), nil, "12", "must not be compressed"},
		{"nothing", nil, nil, "3", "no message"},
		{"half of a prefix", good[:3], nil, "3", "no message"},
		{"a message that ends early", good[:len(good)-1], nil, "3", "ends early"},
		{"two messages", append(slices.Clone(good), good...), nil, "3", "more than one message"},
		{"a long message", binary.BigEndian.AppendUint32([]byte{0}, maxMessage+1), nil, "8", "leave with_request_body out"},
		{"a message of 4 GB", []byte{0, 255, 255, 255, 255}, nil, "8", "4294967295 bytes"},
		{"no protobuf", frame([]byte{0x0a, 0x7f}), nil, "3", "malformed"},
		{"a number for a message", frame([]byte{0x08, 1}), nil, "3", "another type"},
		{"an empty check, as for a TCP connection", frame(nil), nil, "3", "no HTTP request"},
		{"no path", changed(func(c *check) { c.path = "" }), nil, "3", "no HTTP request"},
		{"no host", changed(func(c *check) { c.host = "" }), nil, "3", "no HTTP request"},
		{"a header's name with a space", changed(func(c *check) { c.headers = [][2]string{{"a b", "c"}} }), nil, "3", "malformed header"},
		{"a header's value with a line break", changed(func(c *check) { c.headers = [][2]string{{"a", "b\r\nc: d"}} }), nil, "3", "malformed header"},
		{"a misspelt extension of ours", changed(func(c *check) { c.extensions = [][2]string{{"authkit.requires", "role=admin"}} }), nil, "3", "not known: use authkit.require"},
		{"two requirements", changed(func(c *check) {
			c.extensions = [][2]string{{"authkit.require", "role=a"}, {"authkit.require", "role=b"}}
		}), nil, "3", "came twice"},
		{"a timeout without a unit", good, with("Grpc-Timeout", "15"), "3", "malformed grpc-timeout"},
		{"a timeout of nine digits", good, with("Grpc-Timeout", "123456789n"), "3", "malformed grpc-timeout"},
		{"a negative timeout", good, with("Grpc-Timeout", "-1S"), "3", "malformed grpc-timeout"},
		{"a timeout that is over", good, with("Grpc-Timeout", "1n"), "4", "not answered within"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			h := &Handler{Log: zerolog.New(&log), Verify: func(w http.ResponseWriter, r *http.Request) {
				if _, bounded := r.Context().Deadline(); bounded {
					<-r.Context().Done() // else it may be answered in time
				}
				w.WriteHeader(http.StatusOK)
			}}

			answer, status, message := send(t, newServer(t, h).URL+CheckPath, tt.body, tt.change)

			if status != tt.status || !strings.Contains(message, tt.message) || len(answer) > 0 {
				t.Errorf("got %s %q and %d bytes, want %s %q and none", status, message, len(answer), tt.status, tt.message)
			}
			if !strings.Contains(log.String(), `"message":"check not answered"`) || !strings.Contains(log.String(), `"peer":"127.0.0.1:`) {
				t.Errorf("got log %s", &log)
			}
		})
	}
}

func TestGoodTimeouts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"15S": 15 * time.Second, "200m": 200 * time.Millisecond, "1u": time.Microsecond, "99999999H": 24 * time.Hour, "00000001M": time.Minute, "0n": 0,
	} {
		if got, err := parseTimeout(text); got != want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
	}
}

func TestNoGRPC(t *testing.T) {
	t.Parallel()
	server := newServer(t, &Handler{Verify: func(http.ResponseWriter, *http.Request) { t.Error("asked") }, Ready: func() bool { return true }})
	for _, path := range []string{CheckPath, HealthPath} {
		response, err := http.Post(server.URL+path, "application/grpc", bytes.NewReader(frame(nil)))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("%s over HTTP/1.1: got %s, want 415", path, response.Status)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	ready := false
	server := newServer(t, &Handler{Ready: func() bool { return ready }})
	for _, tt := range []struct {
		service string
		ready   bool
		status  string
		answer  string
	}{
		{"", true, "0", "\x08\x01"},
		{"", false, "0", "\x08\x02"},
		{"envoy.service.auth.v3.Authorization", true, "0", "\x08\x01"},
		{"other", true, "5", ""},
	} {
		ready = tt.ready
		answer, status, _ := send(t, server.URL+HealthPath, frame(appendBytes(nil, 1, tt.service)), nil)
		if status != tt.status || string(answer) != tt.answer {
			t.Errorf("%q, ready %t: got %s %q, want %s %q", tt.service, tt.ready, status, answer, tt.status, tt.answer)
		}
	}
}

// Whatever comes, the request that is made of it is one that net/http could have read, at the profile's path.
func FuzzCheck(f *testing.F) {
	c := reports()
	f.Add(c.message())
	c.raw, c.extensions = true, [][2]string{{"authkit.require", "role=admin"}, {"mesh", "1"}}
	f.Add(c.message())
	f.Add([]byte{0x0a, 0x7f})
	f.Fuzz(func(t *testing.T, message []byte) {
		r, err := parseCheck(t.Context(), message)
		if err != nil {
			return
		}
		if r.Method == "" || r.Host == "" || !strings.HasPrefix(r.RequestURI, verify.ExtAuthzPrefix) {
			t.Errorf("got %q %q at %q", r.Method, r.RequestURI, r.Host)
		}
		for name, values := range r.Header {
			if strings.ContainsAny(name+strings.Join(values, ""), "\r\n\x00") || strings.HasPrefix(name, ":") {
				t.Errorf("got header %q: %q", name, values)
			}
		}
	})
}
