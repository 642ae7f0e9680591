package server

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/config"
	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

// world is all that a test of the whole service needs: a Server, the emulated AuthKit that it speaks to, and its log.
type world struct {
	*Server
	authKit *emulator.Emulator
	log     *logs
	front   atomic.Pointer[http.HandlerFunc] // answers in AuthKit's place, if there is one
	past    atomic.Int64                     // how far AuthKit's clock is behind
}

const (
	origin      = "http://localhost:3000"
	redirectURI = origin + "/_auth/callback"
	paula       = "paula@example.com"

	goodKey      = "sk_test_a1b2c3d4e5"
	goodPassword = "kY3vQ0xWm7RzT9pLc2NfHs8JdGb5UaEo"
)

// environ returns the smallest good environment, changed by pairs of name and value.
func environ(pairs ...string) map[string]string {
	env := map[string]string{
		"WORKOS_API_KEY": goodKey, "WORKOS_CLIENT_ID": "client_01ABC", "WORKOS_COOKIE_PASSWORD": goodPassword,
		"WORKOS_REDIRECT_URI": redirectURI,
	}
	for pair := range slices.Chunk(pairs, 2) {
		env[pair[0]] = pair[1]
	}
	return env
}

var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// newWorld makes a Server of the smallest environment and what pairs of name and
// value add, in which AUTHKIT stands for AuthKit's address.
func newWorld(t testing.TB, pairs ...string) *world {
	t.Helper()
	key, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{log: new(logs)}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if front := w.front.Load(); front != nil {
			(*front)(rw, r)
			return
		}
		w.authKit.ServeHTTP(rw, r)
	}))
	base, err := url.Parse("http://" + s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w.authKit, err = emulator.New(emulator.Config{
		BaseURL: base, ClientID: "client_01ABC", APIKey: goodKey, RedirectURIs: []string{redirectURI},
		SigningKey: key, Now: func() time.Time { return time.Now().Add(-time.Duration(w.past.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.Close)
	for i := 1; i < len(pairs); i += 2 {
		pairs[i] = strings.ReplaceAll(pairs[i], "AUTHKIT", base.String())
	}
	c, err := config.Parse(environ(append([]string{
		"WORKOS_API_HOSTNAME", base.Hostname(), "WORKOS_API_PORT", base.Port(), "WORKOS_API_HTTPS", "false",
	}, pairs...)...))
	if err != nil {
		t.Fatal(err)
	}
	if w.Server, err = New(c, zerolog.New(w.log)); err != nil {
		t.Fatal(err)
	}
	return w
}

// ready fetches the key set, as Run does.
func (w *world) ready(t testing.TB) *world {
	t.Helper()
	if err := w.keys.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// signIn returns the session cookie of a user who signed in so long ago.
func (w *world) signIn(t testing.TB, email string, ago time.Duration) string {
	t.Helper()
	w.past.Store(int64(ago))
	defer w.past.Store(0)
	response, err := w.authKit.SignIn(email, "")
	if err != nil {
		t.Fatal(err)
	}
	sealed, _, err := w.sessions.SignIn(response)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// ask sends a request to a handler. header has lines of "Name: value".
func ask(t testing.TB, h http.Handler, method, target, header string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader("ignored"))
	r.RemoteAddr = "127.0.0.1:50000"
	for line := range strings.Lines(header) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const (
	forwarded = "X-Forwarded-Method: GET\nX-Forwarded-Proto: http\nX-Forwarded-Host: localhost:3000\nX-Forwarded-Uri: /reports\n"
	original  = "X-Original-Method: GET\nX-Original-URL: http://localhost:3000/reports\n"
	document  = "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: document\nSec-Fetch-Site: none\n"
)

// logs is a buffer that a test can read while others write.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	shared := newWorld(t).ready(t)
	split := newWorld(t, "VERIFY_ADDR", "127.0.0.1:9001").ready(t)
	tests := []struct {
		method, path, header string
		shared, flow, verify int // status where all is one, at LISTEN_ADDR and at VERIFY_ADDR
	}{
		{"GET", "/verify", "", 401, 404, 401},
		{"GET", "/verify/forward-auth", forwarded, 401, 404, 401},
		{"GET", "/verify/auth-request", original, 401, 404, 401},
		{"GET", "/verify/sign-in", original, 401, 404, 401},
		{"GET", "/verify/", "", 404, 404, 404},
		{"GET", "/verify/ext-authz/reports", "", 403, 404, 403},
		{"BREW", "/verify/ext-authz/reports", "", 403, 405, 403},
		{"GET", "/verify/ext-authz", "", 404, 404, 404},
		{"GET", "/verify%2Fext-authz/reports", "", 404, 404, 404},
		{"POST", "/verify/other", "", 404, 404, 404},
		{"GET", "/VERIFY", "", 404, 404, 404},
		{"GET", "/verify%2Fforward-auth", forwarded, 404, 404, 404},
		{"GET", "/_auth/login", "", 303, 303, 404},
		{"GET", "/_auth/sign-up", "", 303, 303, 404},
		{"GET", "/_auth/callback", "", 303, 303, 404},
		{"GET", "/_auth/logout", "", 200, 200, 404},
		{"POST", "/_auth/logout", "", 403, 403, 404},
		{"POST", "/_auth/login", "", 405, 405, 404},
		{"GET", "/login", "", 404, 404, 404},
		{"GET", "/healthz", "", 200, 200, 200},
		{"GET", "/readyz", "", 200, 200, 200},
		{"GET", "/", "", 404, 404, 404},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			t.Parallel()
			for _, at := range []struct {
				listener string
				handler  http.Handler
				want     int
			}{
				{"one listener", shared.Handler(), tt.shared},
				{"LISTEN_ADDR", split.Handler(), tt.flow},
				{"VERIFY_ADDR", split.VerifyHandler(), tt.verify},
			} {
				if got := ask(t, at.handler, tt.method, tt.path, tt.header); got.Code != at.want {
					t.Errorf("%s: got status %d, want %d: %s", at.listener, got.Code, at.want, got.Body)
				}
			}
		})
	}
}

// Some gateways ask with the method of the original request, which chi may not know.
func TestAnyMethodAtVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t).ready(t)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "M-SEARCH", "FOO"} {
		for path, header := range map[string]string{
			"/verify": "", "/verify/forward-auth": forwarded, "/verify/auth-request": original, "/verify/sign-in": original,
		} {
			if got := ask(t, w.Handler(), method, path, header); got.Code != 401 || got.Header().Get("X-Auth-Reason") != "no_session" {
				t.Errorf("%s %s: got %d %s, want 401 no_session", method, path, got.Code, got.Header().Get("X-Auth-Reason"))
			}
		}
	}
}

