package e2e

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"testing"
)

// An app that uses WorkOS's SDK for Node.js shares the session cookie with this
// service, in both directions.
func TestNodeSDKOpensOurCookie(t *testing.T) {
	t.Parallel()
	s := newStack(t, noGateway())
	b := newBrowser(t)
	b.signIn(s.origin+"/_auth/login", zoe)

	var got struct {
		Authenticated  bool     `json:"authenticated"`
		Reason         string   `json:"reason"`
		SessionID      string   `json:"sessionId"`
		OrganizationID string   `json:"organizationId"`
		Role           string   `json:"role"`
		Permissions    []string `json:"permissions"`
		User           struct {
			ID        string            `json:"id"`
			FirstName string            `json:"firstName"`
			Metadata  map[string]string `json:"metadata"`
		} `json:"user"`
	}
	s.node(t, "authenticate", map[string]any{"sessionData": b.cookie(s.origin, "wos-session")}, &got)

	if !got.Authenticated {
		t.Fatalf("authenticated: got false (%s), want true", got.Reason)
	}
	if got.User.ID != zoeID || got.OrganizationID != acmeID || got.Role != "admin" {
		t.Errorf("session: got user %s, organization %s, role %s", got.User.ID, got.OrganizationID, got.Role)
	}
	if got.User.FirstName != "Zoë" || got.User.Metadata["department"] != "Research, Lund" {
		t.Errorf("user: got %q of %q, want Zoë of Research, Lund", got.User.FirstName, got.User.Metadata["department"])
	}
}

func TestNodeSDKCookiePassesVerify(t *testing.T) {
	t.Parallel()
	s := newStack(t, noGateway())
	var sealed struct {
		SealedSession string `json:"sealedSession"`
	}
	s.node(t, "seal", map[string]any{"code": s.code(t, zoe)}, &sealed)
	s.wantVerified(t, sealed.SealedSession)

	var refreshed struct {
		Authenticated bool   `json:"authenticated"`
		SealedSession string `json:"sealedSession"`
	}
	s.node(t, "refresh", map[string]any{"sessionData": sealed.SealedSession}, &refreshed)
	if !refreshed.Authenticated {
		t.Fatal("refresh by the SDK: got authenticated false, want true")
	}
	s.wantVerified(t, refreshed.SealedSession)
}

// After a refresh by this service the SDK goes on with the new cookie.
func TestNodeSDKOpensRefreshedCookie(t *testing.T) {
	t.Parallel()
	s := newStack(t, noGateway())
	b := newBrowser(t)
	b.setSession(s.origin, s.expiredSession(t, zoe))
	a := s.verify(t, b, documentHeaders())
	if a.Status != http.StatusSeeOther || !setsSession(a) {
		t.Fatalf("verify: got status %d and a cookie %t, want 303 with one", a.Status, setsSession(a))
	}
	// The answer is for the gateway, its cookie for the browser: same host, so the jar has it.

	var got struct {
		Authenticated bool `json:"authenticated"`
	}
	s.node(t, "authenticate", map[string]any{"sessionData": b.cookie(s.origin, "wos-session")}, &got)
	if !got.Authenticated {
		t.Error("authenticated: got false, want true")
	}
}

// noGateway is for tests that ask the service themselves, as a gateway does.
func noGateway() gateway {
	return gateway{"none", "traefik", localhost, nil}
}

// verify asks the service as Traefik does, with the cookies of a browser.
func (s *stack) verify(t *testing.T, b *browser, h http.Header) answer {
	t.Helper()
	h = maps.Clone(h)
	for name, value := range map[string]string{
		"X-Forwarded-Method": http.MethodGet, "X-Forwarded-Proto": "http",
		"X-Forwarded-Host": "localhost:" + portOf(t, s.at.gateway), "X-Forwarded-Uri": deepLink,
	} {
		h[name] = []string{value}
	}
	return b.send(http.MethodGet, s.origin+"/verify", h, "")
}

func (s *stack) wantVerified(t *testing.T, sealed string) {
	t.Helper()
	b := newBrowser(t)
	b.setSession(s.origin, sealed)
	a := s.verify(t, b, fetchHeaders())
	if a.Status != http.StatusOK || a.Header.Get("X-Auth-Request-User") != zoeID {
		t.Errorf("verify: got status %d for %q, want 200 for %q: %s", a.Status, a.Header.Get("X-Auth-Request-User"), zoeID, a.Body)
	}
}

// node runs a command of node/sdk.mjs.
func (s *stack) node(t *testing.T, command string, input map[string]any, output any) {
	t.Helper()
	node := program(t, "node")
	if _, err := os.Stat("node/node_modules/@workos-inc/node"); err != nil {
		missing(t, "@workos-inc/node is not installed")
	}
	api, err := url.Parse(s.api)
	if err != nil {
		t.Fatal(err)
	}
	input = maps.Clone(input)
	maps.Copy(input, map[string]any{
		"apiKey": apiKey, "clientId": clientID, "cookiePassword": cookiePassword, "port": json.Number(api.Port()),
	})
	stdin, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "sdk.mjs", command)
	cmd.Dir = "node"
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("node sdk.mjs %s: %v\n%s", command, err, stderr.String())
	}
	if err := json.Unmarshal(stdout, output); err != nil {
		t.Fatalf("node sdk.mjs %s: %v: %s", command, err, stdout)
	}
}
