package command

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docsBlock returns the first block of docs/policy.md in that language.
func docsBlock(t *testing.T, language string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "policy.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)\n```" + language + "\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatalf("docs/policy.md has no block %q", language)
	}
	return string(block[1])
}

// policyFiles writes the policy and the claims of docs/policy.md.
func policyFiles(t *testing.T) (policy, claims string) {
	t.Helper()
	directory := t.TempDir()
	policy, claims = filepath.Join(directory, "policy.yaml"), filepath.Join(directory, "claims.json")
	for path, text := range map[string]string{policy: docsBlock(t, "yaml"), claims: docsBlock(t, "json")} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return policy, claims
}

func TestPolicyCheckOfTheDocs(t *testing.T) {
	t.Parallel()
	policy, claims := policyFiles(t)
	command, want, _ := strings.Cut(strings.TrimPrefix(docsBlock(t, "console"), "$ authkit-forward-auth "), "\n")
	args := strings.Fields(strings.NewReplacer("policy.yaml", policy, "claims.json", claims).Replace(command))
	stdout, stderr, err := runs(t, nil, args...)
	if !errors.Is(err, ErrNotAllowed) || stdout != want || stderr != "" {
		t.Errorf("got %v, stderr %q, stdout\n%s\nwant ErrNotAllowed and\n%s", err, stderr, stdout, want)
	}
}

func TestPolicyCheck(t *testing.T) {
	t.Parallel()
	policy, _ := policyFiles(t)
	key := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(key, []byte(`{"org_id": "org_01ABC", "permissions": ["reports:read"], "act": null}`), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, want string
		allowed    bool
		args       []string
	}{
		{"public", "allowed: the rule is public", true, []string{"--host", "APP.example.com:443", "--path", "/healthz?x"}},
		{"another method", "sign_in: nobody is signed in", false, []string{"--host", "app.example.com", "--path", "/healthz", "--method", "POST"}},
		{"nobody is signed in", "sign_in: nobody is signed in", false, []string{"--host", "admin.example.com", "--path", "/"}},
		{"a preflight", "allowed: the rule lets CORS preflights through", true, []string{"--host", "api.example.com", "--path", "/v1/x", "--preflight", "PUT"}},
		{"an API key", "allowed: the requirements are met", true, []string{"--host", "api.example.com", "--path", "/v1/x", "--credential", "api_key", "--claims", key}},
		{"a cookie where none is accepted", "credential: the rule does not accept the credential cookie", false, []string{"--host", "api.example.com", "--path", "/v1/x", "--claims", key}},
		{"an ambiguous path", "ambiguous: the path has a dot segment", false, []string{"--host", "app.example.com", "--path", "/static/%2e%2e/x"}},
		{"another host", "wrong_host: no rule is about this host", false, []string{"--host", "www.example.com", "--path", "/"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stdout, _, err := runs(t, map[string]string{"POLICY_FILE": policy}, append([]string{"policy", "check"}, tt.args...)...)
			if !strings.HasSuffix(stdout, "\n\n"+tt.want+"\n") {
				t.Errorf("got %s, want %q at the end", stdout, tt.want)
			}
			if tt.allowed && err != nil || !tt.allowed && !errors.Is(err, ErrNotAllowed) {
				t.Errorf("got %v, want allowed: %v", err, tt.allowed)
			}
		})
	}
}

