package config

import (
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

const (
	goodKey      = "sk_test_a1b2c3d4e5"
	goodPassword = "kY3vQ0xWm7RzT9pLc2NfHs8JdGb5UaEo"
	oldPassword  = "Zx81mQv6LrT0wKp4Yb7NcHd2SfGj9UeA"
)

// environ returns the smallest good environment, changed by pairs of name and value.
func environ(pairs ...string) map[string]string {
	env := map[string]string{
		"WORKOS_API_KEY":         goodKey,
		"WORKOS_CLIENT_ID":       "client_01ABC",
		"WORKOS_COOKIE_PASSWORD": goodPassword,
		"WORKOS_REDIRECT_URI":    "https://auth.example.com/callback",
	}
	for pair := range slices.Chunk(pairs, 2) {
		env[pair[0]] = pair[1]
	}
	return env
}

func mustParse(t *testing.T, env map[string]string) *Config {
	t.Helper()
	c, err := Parse(env)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return c
}

// lines returns the lines of the error, and fails where a secret is in it.
func lines(t *testing.T, env map[string]string) []string {
	t.Helper()
	c, err := Parse(env)
	if err == nil {
		t.Fatal("got no error")
	}
	if c != nil {
		t.Errorf("got a Config beside the error %q", err)
	}
	for _, name := range []string{"WORKOS_API_KEY", "WORKOS_COOKIE_PASSWORD", "WORKOS_COOKIE_PASSWORD_PREVIOUS"} {
		if secret := env[name]; secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("%s leaks in %q", name, err)
		}
	}
	return strings.Split(err.Error(), "\n")
}

func TestParseDefaults(t *testing.T) {
	t.Parallel()
	c := mustParse(t, environ())
	want := `WORKOS_API_KEY=[redacted]
WORKOS_CLIENT_ID=client_01ABC
WORKOS_COOKIE_PASSWORD=[redacted]
WORKOS_COOKIE_PASSWORD_PREVIOUS=
WORKOS_REDIRECT_URI=https://auth.example.com/callback
WORKOS_COOKIE_NAME=wos-session
WORKOS_COOKIE_DOMAIN=
LOGOUT_EVERYWHERE=false
BIND_SESSIONS_TO_SITE=false
WORKOS_COOKIE_FORMAT=iron
WORKOS_COOKIE_MAX_AGE=34560000
WORKOS_COOKIE_SAMESITE=lax
WORKOS_API_HOSTNAME=api.workos.com
WORKOS_API_HTTPS=true
WORKOS_API_PORT=
WORKOS_ISSUER=
WORKOS_WEBHOOK_SECRET=
POLICY_FILE=
EXPLAIN_DENIALS=false
AUTHKIT_DOMAIN=
BEARER_ISSUERS=
BEARER_AUDIENCES=
GATEWAY=
TRUSTED_PROXIES=127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7,169.254.0.0/16,fe80::/10,unix
LISTEN_ADDR=:9000
VERIFY_ADDR=
ADMIN_ADDR=
SOCKET_MODE=
SHUTDOWN_DELAY=0s
REDIS_URL=
ROTATION_TTL=720h
COOKIE_SLIM=false
INSECURE_UNSEALED_COOKIES=false
DEFAULT_RETURN_URL=
KEEP_FRAGMENT=false
LOGOUT_RETURN_URL=
IDENTITY_HEADERS=default
ASSERTION_KEY_FILE=
IDENTITY_CLAIMS=
HIDE_SESSION_COOKIE=false
ALLOW_PREFLIGHT=false
LOG_LEVEL=info
LOG_FORMAT=auto
DECISION_LOG=denied
`
	if got := c.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got, want := c.APIURL().String(), "https://api.workos.com"; got != want {
		t.Errorf("API: got %s, want %s", got, want)
	}
	if got, want := c.APIKey.Reveal(), goodKey; got != want {
		t.Errorf("API key: got %s, want %s", got, want)
	}
	if !c.CookieSecure() {
		t.Error("the cookie of an https site isn't Secure")
	}
}

