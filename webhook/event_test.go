package webhook

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// Data as WorkOS's SDKs describe it, cut to what can matter.
const (
	sessionData    = `{"object":"session","id":"session_1","user_id":"user_1","organization_id":"org_1","status":"active","ended_at":null,"created_at":"2026-11-01T08:00:00.000Z","updated_at":"2026-11-01T08:00:00.000Z"}`
	userData       = `{"object":"user","id":"user_1","email":"a@example.com","metadata":{},"created_at":"2026-11-01T08:00:00.000Z","updated_at":"2026-11-01T08:00:00.000Z"}`
	orgData        = `{"object":"organization","id":"org_1","name":"Acme","domains":[{"id":"org_domain_1","organization_id":"org_2"}]}`
	membershipData = `{"object":"organization_membership","id":"om_1","user_id":"user_1","organization_id":"org_1","status":"STATUS","role":{"slug":"admin"},"roles":[{"slug":"admin"}]}`
	orgRoleData    = `{"object":"organization_role","organization_id":"org_1","slug":"org-billing","name":"Billing","permissions":["a:read"]}`
	roleData       = `{"object":"role","slug":"admin","resource_type_slug":"organization","permissions":["a:read","a:write"]}`
	apiKeyData     = `{"object":"api_key","id":"api_key_1","owner":{"type":"user","id":"user_1","organization_id":"org_1"},"name":"CI","obfuscated_value":"sk_...3456","permissions":["a:read"],"last_used_at":null}`
	agentData      = `{"object":"agent_registration","id":"agent_reg_1","agent_identity":{"id":"agent_identity_1","userland_user_id":"user_1"},"organization_id":"org_1","status":"expired","kind":"anonymous"}`
	consentData    = `{"object":"authorized_connect_application","id":"app_consent_1","user_id":"user_1","application":{"id":"conn_app_1"}}`
	permissionData = `{"object":"permission","id":"perm_1","slug":"a:write","system":false}`
)

func TestTable(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 11, 59, 30, 250_000_000, time.UTC)
	status := func(s string) string { return strings.Replace(membershipData, "STATUS", s, 1) }
	member := session.Revocation{Subject: "user_1", OrganizationID: "org_1", At: at}
	changed := session.Revocation{Subject: "user_1", OrganizationID: "org_1", At: at, Refresh: true}
	orgRole := session.Revocation{OrganizationID: "org_1", Role: "org-billing", At: at, Refresh: true}
	for _, test := range []struct {
		event, data string
		want        session.Revocation
	}{
		{"session.revoked", sessionData, session.Revocation{Subject: "user_1", SessionID: "session_1", At: at}},
		{"user.deleted", userData, session.Revocation{Subject: "user_1", At: at}},
		{"organization.deleted", orgData, session.Revocation{OrganizationID: "org_1", At: at}},
		{"organization_membership.deleted", status("active"), member},
		{"organization_membership.removed", status("active"), member},
		{"organization_membership.updated", status("inactive"), member},
		{"organization_membership.updated", status("active"), changed},
		{"organization_membership.updated", status("pending"), changed},
		{"organization_membership.updated", status("of a kind to come"), changed},
		{"organization_role.updated", orgRoleData, orgRole},
		{"organization_role.deleted", orgRoleData, orgRole},
		{"organization_role.updated", `{"organization_id":null,"slug":"admin"}`, session.Revocation{Role: "admin", At: at, Refresh: true}},
		{"role.updated", roleData, session.Revocation{Role: "admin", At: at, Refresh: true}},
		{"role.deleted", roleData, session.Revocation{Role: "admin", At: at, Refresh: true}},
		{"permission.updated", permissionData, session.Revocation{Permission: "a:write", At: at, Refresh: true}},
		{"permission.deleted", permissionData, session.Revocation{Permission: "a:write", At: at, Refresh: true}},
		{"api_key.revoked", apiKeyData, session.Revocation{APIKeyID: "api_key_1", At: at}},
		{"api_key.deleted", apiKeyData, session.Revocation{APIKeyID: "api_key_1", At: at}},
		{"api_key.updated", apiKeyData, session.Revocation{APIKeyID: "api_key_1", At: at, Refresh: true}},
		{"agent.registration.revoked", `{"agent_registration_id":"agent_reg_1"}`, session.Revocation{Subject: "agent_reg_1", At: at}},
		{"agent.registration.deleted", `{"agent_registration_id":"agent_reg_1","id":"other_1"}`, session.Revocation{Subject: "agent_reg_1", At: at}},
		{"agent.registration.expired", agentData, session.Revocation{Subject: "agent_reg_1", At: at}},
		{"agent.registration.organization.switched", agentData, session.Revocation{Subject: "agent_reg_1", At: at, Refresh: true}},
		{"authorized_application.deleted", consentData, session.Revocation{ConsentID: "app_consent_1", At: at}},
		{"a name to come.revoked", `{"id":"x_1","consent_id":"app_consent_1"}`, session.Revocation{ConsentID: "app_consent_1", At: at}},
		{"session.revoked", consentData, session.Revocation{ConsentID: "app_consent_1", At: at}},
	} {
		t.Run(test.event, func(t *testing.T) {
			t.Parallel()
			w := newWorld(noon)
			body := `{"object":"event","id":"event_1","event":"` + test.event + `","data":` + test.data + `,"created_at":"2026-11-23T11:59:30.250Z","context":{"client_id":"client_1"}}`
			if got := w.deliver(t, body); got != 200 {
				t.Errorf("status: got %d, want 200", got)
			}
			if !slices.Equal(w.revoked, []session.Revocation{test.want}) {
				t.Errorf("revoked: got %+v, want %+v", w.revoked, test.want)
			}
			if want := test.event + " ok"; !slices.Equal(w.seen, []string{want}) {
				t.Errorf("seen: got %q, want %q", w.seen, want)
			}
		})
	}
}

