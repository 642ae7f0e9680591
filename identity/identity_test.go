package identity

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

func TestSessionHash(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{"": "", "session_01VECTORS": "63de51fcdf08"} {
		if got := (Identity{SessionID: id}).SessionHash(); got != want {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, claims string
		withUser     bool
		want         Identity
		wantErr      string
	}{
		{"a token's", `{"sub":"user_1","sid":"session_1","act":{"sub":"a@b.example"},"auth_time":1763999999}`, false,
			Identity{Subject: "user_1", SessionID: "session_1", Impersonator: "a@b.example", AuthTime: time.Unix(1763999999, 0)}, ""},
		{"a token can't say whose email address is verified", `{"email":"ceo@corp.example","email_verified":true}`, false, Identity{}, ""},
		{"a policy test's can", `{"email":"ceo@corp.example","email_verified":true}`, true,
			Identity{Email: "ceo@corp.example", EmailVerified: true}, ""},
		{"lists", `{"roles":["admin","müller"],"permissions":[],"entitlements":["a,b","\u0041"],"feature_flags":[ "x" , "]" ]}`, false, Identity{
			Roles: []string{"admin", "müller"}, Permissions: []string{}, Entitlements: []string{"a,b", "A"}, FeatureFlags: []string{"x", "]"}}, ""},
		{"escapes", `{"role":"\u0061dmin","org_id":"a\"b"}`, false, Identity{Role: "admin", OrganizationID: `a"b`}, ""},
		{"a list of another type", `{"roles":["admin",1]}`, false, Identity{}, "claim roles has a wrong JSON type"},
		{"a list of lists", `{"roles":[["admin"]]}`, false, Identity{}, "claim roles has a wrong JSON type"},
		{"a text instead of a list", `{"roles":"admin"}`, false, Identity{}, "claim roles has a wrong JSON type"},
		{"null is not said", `{"sub":null,"roles":null,"act":null}`, false, Identity{}, ""},
		{"another JSON type", `{"role":["admin"]}`, false, Identity{}, "claim role has a wrong JSON type"},
		{"somebody acts, but who", `{"act":{"sub":""}}`, false, Identity{}, "claim act names nobody"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var members map[string]json.RawMessage
			if err := json.Unmarshal([]byte(tt.claims), &members); err != nil {
				t.Fatal(err)
			}
			var got Identity
			err := got.Decode(members, tt.withUser)
			if tt.wantErr != "" {
				if err == nil || err.Error() != tt.wantErr {
					t.Errorf("got %v, want %s", err, tt.wantErr)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}
