package policyfile

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v4"
)

var update = flag.Bool("update", false, "write policy.schema.json anew")

// TestSchema fails when policy.schema.json is stale.
func TestSchema(t *testing.T) {
	t.Parallel()
	path := "policy.schema.json"
	if *update {
		if err := os.WriteFile(path, generateSchema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(generateSchema()) {
		t.Errorf("%s is stale: go test ./policy/policyfile -run TestSchema -update", path)
	}
}

// validator returns what says what the schema makes of a YAML text.
func validator(t *testing.T) func(text string) error {
	t.Helper()
	var schema jsonschema.Schema
	must(t, json.Unmarshal([]byte(Schema), &schema))
	resolved, err := schema.Resolve(nil)
	must(t, err)
	return func(text string) error {
		var value any
		if err := yaml.Load([]byte(text), &value); err != nil {
			return err
		}
		asJSON, err := json.Marshal(value)
		must(t, err)
		must(t, json.Unmarshal(asJSON, &value))
		return resolved.Validate(value)
	}
}

// An editor must not complain about a file that the parser reads.
func TestSchemaAccepts(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("testdata/policy.yaml")
	must(t, err)
	validate := validator(t)
	for name, text := range map[string]string{
		"testdata/policy.yaml":    string(file),
		"testdata/explained.yaml": explained,
		"every key": `
default: deny
rules:
  - name: a
    hosts: [app.example.com, "*.example.com"]
    paths: [/, /a/**, /ä/*/b]
    methods: [GET, M-SEARCH]
    allow: authenticated
    credentials: [cookie, bearer, api_key]
    encoded_slash: deny
    ignore_case: true
    cors_preflight: deny
    require:
      users: [user_1]
      emails: {any: [a@example.com]}
      email_domains: [example.com]
      organizations: [org_1, org_2]
      roles: {all: [a, b]}
      permissions: {any: [a], all: [b, c]}
      entitlements: [e]
      feature_flags: [f]
      max_auth_age: 1h30m
      impersonation: deny
  - {name: b, allow: public}
tests:
  - name: a
    request: OPTIONS https://app.example.com/a
    preflight: GET
    credential: cookie
    claims: {sub: user_1, email: a@example.com, org_id: org_1, role: a, roles: [a], permissions: [a],
      entitlements: [a], feature_flags: [a], act: {sub: b@example.com}, auth_age: 1m}
    expect: allowed
    rule: b
  - {name: b, request: GET https://app.example.com/A/b, expect: sign_in}
`,
	} {
		if err := validate(text); err != nil {
			t.Errorf("%s: the schema says %v", name, err)
		}
		if _, err := Parse([]byte(text), Options{}); err != nil {
			t.Errorf("%s: Parse says %v", name, err)
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	validate := validator(t)
	for name, text := range map[string]string{
		"nothing":                         "{}",
		"no rules":                        "default: deny",
		"an empty list of rules":          "rules: []",
		"an unknown key":                  "rules: [{name: a}]\nrule: 1",
		"an unknown default":              "default: public\nrules: [{name: a}]",
		"a rule without name":             "rules: [{hosts: [app.example.com]}]",
		"a rule with the default's name":  "rules: [{name: default}]",
		"an unknown key of a rule":        "rules: [{name: a, path: [/]}]",
		"a string for a list":             "rules: [{name: a, paths: /}]",
		"a path without slash":            "rules: [{name: a, paths: [a]}]",
		"a path with a query":             "rules: [{name: a, paths: [/a?b]}]",
		"a path with an escape":           "rules: [{name: a, paths: [/%41]}]",
		"a path twice":                    "rules: [{name: a, paths: [/a, /a]}]",
		"a method in small letters":       "rules: [{name: a, methods: [get]}]",
		"an unknown access":               "rules: [{name: a, allow: all}]",
		"an unknown credential":           "rules: [{name: a, credentials: [token]}]",
		"a public rule with requirement":  "rules: [{name: a, allow: public, require: {roles: [a]}}]",
		"credentials for nobody":          "rules: [{name: a, allow: nobody, credentials: [bearer]}]",
		"an empty requirement":            "rules: [{name: a, require: {}}]",
		"an unknown requirement":          "rules: [{name: a, require: {role: [a]}}]",
		"a requirement without values":    "rules: [{name: a, require: {roles: {any: []}}}]",
		"an unknown way of requiring":     "rules: [{name: a, require: {roles: {none: [a]}}}]",
		"an age without unit":             "rules: [{name: a, require: {max_auth_age: 15}}]",
		"an age that is a word":           "rules: [{name: a, require: {max_auth_age: short}}]",
		"ignore_case as a word":           "rules: [{name: a, paths: [/a], ignore_case: allow}]",
		"encoded_slash as a boolean":      "rules: [{name: a, encoded_slash: true}]",
		"a test without expectation":      "rules: [{name: a}]\ntests: [{name: a, request: GET https://app.example.com/}]",
		"a test's request without host":   "rules: [{name: a}]\ntests: [{name: a, request: GET /, expect: sign_in}]",
		"a claim that is no list or text": "rules: [{name: a}]\ntests: [{name: a, request: GET https://app.example.com/, expect: allowed, claims: {department: {a: b}}}]",
		"an unknown expectation":          "rules: [{name: a}]\ntests: [{name: a, request: GET https://app.example.com/, expect: 200}]",
	} {
		if err := validate(text); err == nil {
			t.Errorf("%s: the schema accepts %s", name, text)
		}
		if _, err := Parse([]byte(text), Options{}); err == nil {
			t.Errorf("%s: Parse accepts %s", name, text)
		}
	}
}

// The parser names its keys where it meets another one.
func TestSchemaHasTheParsersKeys(t *testing.T) {
	t.Parallel()
	var schema jsonschema.Schema
	must(t, json.Unmarshal([]byte(Schema), &schema))
	rule, check := schema.Properties["rules"].Items, schema.Properties["tests"].Items
	for _, tt := range []struct {
		name, text string
		schema     *jsonschema.Schema
	}{
		{"the policy", "qqqqqqqq: 1", &schema},
		{"a rule", "rules: [{qqqqqqqq: 1}]", rule},
		{"require", "rules: [{name: a, require: {qqqqqqqq: 1}}]", rule.Properties["require"]},
		{"any and all", "rules: [{name: a, require: {roles: {qqqqqqqq: 1}}}]", rule.Properties["require"].Properties["roles"].AnyOf[1]},
		{"a test", "rules: [{name: a}]\ntests: [{qqqqqqqq: 1}]", check},
		{"claims", "rules: [{name: a}]\ntests: [{claims: {qqqqqqqq: 1}}]", check.Properties["claims"]},
		{"act", "rules: [{name: a}]\ntests: [{claims: {act: {qqqqqqqq: 1}}}]", check.Properties["claims"].Properties["act"]},
	} {
		_, err := Parse([]byte(tt.text), Options{})
		if err == nil {
			t.Fatalf("%s: got no error for an unknown key", tt.name)
		}
		_, rest, found := strings.Cut(err.Error(), `has the unknown key "qqqqqqqq": the keys are `)
		if !found {
			t.Fatalf("%s: got %v, want the keys", tt.name, err)
		}
		line, _, _ := strings.Cut(rest, "\n")
		keys := strings.Split(line, ", ")
		slices.Sort(keys)
		if got := slices.Sorted(maps.Keys(tt.schema.Properties)); !slices.Equal(got, keys) {
			t.Errorf("%s: the schema has the keys %q, the parser %q", tt.name, got, keys)
		}
	}
}
