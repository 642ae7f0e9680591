package e2e

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

// The credentials of the emulated AuthKit environment.
const (
	clientID       = "client_01K0E2ETESTS"
	apiKey         = "sk_test_e2e_0123456789"
	cookiePassword = "correct-horse-battery-staple-0123456789"
)

// service is the path of the program under test, which TestMain builds.
var service string

func TestMain(m *testing.M) {
	// Each httptest.Server.Close closes its idle connections, and breaks what another test is sending.
	http.DefaultTransport = struct{ http.RoundTripper }{http.DefaultTransport}
	lastPort.Store(firstPort + rand.Int32N(10_000)) // another run of these tests has others
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	service = filepath.Join(dir, "authkit-forward-auth")
	if out, err := exec.Command("go", "build", "-o", service, "..").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the service: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// stack is everything, connected.
type stack struct {
	origin  string   // what the browser sees: the gateway's
	flow    string   // where the sign-in flow is, without a slash at the end; empty: at the origin's /_auth
	sites   []string // more sites' redirect URIs
	at      addresses
	service *process
	app     *app
	authKit *emulator.Emulator
	api     string                          // AuthKit's URL
	before  func(http.Handler) http.Handler // what stands before AuthKit; nil: nothing
	clock   atomic.Int64                    // how far AuthKit's clock is off, a time.Duration
}

// newStack starts the app, AuthKit, the service and the gateway. Environment
// variables for the service can be added: "NAME=value".
func newStack(t *testing.T, g gateway, environment ...string) *stack {
	t.Helper()
	s := newSite(t, g)
	s.startAuthKit(t)
	s.open(t, g, environment...)
	return s
}

// newSite starts the app and chooses the addresses.
func newSite(t *testing.T, g gateway) *stack {
	t.Helper()
	s := &stack{app: startApp(t)}
	s.at = addresses{gateway: freeAddress(t), service: freeAddress(t), app: s.app.address}
	if g.start == nil {
		s.at.gateway = s.at.service
	}
	s.origin = g.origin(portOf(t, s.at.gateway))
	return s
}

// open starts the service and the gateway.
func (s *stack) open(t *testing.T, g gateway, environment ...string) {
	t.Helper()
	s.startService(t, g, environment)
	if g.start != nil {
		g.start(t, s.at)
	}
}

// startAuthKit starts AuthKit, which sends webhooks to these URLs.
func (s *stack) startAuthKit(t *testing.T, webhooks ...string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := &url.URL{Scheme: "http", Host: "localhost:" + portOf(t, listener.Addr().String())}
	users, organizations := emulator.Seed()
	user, organization := largeUser()
	s.authKit, err = emulator.New(emulator.Config{
		BaseURL:          base,
		ClientID:         clientID,
		APIKey:           apiKey,
		RedirectURIs:     append([]string{s.redirectURI()}, s.sites...),
		LogoutReturnURLs: []string{s.origin + "/favicon.ico"},
		Users:            append(users, user, templateUser()),
		Organizations:    append(organizations, organization),
		WebhookURLs:      webhooks,
		WebhookSecret:    webhookSecret,
		Now:              func() time.Time { return time.Now().Add(time.Duration(s.clock.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.api = base.String()
	var handler http.Handler = s.authKit
	if s.before != nil {
		handler = s.before(handler)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler}}
	server.Start()
	t.Cleanup(func() { s.authKit.Close(); server.Close() })
}

func (s *stack) redirectURI() string {
	return cmp.Or(s.flow, s.origin+"/_auth") + "/callback"
}

func (s *stack) startService(t *testing.T, g gateway, environment []string) {
	t.Helper()
	api, err := url.Parse(s.api)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(service, "serve")
	cmd.Env = append([]string{
		"WORKOS_API_KEY=" + apiKey,
		"WORKOS_CLIENT_ID=" + clientID,
		"WORKOS_COOKIE_PASSWORD=" + cookiePassword,
		"WORKOS_REDIRECT_URI=" + strings.Join(append([]string{s.redirectURI()}, s.sites...), ","),
		"WORKOS_API_HOSTNAME=" + api.Hostname(),
		"WORKOS_API_HTTPS=false",
		"WORKOS_API_PORT=" + api.Port(),
		"LOGOUT_RETURN_URL=" + s.origin + "/favicon.ico",
		"GATEWAY=" + g.profile,
		"LISTEN_ADDR=" + s.at.service,
		"DECISION_LOG=all",
	}, environment...)
	s.service = start(t, s.at.service, cmd)
}