func TestConcernsNobody(t *testing.T) {
	t.Parallel()
	for _, event := range []string{
		"session.created", "user.created", "user.updated", "organization.created", "organization.updated", "organization_membership.created",
		"organization_role.created", "role.created", "permission.created", "dsync.user.deleted", "api_key.created", "USER.DELETED",
		"agent.registration.created", "agent.registration.refreshed", "agent.registration.claim.completed", "authorized_application.deleted", "event of a day to come",
	} {
		for _, data := range []string{userData, `null`, `7`, `{"id":7}`} {
			w := newWorld(noon)
			got := w.deliver(t, `{"id":"event_1","event":"`+event+`","data":`+data+`,"created_at":"2026-11-23T12:00:00Z"}`)
			if got != 200 || len(w.revoked) > 0 || !slices.Equal(w.seen, []string{"other ignored"}) {
				t.Errorf("%s %s: got %d, revoked %v, seen %q", event, data, got, w.revoked, w.seen)
			}
			if lines := w.lines(t); len(lines) != 1 || lines[0]["level"] != "debug" || lines[0]["type"] != event {
				t.Errorf("%s: log: got %v", event, lines)
			}
		}
	}
}

// An event of the table that can't be read ends no session: an empty id would mean all.
func TestUnreadableEvents(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 257)
	for _, body := range []string{
		`{"event":"session.revoked","data":{"id":"session_1"}}`,
		`{"event":"session.revoked","data":{"user_id":"user_1"}}`,
		`{"event":"session.revoked","data":{"id":"","user_id":"user_1"}}`,
		`{"event":"user.deleted","data":{"user_id":"user_1"}}`,
		`{"event":"user.deleted","data":{"id":null}}`,
		`{"event":"user.deleted","data":{"id":7}}`,
		`{"event":"user.deleted","data":{"id":["user_1"]}}`,
		`{"event":"user.deleted","data":null}`,
		`{"event":"user.deleted","data":[]}`,
		`{"event":"user.deleted"}`,
		`{"event":"user.deleted","data":{"id":"user_1","slug":false}}`,
		`{"event":"user.deleted","data":{"id":"` + long + `"}}`,
		`{"event":"organization.deleted","data":{"organization_id":"org_1"}}`,
		`{"event":"organization_membership.deleted","data":{"id":"om_1","user_id":"user_1"}}`,
		`{"event":"organization_membership.removed","data":{"id":"om_1","organization_id":"org_1"}}`,
		`{"event":"organization_membership.updated","data":{"organization_id":"org_1","status":"inactive"}}`,
		`{"event":"organization_role.updated","data":{"organization_id":"org_1"}}`,
		`{"event":"role.updated","data":{"permissions":[]}}`,
		`{"event":"permission.deleted","data":{"id":"perm_1"}}`,
		`{"event":"api_key.revoked","data":{"owner":{"id":"user_1"}}}`,
		`{"event":"api_key.updated","data":{"id":""}}`,
		`{"event":"agent.registration.revoked","data":{"id":"user_1"}}`,
		`{"event":"agent.registration.revoked","data":{"agent_registration_id":7}}`,
		`{"event":"agent.registration.deleted","data":{"agent_registration_id":""}}`,
		`{"event":"agent.registration.expired","data":{"agent_registration_id":"` + long + `"}}`,
		`{"event":"agent.registration.organization.switched","data":{"organization_id":"org_1"}}`,
		`{"event":"consent.revoked","data":{"id":"app_consent_` + long + `"}}`,
		`{"event":"consent.revoked","data":{"id":"app_consent_1","slug":7}}`,
		`{"event":"","data":{"id":"user_1"}}`,
		`{"event":"` + long + `"}`,
		`{"id":"` + long + `","event":"user.deleted","data":{"id":"user_1"}}`,
		`{"event":7,"data":{"id":"user_1"}}`,
		`{"data":{"id":"user_1"}}`,
		`{"event":"user.deleted","data":{"id":"user_1"}} {}`,
		`{"event":"user.deleted","data":{"id":"user_1"}`,
		`[]`, `null`, `"user.deleted"`, strings.Repeat("[", 60_000),
	} {
		w := newWorld(noon)
		if got := w.deliver(t, body); got != 400 || len(w.revoked) > 0 {
			t.Errorf("%.80s: got %d, revoked %v; want 400, nothing", body, got, w.revoked)
		}
		if lines := w.lines(t); len(lines) != 1 || lines[0]["level"] != "warn" || w.log.Len() > 1000 {
			t.Errorf("%.80s: log: got %.2000s", body, &w.log)
		}
	}
}

