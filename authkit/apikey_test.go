package authkit

import (
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

const (
	organizationKey = `{"object":"api_key","id":"api_key_1","owner":{"type":"organization","id":"org_1"},"name":"Production",` +
		`"obfuscated_value":"sk_...3456","permissions":["posts:read","posts:write"],"created_at":"2026-02-25T19:07:33.155Z",` +
		`"updated_at":"2026-02-25T19:07:33.155Z","last_used_at":null}`
	userKey = `{"object":"api_key","id":"api_key_2","owner":{"type":"user","id":"user_1","organization_id":"org_1"},"name":"CI",` +
		`"obfuscated_value":"sk_...3456","permissions":[],"last_used_at":"2026-02-25T19:07:33.155Z"}`
)

func TestValidateAPIKey(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, answer string
		want         APIKey
		valid        bool
	}{
		{"an organization's", `{"api_key":` + organizationKey + `}`,
			APIKey{ID: "api_key_1", Name: "Production", OrganizationID: "org_1", Permissions: []string{"posts:read", "posts:write"}}, true},
		{"a user's", `{"api_key":` + userKey + `}`,
			APIKey{ID: "api_key_2", Name: "CI", OrganizationID: "org_1", UserID: "user_1", Permissions: []string{}}, true},
		{"without name and permissions", `{"api_key":{"id":"api_key_3","owner":{"type":"organization","id":"org_1"},"name":null,"permissions":null}}`,
			APIKey{ID: "api_key_3", OrganizationID: "org_1"}, true},
		{"an agent's", `{"api_key":` + userKey + `,"agent_registration_id":"agent_reg_1"}`,
			APIKey{ID: "api_key_2", Name: "CI", OrganizationID: "org_1", UserID: "user_1", Permissions: []string{}, AgentID: "agent_reg_1"}, true},
		{"an agent's, said within the key", `{"api_key":{"id":"api_key_3","owner":{"type":"organization","id":"org_1"},"agent_registration_id":"agent_reg_1"},"agent_registration_id":null}`,
			APIKey{ID: "api_key_3", OrganizationID: "org_1", AgentID: "agent_reg_1"}, true},
		{"no agent's", `{"api_key":{"id":"api_key_3","owner":{"type":"organization","id":"org_1"}},"agent_registration_id":null}`,
			APIKey{ID: "api_key_3", OrganizationID: "org_1"}, true},
		{"no key", `{"api_key":null}`, APIKey{}, false},
		{"no key of an agent's", `{"api_key":null,"agent_registration_id":"agent_reg_1"}`, APIKey{}, false},
		{"no key, with more in the answer", ` { "api_key" : null, "reason": "expired" } `, APIKey{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got string
			c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got = r.Method + " " + r.RequestURI + " " + r.Header.Get("Content-Type") + " " + r.Header.Get("Authorization") + " " + string(body)
				io.WriteString(w, tt.answer)
			})
			key, valid, err := c.ValidateAPIKey(t.Context(), "sk_customer_secret")
			if err != nil || valid != tt.valid || !reflect.DeepEqual(key, tt.want) {
				t.Errorf("got %+v, %t, %v, want %+v, %t", key, valid, err, tt.want, tt.valid)
			}
			if want := `POST /api_keys/validations application/json Bearer sk_test_secret {"value":"sk_customer_secret"}`; got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
}

// Neither yes nor no.
func TestValidateAPIKeyCantTell(t *testing.T) {
	t.Parallel()
	garbage := func(status int) *session.Outage {
		return &session.Outage{Status: status, Err: errors.New("answer is not the JSON expected")}
	}
	unclear := func(text string) *session.Outage {
		return &session.Outage{Status: 200, Refused: true, Err: errors.New(text)}
	}
	owned := func(owner string) string { return `{"api_key":{"id":"api_key_1","name":"x","owner":` + owner + `}}` }
	tests := []struct {
		name   string
		status int
		body   string
		want   *session.Outage
	}{
		{"our own key is refused", 401, `{"message":"Unauthorized"}`, &session.Outage{Status: 401, Refused: true}},
		{"400 that looks like a spent code", 400, `{"error":"invalid_grant"}`, &session.Outage{Status: 400, Code: "invalid_grant", Refused: true}},
		{"403", 403, `{"code":"mfa_challenge","pending_authentication_token":"secret"}`, &session.Outage{Status: 403, Code: "mfa_challenge", Refused: true}},
		{"404", 404, `{"message":"sk_customer_secret"}`, &session.Outage{Status: 404, Refused: true}},
		{"422", 422, `{"code":"invalid_x","message":"sk_customer_secret"}`, &session.Outage{Status: 422, Code: "invalid_x", Refused: true}},
		{"redirect", 307, `{"api_key":` + organizationKey + `}`, &session.Outage{Status: 307, Refused: true}},
		{"408", 408, ``, &session.Outage{Status: 408}},
		{"429", 429, `{"error":"too_many_requests"}`, &session.Outage{Status: 429, Code: "too_many_requests", RetryAfter: 7 * time.Second}},
		{"500 with an answer", 500, `{"api_key":` + organizationKey + `}`, &session.Outage{Status: 500}},
		{"500 with a no", 500, `{"api_key":null}`, &session.Outage{Status: 500}},
		{"503", 503, `<html>sk_customer_secret`, &session.Outage{Status: 503}},

		{"HTML", 200, `<html>sk_customer_secret`, garbage(200)},
		{"nothing", 204, ``, garbage(204)},
		{"null", 200, `null`, garbage(200)},
		{"no api_key", 200, `{"valid":true}`, garbage(200)},
		{"a bare key", 200, organizationKey, garbage(200)},
		{"two values", 200, `{"api_key":null}{}`, garbage(200)},
		{"a key that is true", 200, `{"api_key":true}`, garbage(200)},
		{"an id of another type", 200, `{"api_key":{"id":1,"owner":{"type":"organization","id":"org_1"}}}`, garbage(200)},
		{"permissions of another type", 200, `{"api_key":{"id":"api_key_1","owner":{"type":"organization","id":"org_1"},"permissions":"all"}}`, garbage(200)},

		{"an agent of another type", 200, `{"api_key":` + organizationKey + `,"agent_registration_id":{"id":"agent_reg_1"}}`, garbage(200)},
		{"an agent without an id", 200, `{"api_key":` + organizationKey + `,"agent_registration_id":""}`, unclear("API key of an agent without its id")},

		{"no id", 200, `{"api_key":{"owner":{"type":"organization","id":"org_1"}}}`, unclear("API key without an id")},
		{"no owner", 200, `{"api_key":{"id":"api_key_1"}}`, unclear("API key with an owner of an unknown type")},
		{"null owner", 200, owned(`null`), unclear("API key with an owner of an unknown type")},
		{"owner of another type", 200, owned(`{"type":"agent","id":"org_1","organization_id":"org_1"}`), unclear("API key with an owner of an unknown type")},
		{"organization without an id", 200, owned(`{"type":"organization","organization_id":"org_1"}`), unclear("API key without an organization")},
		{"user without an id", 200, owned(`{"type":"user","organization_id":"org_1"}`), unclear("API key without its user's id")},
		{"user without an organization", 200, owned(`{"type":"user","id":"user_1","organization_id":null}`), unclear("API key without an organization")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				if tt.status == 429 {
					w.Header().Set("Retry-After", "7")
				}
				if tt.status == 307 {
					w.Header().Set("Location", "/elsewhere")
				}
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
			})
			key, valid, err := c.ValidateAPIKey(t.Context(), "sk_customer_secret")
			if valid || !reflect.DeepEqual(key, APIKey{}) || !reflect.DeepEqual(err, error(tt.want)) {
				t.Fatalf("got %+v, %t, %#v, want %#v", key, valid, err, tt.want)
			}
			if got := requests.Load(); got != 1 {
				t.Errorf("got %d requests, want 1", got)
			}
			checkNoSecret(t, err)
		})
	}
}

func TestValidateAPIKeyWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	c := newClient(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, valid, err := c.ValidateAPIKey(t.Context(), "sk_customer_secret")
	if checkNoAnswer(t, err, nil); valid {
		t.Error("got a valid key")
	}

	large := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"api_key":null}`+strings.Repeat(" ", 1<<20))
	})
	_, _, err = large.ValidateAPIKey(t.Context(), "sk_customer_secret")
	checkNoAnswer(t, err, errTooLarge)
}

func TestValidateAPIKeyOfEmulator(t *testing.T) {
	t.Parallel()
	c := emulated(t)
	got, valid, err := c.ValidateAPIKey(t.Context(), "sk_emulator_acme_reports_T4Q9ZX7M2KWB")
	want := APIKey{
		ID: "api_key_01JY2M5RT7WX3Z6B8D0F4H9K1N", Name: "Acme's nightly export",
		OrganizationID: "org_01JSSZ5AWSH8VHTPRE95B9EE0Z", Permissions: []string{"reports:read"},
	}
	if err != nil || !valid || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %t, %v, want %+v", got, valid, err, want)
	}
	if _, valid, err := c.ValidateAPIKey(t.Context(), "sk_emulator_acme_reports_T4Q9ZX7M2KWC"); valid || err != nil {
		t.Errorf("unknown key: got %t, %v, want a no", valid, err)
	}
	c.APIKey = "sk_of_others"
	var outage *session.Outage
	if _, valid, err := c.ValidateAPIKey(t.Context(), "sk_emulator_acme_reports_T4Q9ZX7M2KWB"); valid || !errors.As(err, &outage) || !outage.Refused {
		t.Errorf("wrong API key of our own: got %t, %v, want a refusal", valid, err)
	}
}
