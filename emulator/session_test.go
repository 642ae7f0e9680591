package emulator

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/workos/workos-go/v4/pkg/usermanagement"
)

// list gives a user's sessions.
func (e *testServer) list(t *testing.T, userID, key string) response {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, e.url+"/user_management/users/"+userID+"/sessions", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", key)
	return e.do(t, req)
}

func TestListSessions(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	got, err := e.sdk.AuthenticateWithCode(t.Context(), usermanagement.AuthenticateWithCodeOpts{
		ClientID: testClient, Code: e.code(t, iris, nil), IPAddress: "192.0.2.1", UserAgent: "curl/8",
	})
	if err != nil {
		t.Fatal(err)
	}
	first := e.claims(t, got.AccessToken)["sid"]
	e.clock.Advance(time.Minute)
	second := e.claims(t, e.signIn(t, iris, "").AccessToken)["sid"]
	e.signIn(t, zoe, "") // somebody else's

	body := decode(t, e.list(t, got.User.ID, "Bearer "+testKey).body)
	data := body["data"].([]any)
	if len(data) != 2 || data[0].(map[string]any)["id"] != second {
		t.Fatalf("got %v, want two sessions, the newest first", body)
	}
	want := map[string]any{
		"object": "session", "id": first, "user_id": "user_01JX45HY43KWJRP1XPA7Z3DJ8F", "organization_id": acmeID,
		"status": "active", "auth_method": "impersonation", "ip_address": "192.0.2.1", "user_agent": "curl/8",
		"impersonator": map[string]any{"email": "support@example.com", "reason": `Ticket 4711: "export is empty"`},
		"expires_at":   "2026-03-31T12:00:00.000Z", "ended_at": nil,
		"created_at": "2026-03-01T12:00:00.000Z", "updated_at": "2026-03-01T12:00:00.000Z",
	}
	if !reflect.DeepEqual(data[1], any(want)) {
		t.Errorf("got session %v, want %v", data[1], want)
	}
	if want := map[string]any{"before": nil, "after": nil}; body["object"] != "list" || !reflect.DeepEqual(body["list_metadata"], any(want)) {
		t.Errorf("got %v, want a list of one page", body)
	}
}

func TestListSessionsRefuses(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	e.signIn(t, paula, "")
	const id = "user_01JM9S346Q3D25VT4F5V37E3S3"
	tests := []struct {
		name, id, key string
		status        int
		body          string
	}{
		{"no key", id, "", 401, `{"message":"Unauthorized"}`},
		{"wrong key", id, "Bearer sk_wrong", 401, `{"message":"Unauthorized"}`},
		{"key without Bearer", id, testKey, 401, `{"message":"Unauthorized"}`},
		{"unknown user", "user_01NOBODY", "Bearer " + testKey, 404, `{"code":"entity_not_found","message":"User not found."}`},
		{"user without sessions", "user_01JFBF5KZNWJ47TAN9ZT24MNPZ", "Bearer " + testKey, 200,
			`{"data":[],"list_metadata":{"after":null,"before":null},"object":"list"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := e.list(t, tt.id, tt.key); got.status != tt.status || got.body != tt.body {
				t.Errorf("got %d %s, want %d %s", got.status, got.body, tt.status, tt.body)
			}
		})
	}
}

func TestRevokeSession(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	got, other := e.signIn(t, zoe, ""), e.signIn(t, zoe, "")
	sid := e.claims(t, got.AccessToken)["sid"].(string)

	e.sdk.APIKey = "sk_wrong"
	err := e.sdk.RevokeSession(t.Context(), usermanagement.RevokeSessionOpts{SessionID: sid})
	wantRefusal(t, err, 401, "", "Unauthorized")
	e.sdk.APIKey = testKey
	err = e.sdk.RevokeSession(t.Context(), usermanagement.RevokeSessionOpts{SessionID: "session_01NONE"})
	wantRefusal(t, err, 404, "entity_not_found", "Session not found.")

	for range 2 { // the second time nothing changes
		if err := e.sdk.RevokeSession(t.Context(), usermanagement.RevokeSessionOpts{SessionID: sid}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = e.refresh(t, got.RefreshToken, "")
	wantRefusal(t, err, 400, "invalid_grant", "Session has already ended.")
	if _, err := e.refresh(t, other.RefreshToken, ""); err != nil {
		t.Errorf("the user's other session: %v", err)
	}
	if body := e.list(t, got.User.ID, "Bearer "+testKey).body; strings.Contains(body, sid) {
		t.Errorf("got %s, want only the active session", body)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		returnTo string
		change   func(*Config)
		status   int
		location string
		ends     bool
	}{
		{"registered", testSignOut, nil, 302, testSignOut, true},
		{"default", "", nil, 302, "http://localhost:3000/", true},
		{"nothing registered", "", func(c *Config) { c.LogoutReturnURLs = nil }, 200, "", true},
		{"not registered", "https://evil.example/", nil, 400, "", false},
		{"registered with more behind", testSignOut + "x", nil, 400, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := start(t, tt.change)
			session := e.signIn(t, zoe, "")
			u, err := e.sdk.GetLogoutURL(usermanagement.GetLogoutURLOpts{
				SessionID: e.claims(t, session.AccessToken)["sid"].(string), ReturnTo: tt.returnTo,
			})
			if err != nil {
				t.Fatal(err)
			}
			got := e.get(t, u.String())
			if got.status != tt.status || got.header.Get("Location") != tt.location {
				t.Errorf("got %d to %q, want %d to %q", got.status, got.header.Get("Location"), tt.status, tt.location)
			}
			_, err = e.refresh(t, session.RefreshToken, "")
			if tt.ends {
				wantRefusal(t, err, 400, "invalid_grant", "Session has already ended.")
			} else if err != nil {
				t.Errorf("the session has ended: %v", err)
			}
		})
	}
}

func TestLogoutWithoutSession(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	logout := e.url + "/user_management/sessions/logout"
	if got := e.get(t, logout); got.status != 422 {
		t.Errorf("no session_id: got %d, want 422", got.status)
	}
	got := e.get(t, logout+"?session_id=session_01GONE&return_to="+url.QueryEscape(testSignOut))
	if got.status != 302 || got.header.Get("Location") != testSignOut {
		t.Errorf("a session that is gone: got %d to %q, want 302", got.status, got.header.Get("Location"))
	}
}
