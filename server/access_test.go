package server

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

const (
	zoe = "zoe@acme.example" // an admin of Acme
	sam = "sam@example.com"  // a member of Acme, owner of Globex

	acmeID, globexID     = "org_01JSSZ5AWSH8VHTPRE95B9EE0Z", "org_01JBGJ09TQM83XSSSS6YS3C4DW"
	acmeKey, acmeKeyID   = "sk_emulator_acme_reports_T4Q9ZX7M2KWB", "api_key_01JY2M5RT7WX3Z6B8D0F4H9K1N"
	globexKey, secretKey = "sk_emulator_globex_reports_H8N3VD5R6YCJ", "whsec_0123456789abcdef"
	agentKey, agentID    = "sk_emulator_globex_agent_C6W2YP9K4VTD", "agent_reg_01JY2M8VZ0A6C9E1G3J7M2P4R"
)

const accessPolicy = `
default: authenticated
rules:
  - name: reports API
    paths: [/api/**]
    credentials: [bearer, api_key]
    require: {organizations: [ACME], permissions: [reports:read]}
  - name: tokens of anybody
    paths: [/tokens]
    credentials: [bearer]
  - name: globex
    paths: [/globex]
    require: {organizations: [GLOBEX]}
  - name: admin
    paths: [/admin]
    require: {roles: [admin]}
`

// newAccessWorld is a world with a policy and all kinds of credentials.
func newAccessWorld(t *testing.T, pairs ...string) (w *world, policyFile string) {
	t.Helper()
	policyFile = filepath.Join(t.TempDir(), "policy.yaml")
	text := strings.NewReplacer("ACME", acmeID, "GLOBEX", globexID).Replace(accessPolicy)
	if err := os.WriteFile(policyFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := append([]string{
		"POLICY_FILE", policyFile, "BEARER_ISSUERS", "AUTHKIT", "WORKOS_WEBHOOK_SECRET", secretKey, "GATEWAY", "traefik",
	}, pairs...)
	return newWorld(t, settings...).ready(t), policyFile
}

// request asks about a path with one more header line.
func (w *world) request(t *testing.T, path, line string) (status int, reason string, header http.Header) {
	t.Helper()
	request := strings.Replace(forwarded, "/reports", path, 1) + line
	answer := ask(t, w.Handler(), "GET", "/verify/forward-auth", request)
	return answer.Code, answer.Header().Get("X-Auth-Reason"), answer.Header()
}

// accessToken is that of a new session.
func (w *world) accessToken(t *testing.T, email, organizationID string) string {
	t.Helper()
	response, err := w.authKit.SignIn(email, organizationID)
	if err != nil {
		t.Fatal(err)
	}
	var session struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(response, &session); err != nil {
		t.Fatal(err)
	}
	return session.AccessToken
}

func (w *world) connectToken(t *testing.T, claims map[string]any) string {
	t.Helper()
	token, err := w.authKit.ConnectToken(claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Bearer tokens and API keys, from the gateway's request to AuthKit's keys and back.
func TestCredentials(t *testing.T) {
	t.Parallel()
	w, _ := newAccessWorld(t)
	other, _ := newAccessWorld(t)
	token := w.accessToken(t, zoe, "")
	parts := strings.Split(token, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	tests := []struct {
		name, path, line string
		status           int
		reason, user     string
	}{
		{"session's access token", "/api/x", "Authorization: Bearer " + token, 200, "", "user_01JE28JT97KB6CQ643DZVMXXQK"},
		{"of a member", "/api/x", "Authorization: Bearer " + w.accessToken(t, sam, acmeID), 200, "", "user_01JFBF5KZNWJ47TAN9ZT24MNPZ"},
		{"in another organization", "/api/x", "Authorization: Bearer " + w.accessToken(t, sam, globexID), 403, "forbidden", ""},
		{"of a machine", "/tokens", "Authorization: Bearer " + w.connectToken(t, nil), 200, "", "client_01JY2N7TW9YZ5B8D0F2H6K1N3Q"},
		{"of a machine without the permission", "/api/x", "Authorization: Bearer " + w.connectToken(t, nil), 403, "forbidden", ""},
		{"for another audience", "/tokens", "Authorization: Bearer " + w.connectToken(t, map[string]any{"aud": "client_of_somebody_else"}), 401, "bad_credential", ""},
		{"of another issuer", "/tokens", "Authorization: Bearer " + w.connectToken(t, map[string]any{"iss": "https://evil.example"}), 401, "bad_credential", ""},
		{"a machine's that calls itself a session's", "/tokens", "Authorization: Bearer " + w.connectToken(t, map[string]any{"client_id": "client_01ABC"}), 401, "bad_credential", ""},
		{"expired", "/tokens", "Authorization: Bearer " + w.connectToken(t, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}), 401, "bad_credential", ""},
		{"another environment's machine", "/tokens", "Authorization: Bearer " + other.connectToken(t, map[string]any{"iss": w.config.BearerIssuers[0]}), 401, "bad_credential", ""},
		{"alg none", "/tokens", "Authorization: Bearer " + none + "." + parts[1] + ".", 401, "bad_credential", ""},
		{"HS256 with the public key", "/tokens", "Authorization: Bearer " + withPublicKey(t, parts[1]), 401, "bad_credential", ""},
		{"changed claims", "/tokens", "Authorization: Bearer " + parts[0] + "." + parts[1][:len(parts[1])-4] + "AAAA." + parts[2], 401, "bad_credential", ""},
		{"in the query", "/tokens?access_token=" + token, "", 401, "no_credential", ""},
		{"a session's cookie as a token", "/tokens", "Authorization: Bearer " + w.signIn(t, paula, 0), 401, "bad_credential", ""},
		{"a session where none is taken", "/tokens", "Cookie: wos-session=" + w.signIn(t, paula, 0), 401, "no_credential", ""},

		{"API key", "/api/x", "X-API-Key: " + acmeKey, 200, "", acmeKeyID},
		{"API key as a token", "/api/x", "Authorization: Bearer " + acmeKey, 200, "", acmeKeyID},
		{"of another organization", "/api/x", "X-API-Key: " + globexKey, 403, "forbidden", ""},
		{"unknown", "/api/x", "X-API-Key: sk_unknown_0123456789", 401, "bad_credential", ""},
		{"our own API key", "/api/x", "X-API-Key: " + goodKey, 401, "bad_credential", ""},
		{"where keys aren't taken", "/tokens", "Authorization: Bearer " + acmeKey, 401, "bad_credential", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // the second time from memory
				status, reason, header := w.request(t, tt.path, tt.line)
				if status != tt.status || reason != tt.reason || header.Get("X-Auth-Request-User") != tt.user {
					t.Errorf("got %d %s %q, want %d %s %q", status, reason, header.Get("X-Auth-Request-User"), tt.status, tt.reason, tt.user)
				}
				if challenge := header.Get("WWW-Authenticate"); (tt.status != 401) != (challenge == "") || header.Get("Location")+header.Get("X-Auth-Login-URL") != "" {
					t.Errorf("got WWW-Authenticate %q and %v", challenge, header)
				}
			}
		})
	}
	if log := w.log.String(); strings.Contains(log, "sk_") || strings.Contains(log, parts[1]) {
		t.Errorf("got log %s, want neither key nor token in it", log)
	}
	if got := w.authKit.Calls()["api_keys.validate"]; got != 4 { // two that are good, one unknown, ours
		t.Errorf("validations: got %d, want 4", got)
	}
}

// Each issuer's keys are good for its own tokens alone.
func TestConnectIssuersApart(t *testing.T) {
	t.Parallel()
	other, _ := newAccessWorld(t)
	second := other.config.BearerIssuers[0]
	w, _ := newAccessWorld(t, "BEARER_ISSUERS", "AUTHKIT,"+second)
	first := w.config.BearerIssuers[0]
	for _, tt := range []struct {
		name string
		by   *world
		iss  string
		want int
	}{
		{"the first one's", w, first, 200},
		{"the second one's", other, second, 200},
		{"the first one's that names the second", w, second, 401},
		{"the second one's that names the first", other, first, 401},
	} {
		token := tt.by.connectToken(t, map[string]any{"iss": tt.iss})
		if status, _, _ := w.request(t, "/tokens", "Authorization: Bearer "+token); status != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, status, tt.want)
		}
	}
}

