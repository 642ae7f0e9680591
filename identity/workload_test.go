package identity

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
)

// Of a workload's token nothing is anybody's but its sub, whatever its claims are called.
func TestWorkload(t *testing.T) {
	t.Parallel()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(`{"sub":"repo:acme/app","email":"ceo@acme.example","email_verified":true,"role":"admin","permissions":["x"],"department":"sales",
		"scope":"a","kubernetes.io":{"namespace":"shop"},"ref_protected":true,"run_id":42}`), &members); err != nil {
		t.Fatal(err)
	}
	id, ok := Workload("github", ClaimValues(members))
	if !ok {
		t.Fatal("got none")
	}
	want := Identity{Subject: "github:repo:acme/app"}
	got := *id
	got.Extra = nil
	if !reflect.DeepEqual(got, want) || id.Extra.ClientID() != "github" || id.Extra.Granted() != nil || id.Extra.DelegatedTo() != "" {
		t.Errorf("got %+v, %+v", got, id.Extra)
	}
	for name, want := range map[string][]string{
		"sub": {"repo:acme/app"}, "role": {"admin"}, "email": {"ceo@acme.example"}, "ref_protected": {"true"}, "run_id": {"42"}, "kubernetes.io": nil, "namespace": nil,
	} {
		if got := id.Extra.ValuesOf("github", name); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		if got := id.Extra.ValuesOf("gitlab", name); got != nil {
			t.Errorf("%s of another issuer: got %q, want none", name, got)
		}
	}
	if got := id.Extra.Values("department"); got != nil {
		t.Errorf("got %q as a JWT template's claim, want none", got)
	}
	if got := NewExtra(map[string][]string{"department": {"sales"}}).ValuesOf("github", "department"); got != nil {
		t.Errorf("got %q of AuthKit's token as the issuer's claim, want none", got)
	}
}
