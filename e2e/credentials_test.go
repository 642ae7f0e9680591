package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

// credentialsPolicy has a rule for each kind of caller.
const credentialsPolicy = `
default: authenticated
rules:
  - name: reports
    hosts: [localhost]
    paths: [/v1/**]
    credentials: [bearer, api_key]
    require: {permissions: [reports:read]}
  - name: one organization's programs
    hosts: [localhost]
    paths: [/programs/**]
    credentials: [bearer]
    require: {organizations: [org_01JSSZ5AWSH8VHTPRE95B9EE0Z]}
  - name: both
    hosts: [localhost]
    paths: [/both/**]
    credentials: [bearer, cookie]
`

// The applications' and keys' of the emulator's seed.
const (
	acmeKey     = "sk_emulator_acme_reports_T4Q9ZX7M2KWB"
	acmeKeyID   = "api_key_01JY2M5RT7WX3Z6B8D0F4H9K1N"
	application = "client_01JY2N7TW9YZ5B8D0F2H6K1N3Q"
)

// startCredentials starts everything with credentialsPolicy, WorkOS Connect and webhooks.
func startCredentials(t *testing.T, g gateway) *stack {
	t.Helper()
	s := newSite(t, g)
	s.startAuthKit(t, "http://"+s.at.service+"/_auth/webhooks")
	s.open(t, g, "POLICY_FILE="+writePolicy(t, credentialsPolicy), "BEARER_ISSUERS="+s.api, "WORKOS_WEBHOOK_SECRET="+webhookSecret)
	return s
}

// sessionToken is the access token of a user's session.
func (s *stack) sessionToken(t *testing.T, email string) string {
	t.Helper()
	return accessToken(t, s.authenticate(t, map[string]string{"grant_type": "authorization_code", "code": s.code(t, email)}))
}

// machineToken is an application's own, of WorkOS Connect.
func (s *stack) machineToken(t *testing.T) string {
	t.Helper()
	response, err := http.PostForm(s.api+"/oauth2/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {application}, "client_secret": {emulator.SeedApplications()[0].ClientSecret},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("token: got status %d: %s, %v", response.StatusCode, body, err)
	}
	return accessToken(t, body)
}

func accessToken(t *testing.T, body []byte) string {
	t.Helper()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.AccessToken == "" {
		t.Fatalf("no access token: %v", err)
	}
	return answer.AccessToken
}

// strangersToken is good in another environment.
func strangersToken(t *testing.T) string {
	t.Helper()
	other := &stack{origin: "http://localhost"}
	other.startAuthKit(t)
	return other.sessionToken(t, zoe)
}

// forged is a token with another signature.
func forged(token string) string {
	parts := strings.Split(token, ".")
	parts[2] = "AAAA" + parts[2][4:]
	return strings.Join(parts, ".")
}

// The WWW-Authenticate lines for a credential that is refused.
const (
	noCredential  = `Bearer`
	badCredential = `Bearer error="invalid_token", error_description="the token or key is not valid"`
	basic         = "\n" + `Basic realm="API key as password", charset="UTF-8"` // for programs, where keys are taken
)

