package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// gateway is one way to put the service in front of the app.
type gateway struct {
	name    string
	profile string // the service's GATEWAY
	origin  func(port string) string
	start   func(t *testing.T, at addresses)
}

// traits are how gateways differ in what the tests see of them.
type traits struct {
	closed      int  // status while the service is down
	renewsOn200 bool // a 200 to a script carries the session's new cookie
	allCookies  bool // as many as there are
	oneHost     bool // refuses a request whose URL and Host name two hosts
	noRequire   bool // has no requirements per route
}

// traits returns those of the gateway's kind.
func (g gateway) traits() traits {
	kinds := map[string]traits{
		"nginx":      {closed: http.StatusInternalServerError, renewsOn200: true},
		"traefik":    {closed: http.StatusInternalServerError},
		"caddy":      {closed: http.StatusBadGateway, renewsOn200: true, allCookies: true},
		"haproxy":    {closed: http.StatusServiceUnavailable, renewsOn200: true, allCookies: true, oneHost: true},
		"envoy":      {closed: http.StatusServiceUnavailable, renewsOn200: true, allCookies: true},
		"envoy-http": {closed: http.StatusServiceUnavailable, renewsOn200: true, allCookies: true, noRequire: true},
	}
	if own, ok := kinds[g.name]; ok {
		return own
	}
	return kinds[g.profile]
}

// addresses says where everybody listens, each as host:port.
type addresses struct {
	gateway, service, app string
}

// gateways returns those that examples/ has a folder for.
func gateways() []gateway {
	return []gateway{
		{"nginx", "nginx", localhost, startNginx},
		{"traefik", "traefik", localhost, startTraefik},
		{"caddy", "caddy", localhost, startCaddy},
		{"haproxy", "haproxy", localhost, startHAProxy},
		{"envoy", "envoy", localhost, startEnvoy},
		{"envoy-http", "envoy", localhost, startEnvoyOverHTTP},
	}
}

// eachGateway runs a test behind each gateway.
func eachGateway(t *testing.T, test func(t *testing.T, g gateway)) {
	t.Helper()
	each(t, gateways(), test)
}

// eachGatewayWithRequirements runs a test with each that can have requirements per route.
func eachGatewayWithRequirements(t *testing.T, test func(t *testing.T, g gateway)) {
	t.Helper()
	each(t, slices.DeleteFunc(gateways(), func(g gateway) bool { return g.traits().noRequire }), test)
}

// each runs a test with each of some gateways.
func each(t *testing.T, all []gateway, test func(t *testing.T, g gateway)) {
	t.Helper()
	for _, g := range all {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			test(t, g)
		})
	}
}

func localhost(port string) string { return "http://localhost:" + port }

func startNginx(t *testing.T, at addresses) {
	t.Helper()
	runNginx(t, nginxExample(t, at), at.gateway)
}

// nginxExample is a copy of the example, with these addresses.
func nginxExample(t *testing.T, at addresses) (dir string) {
	t.Helper()
	dir = copyExample(t, "nginx")
	replace(t, dir, "authkit/http.conf", "server auth:9000;", "server "+at.service+";")
	replace(t, dir, "localhost.conf", "server app:8080;", "server "+at.app+";")
	replace(t, dir, "localhost.conf", "listen 3000;", "listen "+at.gateway+";")
	return dir
}

