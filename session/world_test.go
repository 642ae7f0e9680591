package session_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/cookie"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

const (
	password = "0123456789abcdefghijklmnopqrstuv"
	clientID = "client_01TEST"
	apiKey   = "sk_test_key"

	paula = "paula@example.com" // no organization
	zoe   = "zoe@acme.example"  // one
	sam   = "sam@example.com"   // two
	iris  = "iris@acme.example" // impersonated

	acmeID   = "org_01JSSZ5AWSH8VHTPRE95B9EE0Z"
	globexID = "org_01JBGJ09TQM83XSSSS6YS3C4DW"

	authenticate = "/user_management/authenticate"
	keySet       = "/sso/jwks/" + clientID
)

// signingKey is AuthKit's, otherKey nobody's. Generated once: keys take a while.
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

// world is a Manager, its AuthKit, and the clock that they share.
type world struct {
	*session.Manager
	authKit *front
	client  *authkit.Client
	clock   *clock
	log     *logs
}

// options are what a test can change before its world starts.
type options struct {
	emulator emulator.Config
	session  session.Config
}

// noon is when a world starts.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// start makes a world at noon. AuthKit's access tokens last 5 minutes, and a spent refresh
// token is refused at once, unless change says something else. change may be nil.
func start(t testing.TB, change func(*options)) *world {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	base := &url.URL{Scheme: "http", Host: server.Listener.Addr().String()}
	w := &world{clock: &clock{now: noon}, log: &logs{}}
	w.client = &authkit.Client{APIKey: apiKey, ClientID: clientID, BaseURL: base, Now: w.clock.Now}
	keys := &token.KeySet{URL: w.client.KeySetURL(), Now: w.clock.Now}
	o := options{
		emulator: emulator.Config{BaseURL: base, ClientID: clientID, APIKey: apiKey, SigningKey: signingKey(), Now: w.clock.Now},
		session: session.Config{
			Cookie:  cookie.Config{Name: "wos-session", MaxAge: 3600, SameSite: http.SameSiteLaxMode, Secure: true},
			Seal:    iron(t, w.clock.Now, password),
			Tokens:  &token.Verifier{Keys: keys, ClientID: clientID, Now: w.clock.Now},
			AuthKit: w.client,
			Log:     zerolog.New(w.log),
			Now:     w.clock.Now,
		},
	}
	if change != nil {
		change(&o)
	}
	e, err := emulator.New(o.emulator)
	if err != nil {
		t.Fatal(err)
	}
	w.authKit = &front{Emulator: e, answers: map[string]http.HandlerFunc{}}
	server.Config.Handler = w.authKit
	server.Start()
	t.Cleanup(server.Close)
	w.Manager, err = session.New(o.session)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// iron makes cookies of the Node.js SDKs' format. now may be nil.
func iron(t testing.TB, now func() time.Time, passwords ...string) *seal.Cookie {
	t.Helper()
	c, err := seal.NewCookie(seal.FormatIron, passwords...)
	if err != nil {
		t.Fatal(err)
	}
	c.Now = now
	return c
}

// signIn signs a user in and returns the cookie's value.
func (w *world) signIn(t testing.TB, email, organizationID string) string {
	t.Helper()
	answer, err := w.authKit.SignIn(email, organizationID)
	if err != nil {
		t.Fatal(err)
	}
	sealed, _, err := w.SignIn(answer)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// cookies is a request with one session cookie for each value.
func cookies(values ...string) http.Header {
	h := http.Header{}
	for _, value := range values {
		h.Add("Cookie", "wos-session="+value)
	}
	return h
}

// verify is what the Manager says of a request whose answer can't carry a cookie.
func (w *world) verify(t testing.TB, values ...string) (*session.Verified, error) {
	t.Helper()
	return w.Verify(t.Context(), cookies(values...), false)
}

// valid fails the test unless the cookie's session is valid.
func (w *world) valid(t testing.TB, sealed string) *session.Verified {
	t.Helper()
	v, err := w.verify(t, sealed)
	if err != nil {
		t.Fatalf("got %v, want a valid session", err)
	}
	return v
}

// refused fails the test unless the cookie's session is refused with want.
func (w *world) refused(t testing.TB, sealed string, want error) error {
	t.Helper()
	v, err := w.verify(t, sealed)
	if v != nil || !errors.Is(err, want) {
		t.Fatalf("got a session: %t, %v, want %v", v != nil, err, want)
	}
	return err
}

// refreshed expects a session that is new to the cookie, and returns that.
func (w *world) refreshed(t testing.TB, sealed string) string {
	t.Helper()
	v := w.valid(t, sealed)
	if v.Current == "" || v.Current == sealed {
		t.Fatalf("got Current %.20q, want another session than the cookie's", v.Current)
	}
	return v.Current
}

// ahead is a request whose answer can carry a cookie, and what a later one gets. It
// doesn't wait for longer than a second, which a busy machine may need for a refresh.
func (w *world) ahead(t testing.TB, sealed string) *session.Verified {
	t.Helper()
	if _, err := w.Verify(t.Context(), cookies(sealed), true); err != nil {
		t.Fatal(err)
	}
	w.Wait()
	return w.valid(t, sealed)
}

// refreshes is how often AuthKit itself was asked for a refresh.
func (w *world) refreshes() int { return w.authKit.Calls()["authenticate.refresh_token"] }

func (w *world) wantRefreshes(t testing.TB, want int) {
	t.Helper()
	if got := w.refreshes(); got != want {
		t.Errorf("got %d refreshes at AuthKit, want %d", got, want)
	}
}

// open is the session in a cookie.
func (w *world) open(t testing.TB, sealed string) *session.Session {
	t.Helper()
	plaintext, err := w.Seal.Unseal(sealed)
	if err != nil {
		t.Fatal(err)
	}
	s, err := session.Parse(plaintext)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// seal puts a session into a cookie as another program with the password would.
func (w *world) seal(t testing.TB, plaintext any) string {
	t.Helper()
	encoded, err := json.Marshal(plaintext)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := w.Seal.Seal(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// refreshOutside refreshes a cookie's session as an app's own SDK does, past the Manager.
func (w *world) refreshOutside(t testing.TB, sealed string) string {
	t.Helper()
	s := w.open(t, sealed)
	answer, err := w.client.Refresh(t.Context(), s.RefreshToken, "")
	if err != nil {
		t.Fatal(err)
	}
	next, err := s.Refreshed(answer)
	if err != nil {
		t.Fatal(err)
	}
	plaintext, err := next.JSONFor(seal.FormatIron)
	if err != nil {
		t.Fatal(err)
	}
	return w.seal(t, json.RawMessage(plaintext))
}