func TestBearerTokensAndAPIKeys(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := startCredentials(t, g)
		token, machine := s.sessionToken(t, zoe), s.machineToken(t)
		b, signedIn := newBrowser(t), newBrowser(t)
		signedIn.signIn(s.origin+"/", zoe)

		for _, test := range []struct {
			name, path string
			header     http.Header
			status     int
			challenge  string
			user       string // at the app, with an organization
		}{
			{"a session's token", "/v1/reports", bearer(token), 200, "", zoeID},
			{"the scheme in lower case", "/v1/reports", http.Header{"Authorization": {"bearer " + token}}, 200, "", zoeID},
			{"a key as a token", "/v1/reports", bearer(acmeKey), 200, "", acmeKeyID},
			{"a key in its header", "/v1/reports", key(acmeKey), 200, "", acmeKeyID},
			{"an application's token", "/programs/", bearer(machine), 200, "", application},
			{"an application's token, without the permission", "/v1/reports", bearer(machine), 403, "", ""},
			{"a token where a session would do", "/both/", bearer(token), 200, "", zoeID},
			{"nothing", "/v1/reports", http.Header{}, 401, noCredential + basic, ""},
			{"a page that a browser opens", "/v1/reports", documentHeaders(), 401, noCredential, ""},
			{"a forged token", "/v1/reports", bearer(forged(token)), 401, badCredential + basic, ""},
			{"a forged token of an application", "/programs/", bearer(forged(machine)), 401, badCredential, ""},
			{"another environment's token", "/v1/reports", bearer(strangersToken(t)), 401, badCredential + basic, ""},
			{"an unknown key", "/v1/reports", bearer("sk_unknown_0123456789"), 401, badCredential + basic, ""},
			{"an unknown key in its header", "/v1/reports", key("sk_unknown_0123456789"), 401, badCredential + basic, ""},
			{"a forged token and a good key", "/v1/reports", http.Header{"Authorization": {"Bearer " + forged(token)}, "X-Api-Key": {acmeKey}}, 401, badCredential + basic, ""},
			{"a key where only tokens are", "/programs/", key(acmeKey), 401, noCredential, ""},
			{"a token in the query", "/v1/reports?access_token=" + token, http.Header{}, 401, noCredential + basic, ""},
			{"another password of HTTP Basic", "/v1/reports", http.Header{"Authorization": {"Basic em9lOnpvZQ=="}}, 401, noCredential + basic, ""},
			{"a key as the password of HTTP Basic", "/v1/reports", basicKey(acmeKey), 200, "", acmeKeyID},
			{"a token where only sessions are", "/", bearer(token), 401, "", ""},
			{"nothing where a token or a session is", "/both/", http.Header{}, 401, noCredential, ""},
		} {
			t.Run(test.name, func(t *testing.T) {
				before := s.app.requests.Load()

				a := b.send(http.MethodGet, s.origin+test.path, test.header, "")

				if a.Status != test.status {
					t.Fatalf("got status %d, want %d: %s", a.Status, test.status, a.Body)
				}
				got := a.Header.Values("Www-Authenticate")
				if strings.Join(got, "\n") != test.challenge {
					t.Errorf("WWW-Authenticate: got %q, want once %q", got, test.challenge)
				}
				if test.status != http.StatusOK {
					if s.app.requests.Load() != before {
						t.Error("it got to the app")
					}
					return
				}
				h := b.seen(a).Header
				if user, organization := h.Get("X-Auth-Request-User"), h.Get("X-Auth-Request-Organization"); user != test.user || organization != acmeID {
					t.Errorf("the app got user %q of %q, want %q of %q", user, organization, test.user, acmeID)
				}
			})
		}
		if a := signedIn.send(http.MethodGet, s.origin+"/both/", bearer(forged(token)), ""); a.Status != http.StatusUnauthorized {
			t.Errorf("a forged token beside a good session: got status %d, want 401", a.Status)
		}
		if a := signedIn.send(http.MethodGet, s.origin+"/", bearer(forged(token)), ""); a.Status != http.StatusOK {
			t.Errorf("an app's own Authorization beside a session: got status %d, want 200", a.Status)
		}
		if a := signedIn.open(s.origin + "/v1/reports"); a.Status != http.StatusUnauthorized || len(a.Before) > 0 || a.Header.Get("X-Auth-Login-Url") != "" {
			t.Errorf("a session where only tokens are: got status %d after %s, want 401 and no sign-in", a.Status, trail(a.Before))
		}
	})
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

func key(value string) http.Header { return http.Header{"X-Api-Key": {value}} }

func basicKey(value string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("git:"+value))}}
}

// The webhook ends a key at once, though the service remembers it.
func TestRevokedAPIKey(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := startCredentials(t, g)
		b := newBrowser(t)
		use := func() answer { return b.send(http.MethodGet, s.origin+"/v1/reports", key(acmeKey), "") }
		for range 3 {
			if a := use(); a.Status != http.StatusOK {
				t.Fatalf("before: got status %d, want 200: %s", a.Status, a.Body)
			}
		}
		if got := s.authKit.Calls()["api_keys.validate"]; got != 1 {
			t.Errorf("validations at WorkOS for three requests: got %d, want 1", got)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, s.api+"/api_keys/"+acmeKeyID, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header = bearer(apiKey)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode/100 != 2 {
			t.Fatalf("delete the key: got status %d", response.StatusCode)
		}
		waitUntil(t, "the webhook is delivered", func() bool { return s.authKit.Deliveries()[0].Delivered > 0 })

		wantReason(t, use(), http.StatusUnauthorized, "bad_credential")
	})
}

