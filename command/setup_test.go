package command

import (
	"bytes"
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

// emulated is a WorkOS environment, and the variables by which the program finds it.
func emulated(t *testing.T) (*emulator.Emulator, map[string]string) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	base := &url.URL{Scheme: "http", Host: server.Listener.Addr().String()}
	e, err := emulator.New(emulator.Config{BaseURL: base, ClientID: "client_01ABC", APIKey: "sk_test_0123456789"})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = e
	server.Start()
	t.Cleanup(func() { e.Close(); server.Close() })
	return e, map[string]string{
		"WORKOS_API_KEY": "sk_test_0123456789", "WORKOS_CLIENT_ID": "client_01ABC",
		"WORKOS_API_HOSTNAME": base.Hostname(), "WORKOS_API_PORT": base.Port(), "WORKOS_API_HTTPS": "false",
	}
}

// setUp runs setup with answers typed in, one a line.
func setUp(t *testing.T, environ map[string]string, typed string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := runSetup(t.Context(), process{environ, strings.NewReader(typed), &out, io.Discard}, args)
	return out.String(), err
}

func TestSetup(t *testing.T) {
	t.Parallel()
	e, environ := emulated(t)
	file := filepath.Join(t.TempDir(), ".env")
	args := []string{"-gateway", "caddy", "-app", "https://app.example.invalid", "-upstream", "app:8080", "-env", file}

	stdout, err := setUp(t, environ, "", append(args, "-dry-run")...)
	if err != nil || !strings.Contains(stdout, "would  redirect URI") || !strings.Contains(stdout, "would  webhooks") || !strings.Contains(stdout, "would  "+file) {
		t.Errorf("dry run: got %v,\n%s", err, stdout)
	}
	if _, err := os.Stat(file); err == nil || len(e.RedirectURIs()) != 0 {
		t.Errorf("dry run: got a file (%v) or %q, want neither", err, e.RedirectURIs())
	}

	stdout, err = setUp(t, environ, "", append(args, "-resource", "https://app.example.invalid/mcp")...)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"done   resource       register https://app.example.invalid/mcp\n",
		"done   redirect URI   register https://app.example.invalid/_auth/callback\n",
		"Sign-in endpoint   https://app.example.invalid/_auth/login\n", "Sign-out redirect  https://app.example.invalid/_auth/logout\n",
		"==> Caddyfile\n", "authkit-forward-auth doctor https://app.example.invalid/ -gateway caddy\n", ". ./",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("got no %q in\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, environ["WORKOS_API_KEY"]) {
		t.Error("got the API key in the output")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// The service takes the file.
	written := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		written[name] = value
	}
	if out, errs, err := runs(t, written, "config"); err != nil || !strings.Contains(out, "GATEWAY=caddy\n") || errs != "" {
		t.Errorf("config: got %v, %s\n%s", err, errs, out)
	}

	// A file that would change is asked about.
	args[slices.Index(args, "caddy")] = "nginx"
	if _, err := setUp(t, environ, "n\n", args...); err == nil || !strings.Contains(err.Error(), "stays as it is") {
		t.Errorf("no: got %v", err)
	}
	if _, err := setUp(t, environ, "", args...); err == nil || !strings.Contains(err.Error(), "stays as it is") {
		t.Errorf("no answer: got %v", err)
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, text) {
		t.Errorf("no: got another file, %v", err)
	}
	if _, err := setUp(t, environ, "y\n", args...); err != nil {
		t.Errorf("yes: got %v", err)
	}
	if got, err := os.ReadFile(file + ".bak"); err != nil || !bytes.Equal(got, text) {
		t.Errorf("yes: got %v, want the old file kept", err)
	}
}

func TestSetupAsks(t *testing.T) {
	t.Parallel()
	_, environ := emulated(t)
	delete(environ, "WORKOS_API_KEY")
	delete(environ, "WORKOS_CLIENT_ID")
	file := filepath.Join(t.TempDir(), "env")
	stdout, err := setUp(t, environ, "sk_test_0123456789\nclient_01ABC\ntraefik\nhttps://app.example.invalid\n app:8080 \n", "-env", file)
	if err != nil || strings.Count(stdout, ": ") < 5 {
		t.Errorf("got %v,\n%s", err, stdout)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

// Files of a gateway's that are there are noticed before anything is registered.
func TestSetupWithFilesThatAreThere(t *testing.T) {
	t.Parallel()
	e, environ := emulated(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, ".env")
	_, err := setUp(t, environ, "", "-yes", "-gateway", "caddy", "-app", "https://app.example.invalid", "-upstream", "app:8080", "-env", file, "-out", dir)
	if err == nil || !strings.Contains(err.Error(), "Caddyfile is there already, and nothing is written") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(file); err == nil || len(e.RedirectURIs()) != 0 {
		t.Errorf("got a file (%v) or %q, want neither", err, e.RedirectURIs())
	}
}

func TestSetupMistakes(t *testing.T) {
	t.Parallel()
	_, environ := emulated(t)
	all := []string{"-gateway", "nginx", "-app", "https://app.example.com", "-upstream", "app:8080", "-yes"}
	for want, test := range map[string]struct {
		environ map[string]string
		args    []string
	}{
		"-app is missing":           {nil, []string{"-gateway", "nginx", "-yes"}},
		"-upstream is missing":      {nil, []string{"-gateway", "nginx", "-app", "https://app.example.com"}},
		"begins with sk_":           {nil, append([]string{"-api-key", "key"}, all...)},
		"begins with client_":       {nil, append([]string{"-client-id", "01ABC"}, all...)},
		"doesn't use":               {nil, append([]string{"-api-key", "sk_a b"}, all...)},
		`no gateway "apache"`:       {nil, append(slices.Clone(all), "-gateway", "apache")},
		"doesn't know this API key": {nil, append([]string{"-api-key", "sk_test_other"}, all...)},
		"different environments":    {nil, append([]string{"-client-id", "client_02"}, all...)},
		"true or false":             {map[string]string{"WORKOS_API_HTTPS": "no"}, all},
		"doesn't answer":            {map[string]string{"WORKOS_API_PORT": "1"}, all},
		"a plain path without":      {nil, append(slices.Clone(all), "-resource", "https://app.example.com/mcp/")},
		"http is for localhost":     {nil, append(slices.Clone(all), "-app", "http://app.example.com", "-upstream", "app:8080")},
	} {
		merged := map[string]string{}
		for _, from := range []map[string]string{environ, test.environ} {
			for name, value := range from {
				merged[name] = value
			}
		}
		if out, err := setUp(t, merged, "", append(test.args, "-env", filepath.Join(t.TempDir(), ".env"))...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q\n%s", err, want, out)
		}
	}
}
