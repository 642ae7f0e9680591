package flow

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/cookie"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

const (
	password    = "correct horse battery staple 0123456789"
	oldPassword = "the password before that one 9876543210"
	signedOut   = "https://www.example.com/bye" // LOGOUT_RETURN_URL

	paula = "paula@example.com" // no organization
	zoe   = "zoe@acme.example"  // one
	sam   = "sam@example.com"   // two
	iris  = "iris@acme.example" // is impersonated
)

// settings says what a world is like. The zero value is a site of one host with
// the flow under /_auth/.
type settings struct {
	redirectURI   string // empty: https://app.example.com/_auth/callback
	cookieDomain  string
	defaultReturn string
	keepFragment  bool
	logoutReturn  string   // LOGOUT_RETURN_URL; empty: signedOut
	passwords     []string // empty: password
	issuers       []string // WORKOS_ISSUER
	users         []emulator.User
	requires      string // what AuthKit asks of those who switch to Globex
	wrongKey      bool   // the service has an API key that AuthKit doesn't know
	everywhere    bool   // LOGOUT_EVERYWHERE
	through       bool   // the flow is asked by a gateway's questions
}

// ownHost has the flow on a host of its own and the cookie on the domain.
func ownHost() settings {
	return settings{redirectURI: "https://auth.example.com/callback", cookieDomain: "example.com"}
}

// world is a Flow with everything around it: AuthKit, sessions, a gateway with an
// application behind it, and one clock for all.
type world struct {
	*Flow
	clock   *clock
	authkit *emulator.Emulator
	hosted  *url.URL // where AuthKit is
	iron    *seal.Cookie
	log     *logBuffer
	secrets *logBuffer // what browsers saw and no log may hold, one a line

	net     http.RoundTripper // to AuthKit, and to a service on localhost
	service http.Handler

	fault   atomic.Pointer[http.HandlerFunc] // answers in AuthKit's place
	gateway struct {
		dropsCookies atomic.Bool
		maxAge       atomic.Int64 // seconds; 0: any sign-in will do
	}
}

func newWorld(t testing.TB, s settings) *world {
	t.Helper()
	if s.redirectURI == "" {
		s.redirectURI = "https://app.example.com/_auth/callback"
	}
	if s.passwords == nil {
		s.passwords = []string{password}
	}
	if s.logoutReturn == "" {
		s.logoutReturn = signedOut
	}
	w := &world{
		clock: &clock{now: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)},
		log:   new(logBuffer), secrets: new(logBuffer),
	}
	w.startAuthKit(t, s)
	w.startService(t, s)
	t.Cleanup(func() { w.checkLog(t) })
	return w
}

