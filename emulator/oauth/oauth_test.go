package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

const (
	environment = "client_01ENVIRONMENT"
	apiKey      = "sk_test_0123456789"
	files       = "https://mcp.example.com/mcp"
	jobs        = "https://mcp.example.com/jobs"
	callback    = "http://127.0.0.1:8123/callback"
	verifier    = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	zoe         = "zoe@acme.example"  // of one organization
	sam         = "sam@example.com"   // of two
	paula       = "paula@example.com" // of none
	warehouse   = "client_01JY2N7TW9YZ5B8D0F2H6K1N3Q"
	secret      = "emulator_acme_warehouse_P6K2JW8FT3XG"
)

// world is an emulator, and a client that is registered at it.
type world struct {
	t      *testing.T
	e      *emulator.Emulator
	url    string
	id     string // the client's
	mu     sync.Mutex
	now    time.Time
	client *http.Client
}

func start(t *testing.T, resources ...string) *world {
	t.Helper()
	return startWith(t, emulator.Config{Resources: resources})
}

// startWith is start with more of a configuration.
func startWith(t *testing.T, c emulator.Config) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	server := httptest.NewUnstartedServer(nil)
	base := &url.URL{Scheme: "http", Host: server.Listener.Addr().String()}
	var err error
	c.BaseURL, c.ClientID, c.APIKey, c.Now = base, environment, apiKey, w.clock
	w.e, err = emulator.New(c)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = w.e
	server.Start()
	t.Cleanup(func() { w.e.Close(); server.Close() })
	w.url = base.String()
	w.client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	w.id, _ = w.register(`{"redirect_uris":["` + callback + `"],"client_name":"Tool","token_endpoint_auth_method":"none"}`)["client_id"].(string)
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// do makes a request and returns its answer; a JSON body's members, too.
func (w *world) do(method, path, contentType, body string, header ...string) (*http.Response, map[string]any, string) {
	w.t.Helper()
	target := path
	if !strings.HasPrefix(path, "http") {
		target = w.url + path
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	var members map[string]any
	_ = json.Unmarshal(text, &members)
	return response, members, string(text)
}

func (w *world) register(metadata string) map[string]any {
	w.t.Helper()
	_, answer, _ := w.do(http.MethodPost, "/oauth2/register", "application/json", metadata)
	return answer
}

// control changes the emulator by its own endpoints.
func (w *world) control(method, path, body string) (int, string) {
	w.t.Helper()
	response, _, text := w.do(method, path, "application/json", body, "Authorization", "Bearer "+apiKey)
	return response.StatusCode, text
}

func (w *world) set(settings string) {
	w.t.Helper()
	if status, text := w.control(http.MethodPatch, "/_emulator/oauth", settings); status != 200 {
		w.t.Fatalf("settings: got %d %s", status, text)
	}
}

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// values are a form's or a query's; an empty one isn't sent.
func values(usual url.Values, changes ...string) url.Values {
	for i := 0; i < len(changes); i += 2 {
		usual.Set(changes[i], changes[i+1])
		if changes[i+1] == "" {
			usual.Del(changes[i])
		}
	}
	return usual
}

// authorizeURL is a request for files, with changes.
func (w *world) authorizeURL(changes ...string) string {
	return "/oauth2/authorize?" + values(url.Values{
		"response_type": {"code"}, "client_id": {w.id}, "redirect_uri": {callback}, "state": {"st"}, "scope": {"files:read offline_access"},
		"code_challenge": {challenge()}, "code_challenge_method": {"S256"}, "resource": {files},
	}, changes...).Encode()
}

// submit sends a form of a page, and returns where that leads and what the page says.
func (w *world) submit(path string, form ...string) (to *url.URL, page string, status int) {
	w.t.Helper()
	response, _, page := w.do(http.MethodPost, path, "application/x-www-form-urlencoded", values(url.Values{}, form...).Encode())
	to, _ = response.Location()
	return to, page, response.StatusCode
}

// code signs a user in and allows what is asked for.
func (w *world) code(email string, changes ...string) string {
	w.t.Helper()
	to, page, _ := w.submit(w.authorizeURL(changes...), "email", email, "allow", "1")
	if to == nil || to.Query().Get("code") == "" {
		w.t.Fatalf("got %v, %s, want a code", to, page)
	}
	return to.Query().Get("code")
}

// token asks the token endpoint.
func (w *world) token(usual url.Values, changes ...string) (status int, answer map[string]any) {
	w.t.Helper()
	response, answer, _ := w.do(http.MethodPost, "/oauth2/token", "application/x-www-form-urlencoded", values(usual, changes...).Encode())
	if got := response.Header.Get("Cache-Control"); got != "no-store" {
		w.t.Errorf("Cache-Control: got %q, want no-store", got)
	}
	return response.StatusCode, answer
}

func (w *world) exchange(code string, changes ...string) (int, map[string]any) {
	w.t.Helper()
	return w.token(url.Values{
		"grant_type": {"authorization_code"}, "client_id": {w.id}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier},
	}, changes...)
}

func (w *world) refresh(token any, changes ...string) (int, map[string]any) {
	w.t.Helper()
	text, _ := token.(string)
	return w.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {w.id}, "refresh_token": {text}}, changes...)
}

// signIn returns the tokens of a user who allows what is asked for.
func (w *world) signIn(email string, changes ...string) map[string]any {
	w.t.Helper()
	status, answer := w.exchange(w.code(email, changes...))
	if status != 200 {
		w.t.Fatalf("got %d %v, want tokens", status, answer)
	}
	return answer
}

// claims verifies a token by the served key set.
func (w *world) claims(token any) map[string]any {
	w.t.Helper()
	text, _ := token.(string)
	signed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		w.t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	_, _, keys := w.do(http.MethodGet, "/oauth2/jwks", "", "")
	if err := json.Unmarshal([]byte(keys), &set); err != nil {
		w.t.Fatal(err)
	}
	payload, err := signed.Verify(set)
	if err != nil {
		w.t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		w.t.Fatal(err)
	}
	return claims
}

// wantError compares an answer of the token endpoint.
func (w *world) wantError(name, want string, status int, answer map[string]any) {
	w.t.Helper()
	if answer["error"] != want || status < 400 || answer["access_token"] != nil {
		w.t.Errorf("%s: got %d %v, want %s", name, status, answer, want)
	}
}
