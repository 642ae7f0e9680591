package policy_test

import (
	. "github.com/authkit-forward-auth/authkit-forward-auth/policy"

	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

// ruleRequiring returns the requirements of a rule with these.
func ruleRequiring(t *testing.T, require string) *Requirements {
	t.Helper()
	return &parsed(t, "rules: [{name: a, credentials: [cookie, bearer, api_key], require: "+require+"}]").Rules()[0].Require
}

func TestCheck(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	someone := func(change func(*identity.Identity)) identity.Identity {
		id := identity.Identity{
			Subject: "user_1", Email: "ann@example.com", EmailVerified: true, OrganizationID: "org_1", Role: "admin", Roles: []string{"admin", "owner"},
			Permissions: []string{"read", "write"}, Entitlements: []string{"audit"}, FeatureFlags: []string{"beta"},
			AuthTime: now.Add(-10 * time.Minute),
		}
		if change != nil {
			change(&id)
		}
		return id
	}
	for _, tt := range []struct {
		name, require string
		id            identity.Identity
		want          string
	}{
		{"user", "{users: [user_0, user_1]}", someone(nil), ""},
		{"another user", "{users: [user_0, user_2]}", someone(nil), "users"},
		{"no user", "{users: [user_1]}", identity.Identity{}, "users"},
		{"user in another case", "{users: [USER_1]}", someone(nil), "users"},
		{"organization", "{organizations: [org_2, org_1]}", someone(nil), ""},
		{"another organization", "{organizations: [org_2]}", someone(nil), "organizations"},
		{"no organization", "{organizations: [org_1]}", identity.Identity{}, "organizations"},
		{"a part of the organization", "{organizations: [org]}", someone(nil), "organizations"},
		{"organization as all", "{organizations: {all: [org_1]}}", someone(nil), ""},
		{"another organization as all", "{organizations: {all: [org_2]}}", someone(nil), "organizations"},
		{"second role", "{roles: [owner]}", someone(nil), ""},
		{"another role", "{roles: [editor]}", someone(nil), "roles"},
		{"role in another case", "{roles: [Admin]}", someone(nil), "roles"},
		{"A11: no roles", "{roles: [admin]}", identity.Identity{Subject: "user_1"}, "roles"},
		{"A11: empty roles", "{roles: [admin]}", identity.Identity{Roles: []string{""}}, "roles"},
		{"role alone", "{roles: [admin]}", identity.Identity{Role: "admin"}, ""},
		{"role that isn't one of the roles", "{roles: [admin]}", identity.Identity{Role: "admin", Roles: []string{"owner"}}, "roles"},
		{"all roles", "{roles: {all: [owner, admin]}}", someone(nil), ""},
		{"all roles but one", "{roles: {all: [owner, admin, editor]}}", someone(nil), "roles"},
		{"any and all", "{permissions: {any: [delete, write], all: [read]}}", someone(nil), ""},
		{"all without any", "{permissions: {any: [delete], all: [read]}}", someone(nil), "permissions"},
		{"any without all", "{permissions: {any: [write], all: [read, delete]}}", someone(nil), "permissions"},
		{"A11: no permissions", "{permissions: {all: [read]}}", identity.Identity{}, "permissions"},
		{"entitlement", "{entitlements: [audit]}", someone(nil), ""},
		{"another entitlement", "{entitlements: [sso]}", someone(nil), "entitlements"},
		{"feature flag", "{feature_flags: [beta]}", someone(nil), ""},
		{"another feature flag", "{feature_flags: [alpha]}", someone(nil), "feature_flags"},
		{"two requirements", "{roles: [admin], permissions: [read]}", someone(nil), ""},
		{"the second of two requirements", "{roles: [admin], permissions: [delete]}", someone(nil), "permissions"},

		{"young enough", "{max_auth_age: 10m}", someone(nil), ""},
		{"too old", "{max_auth_age: 599s}", someone(nil), "max_auth_age"},
		{"no time of authentication", "{max_auth_age: 10000h}", identity.Identity{Subject: "user_1"}, "max_auth_age"},
		{"no impersonation", "{impersonation: deny}", someone(nil), ""},
		{"impersonation", "{impersonation: deny}", someone(func(id *identity.Identity) { id.Impersonator = "x@example.com" }), "impersonation"},
		{"impersonation allowed", "{impersonation: allow}", someone(func(id *identity.Identity) { id.Impersonator = "x@example.com" }), ""},

		{"email", "{emails: [bob@example.com, Ann@Example.com]}", someone(nil), ""},
		{"email in another case", "{emails: [ann@example.com]}", identity.Identity{Email: "ANN@EXAMPLE.com", EmailVerified: true}, ""},
		{"another email", "{emails: [bob@example.com]}", someone(nil), "emails"},
		{"no email", "{emails: [ann@example.com]}", identity.Identity{}, "emails"},
		{"email of a domain in Unicode", "{emails: [a@bücher.example]}", identity.Identity{Email: "a@xn--bcher-kva.EXAMPLE", EmailVerified: true}, ""},
		{"email domain", "{email_domains: [example.org, EXAMPLE.com]}", someone(nil), ""},
		{"another email domain", "{email_domains: [example.org]}", someone(nil), "email_domains"},
		{"email domain below", "{email_domains: [example.com]}", identity.Identity{Email: "a@mail.example.com", EmailVerified: true}, "email_domains"},
		{"no email for the domain", "{email_domains: [example.com]}", identity.Identity{}, "email_domains"},
		{"email that isn't verified", "{emails: [ann@example.com]}", identity.Identity{Email: "ann@example.com"}, "emails"},
		{"email domain that isn't verified", "{email_domains: [example.com]}", identity.Identity{Email: "ann@example.com"}, "email_domains"},
		{"email domain as all", "{email_domains: {all: [example.com]}}", someone(nil), ""},
		{"no email for the domain as all", "{email_domains: {all: [example.com]}}", identity.Identity{}, "email_domains"},

		{"nothing", "{impersonation: allow}", identity.Identity{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if unmet := ruleRequiring(t, tt.require).Check(&tt.id, now); unmet != nil {
				got = unmet.Requirement
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A requirement that can't be mended comes first: the requirement that is named is the first that
// isn't met, and those before it are.
func TestCheckOrder(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := ruleRequiring(t, `{max_auth_age: 15m, feature_flags: [f], entitlements: [e], permissions: [p], roles: [r],
    organizations: [o], email_domains: [example.com], emails: [a@example.com, b@example.com], users: [u], impersonation: deny}`)
	id := identity.Identity{Impersonator: "x", Email: "b@example.org", EmailVerified: true}
	for _, tt := range []struct {
		want string
		mend func()
	}{
		{"impersonation", func() { id.Impersonator = "" }},
		{"users", func() { id.Subject = "u" }},
		{"emails", func() { id.Email = "b@example.com" }}, // its domain too
		{"organizations", func() { id.OrganizationID = "o" }},
		{"roles", func() { id.Roles = []string{"r"} }},
		{"permissions", func() { id.Permissions = []string{"p"} }},
		{"entitlements", func() { id.Entitlements = []string{"e"} }},
		{"feature_flags", func() { id.FeatureFlags = []string{"f"} }},
		{"max_auth_age", func() { id.AuthTime = now.Add(-15 * time.Minute) }},
	} {
		unmet := r.Check(&id, now)
		if unmet == nil || unmet.Requirement != tt.want {
			t.Fatalf("got %+v, want %s", unmet, tt.want)
		}
		if want := time.Duration(0); tt.want == MaxAuthAge {
			if want = 15 * time.Minute; unmet.MaxAuthAge != want {
				t.Errorf("got %s, want %s", unmet.MaxAuthAge, want)
			}
		}
		tt.mend()
	}
	if unmet := r.Check(&id, now); unmet != nil {
		t.Errorf("got %+v, want none", unmet)
	}
	id.Email = "b@example.org"
	if unmet := ruleRequiring(t, "{email_domains: [example.com], organizations: [x]}").Check(&id, now); unmet.Requirement != "email_domains" {
		t.Errorf("got %+v, want email_domains", unmet)
	}
}

func TestAllowsOrganization(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		require, organization string
		want                  bool
	}{
		{"{roles: [admin]}", "org_1", true},
		{"{organizations: [org_1, org_2]}", "org_2", true},
		{"{organizations: [org_1, org_2]}", "org_3", false},
		{"{organizations: [org_1]}", "", false},
		{"{organizations: {any: [org_1, org_2], all: [org_1]}}", "org_2", false},
	} {
		if got := ruleRequiring(t, tt.require).AllowsOrganization(tt.organization); got != tt.want {
			t.Errorf("%s, %q: got %t, want %t", tt.require, tt.organization, got, tt.want)
		}
	}
}

func TestNone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		require string
		want    bool
	}{
		{"{impersonation: allow}", true},
		{"{impersonation: deny}", false},
		{"{roles: [a]}", false},
		{"{max_auth_age: 1s}", false},
	} {
		if got := ruleRequiring(t, tt.require).None(); got != tt.want {
			t.Errorf("%s: got %t, want %t", tt.require, got, tt.want)
		}
	}
	if !new(Requirements).None() {
		t.Error("zero value: got false, want true")
	}
}
