package policyfile

import (
	_ "embed"
	"errors"
	"strings"
	"testing"
)

//go:embed testdata/explained.yaml
var explained string

// withTests adds tests to explained, whose last line is the 28th.
func withTests(text string) []byte { return []byte(explained + "tests:\n" + text) }

func TestCasesPass(t *testing.T) {
	t.Parallel()
	d, err := Parse(withTests(`
  - {name: 1, request: GET https://app.example.com/static/a.js, expect: allowed, rule: assets}
`), Options{})
	if d != nil || err == nil || !strings.Contains(err.Error(), "name") {
		t.Fatalf("got %v, want a problem: the name is a number", err)
	}
	d, err = Parse(withTests(`
  - {name: a, request: GET https://app.example.com/static/a.js, expect: allowed, rule: assets}
  - {name: b, request: GET https://APP.example.com.:443/static/a.js?x=/../y, expect: allowed, rule: assets}
  - {name: c, request: GET http://app.example.com:8080/admin, expect: sign_in}
  - {name: d, request: GET https://app.example.com/admin, claims: {sub: user_1, role: admin, auth_age: 14m59s}, expect: allowed}
  - {name: e, request: GET https://app.example.com/admin, claims: {roles: [admin], auth_age: 15m1s}, expect: step_up}
  - {name: f, request: GET https://app.example.com/admin, claims: {roles: [admin]}, expect: step_up}
  - {name: g, request: GET https://app.example.com/admin, claims: {roles: [user], role: admin, auth_age: 0s}, expect: denied, rule: admin}
  - {name: h, request: GET https://api.example.com/v1/, credential: api_key, claims: {permissions: ["reports:read"]}, expect: allowed}
  - {name: i, request: GET https://api.example.com/v1/, claims: {permissions: ["reports:read"]}, expect: credential}
  - {name: j, request: OPTIONS https://app.example.com/admin, preflight: PATCH, expect: allowed}
  - {name: k, request: GET https://app.example.com/static/..%2Fadmin, expect: ambiguous}
  - {name: l, request: GET https://app.example.com.evil.example/, expect: wrong_host}
  - {name: m, request: GET https://app.example.com/, expect: denied, rule: default}
`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Tests; got != 13 {
		t.Errorf("got %d tests, want 13", got)
	}
	if d, err = Parse([]byte(explained), Options{}); err != nil {
		t.Fatal(err)
	}
	if got := d.Tests; got != 0 {
		t.Errorf("got %d tests without any, want 0", got)
	}
}

// Every claim of a test reaches the requirement that asks for it.
func TestCaseClaims(t *testing.T) {
	t.Parallel()
	for require, claims := range map[string][2]string{ // that meet it and that don't
		"users: [user_1]":                   {"{sub: user_1}", "{sub: user_2}"},
		"emails: [a@example.com]":           {"{email: a@example.com}", "{email: b@example.com}"},
		"email_domains: [example.com]":      {"{email: a@example.com}", "{email: a@example.org}"},
		"organizations: [org_1]":            {"{org_id: org_1}", "{org_id: org_2}"},
		"roles: [admin]":                    {"{role: admin}", "{role: member}"},
		"roles: {all: [a, b]}":              {"{roles: [b, a]}", "{roles: [a]}"},
		"permissions: [p]":                  {"{permissions: [p]}", "{entitlements: [p]}"},
		"entitlements: [e]":                 {"{entitlements: [e]}", "{feature_flags: [e]}"},
		"feature_flags: [f]":                {"{feature_flags: [f]}", "{permissions: [f]}"},
		"max_auth_age: 1h":                  {"{auth_age: 59m}", "{auth_age: 61m}"},
		"impersonation: deny":               {"{sub: user_1}", "{act: {sub: support@example.com}}"},
		"{roles: [a], permissions: [p]}":    {"{role: a, permissions: [p]}", "{role: a}"},
		"{roles: [a], impersonation: deny}": {"{role: a}", "{role: a, act: {sub: x@example.com}}"},
	} {
		if !strings.HasPrefix(require, "{") {
			require = "{" + require + "}"
		}
		denied := "denied"
		if strings.Contains(require, "max_auth_age") {
			denied = "step_up"
		}
		text := "rules:\n  - {name: a, require: " + require + "}\ntests:\n" +
			"  - {name: met, request: GET https://app.example.com/, expect: allowed, claims: " + claims[0] + "}\n" +
			"  - {name: unmet, request: GET https://app.example.com/, expect: " + denied + ", claims: " + claims[1] + "}\n"
		if _, err := Parse([]byte(text), Options{}); err != nil {
			t.Errorf("%s: %v", require, err)
		}
	}
}

func TestCaseProblems(t *testing.T) {
	t.Parallel()
	const get = "request: GET https://app.example.com/static/a.js"
	tests := []struct {
		name, text string
		want       []string // all lines of the error, beginning of each
	}{
		{"another answer", "  - name: a\n    " + get + "\n    expect: denied\n",
			[]string{`line 30: test "a" fails: got allowed by rule "assets", want denied: the rule is public`}},
		{"another rule", "  - {name: a, " + get + ", expect: allowed, rule: admin}\n",
			[]string{`line 30: test "a" fails: got allowed by rule "assets", want allowed by rule "admin": `}},
		{"a rule where none decides", "  - {name: a, request: GET https://x.example.com/, expect: wrong_host, rule: admin}\n",
			[]string{`line 30: test "a" fails: got wrong_host, want wrong_host by rule "admin": no rule is about this host`}},
		{"several that fail", "  - {name: a, " + get + ", expect: denied}\n  - {name: b, " + get + ", expect: allowed}\n  - {name: c, " + get + ", expect: sign_in}\n",
			[]string{`line 30: test "a" fails: `, `line 32: test "c" fails: `}},
		{"a mapping for the list", "  name: a\n", []string{"line 30: tests must be a list"}},
		{"an empty list", "  []\n", []string{"line 30: tests must be a list"}},
		{"no mapping", "  - a\n", []string{"line 30: a test must be a mapping"}},
		{"nothing", "  - {}\n", []string{"line 30: a test has no name", "line 30: a test has no request", "line 30: a test has no expect"}},
		{"no name", "  - {" + get + ", expect: allowed}\n", []string{"line 30: a test has no name"}},
		{"no request", "  - {name: a, expect: allowed}\n", []string{`line 30: test "a" has no request`}},
		{"no expectation", "  - {name: a, " + get + "}\n", []string{`line 30: test "a" has no expect`}},
		{"a name twice", "  - {name: a, " + get + ", expect: allowed}\n  - {name: a, " + get + ", expect: allowed}\n",
			[]string{`line 31: test "a" has the name of another one`}},
		{"an unknown key", "  - {name: a, " + get + ", expect: allowed, expected: allowed}\n", []string{`line 30: a test has the unknown key "expected"`}},
		{"an unknown expectation", "  - {name: a, " + get + ", expect: ok}\n", []string{`line 30: test "a": expect must be allowed or `}},
		{"a list of expectations", "  - {name: a, " + get + ", expect: [allowed]}\n", []string{`line 30: test "a": expect must be `}},
		{"an unknown credential", "  - {name: a, " + get + ", expect: allowed, credential: token}\n", []string{`line 30: test "a": credential must be cookie or bearer or api_key`}},
		{"a request without method", "  - {name: a, request: https://app.example.com/, expect: allowed}\n", []string{`line 30: test "a": request must be a method`}},
		{"a request with a path alone", "  - {name: a, request: GET /, expect: allowed}\n", []string{`line 30: test "a": request must be a method`}},
		{"another scheme", "  - {name: a, request: GET ftp://app.example.com/, expect: allowed}\n", []string{`line 30: test "a": request must be a method`}},
		{"no path", "  - {name: a, request: GET https://app.example.com, expect: allowed}\n", []string{`line 30: test "a": request must be a method`}},
		{"a bad escape", "  - {name: a, request: 'GET https://app.example.com/%zz', expect: allowed}\n", []string{`line 30: test "a": request: the path has a bad percent escape`}},
		{"two spaces", "  - {name: a, request: GET  https://app.example.com/, expect: allowed}\n", []string{`line 30: test "a": request`}},
		{"a space in the path", "  - {name: a, request: GET https://app.example.com/a b, expect: allowed}\n", []string{`line 30: test "a": request: the path has a space`}},
		{"a letter that isn't ASCII", "  - {name: a, request: GET https://app.example.com/ä, expect: allowed}\n", []string{`line 30: test "a" fails: got denied by rule "default"`}},
		{"a host that is none", "  - {name: a, request: GET https://user@app.example.com/, expect: allowed}\n", []string{`line 30: test "a": request: the host is not one`}},
		{"a method that is none", "  - {name: a, request: G€T https://app.example.com/, expect: allowed}\n", []string{`line 30: test "a": request: the method is not one`}},
		{"a preflight that isn't OPTIONS", "  - {name: a, preflight: PUT, " + get + ", expect: allowed}\n", []string{`line 30: test "a": request: a preflight has the method OPTIONS`}},
		{"a preflight that is no method", "  - {name: a, preflight: P T, request: OPTIONS https://app.example.com/, expect: allowed}\n", []string{`line 30: test "a": request: the preflight is not a method`}},
		{"claims that are no mapping", "  - {name: a, " + get + ", expect: allowed, claims: admin}\n", []string{`line 30: test "a": claims must be a mapping`}},
		{"claims without a claim", "  - {name: a, " + get + ", expect: allowed, claims: {}}\n", []string{`line 30: test "a": claims must not be empty`}},
		{"an unknown claim", "  - {name: a, " + get + ", expect: allowed, claims: {organization: org_1}}\n", []string{`line 30: test "a": claims has the unknown key "organization"`}},
		{"a role that is a list", "  - {name: a, " + get + ", expect: allowed, claims: {role: [admin]}}\n", []string{`line 30: test "a": claims: role must be a string`}},
		{"roles that are a string", "  - {name: a, " + get + ", expect: allowed, claims: {roles: admin}}\n", []string{`line 30: test "a": claims: roles must be a list`}},
		{"act without sub", "  - {name: a, " + get + ", expect: allowed, claims: {act: {}}}\n", []string{`line 30: test "a": claims: act has no sub`}},
		{"act that is a string", "  - {name: a, " + get + ", expect: allowed, claims: {act: x}}\n", []string{`line 30: test "a": claims: act must be a mapping`}},
		{"an age that is none", "  - {name: a, " + get + ", expect: allowed, claims: {auth_age: soon}}\n", []string{`line 30: test "a": claims: auth_age must be a duration`}},
		{"a negative age", "  - {name: a, " + get + ", expect: allowed, claims: {auth_age: -1s}}\n", []string{`line 30: test "a": claims: auth_age must be at least 0s`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, err := Parse(withTests(tt.text), Options{})
			problems, ok := errors.AsType[Problems](err)
			if !ok || d != nil {
				t.Fatalf("got %v, %v, want Problems and no policy", d, err)
			}
			got := strings.Split(problems.Error(), "\n")
			if len(got) != len(tt.want) {
				t.Fatalf("got %q, want %d problems", got, len(tt.want))
			}
			for i := range got {
				if !strings.HasPrefix(got[i], tt.want[i]) {
					t.Errorf("got %q, want %q…", got[i], tt.want[i])
				}
			}
		})
	}
}
