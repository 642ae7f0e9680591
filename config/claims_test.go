package config

import (
	"slices"
	"strings"
	"testing"
)

func TestClaimHeaders(t *testing.T) {
	t.Parallel()
	got, err := ParseClaimHeaders(" department:x-auth-request-department , urn:acme:team:X-Team")
	want := ClaimHeaders{{"department", "X-Auth-Request-Department"}, {"urn:acme:team", "X-Team"}}
	if err != nil || !slices.Equal(got, want) || got.String() != "department:X-Auth-Request-Department,urn:acme:team:X-Team" {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for value, want := range map[string]string{
		"department":                          "is not a claim, a colon and a header",
		"role:X-Auth-Request-Position":        "is no claim of a JWT template",
		"email:X-Mail":                        "is no claim of a JWT template",
		"department:Department":               "begins with X-",
		"department:X-Dep artment":            "begins with X-",
		"department:X-Dep_artment":            "begins with X-",
		"department:Connection":               "begins with X-",
		"department:X-Auth-Request-User":      "has a meaning already",
		"department:X-Auth-Request-Scopes":    "has a meaning already",
		"department:x-forwarded-for":          "has a meaning already",
		"department:X-Original-URL":           "has a meaning already",
		"department:X-Auth-Reason":            "has a meaning already",
		"department:X-Real-IP":                "has a meaning already",
		"department:X-API-Key":                "has a meaning already",
		"department:X-Request-ID":             "has a meaning already",
		"department:X-Dep,team:X-Dep":         "is there twice",
		",":                                   "lists none",
		strings.Repeat("a:X-A,", 1) + "b:x-a": "is there twice",
		"a:" + strings.Repeat("X", 3) + ":Y":  "begins with X-",
	} {
		if got, err := ParseClaimHeaders(value); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %q, %v, want %q", value, got, err, want)
		}
	}
}
