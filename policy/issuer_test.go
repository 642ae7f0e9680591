package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

var github = &Issuer{Name: "github", URL: "https://token.actions.githubusercontent.com", Audience: "https://app.example.com"}

func workload(t *testing.T, issuer string, claims map[string][]string) *identity.Identity {
	t.Helper()
	id, ok := identity.Workload(issuer, claims)
	if !ok {
		t.Fatalf("got no workload of %v", claims)
	}
	return id
}

// A requirement of an issuer is met by its tokens alone, and nothing else is met by those.
func TestRequiredIssuer(t *testing.T) {
	t.Parallel()
	repository := []ListRequirement{{Name: ClaimPrefix + "repository", Any: []string{"acme/app"}}}
	p, err := New([]Rule{
		{Name: "deploys", Paths: []string{"/deploy"}, Credentials: []Credential{Bearer}, Require: Requirements{Issuer: github, Lists: repository}},
		{Name: "template", Paths: []string{"/template"}, Credentials: []Credential{Bearer}, Require: Requirements{Lists: repository}},
		{Name: "anybody", Paths: []string{"/any"}, Credentials: []Credential{Bearer}},
	}, Default{})
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string][]string{"sub": {"repo:acme/app"}, "repository": {"acme/app"}}
	for _, tt := range []struct {
		name, path string
		id         *identity.Identity
		answer     Answer
		unmet      string
	}{
		{"its own", "/deploy", workload(t, "github", claims), Allowed, ""},
		{"its own of another repository", "/deploy", workload(t, "github", map[string][]string{"sub": {"x"}, "repository": {"acme/other"}}), Denied, "claims: repository"},
		{"another issuer's", "/deploy", workload(t, "gitlab", claims), Denied, "issuer"},
		{"AuthKit's with that claim", "/deploy", &identity.Identity{Subject: "github:repo:acme/app", Extra: identity.NewExtra(claims)}, Denied, "issuer"},
		{"AuthKit's", "/deploy", &identity.Identity{Subject: "user_01"}, Denied, "issuer"},
		{"a workload's at a rule for a JWT template's claim", "/template", workload(t, "github", claims), Denied, "issuer"},
		{"a workload's at a rule that asks for nothing", "/any", workload(t, "github", claims), Denied, "issuer"},
		{"AuthKit's at a rule for a JWT template's claim", "/template", &identity.Identity{Subject: "user_01", Extra: identity.NewExtra(claims)}, Allowed, ""},
	} {
		e := p.Answer(Request{Method: "GET", Host: "app.example.com", Path: tt.path}, Caller{Credential: Bearer, Identity: tt.id}, time.Now())
		if e.Answer != tt.answer || e.Requirement != tt.unmet {
			t.Errorf("%s: got %s %q (%s), want %s %q", tt.name, e.Answer, e.Requirement, e.Why, tt.answer, tt.unmet)
		}
	}
	if got := p.Issuers(); len(got) != 1 || got[0] != github {
		t.Errorf("got issuers %v, want one", got)
	}
}

func TestRequiredIssuersAreRefused(t *testing.T) {
	t.Parallel()
	claims := []ListRequirement{{Name: ClaimPrefix + "repository", Any: []string{"acme/app"}}}
	for want, rule := range map[string]Rule{
		"nothing else meets it: write credentials: [bearer]":              {Require: Requirements{Issuer: github, Lists: claims}},
		"issuer: its tokens are bearer tokens, and nothing else meets it": {Credentials: []Credential{Bearer, Cookie}, Require: Requirements{Issuer: github, Lists: claims}},
		"the rule has a resource":                                         {Hosts: []string{"app.example.com"}, Resource: &Resource{URL: "https://app.example.com"}, Require: Requirements{Issuer: github, Lists: claims}},
		"every token of github would pass":                                {Credentials: []Credential{Bearer}, Require: Requirements{Issuer: github}},
		"roles: tokens of an issuer have nothing but claims": {Credentials: []Credential{Bearer}, Require: Requirements{Issuer: github,
			Lists: append([]ListRequirement{{Name: "roles", Any: []string{"admin"}}}, claims...)}},
		"max_auth_age: tokens of an issuer don't say": {Credentials: []Credential{Bearer}, Require: Requirements{Issuer: github, Lists: claims, MaxAuthAge: time.Hour}},
		`"iss" is checked for every token`:            {Credentials: []Credential{Bearer}, Require: Requirements{Issuer: github, Lists: []ListRequirement{{Name: ClaimPrefix + "iss", Any: []string{"x"}}}}},
		"leave out require, or write allow":           {Access: Public, Require: Requirements{Issuer: github, Lists: claims}},
	} {
		rule.Name = "a"
		if _, err := New([]Rule{rule}, Default{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	// sub, and names that AuthKit has for other things, are the issuer's own.
	rule := Rule{Name: "a", Credentials: []Credential{Bearer}, Require: Requirements{Issuer: github, Lists: []ListRequirement{
		{Name: ClaimPrefix + "sub", Any: []string{"x"}}, {Name: ClaimPrefix + "email", Any: []string{"robot@acme.example"}}}}}
	if _, err := New([]Rule{rule}, Default{}); err != nil {
		t.Errorf("claims of the issuer's own: got %v, want a policy", err)
	}
}

func TestIssuerProblems(t *testing.T) {
	t.Parallel()
	const good = "https://token.actions.githubusercontent.com"
	for _, tt := range []struct {
		name  string
		of    Issuer
		field string
	}{
		{"good", *github, ""},
		{"with a path and a slash at its end", Issuer{"gitlab", "https://idp.example.com/tenant/", "a"}, ""},
		{"on loopback", Issuer{"local", "http://127.0.0.1:8080", "a"}, ""},
		{"http", Issuer{"local", "http://idp.example.com", "a"}, "issuer"},
		{"no URL", Issuer{"local", "idp.example.com", "a"}, "issuer"},
		{"a query", Issuer{"local", good + "?", "a"}, "issuer"},
		{"a fragment", Issuer{"local", good + "#", "a"}, "issuer"},
		{"a user", Issuer{"local", "https://u@idp.example.com", "a"}, "issuer"},
		{"without audience", Issuer{"local", good, ""}, "audience"},
		{"a name like AuthKit's ids", Issuer{"user_01", good, "a"}, "name"},
		{"a name that makes a URL of a subject", Issuer{"https", good, "a"}, "name"},
		{"a name in capital letters", Issuer{"GitHub", good, "a"}, "name"},
		{"a name with a colon", Issuer{"a:b", good, "a"}, "name"},
		{"a long name", Issuer{strings.Repeat("a", 33), good, "a"}, "name"},
	} {
		if field, text := tt.of.Problem(); field != tt.field || (text == "") != (field == "") {
			t.Errorf("%s: got %q %q, want field %q", tt.name, field, text, tt.field)
		}
	}
}