// withPublicKey signs claims with the public key as if it were a secret (RFC 8725, 2.1).
func withPublicKey(t *testing.T, payload string) string {
	t.Helper()
	key, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	secret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secret}, nil)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// A session that WorkOS revokes ends here at once, though it is remembered.
func TestCredentialsRevoked(t *testing.T) {
	t.Parallel()
	w, _ := newAccessWorld(t)
	token := w.accessToken(t, zoe, "")
	now := func() string { return time.Now().UTC().Format(time.RFC3339Nano) }
	for _, line := range []string{"X-API-Key: " + acmeKey, "Authorization: Bearer " + token} {
		if status, _, _ := w.request(t, "/api/x", line); status != 200 {
			t.Fatalf("before: got %d, want 200", status)
		}
	}
	if err := w.authKit.DeleteAPIKey(acmeKeyID); err != nil {
		t.Fatal(err)
	}
	w.deliver(t, secretKey, fmt.Sprintf(`{"id":"event_1","event":"api_key.revoked","data":{"id":%q},"created_at":%q}`, acmeKeyID, now()))
	if status, reason, _ := w.request(t, "/api/x", "X-API-Key: "+acmeKey); status != 401 || reason != "bad_credential" {
		t.Errorf("the key: got %d %s, want 401 bad_credential", status, reason)
	}
	w.deliver(t, secretKey, fmt.Sprintf(`{"id":"event_2","event":"user.deleted","data":{"id":"user_01JE28JT97KB6CQ643DZVMXXQK"},"created_at":%q}`, now()))
	if status, reason, _ := w.request(t, "/api/x", "Authorization: Bearer "+token); status != 401 || reason != "bad_credential" {
		t.Errorf("the token: got %d %s, want 401 bad_credential", status, reason)
	}
}

