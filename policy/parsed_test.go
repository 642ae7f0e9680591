package policy_test

import (
	"testing"

	. "github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy/policyfile"
)

// parsed is the policy of a file that has to be right.
func parsed(t testing.TB, file string) *Policy {
	t.Helper()
	d, err := policyfile.Parse([]byte(file), policyfile.Options{})
	if err != nil {
		t.Fatalf("got %v, want a policy", err)
	}
	return d.Policy
}
