package emulator

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workos/workos-go/v4/pkg/organizations"
	"github.com/workos/workos-go/v4/pkg/usermanagement"
)

const (
	zoeID       = "user_01JE28JT97KB6CQ643DZVMXXQK"
	samID       = "user_01JFBF5KZNWJ47TAN9ZT24MNPZ"
	zoeAtAcme   = "om_01JSSZ6D0GQ1N3V5T7R9P2M4K6"
	samAtAcme   = "om_01JSSZ7H2ES3Q5W8Y1B4D6F9GJ"
	samAtGlobex = "om_01JSSZ8K4FT6R9X2Z5C7E0G3HM"
)

func TestListMemberships(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	if _, err := e.setInactive(samAtGlobex, true); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		query string
		want  []string
	}{
		{"user_id=" + samID, []string{samAtAcme}}, // active ones by default
		{"user_id=" + samID + "&statuses=inactive&statuses=active", []string{samAtAcme, samAtGlobex}},
		{"user_id=" + samID + "&statuses=inactive,pending", []string{samAtGlobex}},
		{"user_id=" + samID + "&statuses[]=inactive", []string{samAtGlobex}},
		{"organization_id=" + acmeID, []string{zoeAtAcme, samAtAcme, "om_01JX45KN6GV8S1Y4A7D9F2H5JP"}},
		{"organization_id=" + globexID + "&user_id=" + zoeID, nil},
	}
	for _, tt := range tests {
		var got []string
		for _, m := range decode(t, e.ask(t, "GET", "/user_management/organization_memberships?"+tt.query, "").body)["data"].([]any) {
			got = append(got, m.(map[string]any)["id"].(string))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.query, got, tt.want)
		}
	}
	e.want(t, "GET", "/user_management/organization_memberships", "", 422,
		`{"code":"unprocessable_entity","message":"One of user_id and organization_id is required."}`)
	e.want(t, "GET", "/user_management/organization_memberships?user_id="+zoeID, "", 200, `{"data":[`+
		`{"object":"organization_membership","id":"om_01JSSZ6D0GQ1N3V5T7R9P2M4K6","user_id":"user_01JE28JT97KB6CQ643DZVMXXQK",`+
		`"organization_id":"org_01JSSZ5AWSH8VHTPRE95B9EE0Z","organization_name":"Acme, Inc.","status":"active","directory_managed":false,`+
		`"role":{"slug":"admin"},"roles":[{"slug":"admin"},{"slug":"billing"}],"custom_attributes":{},`+
		`"created_at":"2026-03-01T12:00:00.000Z","updated_at":"2026-03-01T12:00:00.000Z"}],`+
		`"list_metadata":{"after":null,"before":null},"object":"list"}`)
}

func TestDeleteUser(t *testing.T) {
	t.Parallel()
	target, events := receiver(t)
	e := start(t, withWebhooks(target))
	session, other := e.signIn(t, zoe, ""), e.signIn(t, iris, "")
	code := e.code(t, zoe, nil)
	wantEvent(t, events, "session.created")
	wantEvent(t, events, "session.created")

	if err := e.sdk.DeleteUser(t.Context(), usermanagement.DeleteUserOpts{User: zoeID}); err != nil {
		t.Fatal(err)
	}
	if got := wantEvent(t, events, "user.deleted"); got["id"] != zoeID || got["object"] != "user" || got["email"] != zoe {
		t.Errorf("got data %v, want the user", got)
	}
	_, err := e.refresh(t, session.RefreshToken, "")
	wantRefusal(t, err, 400, "invalid_grant", "Session has already ended.")
	_, err = e.sdk.AuthenticateWithCode(t.Context(), usermanagement.AuthenticateWithCodeOpts{ClientID: testClient, Code: code})
	wantRefusal(t, err, 400, "invalid_grant", "has expired or is invalid.")
	if _, err := e.refresh(t, other.RefreshToken, ""); err != nil {
		t.Errorf("another user's session: %v", err)
	}
	if got := e.get(t, e.authorizeURL(t, nil)).body; strings.Contains(got, zoe) || !strings.Contains(got, sam) {
		t.Error("got the page with the deleted user, or without the others")
	}
	err = e.sdk.DeleteUser(t.Context(), usermanagement.DeleteUserOpts{User: zoeID})
	wantRefusal(t, err, 404, "entity_not_found", "User not found.")

	// The address is free again, and one made on the spot can be deleted too.
	again := e.signIn(t, zoe, "")
	if again.User.ID == zoeID || again.OrganizationID != nil {
		t.Errorf("got user %s at %v, want a plain new one", again.User.ID, again.OrganizationID)
	}
	if err := e.DeleteUser(again.User.ID); err != nil {
		t.Fatal(err)
	}
	if got := e.signIn(t, zoe, "").User.ID; got == again.User.ID {
		t.Error("got the user who was deleted")
	}
}

