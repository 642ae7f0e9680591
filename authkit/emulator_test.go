package authkit

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// answered is what the round trips look at in an answer.
type answered struct {
	AccessToken    string `json:"access_token"`
	RefreshToken   string `json:"refresh_token"`
	OrganizationID string `json:"organization_id"`
	User           struct {
		Email string `json:"email"`
	} `json:"user"`
}

func decode(t *testing.T, answer json.RawMessage, err error) (a answered) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// emulated returns a client of a new emulator, whose one sign-out redirect is
// http://localhost:3000/bye.
func emulated(t *testing.T) *Client {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	c := &Client{
		APIKey:      "sk_test_1",
		ClientID:    "client_01",
		BaseURL:     &url.URL{Scheme: "http", Host: server.Listener.Addr().String()},
		RedirectURI: "http://localhost:3000/callback",
	}
	e, err := emulator.New(emulator.Config{
		BaseURL:          c.BaseURL,
		ClientID:         "client_01",
		APIKey:           "sk_test_1",
		RedirectURIs:     []string{"http://localhost:3000/callback"},
		LogoutReturnURLs: []string{"http://localhost:3000/bye"},
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = e
	server.Start()
	t.Cleanup(server.Close)
	return c
}

// visit is a browser's request that stops at the first redirect and returns its target.
func visit(t *testing.T, address string) *url.URL {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	target, err := resp.Location()
	if err != nil {
		t.Fatalf("%s: %v", resp.Status, err)
	}
	return target
}

// signIn goes through the hosted page and returns the code that came back.
func signIn(t *testing.T, c *Client, email, verifier string) string {
	t.Helper()
	challenge := sha256.Sum256([]byte(verifier))
	address, err := c.AuthorizeURL(AuthorizeOptions{
		State:         "a~state*with/signs",
		CodeChallenge: base64.RawURLEncoding.EncodeToString(challenge[:]),
		LoginHint:     email,
	})
	if err != nil {
		t.Fatal(err)
	}
	callback := visit(t, address)
	if got := callback.Query().Get("state"); got != "a~state*with/signs" {
		t.Fatalf("state: got %s, want a~state*with/signs", got)
	}
	return callback.Query().Get("code")
}

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	c := emulated(t)
	answer, err := c.ExchangeCode(t.Context(), signIn(t, c, "zoe@acme.example", verifier), verifier, "192.0.2.7", "Firefox")
	first := decode(t, answer, err)
	if first.User.Email != "zoe@acme.example" {
		t.Errorf("user: got %s, want zoe@acme.example", first.User.Email)
	}

	answer, err = c.Refresh(t.Context(), first.RefreshToken, first.OrganizationID)
	second := decode(t, answer, err)
	if second.RefreshToken == first.RefreshToken || second.OrganizationID != first.OrganizationID || second.User.Email != "zoe@acme.example" {
		t.Errorf("refresh: got %s, want a new token, the same organization and user", answer)
	}
	if _, err := c.Refresh(t.Context(), first.RefreshToken, ""); err != session.ErrInvalidGrant {
		t.Errorf("spent refresh token: got %v, want %v", err, session.ErrInvalidGrant)
	}

	logout, err := c.LogoutURL(sessionID(t, second.AccessToken), "http://localhost:3000/bye")
	if err != nil {
		t.Fatal(err)
	}
	if got := visit(t, logout).String(); got != "http://localhost:3000/bye" {
		t.Errorf("logout: got %s, want http://localhost:3000/bye", got)
	}
	if _, err := c.Refresh(t.Context(), second.RefreshToken, ""); err != session.ErrInvalidGrant {
		t.Errorf("after logout: got %v, want %v", err, session.ErrInvalidGrant)
	}
}

func TestRoundTripWithOrganizationSelection(t *testing.T) {
	t.Parallel()
	c := emulated(t)
	_, err := c.ExchangeCode(t.Context(), signIn(t, c, "sam@example.com", verifier), verifier, "", "")
	var choice *Error
	if !errors.As(err, &choice) || len(choice.Organizations) != 2 {
		t.Fatalf("got %v, want two organizations", err)
	}
	pending := string(choice.PendingAuthenticationToken)

	var step *session.StepRequired
	if _, err := c.SelectOrganization(t.Context(), pending, "org_of_others"); !errors.As(err, &step) {
		t.Errorf("another's organization: got %v, want a step", err)
	}
	answer, err := c.SelectOrganization(t.Context(), pending, choice.Organizations[1].ID)
	if got := decode(t, answer, err).OrganizationID; got != choice.Organizations[1].ID {
		t.Errorf("got %s, want %s", got, choice.Organizations[1].ID)
	}
	if _, err := c.SelectOrganization(t.Context(), pending, choice.Organizations[1].ID); !errors.Is(err, session.ErrInvalidGrant) {
		t.Errorf("spent pending token: got %v, want %v", err, session.ErrInvalidGrant)
	}
}

func TestRefusedByEmulator(t *testing.T) {
	t.Parallel()
	c := emulated(t)
	code := signIn(t, c, "zoe@acme.example", verifier)

	stranger := *c
	stranger.APIKey = "sk_of_others"
	var outage *session.Outage
	if _, err := stranger.ExchangeCode(t.Context(), code, verifier, "", ""); !errors.As(err, &outage) || !outage.Refused {
		t.Errorf("wrong API key: got %v, want a refusal", err)
	}
	if _, err := c.ExchangeCode(t.Context(), code, "another-verifier", "", ""); !errors.Is(err, session.ErrInvalidGrant) {
		t.Errorf("wrong code verifier: got %v, want %v", err, session.ErrInvalidGrant)
	}
	if _, err := c.ExchangeCode(t.Context(), code, verifier, "", ""); !errors.Is(err, session.ErrInvalidGrant) {
		t.Errorf("spent code: got %v, want %v", err, session.ErrInvalidGrant)
	}
}

// sessionID reads sid from an access token, unverified.
func sessionID(t *testing.T, accessToken string) string {
	t.Helper()
	parts := strings.Split(accessToken, ".")
	if len(parts) != 3 {
		t.Fatalf("got %d parts, want 3", len(parts))
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		SessionID string `json:"sid"`
	}
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	return claims.SessionID
}
