package snippet

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the files of examples/ anew")

// local is what the examples for http://localhost:3000 are for.
var local = Options{
	Apps: []string{"http://localhost:3000"}, Upstreams: []string{"app:8080"}, Service: "auth:9000",
	Require: []string{"/admin?role=admin,owner", "/globex?organization=org_01JBGJ09TQM83XSSSS6YS3C4DW"},
	Public:  []string{"/favicon.ico"},
}

// named is one app that has the sign-in flow on its own host.
var named = Options{
	Apps: []string{"https://app.example.com"}, Upstreams: []string{"app:8080"}, Service: "auth:9000",
	Require: []string{"/admin?role=admin,owner", "/partners?organization=org_01ABC"},
}

// signInOnly asks nothing but a sign-in.
var signInOnly = Options{Apps: []string{"https://app.example.com"}, Upstreams: []string{"app:8080"}, Service: "auth:9000"}

// twoApps have the flow on a host of its own.
var twoApps = Options{
	Apps: []string{"https://app.example.com", "https://wiki.example.com"}, Upstreams: []string{"app:8080", "wiki:8080"},
	Auth: "https://auth.example.com", Service: "auth:9000",
}

// The examples are what the templates make of these deployments, so what the end-to-end tests run is what operators get.
// go test ./snippet -update writes them.
func TestExamples(t *testing.T) {
	t.Parallel()
	about := map[string]string{
		"admin": "For admins and owners.", "globex": "For one organization: the emulator's Globex.", "partners": "For one organization.",
	}
	for _, tt := range []struct {
		gateway string
		options Options
		file    string // of the gateway's
		example string
	}{
		{"traefik", local, "dynamic.yml", "traefik/dynamic.yml"},
		{"traefik", twoApps, "dynamic.yml", "traefik/auth.example.com.yml"},
		{"traefik-labels", named, "docker-labels.yml", "traefik/docker-labels.yml"},
		{"nginx", local, "site.conf", "nginx/localhost.conf"},
		{"nginx", local, "app.conf", "nginx/app.conf"},
		{"nginx", local, "authkit/http.conf", "nginx/authkit/http.conf"},
		{"nginx", local, "authkit/server.conf", "nginx/authkit/server.conf"},
		{"nginx", local, "authkit/identity.conf", "nginx/authkit/identity.conf"},
		{"nginx", named, "site.conf", "nginx/app.example.com.conf"},
		{"nginx", twoApps, "site.conf", "nginx/auth.example.com.conf"},
		{"caddy", local, "Caddyfile", "caddy/Caddyfile"},
		{"caddy", local, "authkit.caddy", "caddy/authkit.caddy"},
		{"caddy", twoApps, "Caddyfile", "caddy/auth.example.com.caddy"},
		{"haproxy", local, "haproxy.cfg", "haproxy/haproxy.cfg"},
		{"haproxy", local, "authkit.lua", "haproxy/authkit.lua"},
		{"envoy", local, "envoy.yaml", "envoy/envoy.yaml"},
		{"traefik-crd", named, "traefik-crd.yaml", "kubernetes/traefik-crd.yaml"},
		{"envoy-gateway", signInOnly, "envoy-gateway.yaml", "kubernetes/envoy-gateway.yaml"},
		{"envoy-gateway", signInOnly, "service.yaml", "kubernetes/service.yaml"},
		{"gateway-api", signInOnly, "gateway-api.yaml", "kubernetes/gateway-api.yaml"},
		{"istio", signInOnly, "istio.yaml", "kubernetes/istio.yaml"},
		{"istio", signInOnly, "istio-mesh.yaml", "kubernetes/istio-mesh.yaml"},
		{"ingress-nginx", signInOnly, "ingress-nginx.yaml", "kubernetes/ingress-nginx.yaml"},
	} {
		t.Run(tt.example, func(t *testing.T) {
			t.Parallel()
			d := mustNew(t, tt.options)
			for i, rule := range d.Apps[0].Rules {
				d.Apps[0].Rules[i].About = about[rule.Name]
			}
			checkFile(t, mustRender(t, tt.gateway, d)[tt.file], "../examples/"+tt.example)
		})
	}
	t.Run("envoy/envoy-http.yaml", func(t *testing.T) {
		t.Parallel()
		plain := local
		plain.Require = nil
		checkFile(t, mustRender(t, "envoy-http", mustNew(t, plain))["envoy.yaml"], "../examples/envoy/envoy-http.yaml")
	})
}

func mustNew(t *testing.T, o Options) *Deployment {
	t.Helper()
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustRender(t *testing.T, gateway string, d *Deployment) map[string]string {
	t.Helper()
	c, err := Render(gateway, d)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]string{}
	for _, f := range c.Files {
		byName[f.Name] = f.Text
	}
	return byName
}

func checkFile(t *testing.T, got, path string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		if i >= len(gotLines) || i >= len(wantLines) || gotLines[i] != wantLines[i] {
			t.Fatalf("%s:%d: got\n%s\nwant\n%s\n(go test ./snippet -update writes it)", path, i+1, lineAt(gotLines, i), lineAt(wantLines, i))
		}
	}
}

func lineAt(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(the end)"
}
