package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

func TestAssertionKeys(t *testing.T) {
	t.Parallel()
	const keys = "../assertion/testdata/"
	id := func(pairs ...string) string {
		t.Helper()
		k, err := mustParse(t, environ(append([]string{"IDENTITY_HEADERS", "default,assertion"}, pairs...)...)).AssertionKeys()
		if err != nil {
			t.Fatal(err)
		}
		return k.ID()
	}
	if got, want := id("ASSERTION_KEY_FILE", keys+"pkcs8.pem"), "cmKDSXie0exYRnNNKbM59VlgcN5fNB0SRl5NN9ZNYo0"; got != want {
		t.Errorf("a file's: got %s, want %s", got, want)
	}
	derived := id()
	for name, other := range map[string]string{
		"another API key":  id("WORKOS_API_KEY", "sk_test_another"),
		"another password": id("WORKOS_COOKIE_PASSWORD", oldPassword, "WORKOS_COOKIE_PASSWORD_PREVIOUS", goodPassword),
	} {
		if other == derived {
			t.Errorf("%s: got the same key, want another", name)
		}
	}
	if derived != id("WORKOS_COOKIE_PASSWORD_PREVIOUS", oldPassword) || derived != id("WORKOS_COOKIE_PASSWORD_PREVIOUS", goodPassword) {
		t.Error("with a password from before: got another key, want the same")
	}
	k, err := mustParse(t, environ("IDENTITY_HEADERS", "assertion", "WORKOS_COOKIE_PASSWORD", oldPassword, "WORKOS_COOKIE_PASSWORD_PREVIOUS", goodPassword)).AssertionKeys()
	if err != nil || !strings.Contains(string(k.JWKS()), derived) {
		t.Errorf("after a change of the password: got %s, %v, want the key of before in it", k.JWKS(), err)
	}
}

func TestAssertionKeyFileRefused(t *testing.T) {
	t.Parallel()
	large := filepath.Join(t.TempDir(), "large.pem")
	if err := os.WriteFile(large, make([]byte, 65<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, headers, file, want string }{
		{"no such file", "assertion", "testdata/none.pem", "ASSERTION_KEY_FILE: no such file or directory: name a file of private keys that this process may read"},
		{"a directory", "assertion", "../assertion/testdata", "ASSERTION_KEY_FILE: is a directory: name a file"},
		{"no keys", "assertion", "assertion_test.go", "ASSERTION_KEY_FILE: has no key in PEM"},
		{"another curve", "assertion", "../assertion/testdata/p384.pem", "ASSERTION_KEY_FILE: has an EC key of the curve P-384: make one of P-256"},
		{"too large", "assertion", large, "ASSERTION_KEY_FILE: is larger than 64 KB"},
		{"no assertions", "default", "../assertion/testdata/pkcs8.pem", "ASSERTION_KEY_FILE: is for assertions, which IDENTITY_HEADERS doesn't ask for: add assertion there"},
	} {
		if _, err := Parse(environ("IDENTITY_HEADERS", tt.headers, "ASSERTION_KEY_FILE", tt.file)); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

// Without a key of its own every app that has the service's secrets can sign: that is a warning at every start.
func TestSummaryOfAssertions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		env        []string
		says, warn bool
	}{
		{"none", nil, false, false},
		{"a derived key", []string{"IDENTITY_HEADERS", "assertion"}, true, true},
		{"a file's", []string{"IDENTITY_HEADERS", "assertion", "ASSERTION_KEY_FILE", "../assertion/testdata/pkcs8.pem"}, true, false},
	} {
		c := mustParse(t, environ(tt.env...))
		s, err := site.NewSites(c.RedirectURIs, c.CookieDomains)
		if err != nil {
			t.Fatal(err)
		}
		says, warn := false, false
		for _, note := range c.Summary(s, nil) {
			says = says || strings.HasPrefix(note.Text, "assertions: X-Auth-Request-Assertion, which the gateway must overwrite too; key set: https://auth.example.com/jwks.json")
			warn = warn || note.Warn && strings.Contains(note.Text, "every app that has both can sign as this service; set ASSERTION_KEY_FILE")
		}
		if says != tt.says || warn != tt.warn {
			t.Errorf("%s: got said %t, warned %t, want %t, %t", tt.name, says, warn, tt.says, tt.warn)
		}
	}
}
