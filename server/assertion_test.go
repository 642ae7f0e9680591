package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const assertionHeader = "X-Auth-Request-Assertion"

// keySet is what the service publishes.
func (w *world) keySet(t *testing.T) jose.JSONWebKeySet {
	t.Helper()
	a := ask(t, w.Handler(), "GET", "http://auth:9000/_auth/jwks.json", "")
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(a.Body.Bytes(), &set); a.Code != http.StatusOK || err != nil {
		t.Fatalf("got %d %s, want a key set", a.Code, a.Body)
	}
	return set
}

// asserted is what an app reads in an assertion, as its docs say: signed by a published key, of this issuer, for this host, and good now.
func (w *world) asserted(t *testing.T, text, host string) map[string]any {
	t.Helper()
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	var standard jwt.Claims
	var said map[string]any
	if err := token.Claims(w.keySet(t), &standard, &said); err != nil {
		t.Fatal(err)
	}
	if err := standard.ValidateWithLeeway(jwt.Expected{Issuer: origin + "/_auth", AnyAudience: jwt.Audience{host}, Time: time.Now()}, 0); err != nil {
		t.Errorf("got %v of %v", err, said)
	}
	return said
}

// at asks about a request with a credential, at a host, and returns the assertion.
func (w *world) at(t *testing.T, host, credential string) (*httptest.ResponseRecorder, string) {
	t.Helper()
	a := ask(t, w.Handler(), "GET", "/verify/forward-auth", strings.Replace(forwarded, "localhost:3000", host, 1)+assertionHeader+": mallory\n"+credential)
	if lines := a.Header()[assertionHeader]; a.Code == http.StatusOK && len(lines) != 1 {
		t.Errorf("got %q, want one line", lines)
	}
	return a, a.Header().Get(assertionHeader)
}

func TestAssertion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "IDENTITY_HEADERS", "default,assertion").ready(t)
	session := "Cookie: wos-session=" + w.signIn(t, zoe, 0)

	_, text := w.at(t, "localhost:3000", session)
	said := w.asserted(t, text, "localhost:3000")
	for claim, want := range map[string]any{
		"sub": "user_01JE28JT97KB6CQ643DZVMXXQK", "email": zoe, "email_verified": true, "name": "Zoë Ångström", "org": acmeID, "role": "admin",
	} {
		if said[claim] != want {
			t.Errorf("%s: got %v, want %v", claim, said[claim], want)
		}
	}
	if sid, _ := said["sid"].(string); !strings.HasPrefix(sid, "session_") || len(text) > 1024 {
		t.Errorf("got sid %q in %d bytes, want the session's in less than 1 KB", sid, len(text))
	}
	if _, again := w.at(t, "localhost:3000", session); again != text {
		t.Error("the same request again: got another assertion, want the one that was kept")
	}
	if got := ask(t, w.Handler(), "GET", "/verify/auth-request", original+session).Header().Get(assertionHeader); got != text {
		t.Errorf("for nginx: got %q, want the same", got)
	}
	if a, none := w.at(t, "localhost:3000", ""); a.Code != http.StatusUnauthorized || none != "" {
		t.Errorf("without a session: got %d with %q, want 401 without", a.Code, none)
	}
	if a := ask(t, w.Handler(), "GET", "/verify", forwarded+session); a.Code != http.StatusOK || a.Header().Get(assertionHeader) != "" {
		t.Errorf("GATEWAY isn't set: got %d with %q, want 200 without", a.Code, a.Header().Get(assertionHeader))
	}
}

// An app at one host can't use its assertion at another's.
func TestAssertionIsForOneHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "IDENTITY_HEADERS", "assertion", "WORKOS_REDIRECT_URI", "http://auth.app.localhost:3000/_auth/callback", "WORKOS_COOKIE_DOMAIN", "app.localhost").ready(t)
	session := "Cookie: wos-session=" + w.signIn(t, zoe, 0)
	seen := map[string]bool{}
	for _, host := range []string{"a.app.localhost:3000", "b.app.localhost:3000", "a.app.localhost:4000", "A.app.localhost.:3000"} {
		_, text := w.at(t, host, session)
		token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		var claims jwt.Claims
		if err := token.Claims(w.keySet(t), &claims); err != nil {
			t.Fatal(err)
		}
		want := strings.Replace(strings.ToLower(host), ".:", ":", 1)
		if len(claims.Audience) != 1 || claims.Audience[0] != want || claims.Issuer != "http://auth.app.localhost:3000/_auth" {
			t.Errorf("%s: got %q by %s, want it alone", host, claims.Audience, claims.Issuer)
		}
		seen[text] = true
	}
	if len(seen) != 3 {
		t.Errorf("got %d assertions, want one for each of three hosts", len(seen))
	}
}

