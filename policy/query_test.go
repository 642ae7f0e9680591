package policy_test

import (
	. "github.com/authkit-forward-auth/authkit-forward-auth/policy"

	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

func TestParseQuery(t *testing.T) {
	t.Parallel()
	id := identity.Identity{
		Email: "ann@example.com", EmailVerified: true, OrganizationID: "org_1", Roles: []string{"admin", "a b"},
		Permissions: []string{"posts:read"}, Entitlements: []string{"audit"}, FeatureFlags: []string{"beta"},
	}
	for _, tt := range []struct{ name, query, unmet string }{
		{"nothing", "", ""},
		{"role", "role=admin", ""},
		{"another role", "role=owner", "roles"},
		{"one of the roles", "role=owner,admin", ""},
		{"none of the roles", "role=owner,editor", "roles"},
		{"everything", "organization=org_1&role=admin&permission=posts:read&entitlement=audit&feature_flag=beta&email_domain=Example.com", ""},
		{"escapes", "r%6fle=%61dmin&permission=posts%3Aread", ""},
		{"plus", "role=a+b", ""},
		{"organization", "organization=org_2,org_3", "organizations"},
		{"permission", "permission=posts:write", "permissions"},
		{"entitlement", "entitlement=sso", "entitlements"},
		{"feature flag", "feature_flag=alpha", "feature_flags"},
		{"email domain", "email_domain=example.org", "email_domains"},
		{"email domain above", "email_domain=com", "email_domains"},
		{"two that aren't met", "role=owner&organization=org_2", "organizations"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := ParseQuery(tt.query)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if unmet := r.Check(&id, time.Time{}); unmet != nil {
				got = unmet.Requirement
			}
			if got != tt.unmet {
				t.Errorf("got %q, want %q", got, tt.unmet)
			}
			if r.None() != (tt.query == "") {
				t.Errorf("got none %t, want %t", r.None(), tt.query == "")
			}
		})
	}
}

func TestParseQueryRefuses(t *testing.T) {
	t.Parallel()
	const (
		unknown = "has an unknown parameter: the parameters are organization, role, permission, entitlement, feature_flag and email_domain"
		escape  = "has a bad escape or a semicolon"
	)
	for _, tt := range []struct{ name, query, want string }{
		{"repeated", "role=admin&role=admin", "has role twice"},
		{"repeated, escaped", "role=admin&%72ole=owner", "has role twice"},
		{"unknown", "secret=s3cret", unknown},
		{"the policy's name", "roles=admin", unknown},
		{"another case", "Role=admin", unknown},
		{"a client's query appended", "role=admin&page=2", unknown},
		{"a client's query appended to a value", "role=admin?page=2&x=s3cret", unknown},
		{"empty parameter", "role=admin&", "has an empty parameter"},
		{"empty parameter between", "role=admin&&organization=o", "has an empty parameter"},
		{"ampersand alone", "&", "has an empty parameter"},
		{"value alone", "=s3cret", "has an empty parameter"},
		{"no value", "role", "has an empty value of role"},
		{"empty value", "role=", "has an empty value of role"},
		{"empty member", "role=admin,,owner", "has an empty value of role"},
		{"empty last member", "role=admin,", "has an empty value of role"},
		{"escaped comma", "role=admin%2Cowner", "has an escaped comma in role: write it plain, it stands between values"},
		{"bad escape", "role=s3cret%zz", escape},
		{"bad escape in a name", "ro%le=admin", escape},
		{"semicolon", "role=admin;organization=org", escape},
		{"semicolon in a name", "x;role=admin", escape},
		{"no domain", "email_domain=@s3cret.com", "has an email_domain that is not a domain"},
		{"too long", "role=" + strings.Repeat("a", 8<<10), "is longer than 8 KB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseQuery(tt.query)
			want := "policy: query of the verify URL: it " + tt.want +
				"; a gateway may append the client's query: see that its verify URL is fixed"
			if got := fmt.Sprint(err); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
}

// Nothing of a query is in its error, and nobody without claims meets one.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"role=admin,owner&organization=org_1", "role=a%2Cb", "role=&", "x=y", "%72ole=a", "email_domain=a.com"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if _, err := ParseQuery(query + "S3cret"); err != nil && strings.Contains(err.Error(), "S3cret") {
			t.Errorf("%q: got the error %v, which has a piece of it", query, err)
		}
		r, err := ParseQuery(query)
		if err != nil {
			return
		}
		if unmet := r.Check(&identity.Identity{}, time.Time{}); (unmet == nil) != (query == "") || r.None() != (query == "") {
			t.Errorf("%q: got unmet %v, none %t", query, unmet, r.None())
		}
	})
}
