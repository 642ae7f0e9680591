package policy_test

import (
	_ "embed"

	. "github.com/authkit-forward-auth/authkit-forward-auth/policy"

	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

//go:embed policyfile/testdata/explained.yaml
var explained string

func TestExplain(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	cookie := func(id identity.Identity) Caller { return Caller{Cookie, &id} }
	user := cookie(identity.Identity{Subject: "user_1"})
	admin := cookie(identity.Identity{Subject: "user_1", Roles: []string{"admin"}, AuthTime: now.Add(-time.Minute)})
	tired := cookie(identity.Identity{Subject: "user_1", Roles: []string{"admin"}, AuthTime: now.Add(-time.Hour)})
	reader := &identity.Identity{Permissions: []string{"reports:read"}}
	tests := []struct {
		name, method, host, path, preflight string
		by                                  Caller
		answer                              Answer
		rule, requirement                   string
		steps                               string // first letters of the rules' names, a capital for a match
	}{
		{"a public rule, and nobody", "GET", "app.example.com", "/static/a.js", "", Caller{}, Allowed, "assets", "", "A"},
		{"a public rule, and somebody", "GET", "app.example.com", "/static/a.js", "", user, Allowed, "assets", "", "A"},
		{"a rule for nobody", "GET", "app.example.com", "/closed", "", admin, Denied, "closed", "nobody", "aC"},
		{"a rule, and nobody", "GET", "app.example.com", "/admin", "", Caller{Credential: Cookie}, SignIn, "admin", "", "acA"},
		{"a rule, and somebody who isn't meant", "GET", "app.example.com", "/admin", "", user, Denied, "admin", "roles", "acA"},
		{"a rule, and whom it means", "GET", "app.example.com", "/admin", "", admin, Allowed, "admin", "", "acA"},
		{"a rule, and a sign-in that is too old", "GET", "app.example.com", "/admin", "", tired, StepUp, "admin", "max_auth_age", "acA"},
		{"a token for a rule that only accepts cookies", "GET", "app.example.com", "/admin", "", Caller{Bearer, admin.Identity}, SignIn, "admin", "", "acA"},
		{"a preflight that is let through", "OPTIONS", "app.example.com", "/admin", "PUT", Caller{}, Allowed, "admin", "", "acA"},
		{"OPTIONS without a preflight", "OPTIONS", "app.example.com", "/admin", "", Caller{}, SignIn, "admin", "", "acA"},
		{"a preflight for what is public, judged as OPTIONS", "OPTIONS", "app.example.com", "/static/a.js", "GET", Caller{}, Denied, "default", "nobody", "acamba" + "D"},
		{"another method than a public rule's", "POST", "app.example.com", "/static/a.js", "", admin, Denied, "default", "nobody", "acamba" + "D"},
		{"a rule without cookie, and nobody", "GET", "api.example.com", "/v1/x", "", Caller{Credential: Cookie}, NeedsCredential, "machines", "", "acaM"},
		{"a rule without cookie, and a session", "GET", "api.example.com", "/v1/x", "", cookie(*reader), NeedsCredential, "machines", "", "acaM"},
		{"a rule without cookie, and a token", "GET", "api.example.com", "/v1/x", "", Caller{Bearer, reader}, Allowed, "machines", "", "acaM"},
		{"a rule without cookie, and a key", "GET", "api.example.com", "/v1/x", "", Caller{APIKey, reader}, Allowed, "machines", "", "acaM"},
		{"a rule without cookie, and a key without permission", "GET", "api.example.com", "/v1/x", "", Caller{APIKey, user.Identity}, Denied, "machines", "permissions", "acaM"},
		{"a kind of credential that there is none of", "GET", "api.example.com", "/v1/x", "", Caller{"password", reader}, NeedsCredential, "machines", "", "acaM"},
		{"a rule for all credentials, and a key that is bad", "GET", "api.example.com", "/v2/x", "", Caller{Credential: APIKey}, SignIn, "both", "", "acamB"},
		{"an encoded slash that the rule allows", "GET", "api.example.com", "/v2/a%2Fb", "", user, Allowed, "both", "", "acamB"},
		{"an encoded slash that makes two readings", "GET", "app.example.com", "/admin%2Fa", "", admin, Ambiguous, "", "", "acamba"},
		{"a dot segment", "GET", "app.example.com", "/static/../admin", "", admin, Ambiguous, "", "", "acamba"},
		{"a dot segment where no rule has a path", "GET", "plain.example.com", "/a/../b", "", user, Allowed, "anything", "", "acambA"},
		{"a host that no rule is about", "GET", "other.example.com", "/", "", admin, WrongHost, "", "", "acamba"},
	}
	p := parsed(t, explained)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := p.Explain(Request{Method: tt.method, Host: tt.host, Path: tt.path, Preflight: tt.preflight}, tt.by, now)
			rule := ""
			if e.Rule != nil {
				rule = e.Rule.Name
			}
			if e.Answer != tt.answer || rule != tt.rule || e.Requirement != tt.requirement || e.Why == "" {
				t.Errorf("got %s by %q, requirement %q, %q, want %s by %q, %q", e.Answer, rule, e.Requirement, e.Why, tt.answer, tt.rule, tt.requirement)
			}
			steps := ""
			for _, step := range e.Steps {
				letter := step.Rule.Name[:1]
				if step.Matches {
					letter = strings.ToUpper(letter)
				}
				steps += letter
			}
			if steps != tt.steps {
				t.Errorf("got steps %s, want %s", steps, tt.steps)
			}
		})
	}
}