func TestWhenItHappened(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, createdAt string
		want            time.Time
	}{
		{"with an offset", `"2026-11-23T12:59:00+01:00"`, time.Date(2026, 11, 23, 11, 59, 0, 0, time.UTC)},
		{"a little after the signature", `"2026-11-23T12:00:01Z"`, time.Date(2026, 11, 23, 12, 0, 1, 0, time.UTC)},
		{"far after the signature", `"9999-01-01T00:00:00Z"`, noon},
		{"null", `null`, noon},
		{"empty", `""`, noon},
		{"a number", `1795431781550`, noon},
		{"the zero time", `"0001-01-01T00:00:00Z"`, noon},
		{"no time", `"yesterday"`, noon},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e, err := parse([]byte(`{"event":"user.deleted","data":{"id":"user_1"},"created_at":`+test.createdAt+`}`), noon)
			if err != nil || !e.revocation.At.Equal(test.want) {
				t.Errorf("got %v, %v, want %v", e.revocation.At, err, test.want)
			}
		})
	}
	e, err := parse([]byte(`{"event":"user.deleted","data":{"id":"user_1"}}`), noon)
	if err != nil || !e.revocation.At.Equal(noon) {
		t.Errorf("none: got %v, %v, want %v", e.revocation.At, err, noon)
	}
}

// FuzzEvent: whatever was signed, a revocation names somebody and a time.
func FuzzEvent(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add([]byte(v.Body))
	}
	for _, seed := range []string{
		`{"event":"user.deleted","data":{"id":"user_1"},"created_at":"2026-11-23T12:00:00Z"}`, `{"event":"role.updated","data":` + roleData + `}`,
		`{"event":"organization_membership.updated","data":` + membershipData + `,"created_at":7}`, `{"event":"permission.deleted","data":{"slug":""}}`,
		`{"event":"organization_role.deleted","data":` + orgRoleData + `}`, `{"event":"organization.deleted","data":null}`, `[`, `null`,
		`{"event":"api_key.updated","data":` + apiKeyData + `}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := parse(body, noon)
		r := e.revocation
		if err != nil || !e.relevant {
			if err != nil && !errors.Is(err, errMalformed) || r != (session.Revocation{}) {
				t.Errorf("%q: %+v, %v", body, r, err)
			}
			return
		}
		if r.Subject+r.OrganizationID+r.Role+r.Permission+r.APIKeyID == "" || r.SessionID != "" && r.Subject == "" ||
			r.At.IsZero() || r.At.After(noon.Add(180*time.Second)) || len(r.Subject) > 256 || len(r.Role) > 256 {
			t.Errorf("%q: %+v", body, r)
		}
	})
}