func TestDeletedUserCannotChooseAnOrganization(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	code := callback(t, e.get(t, e.authorizeURL(t, map[string]string{"login_hint": sam}))).Get("code")
	client := `{"client_id":"client_01TEST","client_secret":"sk_test_key",`
	got := decode(t, e.ask(t, "POST", "/user_management/authenticate", client+`"grant_type":"authorization_code","code":"`+code+`"}`).body)
	pending, _ := got["pending_authentication_token"].(string)
	if pending == "" {
		t.Fatalf("got %v, want organization_selection_required", got)
	}
	e.want(t, "DELETE", "/user_management/users/"+samID, "", 204, "")
	e.want(t, "POST", "/user_management/authenticate", client+`"grant_type":"urn:workos:oauth:grant-type:organization-selection",`+
		`"pending_authentication_token":"`+pending+`","organization_id":"`+acmeID+`"}`, 400,
		`{"code":"invalid_pending_authentication_token","message":"The pending authentication token has expired or is invalid."}`)
}

// The changes that end the membership that a session is for, and the refresh after each, with and
// without the organization being asked for.
func TestRefreshWithoutMembership(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		ends  func(*testServer) error
		event string
		data  map[string]any // some of it
		code  string
	}{
		{"membership deleted", func(e *testServer) error {
			return e.sdk.DeleteOrganizationMembership(t.Context(), usermanagement.DeleteOrganizationMembershipOpts{OrganizationMembership: samAtAcme})
		}, "organization_membership.deleted", map[string]any{"id": samAtAcme, "user_id": samID, "organization_id": acmeID, "status": "active"},
			"organization_membership_not_found"},
		{"membership inactive", func(e *testServer) error {
			_, err := e.sdk.DeactivateOrganizationMembership(t.Context(), usermanagement.DeactivateOrganizationMembershipOpts{OrganizationMembership: samAtAcme})
			return err
		}, "organization_membership.updated", map[string]any{"id": samAtAcme, "user_id": samID, "organization_id": acmeID, "status": "inactive"},
			"organization_membership_not_found"},
		{"organization deleted", func(e *testServer) error {
			client := organizations.Client{APIKey: testKey, Endpoint: e.url, HTTPClient: http.DefaultClient}
			return client.DeleteOrganization(t.Context(), organizations.DeleteOrganizationOpts{Organization: acmeID})
		}, "organization.deleted", map[string]any{"id": acmeID, "object": "organization", "name": "Acme, Inc."}, "organization_not_found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			target, events := receiver(t)
			e := start(t, withWebhooks(target))
			session := e.signIn(t, sam, acmeID)
			wantEvent(t, events, "session.created")
			if err := tt.ends(e); err != nil {
				t.Fatal(err)
			}
			data := wantEvent(t, events, tt.event)
			for name, want := range tt.data {
				if data[name] != want {
					t.Errorf("got %s %v, want %v", name, data[name], want)
				}
			}
			for _, organization := range []string{"", acmeID} {
				_, err := e.refresh(t, session.RefreshToken, organization)
				wantRefusal(t, err, 400, tt.code, "")
			}
			got, err := e.refresh(t, session.RefreshToken, globexID) // the refusals spent nothing, and the user is still there
			if err != nil || e.claims(t, got.AccessToken)["org_id"] != globexID {
				t.Errorf("got error %v, want the session at Globex", err)
			}
			if got := e.signIn(t, sam, ""); *got.OrganizationID != globexID { // no choice is left
				t.Errorf("got a sign-in at %s, want Globex", *got.OrganizationID)
			}
		})
	}
}

func TestReactivateMembership(t *testing.T) {
	t.Parallel()
	target, events := receiver(t)
	e := start(t, withWebhooks(target))
	token := e.signIn(t, zoe, "").RefreshToken
	wantEvent(t, events, "session.created")
	for _, status := range []string{"inactive", "active"} {
		e.clock.Advance(time.Minute)
		change := map[string]string{"inactive": "deactivate", "active": "reactivate"}[status]
		for range 2 { // the second time nothing changes, and nothing is sent
			got := decode(t, e.ask(t, "PUT", "/user_management/organization_memberships/"+zoeAtAcme+"/"+change, "").body)
			if got["status"] != status || got["updated_at"] != e.clock.Now().Format("2006-01-02T15:04:05.000Z") {
				t.Errorf("got %v, want it %s now", got, status)
			}
		}
		if got := wantEvent(t, events, "organization_membership.updated")["status"]; got != status {
			t.Errorf("got an event of status %v, want %s", got, status)
		}
	}
	if _, err := e.refresh(t, token, ""); err != nil {
		t.Errorf("the membership is active again: %v", err)
	}
	e.wantNoMore(t, events)
}

