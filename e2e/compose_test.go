package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/config"
)

// project is what docker-compose.yml comes to.
type project struct {
	Services map[string]struct {
		Image       string
		Build       map[string]any
		Environment map[string]string
		NetworkMode string `json:"network_mode"`
		Volumes     []struct{ Source string }
		Ports       []struct {
			HostIP    string `json:"host_ip"`
			Published string
			Target    int
		}
	}
}

// credentials are those of the real WorkOS, as .env has them.
var credentials = map[string]string{
	"WORKOS_API_KEY":         "sk_live_5tqXw0",
	"WORKOS_CLIENT_ID":       "client_01K0COMPOSE",
	"WORKOS_COOKIE_PASSWORD": cookiePassword,
}

// cached returns where e2e/install puts a program, the newest first.
func cached(t *testing.T, prefix string) []string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil
	}
	built, err := filepath.Glob(filepath.Join(cache, "authkit-forward-auth", "bin", prefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(built)
	slices.Reverse(built)
	return built
}

// composeConfig runs `docker-compose config` with variables in .env and none of this process's.
func composeConfig(t *testing.T, variables map[string]string) ([]byte, error) {
	t.Helper()
	compose := program(t, append(cached(t, "docker-compose-v"), "docker-compose")...)
	dotEnv := filepath.Join(t.TempDir(), ".env")
	var lines strings.Builder
	for name, value := range variables {
		lines.WriteString(name + "=" + value + "\n")
	}
	if err := os.WriteFile(dotEnv, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(compose, "--env-file", dotEnv, "--profile", "*", "config", "--format", "json")
	cmd.Dir = ".."
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	return cmd.Output()
}

func readProject(t *testing.T, variables map[string]string) project {
	t.Helper()
	out, err := composeConfig(t, variables)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("%v: %s", err, exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	var p project
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// The settings that the service gets in each mode, and that it takes them.
func TestComposeEnvironment(t *testing.T) {
	t.Parallel()
	const kernel = "/proc/sys/kernel/random/uuid"
	app := map[string]string{ // what an app's .env may also say
		"WORKOS_REDIRECT_URI": "https://app.example.com/callback", "WORKOS_API_HOSTNAME": "localhost",
		"WORKOS_API_HTTPS": "false", "WORKOS_COOKIE_DOMAIN": "example.com", "LOGOUT_RETURN_URL": "https://app.example.com/",
	}
	with := func(more map[string]string) map[string]string {
		all := map[string]string{}
		for _, variables := range []map[string]string{app, more} {
			for name, value := range variables {
				all[name] = value
			}
		}
		return all
	}
	emulated := map[string]string{
		"WORKOS_API_KEY": "sk_test_emulator", "WORKOS_CLIENT_ID": "client_emulator",
		"WORKOS_COOKIE_PASSWORD": "", "WORKOS_COOKIE_PASSWORD_FILE": kernel,
		"WORKOS_REDIRECT_URI": "http://localhost:3000/_auth/callback", "LOGOUT_RETURN_URL": "http://localhost:3000/_auth/logout",
		"WORKOS_API_HOSTNAME": "localhost", "WORKOS_API_HTTPS": "false", "WORKOS_API_PORT": "4100", "GATEWAY": "traefik",
	}
	for _, tt := range []struct {
		name      string
		variables map[string]string
		want      map[string]string
		api       string
	}{
		{"none of the three", nil, emulated, "http://localhost:4100"},
		{"none of the three, the rest of an app's", app, emulated, "http://localhost:4100"},
		{"the three empty", map[string]string{"WORKOS_API_KEY": "", "WORKOS_CLIENT_ID": "", "WORKOS_COOKIE_PASSWORD": ""}, emulated, "http://localhost:4100"},
		{"all three, and the rest of an app's", with(credentials), map[string]string{
			"WORKOS_API_KEY": "sk_live_5tqXw0", "WORKOS_CLIENT_ID": "client_01K0COMPOSE",
			"WORKOS_COOKIE_PASSWORD": "correct-horse-battery-staple-0123456789",
			"WORKOS_REDIRECT_URI":    "http://localhost:3000/_auth/callback",
			"WORKOS_API_HOSTNAME":    "api.workos.com", "GATEWAY": "traefik",
		}, "https://api.workos.com"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := readProject(t, tt.variables).Services["auth"].Environment
			for name, value := range tt.want {
				if got[name] != value {
					t.Errorf("%s: got %q, want %q", name, got[name], value)
				}
			}
			if len(got) != len(tt.want) {
				t.Errorf("got %d variables, want %d: %v", len(got), len(tt.want), got)
			}
			if _, err := os.Stat(kernel); err != nil && got["WORKOS_COOKIE_PASSWORD_FILE"] == kernel {
				missing(t, kernel+" is not here: the containers run on Linux")
			}
			config, err := config.Parse(got)
			if err != nil {
				t.Fatal(err)
			}
			if api := config.APIURL().String(); api != tt.api {
				t.Errorf("got API %s, want %s", api, tt.api)
			}
		})
	}
}

// Half a configuration must neither start with the emulator's other half nor with none.
func TestComposeRefusesSomeCredentials(t *testing.T) {
	t.Parallel()
	names := []string{"WORKOS_API_KEY", "WORKOS_CLIENT_ID", "WORKOS_COOKIE_PASSWORD"}
	for some := 1; some < 1<<len(names)-1; some++ {
		variables := map[string]string{}
		for i, name := range names {
			if some&(1<<i) != 0 {
				variables[name] = credentials[name]
			} else if some&1 != 0 { // missing and empty are the same
				variables[name] = ""
			}
		}
		t.Run(strings.Join(setNames(names, variables), " and "), func(t *testing.T) {
			t.Parallel()
			out, err := composeConfig(t, variables)
			exit, ok := errors.AsType[*exec.ExitError](err)
			if !ok {
				t.Fatalf("got %v, %s, want a refusal", err, out)
			}
			const want = "set WORKOS_API_KEY, WORKOS_CLIENT_ID and WORKOS_COOKIE_PASSWORD, or none of them"
			if !strings.Contains(string(exit.Stderr), want) {
				t.Errorf("got %s, want …%s", exit.Stderr, want)
			}
		})
	}
}

func setNames(names []string, variables map[string]string) []string {
	var set []string
	for _, name := range names {
		if variables[name] != "" {
			set = append(set, name)
		}
	}
	return set
}

// Nothing but the gateway and the emulator can be reached, and only from this machine.
func TestComposePorts(t *testing.T) {
	t.Parallel()
	p := readProject(t, nil)
	want := map[string]string{"traefik": "3000", "nginx": "3000", "auth": "4100"}
	for name, service := range p.Services {
		var published string
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is published on %q, want 127.0.0.1", name, port.Published, port.HostIP)
			}
			published += port.Published
		}
		if published != want[name] {
			t.Errorf("%s: got published ports %q, want %q", name, published, want[name])
		}
	}
	if got := p.Services["emulator"].NetworkMode; got != "service:auth" {
		t.Errorf("emulator: got network mode %q, want service:auth, whose port 4100 it listens on", got)
	}
	if got := readProject(t, map[string]string{"GATEWAY": "nginx"}).Services["auth"].Environment["GATEWAY"]; got != "nginx" {
		t.Errorf("got GATEWAY %q, want nginx", got)
	}
}

// An image is built here, or has a version of three numbers. Traefik's is the one that the tests run.
func TestComposeImages(t *testing.T) {
	t.Parallel()
	p := readProject(t, nil)
	pinned := regexp.MustCompile(`^[a-z]+:v?[0-9]+\.[0-9]+\.[0-9]+$`)
	for name, service := range p.Services {
		if service.Image != p.Services["auth"].Image && !pinned.MatchString(service.Image) {
			t.Errorf("%s: image %q is not pinned to a version", name, service.Image)
		}
		for _, volume := range service.Volumes {
			if _, err := os.Stat(volume.Source); err != nil {
				t.Errorf("%s: volume: %v", name, err)
			}
		}
	}
	if p.Services["auth"].Build == nil {
		t.Error("auth: the image is not built here")
	}
	install, err := os.ReadFile("install")
	if err != nil {
		t.Fatal(err)
	}
	_, version, _ := strings.Cut(p.Services["traefik"].Image, ":")
	if !strings.Contains(string(install), "traefik_version="+version+"\n") {
		t.Errorf("the tests run another Traefik than %s, see e2e/install", version)
	}
}
