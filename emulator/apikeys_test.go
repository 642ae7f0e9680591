package emulator

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	acmeKey   = "sk_emulator_acme_reports_T4Q9ZX7M2KWB"
	globexKey = "sk_emulator_globex_reports_H8N3VD5R6YCJ"
	acmeKeyID = "api_key_01JY2M5RT7WX3Z6B8D0F4H9K1N"

	organizationKeys = "/organizations/" + acmeID + "/api_keys"
	samsKeys         = "/user_management/users/" + samID + "/api_keys"
	validations      = "/api_keys/validations"
	noKey            = `{"api_key":null}`
)

func TestValidateAPIKey(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	e.clock.Advance(time.Minute)
	e.want(t, "POST", validations, `{"value":"`+acmeKey+`"}`, 200, `{"api_key":{"object":"api_key","id":"api_key_01JY2M5RT7WX3Z6B8D0F4H9K1N",`+
		`"owner":{"type":"organization","id":"org_01JSSZ5AWSH8VHTPRE95B9EE0Z"},"name":"Acme's nightly export","obfuscated_value":"sk_...2KWB",`+
		`"last_used_at":"2026-03-01T12:01:00.000Z","permissions":["reports:read"],`+
		`"created_at":"2026-03-01T12:00:00.000Z","updated_at":"2026-03-01T12:00:00.000Z"}}`)
	for _, value := range []string{acmeKey + "x", acmeKey[:len(acmeKey)-1], strings.ToLower(acmeKey), testKey, "sk_", acmeKeyID, " " + acmeKey} {
		e.want(t, "POST", validations, `{"value":"`+value+`"}`, 200, noKey)
	}
	if got := e.Calls()["api_keys.validate"]; got != 8 {
		t.Errorf("got %d calls of api_keys.validate, want 8", got)
	}
}

// The key of an agent says so beside the key.
func TestValidateAgentsKey(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	e.want(t, "POST", validations, `{"value":"sk_emulator_globex_agent_C6W2YP9K4VTD"}`, 200, `{"api_key":{"object":"api_key","id":"api_key_01JY2M7TX9YZ5B8D0F2H6K1N3Q",`+
		`"owner":{"type":"organization","id":"org_01JBGJ09TQM83XSSSS6YS3C4DW"},"name":"An agent's","obfuscated_value":"sk_...4VTD",`+
		`"last_used_at":"2026-03-01T12:00:00.000Z","permissions":["reports:read"],`+
		`"created_at":"2026-03-01T12:00:00.000Z","updated_at":"2026-03-01T12:00:00.000Z"},"agent_registration_id":"agent_reg_01JY2M8VZ0A6C9E1G3J7M2P4R"}`)
}

// createKey creates a key, and gives its id and value.
func (e *testServer) createKey(t *testing.T, path, body string) (id, value string) {
	t.Helper()
	got := e.ask(t, "POST", path, body)
	if got.status != 201 {
		t.Fatalf("got %d %s, want 201", got.status, got.body)
	}
	key := decode(t, got.body)
	return key["id"].(string), key["value"].(string)
}

func TestOrganizationAPIKey(t *testing.T) {
	t.Parallel()
	target, events := receiver(t)
	e := start(t, withWebhooks(target))
	id, value := e.createKey(t, organizationKeys, `{"name":"Deploys","permissions":["reports:write"],"expires_at":null}`)
	_, second := e.createKey(t, organizationKeys, `{"name":"Nothing"}`)
	if !strings.HasPrefix(id, "api_key_01") || !strings.HasPrefix(value, "sk_") || len(value) < 40 || value == second {
		t.Fatalf("got id %s and a value of %d bytes, want a key of its own", id, len(value))
	}
	want := `{"object":"api_key","id":"` + id + `","owner":{"type":"organization","id":"` + acmeID + `"},"name":"Deploys",` +
		`"obfuscated_value":"sk_...` + value[len(value)-4:] + `","last_used_at":null,"permissions":["reports:write"],` +
		`"created_at":"2026-03-01T12:00:00.000Z","updated_at":"2026-03-01T12:00:00.000Z"}`
	wantJSON(t, wantEvent(t, events, "api_key.created"), want)
	wantEvent(t, events, "api_key.created")

	list := e.ask(t, "GET", organizationKeys, "").body
	if !strings.Contains(list, want) || strings.Contains(list, value) || strings.Contains(list, `"value"`) {
		t.Errorf("got %s, want the key in it, without its value", list)
	}
	var names []string
	for _, k := range decode(t, list)["data"].([]any) {
		names = append(names, k.(map[string]any)["name"].(string))
	}
	if want := []string{"Nothing", "Deploys", "Acme's nightly export"}; !slices.Equal(names, want) {
		t.Errorf("got keys %q, want %q: the newest first", names, want)
	}
	if got := e.ask(t, "POST", validations, `{"value":"`+second+`"}`).body; !strings.Contains(got, `"permissions":[]`) {
		t.Errorf("got %s, want no permissions", got)
	}

	e.ask(t, "POST", validations, `{"value":"`+value+`"}`)
	e.want(t, "DELETE", "/api_keys/"+id, "", 204, "")
	if got := wantEvent(t, events, "api_key.revoked"); got["id"] != id || got["value"] != nil || got["last_used_at"] != "2026-03-01T12:00:00.000Z" {
		t.Errorf("got data %v, want the key, used, without its value", got)
	}
	e.want(t, "POST", validations, `{"value":"`+value+`"}`, 200, noKey)
	e.want(t, "DELETE", "/api_keys/"+id, "", 404, `{"code":"entity_not_found","message":"API Key not found."}`)
	if got := e.ask(t, "POST", validations, `{"value":"`+second+`"}`).body; got == noKey {
		t.Error("got the other key deleted too")
	}
	e.wantNoMore(t, events)
}