// A client that tries keys is held up, whatever addresses it makes up.
func TestAPIKeyFlood(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := startCredentials(t, g)
		b := newBrowser(t)
		statuses := map[int]int{}
		for i := range 30 {
			h := key(fmt.Sprintf("sk_unknown_%016d", i))
			if g.name != "envoy-http" { // it appends to the client's own, and this client's address is one of TRUSTED_PROXIES
				h.Set("X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i))
			}
			h.Set("X-Real-Ip", fmt.Sprintf("203.0.113.%d", i))
			a := b.send(http.MethodGet, s.origin+"/v1/reports", h, "")
			statuses[a.Status]++
			if a.Status == http.StatusTooManyRequests && a.Header.Get("Retry-After") == "" {
				t.Error("429: got no Retry-After")
			}
		}
		if asked := s.authKit.Calls()["api_keys.validate"]; asked > 20 || statuses[401] != asked || statuses[401]+statuses[429] != 30 {
			t.Errorf("30 unknown keys: got statuses %v and %d validations at WorkOS, want one for each 401, the rest 429", statuses, asked)
		}
		if a := b.send(http.MethodGet, s.origin+"/v1/reports", bearer(s.sessionToken(t, zoe)), ""); a.Status != http.StatusOK {
			t.Errorf("a token of the same client: got status %d, want 200", a.Status)
		}
	})
}

// As each example's README keeps credentials from the app.
func TestCredentialsStayOutOfTheApp(t *testing.T) {
	t.Parallel()
	for _, g := range []gateway{
		{"nginx", "nginx", localhost, func(t *testing.T, at addresses) {
			dir := nginxExample(t, at)
			const after = "proxy_pass http://app;"
			replace(t, dir, "app.conf", after, after+snippet(t, "nginx", `(?s)    proxy_set_header Authorization.*?\n\n`))
			runNginx(t, dir, at.gateway)
		}},
		{"traefik", "traefik", localhost, func(t *testing.T, at addresses) {
			dir := traefikExample(t, at)
			const middlewares = "  middlewares:\n    # Put this"
			replace(t, dir, "dynamic.yml", middlewares, "  middlewares:\n"+snippet(t, "traefik", `(?s)    drop-credentials:.*?\n\n`)+"    # Put this")
			replace(t, dir, "dynamic.yml", "        - authkit\n", "        - authkit\n        - drop-credentials\n")
			runTraefik(t, dir, at.gateway)
		}},
		{"caddy", "caddy", localhost, func(t *testing.T, at addresses) {
			dir := caddyExample(t, at)
			lines := snippet(t, "caddy", `(?s)        header_up -Authorization.*?\n    }`)
			replace(t, dir, "Caddyfile", "reverse_proxy "+at.app, "reverse_proxy "+at.app+" {"+lines)
			runCaddy(t, dir, "Caddyfile", at.gateway)
		}},
		{"haproxy", "haproxy", localhost, func(t *testing.T, at addresses) {
			dir := haproxyExample(t, at)
			replace(t, dir, "haproxy.cfg", "backend app\n", "backend app"+snippet(t, "haproxy", `(?s)    http-request del-header Authorization.*?\n\n`))
			runHAProxy(t, dir, at.gateway)
		}},
		{"envoy", "envoy", localhost, func(t *testing.T, at addresses) {
			file := envoyExample(t, at, "envoy.yaml")
			line := snippet(t, "envoy", `(?s)    request_headers_to_remove: .*?\n`)
			replace(t, filepath.Dir(file), "envoy.yaml", "- match: {prefix: /}", "- match: {prefix: /}\n                "+strings.TrimSpace(line))
			runEnvoy(t, file, at.gateway)
		}},
	} {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			s := startCredentials(t, g)
			h := bearer(s.sessionToken(t, zoe))
			h.Set("X-Api-Key", "sk_something_else_0123")
			b := newBrowser(t)

			got := b.seen(b.send(http.MethodGet, s.origin+"/both/", h, "")).Header

			if user := got.Get("X-Auth-Request-User"); user != zoeID {
				t.Errorf("X-Auth-Request-User: got %q, want %q", user, zoeID)
			}
			for _, name := range []string{"Authorization", "X-Api-Key"} {
				if value := got.Get(name); value != "" {
					t.Errorf("the app got %s", name)
				}
			}
		})
	}
}

// snippet is a piece of an example's README.
func snippet(t *testing.T, name, pattern string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindString(example(t, name+"/README.md"))
	if found == "" {
		t.Fatalf("%s/README.md: got nothing like %s", name, pattern)
	}
	return "\n" + found
}