// While WorkOS can't be asked, a key that it has just held for valid goes on; nobody
// can tell about another.
func TestCredentialOutages(t *testing.T) {
	t.Parallel()
	w, _ := newAccessWorld(t)
	if status, _, _ := w.request(t, "/api/x", "X-API-Key: "+acmeKey); status != 200 {
		t.Fatalf("before: got %d, want 200", status)
	}
	for _, endpoint := range []string{"api_keys.validate", "connect.jwks"} {
		if err := w.authKit.AddFault(emulator.Fault{Endpoint: endpoint, Status: 500}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, path, line string
		status           int
		reason           string
	}{
		{"a known key", "/api/x", "X-API-Key: " + acmeKey, 200, ""},
		{"another key", "/api/x", "X-API-Key: " + globexKey, 503, "unavailable"},
		{"a machine's token", "/tokens", "Authorization: Bearer " + w.connectToken(t, nil), 503, "unavailable"},
		{"a session's token", "/tokens", "Authorization: Bearer " + w.accessToken(t, zoe, ""), 200, ""},
	} {
		status, reason, header := w.request(t, tt.path, tt.line)
		if status != tt.status || reason != tt.reason || status == 503 && header.Get("Retry-After") == "" {
			t.Errorf("%s: got %d %s, want %d %s", tt.name, status, reason, tt.status, tt.reason)
		}
	}
}

// The 403 page offers what the user's memberships allow, and asks WorkOS for them once
// in a while.
func TestSwitchIsOffered(t *testing.T) {
	t.Parallel()
	w, _ := newAccessWorld(t)
	page := func(email, organizationID string) string {
		response, err := w.authKit.SignIn(email, organizationID)
		if err != nil {
			t.Fatal(err)
		}
		sealed, _, err := w.sessions.SignIn(response)
		if err != nil {
			t.Fatal(err)
		}
		answer := ask(t, w.Handler(), "GET", "/verify/forward-auth", strings.Replace(forwarded, "/reports", "/globex", 1)+document+"Cookie: wos-session="+sealed)
		if answer.Code != 403 {
			t.Errorf("%s: got %d, want 403", email, answer.Code)
		}
		return answer.Body.String()
	}
	link := `href="http://localhost:3000/_auth/switch?rd=http%3A%2F%2Flocalhost%3A3000%2Fglobex&amp;organization_id=` + globexID + `">Switch to Globex<`
	for range 3 {
		if body := page(sam, acmeID); !strings.Contains(body, link) || !strings.Contains(body, "Sign in as someone else") {
			t.Errorf("a member: got %s, want %s", body, link)
		}
	}
	if body := page(zoe, acmeID); strings.Contains(body, "switch") || !strings.Contains(body, "Sign in as someone else") {
		t.Errorf("no member: got %s, want no switch", body)
	}
	if err := w.authKit.AddFault(emulator.Fault{Endpoint: "memberships.list", Status: 500}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if body := page("iris@acme.example", acmeID); strings.Contains(body, "switch") || !strings.Contains(body, "Sign in as someone else") {
			t.Errorf("WorkOS is down: got %s, want no switch", body)
		}
	}
	if got := w.authKit.Calls()["memberships.list"]; got != 3 {
		t.Errorf("calls for memberships: got %d, want 3", got)
	}
}

// A policy that goes bad is named, and the one before it stays in force. SIGHUP has it
// read at once.
func TestPolicyDegraded(t *testing.T) {
	t.Parallel()
	w, file := newAccessWorld(t, "ADMIN_ADDR", "127.0.0.1:0")
	_, _, stop := run(t, w, 2)
	defer stop()
	admin := "Cookie: wos-session=" + w.signIn(t, paula, 0)
	if status, _, _ := w.request(t, "/admin", admin); status != 403 {
		t.Fatalf("before: got %d, want 403", status)
	}
	if err := os.WriteFile(file, []byte("default: authenticated\nrules:\n  - nam: everybody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hangUpSelf(t)
	eventually(t, "/readyz names the policy", func() bool {
		return strings.Contains(page(t, w.Server, "/readyz"), "degraded: the policy file can't be used")
	})
	if got := w.metric(t, "policy_stale"); got != "policy_stale 1" {
		t.Errorf("got %q, want 1", got)
	}
	if status, _, _ := w.request(t, "/admin", admin); status != 403 {
		t.Errorf("with a bad file: got %d, want 403", status)
	}
	if err := os.WriteFile(file, []byte("default: authenticated\nrules:\n  - name: everybody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hangUpSelf(t)
	eventually(t, "the new policy is in force", func() bool {
		status, _, _ := w.request(t, "/admin", admin)
		return status == 200
	})
}

// hangUpSelf sends SIGHUP to this process, in which a Run is waiting for it.
func hangUpSelf(t *testing.T) {
	t.Helper()
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Signal(syscall.SIGHUP)
	}
	if err != nil {
		t.Fatal(err)
	}
}
