package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The recipe of docs/resources.md, as it stands there: a command line has its user sign in at AuthKit, waits, and asks for the resource.
func TestDeviceGrantRecipe(t *testing.T) {
	t.Parallel()
	curl, shell := program(t, "curl"), program(t, "sh")
	each(t, resourceGateways(t)[:2], func(t *testing.T, g gateway) {
		s := newSite(t, g)
		s.startAuthKit(t)
		resource := s.origin + "/files"
		policy := filepath.Join(t.TempDir(), "policy.yaml")
		writeFile(t, policy, []byte(`default: authenticated
rules:
  - {name: files, hosts: [localhost], paths: [/files], resource: "`+resource+`", require: {scopes: [files:read]}}
`))
		s.open(t, g, "POLICY_FILE="+policy, "AUTHKIT_DOMAIN="+s.api)
		s.registerResource(t, resource)

		cmd := exec.CommandContext(t.Context(), shell, "-c", resourceLines(t, "sh")[0])
		cmd.Env = []string{
			"PATH=" + waitingSleep(t) + ":" + filepath.Dir(curl) + ":" + os.Getenv("PATH"),
			"AUTHKIT_DOMAIN=" + s.api, "CLIENT_ID=" + s.registerDevice(t), "RESOURCE=" + resource,
		}
		var stderr output
		cmd.Stderr = &stderr
		stdin, stdinErr := cmd.StdinPipe()
		stdout, stdoutErr := cmd.StdoutPipe()
		if stdinErr != nil || stdoutErr != nil {
			t.Fatal(stdinErr, stdoutErr)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(stdout)
		prompt, err := lines.ReadString('\n')
		visit := regexp.MustCompile(`^Visit (\S+) and enter (\S+)\n$`).FindStringSubmatch(prompt)
		if err != nil || visit == nil {
			t.Fatalf("got %q, %v, want where to go: %s", prompt, err, stderr.String())
		}
		wake := func() {
			t.Helper()
			if _, err := io.WriteString(stdin, "\n"); err != nil {
				t.Fatal(err)
			}
		}
		asked := s.authKit.Calls()["connect.token"]
		wake()
		awaitCalls(t, s, "connect.token", asked+1) // the user hasn't answered yet
		s.clock.Store(int64(6 * time.Second))      // else the device asks too early
		s.allowDevice(t, visit[1], visit[2])
		wake()
		text, err := io.ReadAll(lines)
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatalf("got %v, %s, want the app's answer: %s", err, text, stderr.String())
		}

		var got seen
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("got %s, want the app's answer", text)
		}
		if user, scopes := got.Header.Get("X-Auth-Request-User"), got.Header.Get("X-Auth-Request-Scopes"); user != zoeID || scopes != "files:read,offline_access" {
			t.Errorf("at the app: got user %q and scopes %q, want %q and both scopes", user, scopes, zoeID)
		}
		if got.Header.Get("Authorization") != "" {
			t.Error("the token arrived at the app")
		}
	})
}

// waitingSleep is a folder with a `sleep` that sleeps until there is a line on standard input.
func waitingSleep(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sleep"), []byte("#!/bin/sh\nread -r line\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// awaitCalls waits until AuthKit has answered so many calls of an endpoint.
func awaitCalls(t *testing.T, s *stack, endpoint string, n int) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(startTimeout)
	for s.authKit.Calls()[endpoint] < n {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: got %d calls, want %d", endpoint, s.authKit.Calls()[endpoint], n)
		}
	}
}

// registerDevice registers a public client, and returns its id.
func (s *stack) registerDevice(t *testing.T) string {
	t.Helper()
	a := newBrowser(t).send(http.MethodPost, s.api+"/oauth2/register", http.Header{"Content-Type": {"application/json"}},
		`{"client_name": "files", "token_endpoint_auth_method": "none", "grant_types": ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"]}`)
	var client struct {
		ID string `json:"client_id"`
	}
	if err := json.Unmarshal([]byte(a.Body), &client); a.Status != http.StatusCreated || err != nil {
		t.Fatalf("register a client: got %d, want 201: %s", a.Status, a.Body)
	}
	return client.ID
}

// allowDevice is what the user does: the code, the sign-in, the consent.
func (s *stack) allowDevice(t *testing.T, at, code string) {
	t.Helper()
	b := newBrowser(t)
	page := b.open(at)
	form := url.Values{"user_code": {code}, "email": {zoe}}
	page = b.submit(page.URL, at, form)
	if !strings.Contains(page.Body, code) || !strings.Contains(page.Body, `name="allow"`) {
		t.Fatalf("got %d, want the consent to the code: %s", page.Status, page.Body)
	}
	for _, m := range hiddenInput.FindAllStringSubmatch(page.Body, -1) {
		form.Set(m[1], m[2])
	}
	form.Set("allow", "1")
	if page = b.submit(page.URL, at, form); !strings.Contains(page.Body, "Your device goes on by itself") {
		t.Fatalf("got %d, want the end: %s", page.Status, page.Body)
	}
}