// The session's next access token has the role and the permissions of its time.
func TestChangedRoles(t *testing.T) {
	t.Parallel()
	target, events := receiver(t)
	e := start(t, withWebhooks(target))
	got := e.signIn(t, zoe, "")
	token := got.RefreshToken
	wantEvent(t, events, "session.created")
	steps := []struct {
		name        string
		change      func() error
		event       string
		data        map[string]any
		roles       []any
		permissions []any
	}{
		{"another role, as another member has it", func() error {
			_, err := e.sdk.UpdateOrganizationMembership(t.Context(), zoeAtAcme, usermanagement.UpdateOrganizationMembershipOpts{RoleSlug: "member"})
			return err
		}, "organization_membership.updated", map[string]any{"id": zoeAtAcme, "role": map[string]any{"slug": "member"}, "status": "active"},
			[]any{"member"}, []any{"reports:read"}},
		{"a role that nobody has", func() error { return e.ChangeRole(zoeAtAcme, "auditor") },
			"organization_membership.updated", map[string]any{"role": map[string]any{"slug": "auditor"}}, []any{"auditor"}, []any{}},
		{"its permissions, in all organizations", func() error { return e.SetRole("", "auditor", []string{"logs:read", "logs:export"}) },
			"role.updated", map[string]any{"object": "role", "slug": "auditor", "permissions": []any{"logs:read", "logs:export"}},
			[]any{"auditor"}, []any{"logs:export", "logs:read"}},
		{"its permissions, in this organization", func() error {
			e.want(t, "PUT", "/_emulator/roles/auditor", `{"organization_id":"`+acmeID+`","permissions":["logs:read"]}`, 200, `{}`)
			return nil
		}, "organization_role.updated", map[string]any{"object": "organization_role", "organization_id": acmeID, "slug": "auditor", "permissions": []any{"logs:read"}},
			[]any{"auditor"}, []any{"logs:read"}},
		{"in another organization", func() error { return e.SetRole(globexID, "auditor", nil) },
			"organization_role.updated", map[string]any{"organization_id": globexID, "permissions": []any{}}, []any{"auditor"}, []any{"logs:read"}},
	}
	for _, step := range steps {
		if err := step.change(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		data := wantEvent(t, events, step.event)
		for name, want := range step.data {
			if !reflect.DeepEqual(data[name], want) {
				t.Errorf("%s: got %s %v, want %v", step.name, name, data[name], want)
			}
		}
		got, err := e.refresh(t, token, "")
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		token = got.RefreshToken
		claims := e.claims(t, got.AccessToken)
		if !reflect.DeepEqual(claims["roles"], any(step.roles)) || claims["role"] != step.roles[0] || !reflect.DeepEqual(claims["permissions"], any(step.permissions)) {
			t.Errorf("%s: got roles %v, permissions %v, want %v, %v", step.name, claims["roles"], claims["permissions"], step.roles, step.permissions)
		}
	}
	listed := e.ask(t, "GET", "/user_management/organization_memberships?user_id="+zoeID, "").body
	if strings.Count(listed, `"object":"organization_membership"`) != 1 || !strings.Contains(listed, `"roles":[{"slug":"auditor"}]`) {
		t.Errorf("got memberships %s, want the auditor's", listed)
	}
}

func TestManagementRefuses(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	const memberships = "/user_management/organization_memberships/"
	tests := []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"DELETE", "/organizations/org_01NONE", "", 404, "Organization not found."},
		{"DELETE", memberships + "om_01NONE", "", 404, "Organization Membership not found."},
		{"PUT", memberships + "om_01NONE", `{"role_slug":"x"}`, 404, "Organization Membership not found."},
		{"PUT", memberships + "om_01NONE/deactivate", "", 404, "Organization Membership not found."},
		{"PUT", memberships + "om_01NONE/reactivate", "", 404, "Organization Membership not found."},
		{"PUT", memberships + zoeAtAcme, `{}`, 422, "role_slug"},
		{"PUT", memberships + zoeAtAcme, `role`, 400, "JSON"},
		{"PUT", memberships + zoeAtAcme, `{"role_slug":"` + strings.Repeat("x", 257) + `"}`, 422, "role_slug"},
		{"PUT", "/_emulator/roles/x", `{"organization_id":"org_01NONE"}`, 404, "Organization not found."},
		{"PUT", "/_emulator/roles/" + strings.Repeat("x", 257), `{}`, 400, "slug"},
		{"PUT", "/_emulator/roles/x", `{"permission":["a"]}`, 400, "unknown field"},
	}
	for _, tt := range tests {
		if got := e.ask(t, tt.method, tt.path, tt.body); got.status != tt.status || !strings.Contains(got.body, tt.want) {
			t.Errorf("%s %s: got %d %s, want %d with %s", tt.method, tt.path, got.status, got.body, tt.status, tt.want)
		}
		req, err := http.NewRequest(tt.method, e.url+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		if got := e.do(t, req); got.status != 401 {
			t.Errorf("%s %s without the key: got %d, want 401", tt.method, tt.path, got.status)
		}
	}
	if got, want := e.Calls()["memberships.update"], 8; got != want {
		t.Errorf("got %d calls of memberships.update, want %d", got, want)
	}
}