// Each site's assertions name its own sign-in flow, below which the one key set is.
func TestAssertionsOfSeveralSites(t *testing.T) {
	t.Parallel()
	w := severalSites(t, "IDENTITY_HEADERS", "assertion")
	session := "Cookie: wos-session=" + w.signIn(t, zoe, 0)
	for host, issuer := range map[string]string{
		"wiki.one.localhost:3000":    "http://app.one.localhost:3000/_auth",
		"two.localhost:3000":         "http://two.localhost:3000/sso",
		"a.customers.localhost:3000": "http://a.customers.localhost:3000/_auth",
		"b.customers.localhost:3000": "http://b.customers.localhost:3000/_auth",
	} {
		_, text := w.at(t, host, session)
		token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		var set jose.JSONWebKeySet
		a := ask(t, w.Handler(), "GET", issuer+"/jwks.json", "")
		if err := json.Unmarshal(a.Body.Bytes(), &set); err != nil {
			t.Fatalf("%s: %d %s: %v", issuer, a.Code, a.Body, err)
		}
		var claims jwt.Claims
		if err := token.Claims(set, &claims); err != nil || claims.Issuer != issuer || !slices.Equal(claims.Audience, jwt.Audience{host}) {
			t.Errorf("%s: got %s for %q, %v, want %s for it alone", host, claims.Issuer, claims.Audience, err, issuer)
		}
	}
}

// A session that goes on with another role never has the old assertion again, neither with its old cookie nor with the new one.
func TestAssertionAfterAChangeOfRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "IDENTITY_HEADERS", "assertion", "WORKOS_WEBHOOK_SECRET", secretKey).ready(t)
	response, err := w.authKit.SignIn(sam, acmeID)
	if err != nil {
		t.Fatal(err)
	}
	sealed, _, err := w.sessions.SignIn(response)
	if err != nil {
		t.Fatal(err)
	}
	session := "Cookie: wos-session=" + sealed
	_, before := w.at(t, "localhost:3000", session)
	was := w.asserted(t, before, "localhost:3000")
	if err := w.authKit.SetRole("", "auditor", []string{"logs:read"}); err != nil {
		t.Fatal(err)
	}
	if err := w.authKit.ChangeRole("om_01JSSZ7H2ES3Q5W8Y1B4D6F9GJ", "auditor"); err != nil {
		t.Fatal(err)
	}
	event := fmt.Sprintf(`{"id":"event_1","event":"organization_membership.updated","data":{"user_id":%q,"organization_id":%q,"status":"active"},"created_at":%q}`,
		was["sub"], acmeID, time.Now().UTC().Format(time.RFC3339Nano))
	if got := w.deliver(t, secretKey, event); got.Code != http.StatusOK {
		t.Fatalf("got %d for the event, want 200", got.Code)
	}
	a, after := w.at(t, "localhost:3000", session+"\nSec-Fetch-Mode: cors\nSec-Fetch-Dest: empty\n")
	is := w.asserted(t, after, "localhost:3000")
	if after == before || was["role"] != "member" || is["role"] != "auditor" || is["sid"] != was["sid"] {
		t.Errorf("got %v in %v, then %v in %v, want another role in the same session", was["role"], was["sid"], is["role"], is["sid"])
	}
	renewed := (&http.Response{Header: a.Header()}).Cookies()
	if len(renewed) == 0 {
		t.Fatal("got no new cookie")
	}
	_, again := w.at(t, "localhost:3000", "Cookie: wos-session="+renewed[0].Value)
	if said := w.asserted(t, again, "localhost:3000"); said["role"] != "auditor" {
		t.Errorf("with the new cookie: got %v, want auditor", said["role"])
	}
}

// A session that has ended has none, although one is kept.
func TestAssertionAfterASignOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "IDENTITY_HEADERS", "assertion", "WORKOS_WEBHOOK_SECRET", secretKey).ready(t)
	session := "Cookie: wos-session=" + w.signIn(t, zoe, 0)
	_, before := w.at(t, "localhost:3000", session)
	said := w.asserted(t, before, "localhost:3000")
	w.deliver(t, secretKey, fmt.Sprintf(`{"id":"event_1","event":"session.revoked","data":{"id":%q,"user_id":%q},"created_at":%q}`,
		said["sid"], said["sub"], time.Now().UTC().Format(time.RFC3339Nano)))
	if a, text := w.at(t, "localhost:3000", session); a.Code != http.StatusUnauthorized || text != "" {
		t.Errorf("got %d with %q, want 401 without", a.Code, text)
	}
}