func TestParseEverythingSet(t *testing.T) {
	t.Parallel()
	env := environ(
		"WORKOS_COOKIE_PASSWORD_PREVIOUS", oldPassword,
		"WORKOS_COOKIE_NAME", "__Secure-s.1",
		"WORKOS_COOKIE_DOMAIN", ".Example.COM",
		"WORKOS_COOKIE_MAX_AGE", "3600",
		"WORKOS_COOKIE_SAMESITE", "None",
		"WORKOS_COOKIE_SAME_SITE", "none",
		"WORKOS_API_HOSTNAME", "LocalHost",
		"WORKOS_API_HTTPS", "FALSE",
		"WORKOS_API_PORT", "4100",
		"WORKOS_ISSUER", "https://api.workos.com/, https://api.workos.com/user_management/client_01ABC",
		"GATEWAY", "ingress-nginx",
		"TRUSTED_PROXIES", "10.0.0.5, 10.1.2.3/16, ::ffff:192.0.2.0/120, 2001:db8::1, unix",
		"LISTEN_ADDR", "unix:/run/auth.sock",
		"VERIFY_ADDR", "127.0.0.1:9001",
		"DEFAULT_RETURN_URL", "/start?tab=1",
		"LOGOUT_RETURN_URL", "http://www.example.org/bye",
		"IDENTITY_HEADERS", "remote, access-token, assertion",
		"ASSERTION_KEY_FILE", "../assertion/testdata/pkcs8.pem",
		"ALLOW_PREFLIGHT", "1",
		"HIDE_SESSION_COOKIE", "true",
		"LOG_LEVEL", "WARN",
		"DECISION_LOG", "all",
	)
	c := mustParse(t, env)
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{"previous password", c.CookiePasswordPrevious.Reveal(), oldPassword},
		{"domain", strings.Join(c.CookieDomains, ","), "example.com"},
		{"max age", c.CookieMaxAge, time.Hour},
		{"same site", c.CookieSameSite, http.SameSiteNoneMode},
		{"API", c.APIURL().String(), "http://localhost:4100"},
		{"issuers", c.Issuers, []string{"https://api.workos.com/", "https://api.workos.com/user_management/client_01ABC"}},
		{"gateway", c.Gateway, "ingress-nginx"},
		{"peers", c.TrustedProxies, Peers{[]netip.Prefix{
			netip.MustParsePrefix("10.0.0.5/32"), netip.MustParsePrefix("10.1.0.0/16"),
			netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::1/128"),
		}, true}},
		{"listen", c.ListenAddr, Address{"unix", "/run/auth.sock"}},
		{"verify", c.VerifyAddr, Address{"tcp", "127.0.0.1:9001"}},
		{"default return", c.DefaultReturnURL.String(), "https://auth.example.com/start?tab=1"},
		{"logout return", c.LogoutReturnURL.String(), "http://www.example.org/bye"},
		{"identity headers", c.IdentityHeaders, IdentityHeaders{Remote: true, AccessToken: true, Assertion: true}},
		{"preflight", c.AllowPreflight, true},
		{"session cookie", c.HideSessionCookie, true},
		{"log level", c.LogLevel, zerolog.WarnLevel},
		{"decision log", c.DecisionLog, "all"},
	} {
		if !reflect.DeepEqual(tt.got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	printed := c.String()
	if strings.Contains(printed, goodKey) || strings.Contains(printed, goodPassword) || strings.Contains(printed, oldPassword) {
		t.Errorf("the printed configuration has a secret:\n%s", printed)
	}
	for line := range strings.Lines(printed) { // what is printed, read again, is the same
		if name, value, _ := strings.Cut(strings.TrimSpace(line), "="); value != "[redacted]" {
			env[name] = value
		}
	}
	delete(env, "WORKOS_COOKIE_SAME_SITE")
	if again := mustParse(t, env); !reflect.DeepEqual(again, c) {
		t.Errorf("read again: got\n%s\nwant\n%s", again, c)
	}
}

// The quick start's .env of a Next.js app, and the variables that are only the app's.
func TestParseOfNextApp(t *testing.T) {
	t.Parallel()
	c := mustParse(t, map[string]string{
		"WORKOS_CLIENT_ID":                "client_01ABC",
		"WORKOS_API_KEY":                  goodKey,
		"WORKOS_COOKIE_PASSWORD":          goodPassword,
		"NEXT_PUBLIC_WORKOS_REDIRECT_URI": "http://localhost:3000/callback",
		"WORKOS_COOKIE_DOMAIN":            "",
		"WORKOS_WEBHOOK_SECRET":           "whsec_1",
		"DATABASE_URL":                    "postgres://u:p@db/app",
	})
	if got, want := c.RedirectURIs[0].String(), "http://localhost:3000/callback"; got != want {
		t.Errorf("got redirect URI %s, want %s", got, want)
	}
	if c.CookieSecure() {
		t.Error("the cookie is Secure on http://localhost")
	}
	c.CookieSameSite = http.SameSiteNoneMode
	if !c.CookieSecure() {
		t.Error("the cookie isn't Secure with SameSite=None")
	}
}

func TestParseAccepts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		pairs []string
	}{
		{"own redirect URI wins", []string{"NEXT_PUBLIC_WORKOS_REDIRECT_URI", "nonsense"}},
		{"empty counts as unset", []string{"POLICY_FILE", "", "REDIS_URL", "", "WORKOS_COOKIE_MAX_AGE", "", "GATEWAY", "", "TRUSTED_PROXIES", "", "WORKOS_API_KEY_FILE", ""}},
		{"iron said outright", []string{"WORKOS_COOKIE_FORMAT", "Iron"}},
		{"python", []string{"WORKOS_COOKIE_FORMAT", "python", "WORKOS_COOKIE_PASSWORD", "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="}},
		{"Sentinel", []string{"REDIS_URL", "rediss+sentinel://:pw@a:26379,b:26379/main/1"}},
		{"90 days", []string{"ROTATION_TTL", "2160h"}},
		{"redirect URI on *.localhost", []string{"WORKOS_REDIRECT_URI", "http://auth.dev.localhost:3000/_auth/callback", "WORKOS_COOKIE_DOMAIN", "dev.localhost"}},
		{"redirect URI on loopback", []string{"WORKOS_REDIRECT_URI", "http://127.0.0.2:3000/callback"}},
		{"redirect URI on IPv6 loopback", []string{"WORKOS_REDIRECT_URI", "http://[::1]:3000/callback"}},
		{"redirect URI in capitals", []string{"WORKOS_REDIRECT_URI", "https://Auth.Example.com/callback", "WORKOS_COOKIE_DOMAIN", "example.com"}},
		{"domain is the host", []string{"WORKOS_COOKIE_DOMAIN", "auth.example.com"}},
		{"__Host-", []string{"WORKOS_COOKIE_NAME", "__Host-session"}},
		{"password of 16 surrogate pairs", []string{"WORKOS_COOKIE_PASSWORD", "😀😁😂😃😄😅😆😇😈😉😊😋😌😍😎😏"}},
		{"password with spaces and quotes inside", []string{"WORKOS_COOKIE_PASSWORD", `correct "horse" battery staple 01234`}},
		{"default return URL on a protected host", []string{"DEFAULT_RETURN_URL", "https://app.example.com:8443/", "WORKOS_COOKIE_DOMAIN", "example.com"}},
		{"widest ranges", []string{"TRUSTED_PROXIES", "11.0.0.0/8,fc00::/7"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mustParse(t, environ(tt.pairs...))
		})
	}
}

func TestSecretsFromFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	env := environ(
		"WORKOS_API_KEY", "", "WORKOS_API_KEY_FILE", file("key", goodKey+"\n"),
		"WORKOS_COOKIE_PASSWORD", "", "WORKOS_COOKIE_PASSWORD_FILE", file("password", goodPassword+"\r\n"),
		"WORKOS_COOKIE_PASSWORD_PREVIOUS_FILE", file("previous", oldPassword),
	)
	c := mustParse(t, env)
	got := []string{c.APIKey.Reveal(), c.CookiePassword.Reveal(), c.CookiePasswordPrevious.Reveal()}
	if want := []string{goodKey, goodPassword, oldPassword}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}

	for _, tt := range []struct {
		name, key, path, want string
	}{
		{"both", goodKey, env["WORKOS_API_KEY_FILE"], "WORKOS_API_KEY: is set, and WORKOS_API_KEY_FILE too: remove one"},
		{"no file", "", filepath.Join(dir, "none"), "WORKOS_API_KEY_FILE: no such file or directory: name a file"},
		{"a directory", "", dir, "WORKOS_API_KEY_FILE: is a directory: name a file"},
		{"an empty file", "", file("empty", "\n"), "WORKOS_API_KEY_FILE: the file is empty: name a file"},
		{"a huge file", "", file("huge", strings.Repeat("k", 4097)), "WORKOS_API_KEY_FILE: the file is larger than 4096 bytes: name a file"},
		{"a bad value", "", file("bad", "sk_example_1"), "WORKOS_API_KEY_FILE: is a placeholder: copy the key"},
	} {
		got := lines(t, environ("WORKOS_API_KEY", tt.key, "WORKOS_API_KEY_FILE", tt.path))
		if len(got) != 1 || !strings.HasPrefix(got[0], tt.want) {
			t.Errorf("%s: got %q, want one line %q", tt.name, got, tt.want)
		}
	}
	// The secret where the file's name belongs.
	if got := lines(t, environ("WORKOS_API_KEY", "", "WORKOS_API_KEY_FILE", goodKey)); strings.Contains(got[0], goodKey) {
		t.Errorf("%q shows the key", got[0])
	}
}

