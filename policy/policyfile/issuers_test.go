package policyfile

import (
	"strings"
	"testing"
)

const issuersPolicy = `issuers:
  - {name: github, issuer: "https://token.actions.githubusercontent.com", audience: "https://app.example.com"}
rules:
  - name: deploys
    paths: [/deploy]
    credentials: [bearer]
    require:
      issuer: github
      claims:
        repository: [acme/app]
        ref: [refs/heads/main]
  - name: people
tests:
  - {name: the main branch, request: POST https://app.example.com/deploy, credential: bearer, issuer: github,
     claims: {sub: "repo:acme/app:ref:refs/heads/main", repository: acme/app, ref: refs/heads/main}, expect: allowed}
  - {name: a pull request, request: POST https://app.example.com/deploy, credential: bearer, issuer: github,
     claims: {sub: "repo:acme/app:pull_request", repository: acme/app, ref: refs/pull/1/merge}, expect: denied}
  - {name: a person, request: POST https://app.example.com/deploy, credential: bearer, claims: {sub: user_01A}, expect: denied}
  - {name: a workload elsewhere, request: GET https://app.example.com/, credential: bearer, issuer: github, claims: {sub: x, role: admin}, expect: sign_in}
`

func TestIssuers(t *testing.T) {
	t.Parallel()
	d, err := Parse([]byte(issuersPolicy), Options{})
	if err != nil || d.Tests != 4 || len(d.Warnings) > 0 {
		t.Fatalf("got %v, %v, want four tests that pass", err, d)
	}
	if i := d.Policy.Rules()[0].Require.Issuer; i.Name != "github" || i.URL != "https://token.actions.githubusercontent.com" || i.Audience != "https://app.example.com" {
		t.Errorf("got %+v", i)
	}
	if err := validator(t)(issuersPolicy); err != nil {
		t.Errorf("the schema says %v", err)
	}
	for name, change := range map[string][2]string{
		"another repository": {"repository: acme/app, ref: refs/heads/main}, expect: allowed", "repository: acme/other, ref: refs/heads/main}, expect: allowed"},
		"no sub":             {`claims: {sub: "repo:acme/app:ref:refs/heads/main", `, "claims: {"},
		"as a cookie":        {"credential: bearer, issuer: github,\n     claims: {sub: \"repo:acme/app:ref", "issuer: github,\n     claims: {sub: \"repo:acme/app:ref"},
		"without claims":     {"issuer: github, claims: {sub: x, role: admin}", "issuer: github"},
		"an unknown issuer":  {"issuer: github, claims: {sub: x", "issuer: gitlab, claims: {sub: x"},
	} {
		text := strings.Replace(issuersPolicy, change[0], change[1], 1)
		if _, err := Parse([]byte(text), Options{}); text == issuersPolicy || err == nil {
			t.Errorf("%s: got %v, want a test that fails", name, err)
		}
	}
}

