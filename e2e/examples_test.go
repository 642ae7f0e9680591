package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/authkit-forward-auth/authkit-forward-auth/verify"
)

// Every place in the examples that lists the identity headers has all of them.
func TestExamplesNameEveryIdentityHeader(t *testing.T) {
	t.Parallel()
	want := append(verify.DefaultHeaders().Names(), verify.RemoteHeaders().Names()...)
	slices.Sort(want)
	want = slices.Compact(want)

	for _, list := range []struct {
		name, file, pattern string // the pattern's group is a name
	}{
		{"nginx sends them", "nginx/authkit/identity.conf", `(?m)^proxy_set_header (\S+) +\$authkit_\w+;$`},
		{"caddy sends them", "caddy/authkit.caddy", `(?m)^\trequest_header (\S+) \{rp\.header\.\S+\}$`},
		{"haproxy sends them", "haproxy/authkit.lua", `"((?:x-auth-request|remote)-[a-z-]+)"`},
		{"traefik copies them", "traefik/dynamic.yml", `(?m)^ {10}- (\S+)$`},
		{"traefik strips them", "traefik/dynamic.yml", `(?m)^ {10}(\S+): ""$`},
		{"traefik copies them, a flow on its own host", "traefik/auth.example.com.yml", `(?m)^ {10}- (\S+)$`},
		{"traefik strips them, a flow on its own host", "traefik/auth.example.com.yml", `(?m)^ {10}(\S+): ""$`},
		{"traefik strips them, labels", "traefik/docker-labels.yml", `(?m)\.customrequestheaders\.(\S+): ""$`},
	} {
		t.Run(list.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, match := range regexp.MustCompile(list.pattern).FindAllStringSubmatch(example(t, list.file), -1) {
				got = append(got, http.CanonicalHeaderKey(match[1]))
			}
			wantNames(t, got, want)
		})
	}
	t.Run("traefik copies them, labels", func(t *testing.T) {
		t.Parallel()
		match := regexp.MustCompile(`authresponseheaders: &identity "(.*)"`).FindStringSubmatch(example(t, "traefik/docker-labels.yml"))
		if match == nil {
			t.Fatal("no authresponseheaders")
		}
		wantNames(t, strings.Split(match[1], ","), want)
	})
	for _, file := range []string{"nginx/README.md", "traefik/README.md", "caddy/README.md", "haproxy/README.md", "envoy/README.md"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			text := example(t, file)
			for _, name := range want {
				if !strings.Contains(text, "`"+name+"`") {
					t.Errorf("got no %s", name)
				}
			}
		})
	}
}

// Caddy: what is copied from the service's answer is sent to the app under the same name.
func TestCaddyHeaders(t *testing.T) {
	t.Parallel()
	lines := regexp.MustCompile(`(?m)^\trequest_header (\S+) \{rp\.header\.(\S+)\}$`).FindAllStringSubmatch(example(t, "caddy/authkit.caddy"), -1)
	if len(lines) == 0 {
		t.Fatal("no identity headers")
	}
	for _, m := range lines {
		if m[1] != m[2] {
			t.Errorf("%s: got the service's %s, want the header of that name", m[1], m[2])
		}
	}
}

// nginx: what is copied from the service's answer is sent to the app under the same name.
func TestNginxVariables(t *testing.T) {
	t.Parallel()
	text := example(t, "nginx/authkit/identity.conf")
	read := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^auth_request_set (\$\w+) +\$upstream_http_(\w+);$`).FindAllStringSubmatch(text, -1) {
		read[m[1]] = m[2]
	}
	sent := regexp.MustCompile(`(?m)^proxy_set_header (\S+) +(\$\w+);$`).FindAllStringSubmatch(text, -1)
	if len(read) != len(sent) {
		t.Errorf("got %d variables and %d headers, want as many", len(read), len(sent))
	}
	for _, m := range sent {
		if want := strings.ToLower(strings.ReplaceAll(m[1], "-", "_")); read[m[2]] != want {
			t.Errorf("%s: got $upstream_http_%s, want $upstream_http_%s", m[1], read[m[2]], want)
		}
	}
}

// Every flow endpoint is in every example, by name.
func TestExamplesNameEveryFlowEndpoint(t *testing.T) {
	t.Parallel()
	for file, prefix := range map[string]string{
		"nginx/authkit/server.conf": "/_auth/", "nginx/auth.example.com.conf": " /",
		"caddy/authkit.caddy": " /_auth/", "caddy/auth.example.com.caddy": " /", "haproxy/haproxy.cfg": " /_auth/",
		"traefik/dynamic.yml": "`/_auth/", "traefik/docker-labels.yml": "`/_auth/", "traefik/auth.example.com.yml": "`/",
	} {
		text := example(t, file)
		for _, name := range []string{"login", "sign-up", "callback", "switch", "logout", "webhooks"} {
			if !regexp.MustCompile(prefix + name + "[` \n]").MatchString(text) {
				t.Errorf("%s: got no %s%s", file, prefix, name)
			}
		}
	}
}

// As labels, each middleware that asks the service differs from the first one in its requirements alone.
func TestTraefikLabels(t *testing.T) {
	t.Parallel()
	var file struct {
		Services map[string]struct{ Labels map[string]string }
	}
	if err := yaml.Load([]byte(example(t, "traefik/docker-labels.yml")), &file); err != nil {
		t.Fatal(err)
	}
	labels := file.Services["auth"].Labels
	for _, middleware := range []struct{ name, query string }{
		{"authkit", ""}, {"authkit-admin", "?role=admin,owner"}, {"authkit-partners", "?organization=org_01ABC"},
	} {
		for option, want := range map[string]string{
			"address":             "http://auth:9000/verify/forward-auth" + middleware.query,
			"trustforwardheader":  "false",
			"maxresponsebodysize": "8192",
			"authresponseheaders": labels["traefik.http.middlewares.authkit.forwardauth.authresponseheaders"],
		} {
			if got := labels["traefik.http.middlewares."+middleware.name+".forwardauth."+option]; got != want || got == "" {
				t.Errorf("%s: %s: got %q, want %q", middleware.name, option, got, want)
			}
		}
	}
}

func wantNames(t *testing.T, got, want []string) {
	t.Helper()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func example(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "examples", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
