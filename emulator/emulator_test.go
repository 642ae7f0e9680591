package emulator

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workos/workos-go/v4/pkg/usermanagement"
)

const (
	testClient   = "client_01TEST"
	testKey      = "sk_test_key"
	testRedirect = "http://localhost:3000/_auth/callback"
	testSignOut  = "http://localhost:3000/bye?from=app"

	paula = "paula@example.com" // no organization
	zoe   = "zoe@acme.example"  // one
	sam   = "sam@example.com"   // two
	iris  = "iris@acme.example" // impersonated

	acmeID   = "org_01JSSZ5AWSH8VHTPRE95B9EE0Z"
	globexID = "org_01JBGJ09TQM83XSSSS6YS3C4DW"
)

// signingKey and connectSigningKey are the same ones for all tests: making one takes long.
var (
	signingKey        = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })
	connectSigningKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })
)

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

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// testServer is an emulator behind a server, and WorkOS's client for it.
type testServer struct {
	*Emulator
	url   string
	sdk   *usermanagement.Client
	clock *clock
}

// start serves an emulator. The configuration is changed first, if change isn't nil.
func start(t *testing.T, change func(*Config)) *testServer {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	base := &url.URL{Scheme: "http", Host: server.Listener.Addr().String()}
	clock := &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	config := Config{
		BaseURL:           base,
		ClientID:          testClient,
		APIKey:            testKey,
		RedirectURIs:      []string{testRedirect, "http://localhost:3000/callback?app=1"},
		LogoutReturnURLs:  []string{"http://localhost:3000/", testSignOut},
		SigningKey:        must(signingKey()),
		ConnectSigningKey: must(connectSigningKey()),
		Now:               clock.Now,
	}
	if change != nil {
		change(&config)
	}
	e, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = e
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(e.Close)
	sdk := usermanagement.NewClient(testKey)
	sdk.Endpoint = base.String()
	return &testServer{e, base.String(), sdk, clock}
}

// response is an answer with its body read.
type response struct {
	status int
	header http.Header
	body   string
}

func (e *testServer) do(t *testing.T, req *http.Request) response {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{res.StatusCode, res.Header, string(body)}
}

func (e *testServer) get(t *testing.T, target string) response {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e.do(t, req)
}

func (e *testServer) post(t *testing.T, target, contentType, body string) response {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	return e.do(t, req)
}

// ask sends a request with the API key.
func (e *testServer) ask(t *testing.T, method, path, body string) response {
	t.Helper()
	req, err := http.NewRequest(method, e.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	req.Header.Set("Content-Type", "application/json")
	return e.do(t, req)
}

// want is ask for a request that must be answered like this.
func (e *testServer) want(t *testing.T, method, path, body string, status int, want string) {
	t.Helper()
	if got := e.ask(t, method, path, body); got.status != status || got.body != want {
		t.Errorf("%s %s: got %d %s, want %d %s", method, path, got.status, got.body, status, want)
	}
}

// choose posts a choice on the hosted page.
func (e *testServer) choose(t *testing.T, target string, choice url.Values) response {
	t.Helper()
	return e.post(t, target, "application/x-www-form-urlencoded", choice.Encode())
}

// authorizeURL is WorkOS's own, with changes; an empty value removes a parameter.
func (e *testServer) authorizeURL(t *testing.T, changes map[string]string) string {
	t.Helper()
	u, err := e.sdk.GetAuthorizationURL(usermanagement.GetAuthorizationURLOpts{
		ClientID:    testClient,
		RedirectURI: testRedirect,
		Provider:    "authkit",
		State:       "the-state",
	})
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	for name, value := range changes {
		query.Set(name, value)
		if value == "" {
			query.Del(name)
		}
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// callback reads the query of the URL that the browser was sent back to.
func callback(t *testing.T, res response) url.Values {
	t.Helper()
	if res.status != http.StatusSeeOther {
		t.Fatalf("got status %d, want 303: %s", res.status, res.body)
	}
	to, ok := strings.CutPrefix(res.header.Get("Location"), testRedirect+"?")
	if !ok {
		t.Fatalf("got Location %q, want the redirect URI", res.header.Get("Location"))
	}
	query, err := url.ParseQuery(to)
	if err != nil {
		t.Fatal(err)
	}
	return query
}

// code signs a user in on the page, and gives the code.
func (e *testServer) code(t *testing.T, email string, changes map[string]string) string {
	t.Helper()
	query := callback(t, e.choose(t, e.authorizeURL(t, changes), url.Values{"email": {email}}))
	if query.Get("code") == "" {
		t.Fatalf("got callback %v, want a code", query)
	}
	return query.Get("code")
}

func decode(t *testing.T, body string) map[string]any {
	t.Helper()
	var values map[string]any
	if err := json.Unmarshal([]byte(body), &values); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return values
}

func TestCalls(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	e.code(t, paula, nil)
	e.get(t, e.authorizeURL(t, nil))
	e.get(t, e.url+"/sso/jwks/"+testClient)
	e.get(t, e.url+"/sso/jwks/"+testClient)
	e.post(t, e.url+"/user_management/authenticate", "application/json",
		`{"client_id":"client_01TEST","client_secret":"sk_test_key","grant_type":"refresh_token"}`)
	if got := e.get(t, e.url+"/health"); got.status != 200 || got.body != `{"status":"ok"}` {
		t.Errorf("got health %d %s, want 200", got.status, got.body)
	}
	want := `{"authenticate":1,"authenticate.refresh_token":1,"authorize":1,"authorize.submit":1,"jwks":2}`
	if got := e.get(t, e.url+"/_emulator/calls").body; got != want {
		t.Errorf("got calls %s, want %s", got, want)
	}
	if got := e.Calls()["jwks"]; got != 2 {
		t.Errorf("got %d calls of jwks, want 2", got)
	}
}

func TestUnknownPath(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	if got := e.get(t, e.url+"/user_management/nothing"); got.status != 404 || got.body != `{"message":"Not Found"}` {
		t.Errorf("got %d %s, want 404", got.status, got.body)
	}
}

func TestRoot(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	if got := e.get(t, e.url+"/"); got.status != 200 || !strings.Contains(got.body, "for the client client_01TEST") {
		t.Errorf("got %d %s, want a page that says where one is", got.status, got.body)
	}
}