// Whoever isn't a browser has an assertion too, for apps that know neither keys nor tokens.
func TestAssertionOfCredentials(t *testing.T) {
	t.Parallel()
	w, _ := newAccessWorld(t, "IDENTITY_HEADERS", "assertion")
	for _, tt := range []struct {
		name, path, line string
		want             map[string]any
	}{
		{"a session's token", "/tokens", "Authorization: Bearer " + w.accessToken(t, zoe, ""), map[string]any{"sub": "user_01JE28JT97KB6CQ643DZVMXXQK", "role": "admin", "act": nil, "client": nil}},
		{"an API key", "/api/x", "X-API-Key: " + acmeKey, map[string]any{"sub": acmeKeyID, "org": acmeID, "sid": nil}},
		{"an agent to whom the user has delegated", "/tokens", "Authorization: Bearer " + w.connectToken(t, map[string]any{
			"sub": "user_01JE28JT97KB6CQ643DZVMXXQK", "client_id": "client_01AGENTS", "act": map[string]any{"sub": "agent_reg_01"}, "scope": "openid files:read",
		}), map[string]any{"sub": "user_01JE28JT97KB6CQ643DZVMXXQK", "act": map[string]any{"sub": "agent_reg_01"}, "client": "client_01AGENTS", "impersonator": nil, "scope": "openid files:read"}},
	} {
		status, reason, header := w.request(t, tt.path, tt.line)
		if status != http.StatusOK {
			t.Fatalf("%s: got %d %s, want 200", tt.name, status, reason)
		}
		said := w.asserted(t, header.Get(assertionHeader), "localhost:3000")
		for claim, want := range tt.want {
			if !reflect.DeepEqual(said[claim], want) {
				t.Errorf("%s: %s: got %v, want %v", tt.name, claim, said[claim], want)
			}
		}
		if said["email"] != nil {
			t.Errorf("%s: got the address %v, want none", tt.name, said["email"])
		}
	}
}

func TestJWKS(t *testing.T) {
	t.Parallel()
	keys := filepath.Join(t.TempDir(), "keys.pem")
	var text []byte
	for _, name := range []string{"sec1", "pkcs8"} {
		key, err := os.ReadFile("../assertion/testdata/" + name + ".pem")
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, key...)
	}
	if err := os.WriteFile(keys, text, 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, "IDENTITY_HEADERS", "assertion", "ASSERTION_KEY_FILE", keys).ready(t)
	var ids []string
	for _, key := range w.keySet(t).Keys {
		ids = append(ids, key.KeyID)
	}
	if want := []string{"FZOlA5QkWzoOs3qWU4IeNOjtBz2PFdVJ7bFJz8itjnE", "cmKDSXie0exYRnNNKbM59VlgcN5fNB0SRl5NN9ZNYo0"}; !slices.Equal(ids, want) {
		t.Errorf("got the keys %q, want %q", ids, want)
	}
	_, signed := w.at(t, "localhost:3000", "Cookie: wos-session="+w.signIn(t, zoe, 0))
	if token, err := jwt.ParseSigned(signed, []jose.SignatureAlgorithm{jose.ES256}); err != nil || token.Headers[0].KeyID != ids[0] {
		t.Errorf("got %v, want it signed by the file's first key", err)
	}
	for _, tt := range []struct {
		method, url string
		status      int
	}{
		{"GET", "http://auth:9000/_auth/jwks.json", 200}, // an app, within
		{"GET", origin + "/_auth/jwks.json", 200},        // through the gateway
		{"HEAD", origin + "/_auth/jwks.json", 200},
		{"OPTIONS", origin + "/_auth/jwks.json", 204},
		{"POST", origin + "/_auth/jwks.json", 405},
		{"GET", origin + "/jwks.json", 404},
		{"GET", origin + "/_auth/jwks.json/", 404},
	} {
		a := ask(t, w.Handler(), tt.method, tt.url, "")
		if a.Code != tt.status {
			t.Errorf("%s %s: got %d, want %d", tt.method, tt.url, a.Code, tt.status)
		}
		if h := a.Header(); a.Code == 200 && (h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "public, max-age=300" || h.Get("Access-Control-Allow-Origin") != "*" || len(h["Set-Cookie"]) > 0) {
			t.Errorf("%s %s: got %v, want JSON for anybody, for five minutes", tt.method, tt.url, h)
		}
	}
	// A middleware on a whole entry point asks about it too: it is let through, for nobody, to the gateway's route.
	asked := ask(t, w.Handler(), "GET", "/verify/forward-auth", strings.Replace(forwarded, "/reports", "/_auth/jwks.json", 1)+"Cookie: wos-session="+w.signIn(t, zoe, 0))
	if asked.Code != 200 || asked.Header().Get("X-Auth-Request-User") != "" || asked.Header().Get(assertionHeader) != "" {
		t.Errorf("got %d for %q, want 200 for nobody", asked.Code, asked.Header().Get("X-Auth-Request-User"))
	}

	without := newWorld(t).ready(t)
	if a := ask(t, without.Handler(), "GET", origin+"/_auth/jwks.json", ""); a.Code != 404 {
		t.Errorf("without assertions: got %d, want 404", a.Code)
	}
	if a := ask(t, without.Handler(), "GET", "/verify/forward-auth", strings.Replace(forwarded, "/reports", "/_auth/jwks.json", 1)); a.Code != 401 {
		t.Errorf("without assertions the path is the app's: got %d, want 401", a.Code)
	}
	if a, text := without.at(t, "localhost:3000", "Cookie: wos-session="+without.signIn(t, zoe, 0)); a.Code != 200 || text != "" {
		t.Errorf("without assertions: got %d with %q, want 200 with an empty header", a.Code, text)
	}
}
