package command

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	goodKey      = "sk_test_a1b2c3d4e5"
	goodPassword = "kY3vQ0xWm7RzT9pLc2NfHs8JdGb5UaEo"
)

// environ is the smallest good environment with what pairs of name and value change.
func environ(pairs ...string) map[string]string {
	env := map[string]string{
		"WORKOS_API_KEY": goodKey, "WORKOS_CLIENT_ID": "client_01ABC", "WORKOS_COOKIE_PASSWORD": goodPassword,
		"WORKOS_REDIRECT_URI": "http://localhost:3000/_auth/callback",
	}
	for pair := range slices.Chunk(pairs, 2) {
		env[pair[0]] = pair[1]
	}
	return env
}

// runs runs the program to its end.
func runs(t *testing.T, env map[string]string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, log bytes.Buffer
	err = Run(t.Context(), args, env, &out, &log)
	return out.String(), log.String(), err
}

func TestConfigPrints(t *testing.T) {
	t.Parallel()
	stdout, stderr, err := runs(t, environ("GATEWAY", "traefik", "WORKOS_COOKIE_PASSWORD_PREVIOUS", "Zx81mQv6LrT0wKp4Yb7NcHd2SfGj9UeA"), "config")
	if err != nil || stderr != "" {
		t.Fatalf("got %v, stderr %q, want neither", err, stderr)
	}
	for _, want := range []string{
		"WORKOS_API_KEY=[redacted]\n", "WORKOS_COOKIE_PASSWORD=[redacted]\n", "WORKOS_COOKIE_PASSWORD_PREVIOUS=[redacted]\n",
		"WORKOS_CLIENT_ID=client_01ABC\n", "GATEWAY=traefik\n", "LISTEN_ADDR=:9000\n", "VERIFY_ADDR=\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("got %s, want %q in it", stdout, want)
		}
	}
	for _, secret := range []string{goodKey, goodPassword, "Zx81mQv6"} {
		if strings.Contains(stdout, secret) {
			t.Errorf("got %s, want no secret in it", stdout)
		}
	}
}

// The effect of the settings stands below them as comments, so that the output can be an environment file.
func TestConfigPrintsTheEffect(t *testing.T) {
	t.Parallel()
	stdout, _, err := runs(t, environ("WORKOS_WEBHOOK_SECRET", "whsec_Zx81mQv6", "LOGOUT_RETURN_URL", "http://localhost:3000/bye"), "config")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\n\n# protected hosts: localhost\n", "\n# sign-in: http://localhost:3000/_auth/login, redirect URI http://localhost:3000/_auth/callback\n",
		"\n# sign-out: http://localhost:3000/_auth/logout, then http://localhost:3000/bye\n", "\n# webhooks: http://localhost:3000/_auth/webhooks\n",
		"\n# AuthKit: https://api.workos.com for the client client_01ABC\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("got %s, want %q in it", stdout, want)
		}
	}
	if strings.Contains(stdout, "Zx81mQv6") {
		t.Errorf("got %s, want no secret", stdout)
	}
}

