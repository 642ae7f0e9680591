package policyfile

import (
	"strings"
	"testing"
)

const claimsRule = "rules:\n  - name: sales\n    require:\n      claims:\n        department: [sales, support]\n        cost_center: {all: [\"4711\"]}\n"

func TestClaims(t *testing.T) {
	t.Parallel()
	text := claimsRule + `tests:
  - {name: one of them, request: GET https://app.example.com/, claims: {sub: user_01A, department: sales, cost_center: ["4711"]}, expect: allowed}
  - {name: another department, request: GET https://app.example.com/, claims: {sub: user_01A, department: [legal], cost_center: "4711"}, expect: denied}
  - {name: none, request: GET https://app.example.com/, claims: {sub: user_01A, role: sales}, expect: denied}
`
	d, err := Parse([]byte(text), Options{})
	if err != nil || d.Tests != 3 {
		t.Fatalf("got %v, want three tests that pass", err)
	}
	if _, err := Parse([]byte(strings.Replace(text, "claims: {sub: user_01A, department: sales", "claims: {sub: user_01A, departmnt: sales", 1)), Options{}); err == nil ||
		!strings.Contains(err.Error(), `unknown key "departmnt": write department`) {
		t.Errorf("a misspelt claim: got %v", err)
	}
}

func TestClaimsThatAreRefused(t *testing.T) {
	t.Parallel()
	for require, want := range map[string]string{
		"claims: [department]":        "line 3: rule \"a\": require: claims must be a mapping of claims and lists",
		"claims: {}":                  "must be a mapping of claims and lists",
		"claims: {department: sales}": "must be a list: write [sales]",
		"claims: {department: [sales], department: [legal]}": "twice",
		"claims: {department: }":                             "has no value",
		"claims: {permissions: [a]}":                         "is no claim of a JWT template",
		"claims: {department: {none: [a]}}":                  "unknown key",
		"claims: {department: [4711]}":                       "must be a string: write it in quotes",
	} {
		if _, err := Parse([]byte("rules:\n  - name: a\n    require: {"+require+"}\n"), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", require, err, want)
		}
	}
}