var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func (w *world) startAuthKit(t testing.TB, s settings) {
	t.Helper()
	key, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if fault := w.fault.Load(); fault != nil {
			(*fault)(rw, r)
			return
		}
		w.authkit.ServeHTTP(rw, r)
	}))
	w.hosted = parse(t, "http://"+server.Listener.Addr().String())
	users, organizations := emulator.Seed()
	organizations[1].Requires = s.requires
	w.authkit, err = emulator.New(emulator.Config{
		BaseURL: w.hosted, ClientID: "client_01", APIKey: "sk_test_1",
		RedirectURIs: []string{s.redirectURI}, LogoutReturnURLs: []string{"https://www.example.com/", s.logoutReturn},
		Users: append(users, s.users...), Organizations: organizations, SigningKey: key, Now: w.clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Start()
	t.Cleanup(server.Close)
	w.net = server.Client().Transport
}

func (w *world) startService(t testing.TB, s settings) {
	t.Helper()
	places, err := site.NewSites([]*url.URL{parse(t, s.redirectURI)}, []string{s.cookieDomain})
	if err != nil {
		t.Fatal(err)
	}
	log := zerolog.New(w.log)
	client := &authkit.Client{
		APIKey: "sk_test_1", ClientID: "client_01", BaseURL: w.hosted, RedirectURI: s.redirectURI,
		HTTPClient: &http.Client{Transport: w.net}, Now: w.clock.Now,
	}
	if s.wrongKey {
		client.APIKey = "sk_test_2"
	}
	keys := &token.KeySet{URL: client.KeySetURL(), Client: &http.Client{Transport: w.net}, Now: w.clock.Now}
	w.iron, err = seal.NewCookie(seal.FormatIron, s.passwords...)
	if err != nil {
		t.Fatal(err)
	}
	w.iron.Now = w.clock.Now
	sessions, err := session.New(session.Config{
		Cookie: cookie.Config{
			Name: "wos-session", Domain: s.cookieDomain, MaxAge: 34560000,
			SameSite: http.SameSiteLaxMode, Secure: places.Scheme() == "https",
		},
		Seal:    w.iron,
		Tokens:  &token.Verifier{Keys: keys, ClientID: "client_01", Issuers: s.issuers, Now: w.clock.Now},
		AuthKit: client, Log: log, Now: w.clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	var userSessions func(context.Context, string) ([]string, error)
	if s.everywhere {
		userSessions = client.ActiveSessions
	}
	w.Flow, err = New(Config{
		UserSessions: userSessions,
		Sites:        places, Sessions: sessions, AuthKit: client, Passwords: s.passwords,
		DefaultReturn: s.defaultReturn, LogoutReturnURL: s.logoutReturn, KeepFragment: s.keepFragment, Log: log, Now: w.clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	router := chi.NewRouter()
	if s.through {
		router.Handle(places.First().Prefix()+"*", w.questions(t))
	} else {
		w.Routes(router)
	}
	router.NotFound(w.app)
	w.service = router
}

// questions is a gateway that asks about the flow's endpoints, without the body, and hands on what isn't a 2xx.
func (w *world) questions(t testing.TB) http.Handler {
	flow := w.ThroughVerify()
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked := r.Clone(context.WithValue(r.Context(), chi.RouteCtxKey, nil))
		asked.Body = http.NoBody
		answer := httptest.NewRecorder()
		flow.ServeHTTP(answer, asked)
		if answer.Code < 300 {
			t.Errorf("%s %s: got status %d, which lets the request in", r.Method, r.URL.Path, answer.Code)
		}
		maps.Copy(rw.Header(), answer.Header())
		rw.WriteHeader(answer.Code)
		_, _ = rw.Write(answer.Body.Bytes())
	})
}

// app is the gateway and a protected application: it greets who is signed in and
// sends everybody else to sign in.
func (w *world) app(rw http.ResponseWriter, r *http.Request) {
	header := r.Header
	if w.gateway.dropsCookies.Load() {
		header = http.Header{}
	}
	asked := w.Site.Scheme() + "://" + r.Host + r.URL.RequestURI()
	v, err := w.Sessions.Verify(r.Context(), header, false)
	if err != nil {
		http.Redirect(rw, r, w.Site.LoginURL(asked), http.StatusSeeOther)
		return
	}
	age := w.gateway.maxAge.Load()
	if age > 0 && w.clock.Now().Sub(v.Identity.AuthTime) > time.Duration(age)*time.Second {
		http.Redirect(rw, r, fmt.Sprintf("%s&max_age=%d", w.Site.LoginURL(asked), age), http.StatusSeeOther)
		return
	}
	fmt.Fprintf(rw, "hello %s", v.Identity.Email)
}

// breakAuthKit makes AuthKit answer everything with this.
func (w *world) breakAuthKit(answer http.HandlerFunc) { w.fault.Store(&answer) }

// exchanges counts the codes that AuthKit was asked to exchange, refused or not.
func (w *world) exchanges() int { return w.authkit.Calls()["authenticate"] }

// checkLog fails the test if a secret that a browser saw is in the log.
func (w *world) checkLog(t testing.TB) {
	log := w.log.String()
	for secret := range strings.Lines(w.secrets.String()) {
		if secret = strings.TrimSpace(secret); len(secret) > 20 && strings.Contains(log, secret) {
			t.Errorf("the log holds the secret %q: %s", secret, log)
		}
	}
}

// clock is a time that only tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// logBuffer is a buffer for several writers.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *logBuffer) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(p)
}

func (r *logBuffer) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

func parse(t testing.TB, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