func TestConfigPrintsTheRules(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	const text = `default: authenticated
issuers: [{name: ci, issuer: "https://ci.example.com", audience: app}]
rules:
  - name: assets
    paths: [/healthz, /static/**]
    methods: [GET, HEAD]
    allow: public
  - name: machines
    hosts: [localhost]
    paths: [/api/**]
    credentials: [bearer, api_key]
    require: {permissions: {all: [a, b]}, roles: [admin, owner], max_auth_age: 15m, impersonation: deny}
  - name: jobs
    paths: [/jobs]
    credentials: [bearer]
    require: {issuer: ci, claims: {project: [a, b]}}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, _, err := runs(t, environ("POLICY_FILE", file), "config")
	want := "\n# policy: " + file + `, 3 rules; the rule "assets" of line 4 has no hosts, so all of localhost are covered
#   line 4, "assets": every host, /healthz /static/**, GET HEAD: everybody
#   line 8, "machines": localhost, /api/**: by bearer or api_key; roles: admin or owner; permissions: all of a b; signed in within 15m0s; no impersonation
#   line 13, "jobs": every host, /jobs: by bearer; tokens of ci (https://ci.example.com) for app; claims: project: a or b
#   line 1, "default": all else: by cookie
`
	if err != nil || !strings.HasSuffix(stdout, want) {
		t.Errorf("got %v, %s, want at its end %s", err, stdout, want)
	}
}

// A variable that nothing reads is no error, and its value stays out of sight.
func TestMisspeltVariables(t *testing.T) {
	t.Parallel()
	env := environ("TRUSTED_PROXY", "s3cr3t", "LISTEN_ADDR", "127.0.0.1:0", "WORKOS_API_HOSTNAME", "localhost", "WORKOS_API_PORT", "1", "WORKOS_API_HTTPS", "false")
	const want = "TRUSTED_PROXY is not read: did you mean TRUSTED_PROXIES?"
	if stdout, stderr, err := runs(t, env, "config"); err != nil || stderr != want+"\n" || strings.Contains(stdout, "s3cr3t") {
		t.Errorf("config: got %v, %q, want %q", err, stderr, want)
	}
	if line, _ := start(t, want, env, "serve"); !strings.Contains(line, `"level":"warn"`) || strings.Contains(line, "s3cr3t") {
		t.Errorf("serve: got %s, want a warning without the value", line)
	}
	delete(env, "WORKOS_CLIENT_ID")
	env["WORKOS_CLIENTID"] = "client_01ABC"
	if _, _, err := runs(t, env, "serve"); err == nil || !strings.Contains(err.Error(), "\nWORKOS_CLIENTID is not read: did you mean WORKOS_CLIENT_ID?") {
		t.Errorf("serve with a problem: got %v, want the slip that explains it", err)
	}
}

func TestLogFormat(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]*regexp.Regexp{
		"text": regexp.MustCompile(`^\d\d:\d\d:\d\d INF listening address=127\.0\.0\.1:\d+$`),
		"json": regexp.MustCompile(`^\{"level":"info","address":"127\.0\.0\.1:\d+",.*"message":"listening"\}$`),
		"auto": regexp.MustCompile(`^\{"level":"info","address":"127\.0\.0\.1:\d+",.*"message":"listening"\}$`), // no terminal
	} {
		env := environ("LOG_FORMAT", format, "LISTEN_ADDR", "127.0.0.1:0", "WORKOS_API_HOSTNAME", "localhost", "WORKOS_API_PORT", "1", "WORKOS_API_HTTPS", "false")
		if line, _ := start(t, "listening", env); !want.MatchString(line) {
			t.Errorf("%s: got %s, want %s", format, line, want)
		}
	}
}

func TestConfigTellsAllProblems(t *testing.T) {
	t.Parallel()
	env := environ("WORKOS_API_KEY", "sk_test_your_key", "WORKOS_COOKIE_PASSWORD", "short", "WORKOS_REDIRECT_URI", "http://app.example.com/callback",
		"GATEWAY", "apache", "TRUSTED_PROXIES", "everybody", "LISTEN_ADDR", "9000")
	delete(env, "WORKOS_CLIENT_ID")
	for _, command := range []string{"config", "serve"} {
		stdout, _, err := runs(t, env, command)
		if err == nil || stdout != "" {
			t.Fatalf("%s: got %v, stdout %q, want an error alone", command, err, stdout)
		}
		for _, name := range []string{"WORKOS_API_KEY", "WORKOS_CLIENT_ID", "WORKOS_COOKIE_PASSWORD", "WORKOS_REDIRECT_URI", "GATEWAY", "TRUSTED_PROXIES", "LISTEN_ADDR"} {
			if !strings.Contains(err.Error(), "\n"+name+": ") {
				t.Errorf("%s: got %v, want a line about %s", command, err, name)
			}
		}
		if strings.Contains(err.Error(), "sk_test_your_key") {
			t.Errorf("%s: got %v, want no secret in it", command, err)
		}
	}
}

// traefik-oidc-auth's default secret and its like (E19): nothing starts with a placeholder.
func TestServeRefusesPlaceholders(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"WORKOS_API_KEY":                  "sk_example_1234567890",
		"WORKOS_COOKIE_PASSWORD":          "changeme-changeme-changeme-changeme",
		"WORKOS_COOKIE_PASSWORD_PREVIOUS": strings.Repeat("ab", 20),
	} {
		if _, _, err := runs(t, environ(name, value)); err == nil || !strings.Contains(err.Error(), name+": ") {
			t.Errorf("%s=%s: got %v, want an error about it", name, value, err)
		}
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, want string
		args       []string
	}{
		{"an unknown subcommand", "unknown subcommand \"start\"\n\nauthkit-forward-auth: ", []string{"start"}},
		{"a flag for a subcommand", `unknown subcommand "--json"`, []string{"--json"}},
		{"nothing for a subcommand", `unknown subcommand ""`, []string{""}},
		{"serve with an argument", `serve: unknown argument "now"`, []string{"serve", "now"}},
		{"config with a flag", `config: flag provided but not defined: -json`, []string{"config", "--json"}},
		{"version with an argument", `version: unknown argument "2"`, []string{"version", "2"}},
		{"emulator with an argument", `emulator: unknown argument "4100"`, []string{"emulator", "4100"}},
		{"emulator with an unknown flag", "emulator: flag provided but not defined: -port: try --help", []string{"emulator", "-port=1"}},
		{"emulator with an address that is none", "emulator: -addr: ", []string{"emulator", "-addr=4100"}},
		{"emulator with a base URL that is none", "emulator: -base-url: ", []string{"emulator", "-addr=127.0.0.1:0", "-base-url=http://a b"}},
		{"emulator with a redirect URI that is none", `emulator: "callback": must be an absolute URL`, []string{"emulator", "-addr=127.0.0.1:0", "-redirect-uri=callback"}},
		{"emulator with a lifetime that is none", "access-token-lifetime", []string{"emulator", "-access-token-lifetime=soon"}},
		{"emulator with a negative grace window", "GraceWindow: must not be negative", []string{"emulator", "-addr=127.0.0.1:0", "-grace-window=-1s"}},
		{"emulator with a step of an unknown organization", "must be ORGANIZATION=STEP", []string{"emulator", "-requires=org_01NONE=sso_required"}},
		{"emulator with an organization alone", "must be ORGANIZATION=STEP", []string{"emulator", "-requires=org_01JBGJ09TQM83XSSSS6YS3C4DW"}},
		{"emulator with an unknown step", `requires "sso"`, []string{"emulator", "-addr=127.0.0.1:0", "-requires=org_01JBGJ09TQM83XSSSS6YS3C4DW=sso"}},
		{"healthcheck with an argument", `healthcheck: unknown argument "9000"`, []string{"healthcheck", "9000"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stdout, _, err := runs(t, nil, tt.args...)
			if err == nil || !strings.Contains(err.Error(), tt.want) || stdout != "" {
				t.Errorf("got %v, stdout %q, want …%s… alone", err, stdout, tt.want)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"help", "-h", "-help", "--help"} {
		stdout, _, err := runs(t, nil, arg)
		if err != nil {
			t.Fatalf("%s: %v", arg, err)
		}
		for _, want := range []string{"serve", "demo", "emulator", "config", "healthcheck", "version"} {
			if !strings.Contains(stdout, "\n  "+want+" ") {
				t.Errorf("%s: got %s, want %s in it", arg, stdout, want)
			}
		}
	}
	for command, want := range map[string]string{
		"serve": "docs/configuration.md", "config": "exit 1", "version": "commit", "demo": "-gateway-port",
		"emulator": "-redirect-uri", "healthcheck": "-addr",
	} {
		for _, args := range [][]string{{command, "-h"}, {command, "--help"}, {"help", command}} {
			stdout, stderr, err := runs(t, nil, args...)
			if !errors.Is(err, flag.ErrHelp) || stderr != "" || !strings.HasPrefix(stdout, "authkit-forward-auth "+command+": ") || !strings.Contains(stdout, want) {
				t.Errorf("%v: got %v, %s%s, want flag.ErrHelp and %s", args, err, stdout, stderr, want)
			}
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	line := regexp.MustCompile(`^authkit-forward-auth \S+ \(commit (unknown|[0-9a-f]{40}(, modified)?)\) go1\.\S+\n$`)
	for _, arg := range []string{"version", "-v", "-version", "--version"} {
		if stdout, _, err := runs(t, nil, arg); err != nil || !line.MatchString(stdout) {
			t.Errorf("%s: got %q, %v, want one line with name, version, commit and Go's version", arg, stdout, err)
		}
	}
}

// start runs the program until the test ends, and returns the first line that it writes
// with want in it.
func start(t *testing.T, want string, env map[string]string, args ...string) (line string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r, w := io.Pipe()
	done := make(chan error, 1)
	own := maps.Clone(env) // the test may go on to change its
	go func() {
		done <- Run(ctx, args, own, w, w)
		_ = w.Close()
	}()
	lines := bufio.NewScanner(r)
	for lines.Scan() && line == "" {
		if strings.Contains(lines.Text(), want) {
			line = lines.Text()
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	if line == "" {
		t.Fatalf("%v ended: %v", args, <-done)
	}
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() { _ = stop() })
	return line, stop
}

func get(t *testing.T, target string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestEmulator(t *testing.T) {
	t.Parallel()
	line, stop := start(t, "AuthKit emulator on ", nil, "emulator", "-addr=127.0.0.1:0", "-client-id=client_x", "-api-key=sk_x",
		"-redirect-uri=http://localhost:3000/a", "-redirect-uri=http://localhost:3000/b", "-access-token-lifetime=1m")
	base, ok := strings.CutPrefix(line, "AuthKit emulator on ")
	if !ok || !regexp.MustCompile(`^http://localhost:[1-9][0-9]*$`).MatchString(base) {
		t.Fatalf("got %q, want its address", line)
	}
	if status, _ := get(t, base+"/sso/jwks/client_x"); status != 200 {
		t.Errorf("key set of -client-id: got status %d, want 200", status)
	}
	for uri, want := range map[string]int{"http://localhost:3000/a": 303, "http://localhost:3000/b": 303, "http://localhost:3000/_auth/callback": 400} {
		query := url.Values{
			"client_id": {"client_x"}, "redirect_uri": {uri}, "response_type": {"code"}, "provider": {"authkit"}, "login_hint": {"paula@example.com"},
		}
		if status, body := get(t, base+"/user_management/authorize?"+query.Encode()); status != want {
			t.Errorf("redirect URI %s: got status %d, want %d: %.300s", uri, status, want, body)
		}
	}
	if err := stop(); err != nil {
		t.Errorf("stopped: got %v, want nil", err)
	}
}

