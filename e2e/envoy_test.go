package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// envoy builds the program that stands in for Envoy, once. See envoy/main.go for what it shows and what it doesn't.
var envoy = sync.OnceValues(func() (string, error) {
	file := filepath.Join(filepath.Dir(service), "envoy")
	cmd := exec.Command("go", "build", "-C", "envoy", "-o", file, ".")
	cmd.Env = append(os.Environ(), "GOPROXY=off") // e2e/install has its modules
	return file, cmd.Run()
})

func startEnvoy(t *testing.T, at addresses) {
	t.Helper()
	runEnvoy(t, envoyExample(t, at, "envoy.yaml"), at.gateway)
}

func startEnvoyOverHTTP(t *testing.T, at addresses) {
	t.Helper()
	runEnvoy(t, envoyExample(t, at, "envoy-http.yaml"), at.gateway)
}

// envoyExample is a copy of one of the examples, with these addresses.
func envoyExample(t *testing.T, at addresses, name string) (file string) {
	t.Helper()
	dir := copyExample(t, "envoy")
	inYAML := func(address string) string {
		return "{address: 127.0.0.1, port_value: " + portOf(t, address) + "}"
	}
	replace(t, dir, name, "{address: 0.0.0.0, port_value: 3000}", inYAML(at.gateway))
	replace(t, dir, name, "{address: auth, port_value: 9000}", inYAML(at.service))
	replace(t, dir, name, "{address: app, port_value: 8080}", inYAML(at.app))
	return filepath.Join(dir, name)
}

func runEnvoy(t *testing.T, file, address string) {
	t.Helper()
	program, err := envoy()
	if err != nil {
		missing(t, "what stands in for Envoy can't be built without its modules")
	}
	start(t, address, exec.Command(program, "-c", file))
}
