package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// No issuer of workloads' tokens is where AuthKit is, whichever setting says where that is. The others are named at the start.
func TestIssuersOfWorkloads(t *testing.T) {
	t.Parallel()
	settings := []string{
		"AUTHKIT_DOMAIN", "https://auth.example.com", "WORKOS_ISSUER", "https://sessions.example.com/user_management/client_01ABC",
		"BEARER_ISSUERS", "https://connect.example.com", "WORKOS_API_HOSTNAME", "api.example.com",
	}
	parse := func(issuer string) (*Config, error) {
		file := filepath.Join(t.TempDir(), "policy.yaml")
		text := fmt.Sprintf("issuers:\n  - name: ci\n    issuer: %s\n    audience: https://app.example.com\nrules:\n  - name: a\n    credentials: [bearer]\n"+
			"    require: {issuer: ci, claims: {sub: [x]}}\n", issuer)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return Parse(environ(append(settings, "POLICY_FILE", file)...))
	}
	for _, bad := range []string{"https://auth.example.com", "https://sessions.example.com", "https://connect.example.com/x", "https://api.example.com:443", "https://api.workos.com"} {
		if _, err := parse(bad); err == nil || !strings.Contains(err.Error(), "line 3: issuer \"ci\": ") || !strings.Contains(err.Error(), "is AuthKit") {
			t.Errorf("%s: got %v, want it refused with its line", bad, err)
		}
	}
	c, err := parse("https://ci.example.com")
	if err != nil {
		t.Fatal(err)
	}
	s, p, err := c.Protection()
	if err != nil {
		t.Fatal(err)
	}
	const want = "workloads: where a rule requires it, tokens of ci (https://ci.example.com) for the audience https://app.example.com pass"
	notes := c.Summary(s, p)
	if got := notes[len(notes)-2].Text; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