// A key has no sign-in that could be made anew.
func TestExplainOldSignIn(t *testing.T) {
	t.Parallel()
	p := parsed(t, "rules: [{name: a, credentials: [cookie, bearer, api_key], require: {max_auth_age: 5m}}]")
	for credential, want := range map[Credential]Answer{Cookie: StepUp, Bearer: StepUp, APIKey: Denied} {
		e := p.Explain(Request{Method: "GET", Host: "app.example.com", Path: "/"}, Caller{credential, &identity.Identity{Subject: "user_1"}}, time.Now())
		if e.Answer != want || e.Requirement != "max_auth_age" {
			t.Errorf("%s: got %s, requirement %q, want %s, max_auth_age", credential, e.Answer, e.Requirement, want)
		}
	}
}

func TestExplainSaysWhy(t *testing.T) {
	t.Parallel()
	p := parsed(t, explained)
	got := p.Explain(Request{Method: "POST", Host: "app.example.com", Path: "/static/a.js"}, Caller{}, time.Now())
	var why []string
	for _, step := range got.Steps {
		why = append(why, step.Rule.Name+" "+step.Why)
	}
	want := []string{
		"assets is for other methods: GET", "closed is for other paths: /closed", "admin is for other paths: /admin/**",
		"machines is for other hosts: api.example.com", "both is for other hosts: api.example.com",
		"anything is for other hosts: plain.example.com", "default no rule matches",
	}
	if !slices.Equal(why, want) {
		t.Errorf("got %q, want %q", why, want)
	}
}

// Explain lists the rules as the index finds them.
func TestExplainAgreesWithMatch(t *testing.T) {
	t.Parallel()
	p := parsed(t, explained)
	for _, host := range []string{"app.example.com", "api.example.com", "plain.example.com"} {
		for _, path := range []string{"/", "/static/", "/static/a", "/closed", "/closed/", "/admin/x/y", "/v1", "/v1/%41", "/v2/a%2Fb", "/v2/%2F"} {
			for _, method := range []string{"GET", "POST", "OPTIONS", "get"} {
				r := Request{Method: method, Host: host, Path: path}
				m, e := p.Match(r), p.Explain(r, Caller{}, time.Now())
				if m.Err != nil {
					if e.Answer != Ambiguous || !strings.HasSuffix(m.Err.Error(), ": "+e.Why) {
						t.Errorf("%v: got %s, %q, want ambiguous, %v", r, e.Answer, e.Why, m.Err)
					}
					continue
				}
				for i, step := range e.Steps {
					if last := i == len(e.Steps)-1; step.Matches != last || last && step.Rule != m.Rule {
						t.Errorf("%v: got %q matching %v at %d, want only the last, %q, to match", r, step.Rule.Name, step.Matches, i, m.Rule.Name)
					}
				}
			}
		}
	}
}

// Without a file every protected host needs a session.
func TestExplainEverybody(t *testing.T) {
	t.Parallel()
	e := Everybody().Explain(Request{Method: "GET", Host: "app.example.com", Path: "/"}, Caller{Credential: Cookie}, time.Now())
	if e.Answer != SignIn || e.Rule.Name != "default" || len(e.Steps) != 1 {
		t.Errorf("got %+v, want sign_in by the default, the only step", e)
	}
}

// Denied says what was asked for, and what was there.
func TestExplainWhy(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		require string
		id      identity.Identity
		want    string
	}{
		{"{roles: [owner, admin]}", identity.Identity{Role: "member"}, "not met: roles: asked for any of admin, owner; there is member"},
		{"{organizations: [org_1]}", identity.Identity{}, "not met: organizations: asked for any of org_1; there is none"},
		{"{permissions: {any: [a], all: [b, c]}}", identity.Identity{Permissions: []string{"a", "b"}},
			"not met: permissions: asked for any of a and all of b, c; there is a, b"},
		{"{email_domains: [acme.example]}", identity.Identity{Email: "x@acme.example"},
			"not met: email_domains: asked for any of acme.example; there is none"},
		{"{impersonation: deny}", identity.Identity{Impersonator: "sue@example.com"}, "not met: impersonation: sue@example.com is there as the user"},
		{"{max_auth_age: 15m}", identity.Identity{AuthTime: now.Add(-20 * time.Minute)},
			"not met: max_auth_age: the sign-in may be 15m0s ago, and it was 20m0s ago"},
	} {
		p := parsed(t, "rules: [{name: a, require: "+tt.require+"}]")
		if got := p.Explain(Request{Method: "GET", Host: "a.com", Path: "/"}, Caller{Cookie, &tt.id}, now).Why; got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