func TestUserAPIKey(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	id, value := e.createKey(t, samsKeys, `{"name":"Sam's script","organization_id":"`+globexID+`","permissions":["reports:read"]}`)
	owner := `{"id":"` + id + `","owner":{"type":"user","id":"` + samID + `","organization_id":"` + globexID + `"},"name":"Sam's script",`
	validate := func() string { return e.ask(t, "POST", validations, `{"value":"`+value+`"}`).body }
	if got := validate(); !strings.Contains(got, strings.TrimPrefix(owner, "{")) {
		t.Errorf("got %s, want %s in it", got, owner)
	}
	if got := e.ask(t, "GET", "/organizations/"+globexID+"/api_keys", "").body; strings.Contains(got, id) || !strings.Contains(got, "Globex's dashboard") {
		t.Errorf("got %s, want the organization's own key alone", got)
	}
	if _, err := e.setInactive(samAtGlobex, true); err != nil {
		t.Fatal(err)
	}
	if got := validate(); got != noKey {
		t.Errorf("no active member: got %s, want none", got)
	}
	if _, err := e.setInactive(samAtGlobex, false); err != nil {
		t.Fatal(err)
	}
	if got := validate(); got == noKey {
		t.Error("a member again: got none, want the key")
	}
}

// An API key goes when its owner is deleted, and with nothing else.
func TestAPIKeysOfWhatIsDeleted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		ends  func(*testServer) error
		event string
		left  []string // of acme, globex, user
	}{
		{"organization", func(e *testServer) error { return e.deleteOrganization(globexID) }, "organization.deleted", []string{"acme"}},
		{"user", func(e *testServer) error { return e.DeleteUser(samID) }, "user.deleted", []string{"acme", "globex"}},
		{"membership", func(e *testServer) error { return e.deleteMembership(samAtGlobex) }, "organization_membership.deleted", []string{"acme", "globex"}},
		{"another's membership", func(e *testServer) error { return e.deleteMembership(samAtAcme) }, "organization_membership.deleted",
			[]string{"acme", "globex", "user"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			target, events := receiver(t)
			e := start(t, withWebhooks(target))
			_, value := e.createKey(t, samsKeys, `{"name":"Sam's script","organization_id":"`+globexID+`"}`)
			wantEvent(t, events, "api_key.created")
			if err := tt.ends(e); err != nil {
				t.Fatal(err)
			}
			wantEvent(t, events, tt.event)
			e.wantNoMore(t, events) // it stands for the keys, as for the sessions
			for name, value := range map[string]string{"acme": acmeKey, "globex": globexKey, "user": value} {
				got := e.ask(t, "POST", validations, `{"value":"`+value+`"}`).body != noKey
				if want := slices.Contains(tt.left, name); got != want {
					t.Errorf("%s's key: got valid %v, want %v", name, got, want)
				}
			}
		})
	}
}

