package identity

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestExtra(t *testing.T) {
	t.Parallel()
	const claims = `{"sub":"user_01","iss":"https://api.workos.com","exp":1,"scope":"openid","client_id":"client_01","act":{"sub":"x"},
		"department":"sales","cost_center":4711,"ratio":0.50,"vip":true,"teams":["a","b, c","d\u00fc"],"mixed":["x",1,false],
		"null":null,"object":{"a":1},"nested":[["a"]],"none":[],"half":["a",null],"empty":"","control":"a\u001fb","urn:x/y":"z"}`
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(claims), &members); err != nil {
		t.Fatal(err)
	}
	var id Identity
	if err := id.Decode(members, false); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"department": {"sales"}, "cost_center": {"4711"}, "ratio": {"0.50"}, "vip": {"true"}, "teams": {"a", "b, c", "dü"}, "mixed": {"x", "1", "false"},
		"urn:x/y": {"z"},
		"sub":     nil, "iss": nil, "exp": nil, "scope": nil, "client_id": nil, "act": nil, "null": nil, "object": nil, "nested": nil, "none": nil, "half": nil,
		"empty": nil, "control": nil, "": nil, "departmen": nil, "department\x1f": nil, "sales": nil, "a": nil,
	} {
		if got := id.Extra.Values(name); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestExtraIsBounded(t *testing.T) {
	t.Parallel()
	claims := map[string][]string{"aaa": {strings.Repeat("x", 9000)}, "zzz": {"y"}}
	for i := range 2000 {
		claims[fmt.Sprintf("claim%04d", i)] = []string{"value"}
	}
	e := NewExtra(claims)
	if len(e.claims) > maxExtra+16 || e.Values("aaa") != nil || !slices.Equal(e.Values("claim0000"), []string{"value"}) {
		t.Errorf("got %d bytes, %q, want 8 KB without the long one", len(e.claims), e.Values("claim0000"))
	}
}

func TestIsExtra(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"department": true, "https://example.com/team": true, "name": true,
		"": false, "sub": false, "sid": false, "org_id": false, "role": false, "roles": false, "permissions": false, "email": false, "act": false,
		"aud": false, "scope": false, "client_id": false, "a\x1eb": false, "a\nb": false,
	} {
		if got := IsExtra(name); got != want {
			t.Errorf("%q: got %t, want %t", name, got, want)
		}
	}
}

func TestNoExtra(t *testing.T) {
	t.Parallel()
	e := NewExtra(nil)
	if e != nil || e.Values("a") != nil || e.Granted() != nil || e.Size() != 0 {
		t.Errorf("got %v, want nil that says nothing", e)
	}
}
