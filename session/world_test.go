package session_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/authkit/emulator"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
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

// start makes a world at noon. AuthKit's access tokens last 5 minutes, and a spent refresh
// token is refused at once, unless change says something else. change may be nil.
func start(t testing.TB, change func(*options)) *world {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	base := &url.URL{Scheme: "http", Host: server.Listener.Addr().String()}
	w := &world{clock: &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}, log: &logs{}}
	w.client = &authkit.Client{APIKey: apiKey, ClientID: clientID, BaseURL: base, Now: w.clock.Now}
	keys := &token.KeySet{URL: w.client.KeySetURL(), Now: w.clock.Now}
	o := options{
		emulator: emulator.Config{BaseURL: base, ClientID: clientID, APIKey: apiKey, SigningKey: signingKey(), Now: w.clock.Now},
		session: session.Config{
			Cookie:  session.Cookie{Name: "wos-session", MaxAge: 3600, SameSite: http.SameSiteLaxMode, Secure: true},
			Seal:    &seal.Iron{Passwords: []string{password}, Now: w.clock.Now},
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
	w.Manager = session.New(o.session)
	return w
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
	plaintext, err := next.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return w.seal(t, json.RawMessage(plaintext))
}

// claims are those of an access token.
func claims(t testing.TB, raw string) map[string]any {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// resign returns a cookie's session with an access token whose claims are changed, signed
// with key under the id of AuthKit's key.
func (w *world) resign(t testing.TB, sealed string, key *rsa.PrivateKey, change map[string]any) string {
	t.Helper()
	s := w.open(t, sealed)
	c := claims(t, s.AccessToken)
	maps.Copy(c, change)
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return w.withAccessToken(t, s, sign(t, key, keyID(t, signingKey()), payload))
}

// withAccessToken seals a session with another access token.
func (w *world) withAccessToken(t testing.TB, s *session.Session, accessToken string) string {
	t.Helper()
	plaintext, err := s.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(plaintext, &fields); err != nil {
		t.Fatal(err)
	}
	fields["accessToken"] = accessToken
	return w.seal(t, fields)
}

func keyID(t testing.TB, key *rsa.PrivateKey) string {
	t.Helper()
	public := jose.JSONWebKey{Key: key.Public()}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(thumbprint)
}

func sign(t testing.TB, key *rsa.PrivateKey, kid string, payload []byte) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// front stands before the emulator and answers in its place where a test says so.
type front struct {
	*emulator.Emulator
	mu      sync.Mutex
	answers map[string]http.HandlerFunc // by path
	bodies  []string                    // of the requests for authenticate
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	f.mu.Lock()
	if r.URL.Path == authenticate {
		f.bodies = append(f.bodies, string(body))
	}
	answer := f.answers[r.URL.Path]
	f.mu.Unlock()
	if answer == nil {
		answer = f.Emulator.ServeHTTP
	}
	answer(w, r)
}

// asked is how often authenticate was asked, answered by the emulator or not.
func (f *front) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.bodies)
}

func (f *front) wantAsked(t testing.TB, want int) {
	t.Helper()
	if got := f.asked(); got != want {
		t.Errorf("got %d requests for a refresh, want %d", got, want)
	}
}

// answer sets who answers a path; nil is the emulator.
func (f *front) answer(path string, h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[path] = h
}

// hang makes refreshes wait until release is called, for the emulator to answer then.
func (f *front) hang(t testing.TB) (asked <-chan struct{}, release func()) {
	t.Helper()
	begun, released := make(chan struct{}, 1), make(chan struct{})
	f.answer(authenticate, func(w http.ResponseWriter, r *http.Request) {
		select {
		case begun <- struct{}{}:
		default:
		}
		<-released
		f.Emulator.ServeHTTP(w, r)
	})
	release = sync.OnceFunc(func() { close(released) })
	t.Cleanup(release)
	return begun, release
}

// status answers with a status, a body, and headers given as name, value.
func status(code int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// logs is what was logged.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
