package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

// A rule asks for values of the claims of a JWT template; nobody meets it without them.
func TestRequiredClaims(t *testing.T) {
	t.Parallel()
	p, err := New([]Rule{{Name: "a", Require: Requirements{Lists: []ListRequirement{
		{Name: ClaimPrefix + "department", Any: []string{"support", "sales"}},
		{Name: ClaimPrefix + "teams", All: []string{"a", "b"}},
	}}}}, Default{})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		claims map[string][]string
		unmet  string
	}{
		"all of it":            {map[string][]string{"department": {"sales"}, "teams": {"c", "b", "a"}}, ""},
		"another department":   {map[string][]string{"department": {"Sales"}, "teams": {"a", "b"}}, "claims: department"},
		"one of two teams":     {map[string][]string{"department": {"sales"}, "teams": {"a"}}, "claims: teams"},
		"no claims":            {nil, "claims: department"},
		"values under a claim": {map[string][]string{"sales": {"department"}, "teams": {"a", "b"}}, "claims: department"},
	} {
		unmet := p.Rules()[0].Require.Check(&identity.Identity{Subject: "user_01", Extra: identity.NewExtra(test.claims)}, time.Now())
		got := ""
		if unmet != nil {
			got = unmet.Requirement
		}
		if got != test.unmet {
			t.Errorf("%s: got %q, want %q", name, got, test.unmet)
		}
	}
}

func TestRequiredClaimsAreRefused(t *testing.T) {
	t.Parallel()
	for want, rule := range map[string]Rule{
		`"role" is no claim of a JWT template`: {Name: "a", Require: Requirements{Lists: []ListRequirement{{Name: ClaimPrefix + "role", Any: []string{"x"}}}}},
		"none of the rule's credentials can meet it: add cookie": {Name: "a", Credentials: []Credential{APIKey},
			Require: Requirements{Lists: []ListRequirement{{Name: ClaimPrefix + "department", Any: []string{"x"}}}}},
		"must not be empty": {Name: "a", Require: Requirements{Lists: []ListRequirement{{Name: ClaimPrefix + "department"}}}},
	} {
		if _, err := New([]Rule{rule}, Default{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
