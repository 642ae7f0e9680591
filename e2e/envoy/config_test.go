package main

import (
	"os"
	"strings"
	"testing"
)

// The examples are what Envoy can read.
func TestExamples(t *testing.T) {
	t.Parallel()
	for file, routes := range map[string]int{"envoy.yaml": 6, "envoy-http.yaml": 3} {
		c, err := readConfiguration("../../examples/envoy/" + file)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if c.address != "0.0.0.0:3000" || len(c.routes) != routes || c.filter.GetFailureModeAllow() || c.filter.GetStatusOnError().GetCode() != 503 {
			t.Errorf("%s: got address %s, %d routes, %v", file, c.address, len(c.routes), c.filter)
		}
	}
}

// A field that isn't Envoy's, or a value that it refuses, would have shown.
func TestMistakesShow(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../examples/envoy/envoy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, mistake := range [][2]string{
		{"failure_mode_allow: false", "failure_mode_alow: false"},
		{"context_extensions:", "context_extension:"},
		{"path_with_escaped_slashes_action: REJECT_REQUEST", "path_with_escaped_slashes_action: REJECT"},
		{"code: ServiceUnavailable", "code: 700"},
		{"stat_prefix: web", "stat_prefix: \"\""},
		{"timeout: 15s", "timeout: 15 seconds"},
		{"port_value: 9000", "port_value: 90000"},
	} {
		changed := strings.Replace(string(text), mistake[0], mistake[1], 1)
		if changed == string(text) {
			t.Fatalf("%q is not in the example", mistake[0])
		}
		if _, err := parseConfiguration([]byte(changed)); err == nil {
			t.Errorf("%q: got no error", mistake[1])
		}
	}
}
