package policy_test

import (
	"errors"
	"reflect"
	"testing"

	. "github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

// A problem names its rule and field: policyfile adds the line.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	_, err := New([]Rule{
		{Name: "a", Hosts: []string{"app.example.com", "app.example.com."}, Paths: []string{"/a", "b"}},
		{Access: "nobody", Credentials: []Credential{Bearer}, AllowsPreflights: true},
		{Name: "c", Require: Requirements{Lists: []ListRequirement{{Name: "organizations", All: []string{"org_1", "org_2"}}}}},
		{Name: "c", Methods: []string{"get"}, Credentials: []Credential{"token"}},
	}, Default{Access: Nobody})
	want := Problems{
		{0, "hosts", 1, `rule "a": hosts has "app.example.com" twice: keep one`},
		{0, "paths", 1, `rule "a": paths: "b": a path begins with a slash`},
		{1, "name", -1, "rule 2 has no name: write one"},
		{1, "credentials", -1, "rule 2 has allow: nobody: leave out credentials, or write allow: authenticated"},
		{1, "cors_preflight", -1, "rule 2 is for nobody: leave out cors_preflight"},
		{2, "require: organizations: all", -1, `rule "c": require: organizations: all can't be met, as nobody has two: write them as any`},
		{3, "methods", 0, `rule "c": methods: "get" is not a method: write it in capital letters, such as GET`},
		{3, "credentials", 0, `rule "c": credentials: "token" is none: write cookie, bearer, api_key`},
		{3, "name", -1, `the name "c" is taken by the rule of line 0: write another`},
	}
	got, ok := errors.AsType[Problems](err)
	if !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", err, want)
	}
}