func TestParseListsAllProblems(t *testing.T) {
	t.Parallel()
	got := lines(t, environ(
		"WORKOS_API_KEY", "",
		"WORKOS_COOKIE_PASSWORD", "short",
		"WORKOS_REDIRECT_URI", "http://192.168.1.5/callback",
		"WORKOS_COOKIE_MAX_AGE", "400d",
		"LOG_LEVEL", "loud",
		"DEFAULT_RETURN_URL", "https://auth.example.com/start", // can't be judged without a redirect URI
	))
	var names []string
	for _, line := range got {
		name, _, _ := strings.Cut(line, ":")
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{"LOG_LEVEL", "WORKOS_API_KEY", "WORKOS_COOKIE_MAX_AGE", "WORKOS_COOKIE_PASSWORD", "WORKOS_REDIRECT_URI"}
	if !slices.Equal(names, want) {
		t.Errorf("got %q, want lines for %q", got, want)
	}
}

func TestParseOfNothing(t *testing.T) {
	t.Parallel()
	got := strings.Join(lines(t, nil), "\n")
	want := `WORKOS_API_KEY: is not set: copy it from the WorkOS dashboard, API Keys
WORKOS_CLIENT_ID: is not set: copy it from the WorkOS dashboard, API Keys
WORKOS_COOKIE_PASSWORD: is not set: take that of the apps that share the session, or make one with: openssl rand -base64 32
WORKOS_REDIRECT_URI: is not set: set this service's own callback, such as https://app.example.com/_auth/callback, and add it in the WorkOS dashboard under Redirects`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	c := mustParse(t, environ("WORKOS_COOKIE_DOMAIN", "example.com", "TRUSTED_PROXIES", "172.18.0.2",
		"WORKOS_API_HTTPS", "false", "WORKOS_API_HOSTNAME", "emulator", "WORKOS_API_PORT", "4100"))
	s, err := site.NewSites(c.RedirectURIs, c.CookieDomains)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, note := range c.Summary(s, nil) {
		texts = append(texts, note.Text)
	}
	got := strings.Join(texts, "\n")
	want := `protected hosts: example.com and *.example.com
sign-in: https://auth.example.com/login, redirect URI https://auth.example.com/callback
sign-out: https://auth.example.com/logout, then the sign-out redirect that is the dashboard's default (LOGOUT_RETURN_URL)
webhooks: none (WORKOS_WEBHOOK_SECRET): revoked sessions end with their access token
AuthKit: http://emulator:4100 for the client client_01ABC
trusted peers: 172.18.0.2/32 (TRUSTED_PROXIES)
GATEWAY is not set: at /verify nothing but a session lets a request in, and the gateway needs routes to the sign-in flow; /verify/forward-auth, /verify/auth-request and /verify/ext-authz do without GATEWAY
the API key goes to http://emulator:4100 unencrypted: WORKOS_API_HTTPS=false is for emulators
no policy (POLICY_FILE): everybody who can sign in to this AuthKit environment may enter`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A door that an operator has opened is a warning at each start.
func TestSummaryWarnsOfUnsealedCookies(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"true": true, "false": false, "": false} {
		c := mustParse(t, environ("INSECURE_UNSEALED_COOKIES", value))
		s, err := site.NewSites(c.RedirectURIs, c.CookieDomains)
		if err != nil {
			t.Fatal(err)
		}
		warns := false
		for _, note := range c.Summary(s, nil) {
			warns = warns || note.Warn && strings.Contains(note.Text, "INSECURE_UNSEALED_COOKIES")
		}
		if warns != want {
			t.Errorf("%q: warns: %t, want %t", value, warns, want)
		}
	}
}

// nginx can't hand on what the flow answers, so it needs routes.
func TestSummarySaysWhoNeedsRoutes(t *testing.T) {
	t.Parallel()
	for gateway, needs := range map[string]bool{
		"nginx": true, "ingress-nginx": true, "": true, "traefik": false, "caddy": false, "haproxy": false, "envoy": false, "istio": false, "envoy-gateway": false,
	} {
		c := mustParse(t, environ("GATEWAY", gateway))
		s, err := site.NewSites(c.RedirectURIs, c.CookieDomains)
		if err != nil {
			t.Fatal(err)
		}
		says := false
		for _, note := range c.Summary(s, nil) {
			says = says || strings.Contains(note.Text, "the gateway needs routes to the sign-in flow")
		}
		if says != needs {
			t.Errorf("GATEWAY=%s: says that routes are needed: %t, want %t", gateway, says, needs)
		}
	}
}

// Parsing must not change what it was given.
func TestParseLeavesEnvironment(t *testing.T) {
	t.Parallel()
	env := environ("LOG_LEVEL", " INFO ")
	before := maps.Clone(env)
	mustParse(t, env)
	if !maps.Equal(env, before) {
		t.Errorf("got %v, want %v", env, before)
	}
}

func TestAuthKitDomain(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"https://example.authkit.app", "http://localhost:4100", "https://auth.example.com"} {
		if c, err := Parse(environ("AUTHKIT_DOMAIN", good)); err != nil || c.AuthKitDomain.String() != good {
			t.Errorf("%s: got %v", good, err)
		}
	}
	for _, bad := range []string{"example.authkit.app", "http://example.authkit.app", "https://example.authkit.app/", "https://example.authkit.app/x", "https://example.authkit.app?a", "ftp://example.authkit.app"} {
		if _, err := Parse(environ("AUTHKIT_DOMAIN", bad)); err == nil || !strings.Contains(err.Error(), "AUTHKIT_DOMAIN: ") {
			t.Errorf("%s: got %v, want the variable named", bad, err)
		}
	}
}
