package e2e

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/doctor"
)

// From an API key to a protected app: one command, its file for the service and its files for the gateway.
func TestSetup(t *testing.T) {
	t.Parallel()
	caddy := gateway{"caddy", "caddy", localhost, nil}
	s := newSite(t, gateway{"caddy", "caddy", localhost, func(*testing.T, addresses) {}})
	s.flow = "http://localhost:1/_auth" // what is registered before
	s.startAuthKit(t)
	s.flow = ""
	api, err := url.Parse(s.api)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, ".env")
	setup := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(service, append([]string{"setup", "-yes", "-gateway", "caddy", "-app", s.origin, "-upstream", s.at.app, "-service", s.at.service, "-env", file}, args...)...)
		cmd.Env = []string{"WORKOS_API_KEY=" + apiKey, "WORKOS_CLIENT_ID=" + clientID,
			"WORKOS_API_HOSTNAME=" + api.Hostname(), "WORKOS_API_PORT=" + api.Port(), "WORKOS_API_HTTPS=false"}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("setup: %v\n%s", err, out)
		}
		return string(out)
	}
	out := setup("-out", filepath.Join(dir, "caddy"))
	for _, want := range []string{"Sign-in endpoint   " + s.origin + "/_auth/login\n", "doctor " + s.origin + "/ -gateway caddy\n", filepath.Join(dir, "caddy", "Caddyfile") + "\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("got no %q in\n%s", want, out)
		}
	}

	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(service, "serve")
	cmd.Env = append(strings.Split(strings.TrimSpace(string(text)), "\n"), "LISTEN_ADDR="+s.at.service)
	s.service = start(t, s.at.service, cmd)
	replace(t, filepath.Join(dir, "caddy"), "Caddyfile", "http://:"+portOf(t, s.at.gateway)+" {", "http://:"+portOf(t, s.at.gateway)+" {\n\tbind 127.0.0.1")
	runCaddy(t, filepath.Join(dir, "caddy"), "Caddyfile", s.at.gateway)

	for _, f := range s.examine(t, caddy, false) {
		if f.Result == doctor.Fail || f.Result == doctor.Warn {
			t.Errorf("got %s", f)
		}
	}
	b := newBrowser(t)
	if a := b.signIn(s.origin+"/", zoe); a.Status != http.StatusOK {
		t.Errorf("sign in: got %d, want the page", a.Status)
	}

	// Once more: there is nothing to do, and what is there is examined.
	again := setup()
	for _, want := range []string{"ok     redirect URI", "ok     webhooks", "ok     " + file, s.origin + " answers already:\n", "ok    page"} {
		if !strings.Contains(again, want) {
			t.Errorf("again: got no %q in\n%s", want, again)
		}
	}
	if now, err := os.ReadFile(file); err != nil || string(now) != string(text) {
		t.Errorf("again: got another file, %v", err)
	}
}