// The flow's prefix may begin as /verify does. Its methods stay what they are.
func TestFlowBesideVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "WORKOS_REDIRECT_URI", origin+"/verify-me/callback").ready(t)
	for method, want := range map[string]int{"GET": 200, "POST": 403, "DELETE": 405} {
		if got := ask(t, w.Handler(), method, "/verify-me/logout", ""); got.Code != want {
			t.Errorf("%s /verify-me/logout: got status %d, want %d", method, got.Code, want)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	check := func(path string, status int, body string) {
		t.Helper()
		for _, h := range []http.Handler{w.Handler(), w.VerifyHandler()} {
			if got := ask(t, h, "GET", path, ""); got.Code != status || !strings.HasPrefix(got.Body.String(), body) {
				t.Errorf("%s: got %d %q, want %d %q", path, got.Code, got.Body, status, body)
			}
		}
	}
	check("/healthz", 200, "ok\n")
	check("/readyz", 503, "waiting for AuthKit's key set: http://127.0.0.1:")

	w.ready(t)
	check("/readyz", 200, "ready\n")

	w.stopping.Store(true)
	check("/healthz", 200, "ok\n")
	check("/readyz", 503, "stopping\n")
}

// The parts fit: from a page to AuthKit and back to that page, signed in.
func TestSignInAndBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t).ready(t)
	page := ask(t, w.Handler(), "GET", "/verify/forward-auth", forwarded+document)
	login := page.Header().Get("Location")
	if page.Code != 303 || login != origin+"/_auth/login?rd=http%3A%2F%2Flocalhost%3A3000%2Freports" {
		t.Fatalf("got %d %q, want 303 to login", page.Code, login)
	}
	flow := ask(t, w.Handler(), "GET", strings.TrimPrefix(login, origin)+"&login_hint="+url.QueryEscape(paula), document)
	state, _, _ := strings.Cut(flow.Header().Get("Set-Cookie"), ";")
	hosted, err := url.Parse(flow.Header().Get("Location"))
	if flow.Code != 303 || err != nil || !strings.HasPrefix(state, "authkit-state-") {
		t.Fatalf("login: got %d %v, %v", flow.Code, flow.Header(), err)
	}
	signedIn := ask(t, w.authKit, "GET", hosted.RequestURI(), "")
	callback, ok := strings.CutPrefix(signedIn.Header().Get("Location"), origin)
	if !ok {
		t.Fatalf("AuthKit: got %d %v", signedIn.Code, signedIn.Header())
	}
	back := ask(t, w.Handler(), "GET", callback, document+"Cookie: "+state)
	if got := back.Header().Get("Location"); back.Code != 303 || got != origin+"/reports" {
		t.Fatalf("callback: got %d %q, want 303 %s/reports: %s", back.Code, got, origin, back.Body)
	}
	var session string
	for _, line := range back.Header()["Set-Cookie"] {
		if strings.HasPrefix(line, "wos-session=Fe26.2*") {
			session, _, _ = strings.Cut(line, ";")
		}
	}
	again := ask(t, w.Handler(), "GET", "/verify/forward-auth", forwarded+document+"Cookie: "+session)
	if got := again.Header().Get("X-Auth-Request-Email"); again.Code != 200 || got != paula {
		t.Errorf("got %d, X-Auth-Request-Email %q, want 200, %s", again.Code, got, paula)
	}
}

// caddy-security's open redirects (E20): nothing that a request says of its host
// builds a URL. That is the configuration's.
func TestHostHeadersBuildNoURL(t *testing.T) {
	t.Parallel()
	w := newWorld(t).ready(t)
	evil := "X-Forwarded-Host: evil.example\nX-Forwarded-Proto: https\nX-Original-URL: https://evil.example/\nForwarded: host=evil.example\n"
	for _, path := range []string{"/_auth/login", "/_auth/sign-up", "/_auth/callback", "/_auth/logout", "/verify", "/verify/forward-auth"} {
		got := ask(t, w.Handler(), "GET", "http://evil.example"+path, evil+document)
		answer := got.Body.String()
		for name, values := range got.Header() {
			answer += name + ": " + strings.Join(values, " ") + "\n"
		}
		if strings.Contains(answer, "evil.example") {
			t.Errorf("%s: got %d %s", path, got.Code, answer)
		}
	}
}