// Sam's session at Acme can't be refreshed into the organization of -requires.
func TestEmulatorRequiresAStep(t *testing.T) {
	t.Parallel()
	const acme, globex = "org_01JSSZ5AWSH8VHTPRE95B9EE0Z", "org_01JBGJ09TQM83XSSSS6YS3C4DW"
	line, _ := start(t, "AuthKit emulator on ", nil, "emulator", "-addr=127.0.0.1:0", "-requires="+globex+"=mfa_enrollment")
	base := strings.TrimPrefix(line, "AuthKit emulator on ")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	post := func(path string, form url.Values) (location *url.URL, answer map[string]any) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		_ = json.NewDecoder(response.Body).Decode(&answer) // a redirect has no JSON
		location, _ = response.Location()
		return location, answer
	}
	query := url.Values{
		"client_id": {"client_emulator"}, "redirect_uri": {"http://localhost:3000/_auth/callback"}, "response_type": {"code"}, "provider": {"authkit"},
	}
	back, _ := post("/user_management/authorize?"+query.Encode(), url.Values{"email": {"sam@example.com"}, "organization_id": {acme}})
	if back == nil {
		t.Fatal("got no redirect, want one with a code")
	}
	grant := url.Values{"client_id": {"client_emulator"}, "client_secret": {"sk_test_emulator"}, "grant_type": {"authorization_code"}, "code": back.Query()["code"]}
	_, session := post("/user_management/authenticate", grant)
	token, _ := session["refresh_token"].(string)
	grant.Set("grant_type", "refresh_token")
	grant.Set("refresh_token", token)
	grant.Set("organization_id", globex)
	if _, answer := post("/user_management/authenticate", grant); answer["error"] != "mfa_enrollment" {
		t.Errorf("got %v, want mfa_enrollment", answer)
	}
}