// Each claim of an access token reaches the requirement that asks for it.
func TestPolicyCheckClaims(t *testing.T) {
	t.Parallel()
	for require, claims := range map[string]string{
		"users: [user_1]":             `{"sub": "user_1"}`,
		"emails: [a@example.com]":     `{"email": "a@example.com"}`,
		"organizations: [org_1]":      `{"org_id": "org_1"}`,
		"roles: [admin]":              `{"role": "admin"}`,
		"roles: {all: [admin, user]}": `{"role": "admin", "roles": ["user", "admin"]}`,
		"permissions: [p]":            `{"permissions": ["p"]}`,
		"entitlements: [e]":           `{"entitlements": ["e"]}`,
		"feature_flags: [f]":          `{"feature_flags": ["f"]}`,
		"max_auth_age: 876000h":       `{"auth_time": 1767225600}`,
	} {
		directory := t.TempDir()
		write := func(name, text string) string {
			path := filepath.Join(directory, name)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
		policy := write("policy.yaml", "rules: [{name: a, require: {impersonation: deny, "+require+"}}]")
		check := func(claims string) error {
			_, _, err := runs(t, nil, "policy", "check", "--policy", policy, "--host", "a.example.com", "--path", "/", "--claims", write("claims.json", claims))
			return err
		}
		if err := check(claims); err != nil {
			t.Errorf("%s with %s: got %v, want allowed", require, claims, err)
		}
		impersonated := strings.Replace(claims, "{", `{"act": {"sub": "admin@example.com"}, `, 1)
		for _, bad := range []string{`{}`, `{"name": "admin"}`, impersonated} {
			if err := check(bad); !errors.Is(err, ErrNotAllowed) {
				t.Errorf("%s with %s: got %v, want not allowed", require, bad, err)
			}
		}
	}
}

func TestPolicyTest(t *testing.T) {
	t.Parallel()
	policy, _ := policyFiles(t)
	stdout, stderr, err := runs(t, nil, "policy", "test", "--policy", policy)
	if err != nil || stdout != "3 rules, 3 tests: ok\n" || stderr != "" {
		t.Errorf("got %q, %q, %v, want 3 rules, 3 tests", stdout, stderr, err)
	}
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	text := strings.Replace(docsBlock(t, "yaml"), "roles: [admin]", "roles: [admin, member]", 1)
	text = strings.Replace(text, "expect: allowed\n    rule:", "expect: sign_in\n    rule:", 1)
	text = strings.Replace(text, "permissions: {all: [users:read, users:write]}", "max_auth_age: 15m", 1)
	text = strings.Replace(text, "      max_auth_age: 15m\n      impersonation", "      impersonation", 1)
	if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, _, err = runs(t, map[string]string{"POLICY_FILE": bad}, "policy", "test")
	if stdout != "" || err == nil || strings.Count(err.Error(), "\nline ") != 2 ||
		!strings.Contains(err.Error(), `test "the stylesheet is public" fails: got allowed by rule "health and assets", want sign_in`) ||
		!strings.Contains(err.Error(), `test "members are no admins" fails: got allowed by rule "admin", want denied`) {
		t.Errorf("got %q, %v, want two tests that fail", stdout, err)
	}
}

func TestPolicyTestWarns(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte("rules:\n  - {name: a, require: {organizations: [Acme]}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, _, err := runs(t, nil, "policy", "test", "--policy", file)
	want := "line 2: warning: rule \"a\": require: organizations: \"Acme\" is no id of WorkOS, which begins with org_: nobody has it\n1 rules, 0 tests: ok\n"
	if err != nil || stdout != want {
		t.Errorf("got %q, %v, want %q", stdout, err, want)
	}
}

func TestPolicySchema(t *testing.T) {
	t.Parallel()
	stdout, _, err := runs(t, nil, "policy", "schema")
	want, readErr := os.ReadFile(filepath.Join("..", "policy", "policyfile", "policy.schema.json"))
	if err != nil || readErr != nil || stdout != string(want) {
		t.Errorf("got %q, %v, %v, want policy/policyfile/policy.schema.json", stdout, err, readErr)
	}
}

func TestPolicyArguments(t *testing.T) {
	t.Parallel()
	policy, claims := policyFiles(t)
	directory := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(directory, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	check := []string{"check", "--policy", policy, "--host", "a.example.com", "--path", "/"}
	withClaims := func(name, text string) []string {
		return append(check[:len(check):len(check)], "--claims", write(name, text))
	}
	tests := []struct {
		name, want string
		args       []string
	}{
		{"no command", "policy: which one?", nil},
		{"an unknown command", `policy: unknown command "lint"`, []string{"lint"}},
		{"an argument for schema", `policy schema: unknown argument "x"`, []string{"schema", "x"}},
		{"an argument for test", `policy test: unknown argument "x"`, []string{"test", "--policy", policy, "x"}},
		{"a file for test", "write -policy " + policy, []string{"test", policy}},
		{"an argument for check", `policy check: unknown argument "x"`, append(check[:len(check):len(check)], "x")},
		{"an unknown flag", "not defined: -url", []string{"check", "--url", "https://a.example.com/"}},
		{"no policy", "Set -policy or POLICY_FILE", []string{"test"}},
		{"a policy that isn't there", "no such file", []string{"test", "--policy", filepath.Join(directory, "none.yaml")}},
		{"a policy that is none", "line 1: ", []string{"test", "--policy", claims}},
		{"no host", "policy check: the host is not one", []string{"check", "--policy", policy, "--path", "/"}},
		{"a URL for the host", "policy check: the host is not one", []string{"check", "--policy", policy, "--host", "https://a.example.com", "--path", "/"}},
		{"no path", "policy check: the path must begin with a slash", []string{"check", "--policy", policy, "--host", "a.example.com"}},
		{"a path without slash", "policy check: the path must begin with a slash", []string{"check", "--policy", policy, "--host", "a.example.com", "--path", "a"}},
		{"a method that is none", "policy check: the method is not one", append(check[:len(check):len(check)], "--method", "G T")},
		{"a credential that is none", `policy check: -credential "token"`, append(check[:len(check):len(check)], "--credential", "token")},
		{"claims that aren't there", "policy check: -claims: ", append(check[:len(check):len(check)], "--claims", filepath.Join(directory, "none.json"))},
		{"claims that are a token", "is not one JSON object", withClaims("token.json", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln")},
		{"claims that are null", "is not one JSON object", withClaims("null.json", "null")},
		{"two objects", "is not one JSON object", withClaims("two.json", "{} {}")},
		{"a claim twice", "is not one JSON object with different names", withClaims("twice.json", `{"role": "admin", "role": "member"}`)},
		{"a claim of another type", `claim roles has a wrong JSON type`, withClaims("type.json", `{"roles": "admin"}`)},
		{"claims that are too large", "has more than 1 MB", withClaims("large.json", `{"x": "`+strings.Repeat("x", 1<<20)+`"}`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stdout, _, err := runs(t, nil, append([]string{"policy"}, tt.args...)...)
			if err == nil || errors.Is(err, ErrNotAllowed) || !strings.Contains(err.Error(), tt.want) || stdout != "" {
				t.Errorf("got %v, stdout %q, want …%s… alone", err, stdout, tt.want)
			}
		})
	}
}

func TestPolicyHelp(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"help", "-h", "--help"} {
		if stdout, _, err := runs(t, nil, "policy", arg); err != nil || stdout != policyUsage {
			t.Errorf("%s: got %q, %v, want the usage", arg, stdout, err)
		}
	}
	for command, want := range map[string]string{"check": "-preflight method", "test": "-policy file"} {
		if stdout, _, err := runs(t, nil, "policy", command, "-h"); !errors.Is(err, flag.ErrHelp) || !strings.Contains(stdout, want) {
			t.Errorf("%s -h: got %v, %s, want flag.ErrHelp and %s", command, err, stdout, want)
		}
	}
}

// A claim of a JWT template that a rule asks for is looked at, and shown.
func TestPolicyCheckExtraClaims(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, claims := filepath.Join(dir, "policy.yaml"), filepath.Join(dir, "claims.json")
	for path, text := range map[string]string{
		file:   "rules:\n  - name: sales\n    require: {claims: {department: [sales]}}\n",
		claims: `{"sub":"user_01A","department":"legal","floor":3}`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stdout, _, err := runs(t, nil, "policy", "check", "-policy", file, "-host", "app.example.com", "-path", "/", "-claims", claims)
	if !errors.Is(err, ErrNotAllowed) || !strings.Contains(stdout, "claims that no policy looks at: floor\n") ||
		!strings.Contains(stdout, `claims: department: asked for any of sales; there is legal`) {
		t.Errorf("got %v,\n%s", err, stdout)
	}
}

// A token of an issuer meets its rule, by its own claims.
func TestPolicyCheckOfWorkloads(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	file, claims := filepath.Join(directory, "policy.yaml"), filepath.Join(directory, "claims.json")
	for path, text := range map[string]string{
		file: `issuers: [{name: github, issuer: "https://token.actions.githubusercontent.com", audience: a}]
rules:
  - name: deploys
    credentials: [bearer]
    require: {issuer: github, claims: {repository: [acme/app]}}
`,
		claims: `{"sub": "repo:acme/app:ref:refs/heads/main", "repository": "acme/app", "roles": "admin"}`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, want string
		args       []string
	}{
		{"of the issuer", "allowed: the requirements are met", []string{"--issuer", "github", "--claims", claims}},
		{"AuthKit's", "denied: not met: issuer: tokens of github pass, and this one is of AuthKit", []string{"--credential", "bearer", "--claims", sessionClaims(t, directory)}},
		{"of an issuer that the policy doesn't have", `no rule of the policy requires the issuer "gitlab"`, []string{"--issuer", "gitlab", "--claims", claims}},
		{"without claims", "which claims has the token? Set -claims", []string{"--issuer", "github"}},
	} {
		stdout, _, err := runs(t, map[string]string{"POLICY_FILE": file}, append([]string{"policy", "check", "--host", "a.example.com", "--path", "/"}, tt.args...)...)
		if text := stdout; !strings.Contains(text, tt.want) && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v and %s, want %q", tt.name, err, text, tt.want)
		}
	}
}

// sessionClaims writes the claims of a session's token.
func sessionClaims(t *testing.T, directory string) string {
	t.Helper()
	path := filepath.Join(directory, "session.json")
	if err := os.WriteFile(path, []byte(`{"sub": "user_01", "repository": "acme/app"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
