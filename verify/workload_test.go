package verify

import (
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

// A rule that requires nothing lets no workload through either, whoever has verified its token; nor does what the verify URL requires.
func TestUnmetOfWorkloads(t *testing.T) {
	t.Parallel()
	h := &Handler{Config: Config{Now: time.Now}}
	github := &policy.Issuer{Name: "github", URL: "https://token.actions.githubusercontent.com", Audience: "a"}
	id, ok := identity.Workload("github", map[string][]string{"sub": {"repo:acme/app"}})
	if !ok {
		t.Fatal("got no workload")
	}
	for name, tt := range map[string]struct {
		rule, query policy.Requirements
		id          *identity.Identity
		want        string
	}{
		"nothing is required":               {id: id, want: "issuer"},
		"nothing is required of a user":     {id: &ada},
		"its issuer":                        {rule: policy.Requirements{Issuer: github}, id: id},
		"its issuer, and more in the query": {rule: policy.Requirements{Issuer: github}, query: policy.Requirements{Impersonation: "deny"}, id: id, want: "issuer"},
		"an issuer of a user":               {rule: policy.Requirements{Issuer: github}, id: &ada, want: "issuer"},
	} {
		got := ""
		if unmet := h.unmet(&checkRequest{require: tt.query}, &policy.Rule{Require: tt.rule}, tt.id); unmet != nil {
			got = unmet.Requirement
		}
		if got != tt.want {
			t.Errorf("%s: got unmet %q, want %q", name, got, tt.want)
		}
	}
}
