package bearer_test

import (
	"crypto/rand"
	"crypto/rsa"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/bearer"
	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/cookie"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

const (
	clientID = "client_01TEST"
	apiKey   = "sk_test_key"

	zoe = "zoe@acme.example" // a member of one organization
	sam = "sam@example.com"  // of two

	acmeID   = "org_01JSSZ5AWSH8VHTPRE95B9EE0Z"
	globexID = "org_01JBGJ09TQM83XSSSS6YS3C4DW"

	connectIssuer = "https://auth.example.com"
	resource      = "https://api.example.com"
)

// signingKey is AuthKit's, otherKey that of whoever else there is. Generated once: keys take a while.
var (
	signingKey = sync.OnceValue(newKey)
	otherKey   = sync.OnceValue(newKey)
)

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// noon is when a world starts.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a time that tests move.
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

// world is a Verifier, the sessions and the AuthKit behind it, and the clock that they share.
type world struct {
	*bearer.Verifier
	sessions *session.Manager
	authKit  *emulator.Emulator
	clock    *clock

	mu   sync.Mutex
	keys http.HandlerFunc // answers for the key set in the emulator's place
}

// options are what a test can change before its world starts.
type options struct {
	emulator emulator.Config
	bearer   bearer.Config
}

// start makes a world at noon, which takes access tokens of sessions, and those of an issuer of Connect's that signs with
// otherKey, unless change says something else. change may be nil.
func start(t testing.TB, change func(*options)) *world {
	t.Helper()
	connect := httptest.NewServer(answer(http.StatusOK, anotherSet(t)))
	t.Cleanup(connect.Close)
	w := &world{clock: &clock{now: noon}}
	server := httptest.NewUnstartedServer(w)
	base := &url.URL{Scheme: "http", Host: server.Listener.Addr().String()}
	client := &authkit.Client{APIKey: apiKey, ClientID: clientID, BaseURL: base, Now: w.clock.Now}
	keys := &token.KeySet{URL: client.KeySetURL(), Now: w.clock.Now}
	verifier := func() *token.Verifier { return &token.Verifier{Keys: keys, ClientID: clientID, Now: w.clock.Now} }
	cookies, err := seal.NewCookie(seal.FormatIron, "0123456789abcdefghijklmnopqrstuv")
	if err != nil {
		t.Fatal(err)
	}
	w.sessions, err = session.New(session.Config{Cookie: cookie.Config{Name: "wos-session"}, Seal: cookies, Tokens: verifier(), AuthKit: client, Now: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	o := options{
		emulator: emulator.Config{BaseURL: base, ClientID: clientID, APIKey: apiKey, SigningKey: signingKey(), Now: w.clock.Now},
		bearer: bearer.Config{Sessions: w.sessions, Session: verifier(), Now: w.clock.Now, Connect: []*token.Verifier{{
			Keys: &token.KeySet{URL: connect.URL, Now: w.clock.Now}, Now: w.clock.Now,
			Audiences: []string{resource, clientID}, Issuers: []string{connectIssuer},
		}}},
	}
	if change != nil {
		change(&o)
	}
	if w.authKit, err = emulator.New(o.emulator); err != nil {
		t.Fatal(err)
	}
	if w.Verifier, err = bearer.New(o.bearer); err != nil {
		t.Fatal(err)
	}
	server.Start()
	t.Cleanup(server.Close)
	return w
}

// ServeHTTP is AuthKit's.
func (w *world) ServeHTTP(response http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	keys := w.keys
	w.mu.Unlock()
	if keys != nil && r.URL.Path == "/sso/jwks/"+clientID {
		keys(response, r)
		return
	}
	w.authKit.ServeHTTP(response, r)
}

// answerKeys sets who answers for AuthKit's key set; nil is the emulator.
func (w *world) answerKeys(h http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys = h
}

// signIn returns the cookie's value and the access token of a new session.
func (w *world) signIn(t testing.TB, email, organizationID string) (sealed, accessToken string) {
	t.Helper()
	response, err := w.authKit.SignIn(email, organizationID)
	if err != nil {
		t.Fatal(err)
	}
	s, err := session.FromResponse(response)
	if err != nil {
		t.Fatal(err)
	}
	if sealed, _, err = w.sessions.SignIn(response); err != nil {
		t.Fatal(err)
	}
	return sealed, s.AccessToken
}

// token is the access token of a new session.
func (w *world) token(t testing.TB, email, organizationID string) string {
	t.Helper()
	_, accessToken := w.signIn(t, email, organizationID)
	return accessToken
}

// session verifies a cookie.
func (w *world) session(t testing.TB, sealed string) (*session.Verified, error) {
	t.Helper()
	return w.sessions.Verify(t.Context(), http.Header{"Cookie": {"wos-session=" + sealed}}, false)
}

// answer answers with a status and a body.
func answer(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}