// runNginx runs an example's nginx.conf, with every file that nginx writes in
// the example's own folder.
func runNginx(t *testing.T, dir, address string) *process {
	t.Helper()
	nginx := program(t, "nginx", "/usr/sbin/nginx")
	replace(t, dir, "nginx.conf", "/var/log/nginx/access.log", filepath.Join(dir, "access.log"))
	replace(t, dir, "nginx.conf", "http {", "http {"+tempPaths(dir))
	globals := "daemon off; pid " + filepath.Join(dir, "nginx.pid") + ";"
	if os.Geteuid() == 0 {
		globals += " user root;" // whom the folder belongs to
	}
	return start(t, address, exec.Command(nginx, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", "stderr", "-g", globals))
}

func tempPaths(dir string) string {
	var lines string
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		lines += "\n" + kind + "_temp_path " + filepath.Join(dir, kind) + ";"
	}
	return lines
}

func startTraefik(t *testing.T, at addresses) {
	t.Helper()
	runTraefik(t, traefikExample(t, at), at.gateway)
}

// traefikExample is a copy of the example, with these addresses.
func traefikExample(t *testing.T, at addresses) (dir string) {
	t.Helper()
	dir = copyExample(t, "traefik")
	replace(t, dir, "traefik.yml", `":3000"`, `"`+at.gateway+`"`)
	replace(t, dir, "traefik.yml", "/etc/traefik/dynamic.yml", filepath.Join(dir, "dynamic.yml"))
	replace(t, dir, "traefik.yml", "providers:", "providers:\n  providersThrottleDuration: 10ms") // else it starts in 2 s
	replace(t, dir, "dynamic.yml", "http://auth:9000", "http://"+at.service)
	replace(t, dir, "dynamic.yml", "http://app:8080", "http://"+at.app)
	return dir
}

func runTraefik(t *testing.T, dir, address string) {
	t.Helper()
	traefik := program(t, append(cachedTraefik(t), "traefik")...)
	p := start(t, address, exec.Command(traefik, "--configFile="+filepath.Join(dir, "traefik.yml")))
	p.await(t, "its routers", func() bool { // it listens before it has any
		response, err := http.Get("http://" + address + "/favicon.ico")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode != http.StatusNotFound // an app may want to know who asks
	})
}

func startCaddy(t *testing.T, at addresses) {
	t.Helper()
	runCaddy(t, caddyExample(t, at), "Caddyfile", at.gateway)
}

// caddyExample is a copy of the example, with these addresses.
func caddyExample(t *testing.T, at addresses) (dir string) {
	t.Helper()
	dir = copyExample(t, "caddy")
	host, port, _ := strings.Cut(at.gateway, ":")
	replace(t, dir, "Caddyfile", "http://:3000 {", "http://:"+port+" {\n\tbind "+host)
	replace(t, dir, "Caddyfile", "app:8080", at.app)
	replace(t, dir, "authkit.caddy", "auth:9000", at.service)
	return dir
}

func runCaddy(t *testing.T, dir, file, address string) {
	t.Helper()
	caddy := program(t, append(cachedBinaries(t, "caddy"), "caddy")...)
	cmd := exec.Command(caddy, "run", "--adapter", "caddyfile", "--config", filepath.Join(dir, file))
	cmd.Env = []string{"HOME=" + dir}
	start(t, address, cmd)
}

func startHAProxy(t *testing.T, at addresses) {
	t.Helper()
	runHAProxy(t, haproxyExample(t, at), at.gateway)
}

// haproxyExample is a copy of the example, with these addresses.
func haproxyExample(t *testing.T, at addresses) (dir string) {
	t.Helper()
	dir = copyExample(t, "haproxy")
	replace(t, dir, "haproxy.cfg", "bind :3000", "bind "+at.gateway)
	replace(t, dir, "haproxy.cfg", "http://auth:9000", "http://"+at.service)
	replace(t, dir, "haproxy.cfg", "server auth auth:9000", "server auth "+at.service)
	replace(t, dir, "haproxy.cfg", "server app app:8080", "server app "+at.app)
	replace(t, dir, "haproxy.cfg", "/etc/haproxy/authkit.lua", filepath.Join(dir, "authkit.lua"))
	return dir
}

func runHAProxy(t *testing.T, dir, address string) {
	t.Helper()
	haproxy := program(t, "haproxy", "/usr/sbin/haproxy")
	start(t, address, exec.Command(haproxy, "-db", "-f", filepath.Join(dir, "haproxy.cfg")))
}

func cachedTraefik(t *testing.T) []string { return cachedBinaries(t, "traefik") }

// cachedBinaries returns where e2e/install puts a gateway, the newest first.
func cachedBinaries(t *testing.T, name string) []string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil
	}
	built, err := filepath.Glob(filepath.Join(cache, "authkit-forward-auth", "bin", name+"-v*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(built)
	slices.Reverse(built)
	return built
}

// copyExample copies a folder of examples/ to a temporary one.
func copyExample(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "examples", name))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// replace changes every occurrence of a text in a file. One that isn't there
// means that the example has changed and the test must follow.
func replace(t *testing.T, dir, file, old, replacement string) {
	t.Helper()
	path := filepath.Join(dir, file)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("%s: nothing to replace: got no %q", file, old)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), old, replacement)), 0o600); err != nil {
		t.Fatal(err)
	}
}