func TestEmulatorOnBusyPort(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, _, err := runs(t, nil, "emulator", "-addr="+l.Addr().String()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v, want an error that says that it is in use", err)
	}
}

// serve is also what happens without a subcommand; healthcheck finds it by LISTEN_ADDR.
func TestServeAndHealthcheck(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "afa") // a socket's address is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	nobody := httptest.NewServer(http.NotFoundHandler()) // in AuthKit's place
	t.Cleanup(nobody.Close)
	authKit, err := url.Parse(nobody.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, listen := range []string{"127.0.0.1:0", "unix:" + filepath.Join(dir, "s")} {
		env := environ("LISTEN_ADDR", listen, "WORKOS_API_HOSTNAME", authKit.Hostname(), "WORKOS_API_PORT", authKit.Port(), "WORKOS_API_HTTPS", "false")
		line, stop := start(t, `"listening"`, env)
		var logged struct{ Address string }
		if err := json.Unmarshal([]byte(line), &logged); err != nil {
			t.Fatal(err)
		}
		found := maps.Clone(env)
		if !strings.HasPrefix(listen, "unix:") {
			found["LISTEN_ADDR"] = logged.Address
		}
		if _, _, err := runs(t, found, "healthcheck"); err != nil {
			t.Errorf("%s: healthcheck: got %v, want nil", listen, err)
		}
		if _, _, err := runs(t, nil, "healthcheck", "-addr="+found["LISTEN_ADDR"]); err != nil {
			t.Errorf("%s: healthcheck -addr: got %v, want nil", listen, err)
		}
		if err := stop(); err != nil {
			t.Errorf("%s: serve: got %v, want nil", listen, err)
		}
		if _, _, err := runs(t, found, "healthcheck"); err == nil {
			t.Errorf("%s: healthcheck of a stopped service: got nil", listen)
		}
	}
}

func TestHealthcheckOfSomethingElse(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	address := other.Listener.Addr().String()
	if _, _, err := runs(t, nil, "healthcheck", "-addr="+address); err == nil || !strings.Contains(err.Error(), "answers 404") {
		t.Errorf("got %v, want an error with the status", err)
	}
}