// A policy with an issuer that is nobody's to have is refused, with the line.
func TestIssuersThatAreRefused(t *testing.T) {
	t.Parallel()
	const rest = "rules:\n  - name: a\n    credentials: [bearer]\n    require: {issuer: github, claims: {repository: [acme/app]}}\n"
	const good = `  - {name: github, issuer: "https://token.actions.githubusercontent.com", audience: a}` + "\n"
	options := Options{AuthKit: []string{"https://auth.example.com", "http://127.0.0.1:4100"}}
	for name, tt := range map[string]struct{ text, want string }{
		"an unknown one":    {rest, `line 4: rule "a": require: issuer: there is no issuer "github": add it to issuers`},
		"no list":           {"issuers: github\n" + rest, "line 1: issuers must be a list"},
		"an empty list":     {"issuers: []\n" + rest, "line 1: issuers must be a list"},
		"no mapping":        {"issuers:\n  - github\n" + rest, "line 2: an issuer must be a mapping"},
		"no audience":       {"issuers:\n  - {name: github, issuer: \"https://a.example\"}\n" + rest, `line 2: issuer "github" has no audience: add it`},
		"an empty audience": {"issuers:\n  - {name: github, issuer: \"https://a.example\", audience: \"\"}\n" + rest, `line 2: issuer "github": audience must not be an empty string`},
		"no issuer":         {"issuers:\n  - {name: github, audience: a}\n" + rest, `line 2: issuer "github" has no issuer: add it`},
		"no name":           {"issuers:\n" + good + "  - {issuer: \"https://a.example\", audience: a}\n" + rest, "line 3: an issuer has no name: add it"},
		"another key":       {"issuers:\n" + strings.Replace(good, "audience: a", "audience: a, jwks: b", 1) + rest, `line 2: an issuer has the unknown key "jwks"`},
		"http":              {"issuers:\n  - name: github\n    issuer: http://a.example\n    audience: a\n" + rest, `line 3: issuer "github": issuer: "http://a.example": http is for localhost`},
		"a bad name":        {"issuers:\n" + good + "  - {name: user_01, issuer: \"https://a.example\", audience: a}\n" + rest, `line 3: issuer "user_01": name: "user_01" is no name`},
		"one name twice":    {"issuers:\n" + good + "  - {name: github, issuer: \"https://a.example\", audience: a}\n" + rest, `line 3: issuer "github": the name is taken by that of line 2`},
		"one URL twice": {"issuers:\n" + good + "  - {name: b, issuer: \"https://token.actions.githubusercontent.com/\", audience: a}\n" + rest,
			`line 3: issuer "b": "https://token.actions.githubusercontent.com/" is the issuer github of line 2, too`},
		"WorkOS":                                 {"issuers:\n" + good + "  - {name: b, issuer: \"https://api.workos.com/user_management/client_01\", audience: a}\n" + rest, "line 3: issuer \"b\": \"https://api.workos.com/user_management/client_01\" is AuthKit"},
		"another AuthKit":                        {"issuers:\n" + good + "  - {name: b, issuer: \"https://other.authkit.app\", audience: a}\n" + rest, "is AuthKit"},
		"the AuthKit domain in another spelling": {"issuers:\n" + good + "  - {name: b, issuer: \"https://AUTH.example.com.:443/\", audience: a}\n" + rest, "is AuthKit"},
		"the emulator":                           {"issuers:\n" + good + "  - {name: b, issuer: \"http://127.0.0.1:4100\", audience: a}\n" + rest, "is AuthKit"},
		"without claims":                         {"issuers:\n" + good + "rules:\n  - name: a\n    credentials: [bearer]\n    require: {issuer: github}\n", `line 6: rule "a": require: issuer: every token of github would pass`},
		"with impersonation":                     {"issuers:\n" + good + "rules:\n  - name: a\n    credentials: [bearer]\n    require: {issuer: github, impersonation: deny}\n", "every token of github would pass"},
		"without bearer":                         {"issuers:\n" + good + "rules:\n  - name: a\n    require:\n      issuer: github\n      claims: {a: [b]}\n", `line 6: rule "a": require: issuer: its tokens are bearer tokens`},
		"with a resource":                        {"issuers:\n" + good + "rules:\n  - name: a\n    hosts: [b.example.com]\n    resource: https://b.example.com\n    require: {issuer: github, claims: {a: [b]}}\n", `line 7: rule "a": require: issuer: the rule has a resource`},
		"with roles":                             {"issuers:\n" + good + "rules:\n  - name: a\n    credentials: [bearer]\n    require: {issuer: github, claims: {a: [b]}, roles: [admin]}\n", `line 6: rule "a": require: roles: tokens of an issuer`},
		"a claim of every token":                 {"issuers:\n" + good + "rules:\n  - name: a\n    credentials: [bearer]\n    require: {issuer: github, claims: {aud: [b]}}\n", `line 6: rule "a": require: claims: "aud" is checked`},
	} {
		_, err := Parse([]byte(tt.text), options)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
	// The names of its rules are no problem of their own where the issuer is one.
	_, err := Parse([]byte("issuers:\n  - {name: github, issuer: \"http://a.example\", audience: a}\n"+rest), options)
	if err == nil || strings.Count(err.Error(), "\n") != 0 {
		t.Errorf("got %v, want one problem", err)
	}
}

func TestUnusedIssuer(t *testing.T) {
	t.Parallel()
	d, err := Parse([]byte("issuers:\n  - {name: github, issuer: \"https://a.example\", audience: a}\nrules:\n  - name: a\n"), Options{})
	if err != nil || len(d.Warnings) != 1 || d.Warnings[0].Line != 2 || !strings.Contains(d.Warnings[0].Text, `issuer "github": no rule requires it`) {
		t.Errorf("got %v, %+v, want a warning", err, d)
	}
}