func TestAPIKeysRefuse(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	tests := []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"no value", "POST", validations, `{}`, 422, "The value is required."},
		{"a value that is no string", "POST", validations, `{"value":["` + acmeKey + `"]}`, 400, "JSON"},
		{"no JSON", "POST", validations, `value=` + acmeKey, 400, "JSON"},
		{"a body that is too large", "POST", validations, `{"value":"` + strings.Repeat("x", 70_000) + `"}`, 400, "JSON"},
		{"no name", "POST", organizationKeys, `{"permissions":[]}`, 422, "The name is required"},
		{"a long name", "POST", organizationKeys, `{"name":"` + strings.Repeat("x", 257) + `"}`, 422, "The name is required"},
		{"too many permissions", "POST", organizationKeys, `{"name":"x","permissions":[""` + strings.Repeat(`,""`, 1000) + `]}`, 422, "may be 1000"},
		{"permissions that are no list", "POST", organizationKeys, `{"name":"x","permissions":"all"}`, 400, "JSON"},
		{"an unknown organization", "POST", "/organizations/org_01NONE/api_keys", `{"name":"x"}`, 404, "Organization not found."},
		{"keys of an unknown organization", "GET", "/organizations/org_01NONE/api_keys", "", 404, "Organization not found."},
		{"an unknown user", "POST", "/user_management/users/user_01NONE/api_keys", `{"name":"x","organization_id":"` + acmeID + `"}`, 404, "User not found."},
		{"a user who is no member", "POST", "/user_management/users/" + zoeID + "/api_keys", `{"name":"x","organization_id":"` + globexID + `"}`, 422, "not an active member"},
		{"a user without organization", "POST", samsKeys, `{"name":"x"}`, 422, "not an active member"},
		{"an unknown key", "DELETE", "/api_keys/api_key_01NONE", "", 404, "API Key not found."},
		{"a key's value for its id", "DELETE", "/api_keys/" + acmeKey, "", 404, "API Key not found."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := e.ask(t, tt.method, tt.path, tt.body); got.status != tt.status || !strings.Contains(got.body, tt.want) {
				t.Errorf("got %d %s, want %d with %s", got.status, got.body, tt.status, tt.want)
			}
			req, err := http.NewRequest(tt.method, e.url+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+acmeKey) // only the environment's key opens the API
			if got := e.do(t, req); got.status != 401 || got.body != `{"message":"Unauthorized"}` {
				t.Errorf("with a customer's key: got %d %s, want 401", got.status, got.body)
			}
		})
	}
}

func TestAPIKeysAreBounded(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.apiKeys.list) < 1000 {
		if _, err := e.create(APIKey{Name: "x", OrganizationID: acmeID}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.create(APIKey{Name: "x", OrganizationID: acmeID}); err == nil || len(e.apiKeys.list) != 1000 {
		t.Errorf("got %d keys, error %v, want 1000 and an error", len(e.apiKeys.list), err)
	}
}

func TestFaultsOfAPIKeys(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	e.ask(t, "POST", "/_emulator/faults", `{"endpoint":"api_keys.validate","status":429,"retry_after":"3","calls":1}`)
	if got := e.ask(t, "POST", validations, `{"value":"`+acmeKey+`"}`); got.status != 429 || got.header.Get("Retry-After") != "3" {
		t.Errorf("got %d, want the fault's 429", got.status)
	}
	e.ask(t, "POST", "/_emulator/faults", `{"endpoint":"api_keys","status":500}`)
	for _, call := range [][2]string{{"POST", validations}, {"GET", organizationKeys}, {"POST", organizationKeys}, {"POST", samsKeys}, {"DELETE", "/api_keys/" + acmeKeyID}} {
		e.want(t, call[0], call[1], `{}`, 500, "")
	}
	for name, want := range map[string]int{"api_keys.validate": 2, "api_keys.list": 1, "api_keys.create": 2, "api_keys.delete": 1} {
		if got := e.Faulted()[name]; got != want {
			t.Errorf("got %d faulted calls of %s, want %d", got, name, want)
		}
	}
}

// Without keys and applications of the configuration there are the seeded ones of the
// organizations that exist.
func TestSeedsFollowOrganizations(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		config        Config
		keys, clients int
	}{
		{"the seeded organizations", Config{}, 3, 1},
		{"Globex alone", Config{Organizations: []Organization{{ID: globexID, Name: "Globex"}}}, 2, 0},
		{"others", Config{Organizations: []Organization{{ID: "org_1", Name: "One"}}}, 0, 0},
		{"none wanted", Config{APIKeys: []APIKey{}, Applications: []Application{}}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.config.BaseURL, tt.config.ClientID, tt.config.APIKey = &url.URL{Scheme: "http", Host: "authkit"}, testClient, testKey
			tt.config.SigningKey = must(signingKey())
			e := must(New(tt.config))
			if len(e.apiKeys.list) != tt.keys || len(e.config.Applications) != tt.clients {
				t.Errorf("got %d keys, %d applications, want %d, %d", len(e.apiKeys.list), len(e.config.Applications), tt.keys, tt.clients)
			}
		})
	}
}
