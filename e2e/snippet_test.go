package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// snippets are the gateways with the files that snippet writes, as they are but for where they listen and lie. args are snippet's.
func snippets(args ...string) []gateway {
	return []gateway{
		{"nginx", "nginx", localhost, func(t *testing.T, at addresses) {
			dir := copyExample(t, "nginx")
			if err := os.RemoveAll(filepath.Join(dir, "authkit")); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(dir, "app.conf")); err != nil {
				t.Fatal(err)
			}
			writeSnippet(t, dir, "nginx", at, args...)
			replace(t, dir, "nginx.conf", "include localhost.conf;", "include site.conf;")
			replace(t, dir, "site.conf", "listen "+portOf(t, at.gateway)+";", "listen "+at.gateway+";")
			runNginx(t, dir, at.gateway)
		}},
		{"traefik", "traefik", localhost, func(t *testing.T, at addresses) {
			dir := writeSnippet(t, t.TempDir(), "traefik", at, args...)
			replace(t, dir, "traefik.yml", `":3000"`, `"`+at.gateway+`"`)
			replace(t, dir, "traefik.yml", "/etc/traefik/dynamic.yml", filepath.Join(dir, "dynamic.yml"))
			runTraefik(t, dir, at.gateway)
		}},
		{"caddy", "caddy", localhost, func(t *testing.T, at addresses) {
			dir := writeSnippet(t, t.TempDir(), "caddy", at, args...)
			replace(t, dir, "Caddyfile", "http://:"+portOf(t, at.gateway)+" {", "http://:"+portOf(t, at.gateway)+" {\n\tbind 127.0.0.1")
			runCaddy(t, dir, "Caddyfile", at.gateway)
		}},
		{"haproxy", "haproxy", localhost, func(t *testing.T, at addresses) {
			dir := writeSnippet(t, t.TempDir(), "haproxy", at, args...)
			replace(t, dir, "haproxy.cfg", "bind :"+portOf(t, at.gateway), "bind "+at.gateway)
			replace(t, dir, "haproxy.cfg", "/etc/haproxy/authkit.lua", filepath.Join(dir, "authkit.lua"))
			runHAProxy(t, dir, at.gateway)
		}},
		{"envoy", "envoy", localhost, func(t *testing.T, at addresses) {
			dir := writeSnippet(t, t.TempDir(), "envoy", at, args...)
			replace(t, dir, "envoy.yaml", "address: 0.0.0.0", "address: 127.0.0.1")
			runEnvoy(t, filepath.Join(dir, "envoy.yaml"), at.gateway)
		}},
	}
}

// The files that snippet writes let in, deny and leave public what they should.
func TestSnippet(t *testing.T) {
	t.Parallel()
	each(t, snippets(), func(t *testing.T, g gateway) {
		s := newStack(t, g)
		admin, other := newBrowser(t), newBrowser(t)
		wages := s.origin + "/wages/2026"
		if a := admin.signIn(wages, zoe); a.Status != http.StatusOK || admin.seen(a).URI != "/wages/2026" {
			t.Errorf("an admin: got %d, want the page", a.Status)
		}
		other.signIn(s.origin+"/", paula)
		if a := other.fetch(http.MethodGet, wages, ""); a.Status != http.StatusForbidden {
			t.Errorf("somebody else: got %d, want 403", a.Status)
		}
		if a := newBrowser(t).fetch(http.MethodGet, s.origin+publicPath, ""); a.Status != http.StatusOK {
			t.Errorf("the public path: got %d, want 200", a.Status)
		}
		wantReason(t, newBrowser(t).fetch(http.MethodGet, s.origin+"/favicon.ico/x", ""), http.StatusUnauthorized, "no_session")
	})
}

// writeSnippet writes a gateway's snippet into a folder.
func writeSnippet(t *testing.T, dir, name string, at addresses, args ...string) string {
	t.Helper()
	return snippetInto(t, dir, name, append([]string{"-app", localhost(portOf(t, at.gateway)), "-upstream", at.app, "-service", at.service,
		"-require", "/wages?role=admin,owner", "-public", publicPath}, args...)...)
}

func snippetInto(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(service, append([]string{"snippet", name, "-out", dir}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("snippet: %v\n%s", err, out)
	}
	return dir
}

// Each gateway's own check accepts the files that snippet writes for public names.
func TestSnippetForDomains(t *testing.T) {
	t.Parallel()
	certificate, key := selfSigned(t)
	pem, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	deployments := map[string][]string{
		"one app": {"-app", "https://app.example.com", "-upstream", "127.0.0.1:8080", "-service", "127.0.0.1:9000",
			"-require", "organization=org_01ABC", "-require", "/admin?role=admin,owner", "-public", "/favicon.ico", "-public", "/robots.txt"},
		"two apps": {"-app", "https://app.example.com", "-app", "https://wiki.example.com", "-upstream", "127.0.0.1:8080", "-upstream", "127.0.0.1:8081",
			"-auth", "https://auth.example.com", "-service", "127.0.0.1:9000", "-require", "/admin?role=admin", "-public", "/favicon.ico"},
	}
	checks := map[string]func(t *testing.T, dir string) *exec.Cmd{
		"nginx": func(t *testing.T, dir string) *exec.Cmd {
			nginx := program(t, "nginx", "/usr/sbin/nginx")
			for _, name := range []string{"app.example.com", "auth.example.com", "wiki.example.com", "example.com"} {
				for ending, text := range map[string][]byte{".crt": pem, ".key": secret} {
					writeFile(t, filepath.Join(dir, name+ending), text)
				}
			}
			replace(t, dir, "site.conf", "/etc/nginx/tls/", dir+"/")
			main := "daemon off; pid " + dir + "/pid; error_log stderr; events {} http {" + tempPaths(dir) + "\naccess_log off; include authkit/http.conf; include site.conf; }"
			writeFile(t, filepath.Join(dir, "nginx.conf"), []byte(main))
			return exec.Command(nginx, "-t", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", "stderr")
		},
		"caddy": func(t *testing.T, dir string) *exec.Cmd {
			caddy := program(t, append(cachedBinaries(t, "caddy"), "caddy")...)
			cmd := exec.Command(caddy, "validate", "--adapter", "caddyfile", "--config", filepath.Join(dir, "Caddyfile"))
			cmd.Env = []string{"HOME=" + dir}
			return cmd
		},
		"haproxy": func(t *testing.T, dir string) *exec.Cmd {
			haproxy := program(t, "haproxy", "/usr/sbin/haproxy")
			if err := os.Mkdir(filepath.Join(dir, "tls"), 0o700); err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(dir, "tls", "all.pem"), append(append([]byte{}, pem...), secret...))
			replace(t, dir, "haproxy.cfg", "/etc/haproxy/tls/", filepath.Join(dir, "tls")+"/")
			replace(t, dir, "haproxy.cfg", "/etc/haproxy/authkit.lua", filepath.Join(dir, "authkit.lua"))
			return exec.Command(haproxy, "-c", "-f", filepath.Join(dir, "haproxy.cfg"))
		},
	}
	for gateway, check := range checks {
		for name, args := range deployments {
			t.Run(gateway+"/"+name, func(t *testing.T) {
				t.Parallel()
				dir := snippetInto(t, t.TempDir(), gateway, args...)
				out, err := check(t, dir).CombinedOutput()
				if err != nil || strings.Contains(string(out), "[WARNING]") || strings.Contains(string(out), "[warn]") {
					t.Errorf("got %v\n%s", err, out)
				}
			})
		}
	}
}

func writeFile(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
