package emulator

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
)

// membershipJSON is the API's organization membership.
type membershipJSON struct {
	Object           string            `json:"object"`
	ID               string            `json:"id"`
	UserID           string            `json:"user_id"`
	OrganizationID   string            `json:"organization_id"`
	OrganizationName string            `json:"organization_name"`
	Status           string            `json:"status"`
	DirectoryManaged bool              `json:"directory_managed"`
	Role             roleSlug          `json:"role"`
	Roles            []roleSlug        `json:"roles"`
	CustomAttributes map[string]string `json:"custom_attributes"`
	CreatedAt        string            `json:"created_at"`
	UpdatedAt        string            `json:"updated_at"`
}

type roleSlug struct {
	Slug string `json:"slug"`
}

// membershipJSON describes a membership. The caller holds the lock.
func (e *Emulator) membershipJSON(p *person, m Membership) membershipJSON {
	organization, _ := e.organization(m.OrganizationID)
	var roles []roleSlug
	for _, role := range m.Roles {
		roles = append(roles, roleSlug{role})
	}
	status := "active"
	if m.Inactive {
		status = "inactive"
	}
	return membershipJSON{
		Object:           "organization_membership",
		ID:               m.ID,
		UserID:           p.ID,
		OrganizationID:   m.OrganizationID,
		OrganizationName: organization.Name,
		Status:           status,
		Role:             roles[0],
		Roles:            roles,
		CustomAttributes: map[string]string{},
		CreatedAt:        timestamp(p.created),
		UpdatedAt:        timestamp(m.updated),
	}
}

// remove answers the deletion of what the path names.
func remove(act func(id string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := act(chi.URLParam(r, "id")); err != nil {
			writeError(w, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// manage has the endpoints that change the directory.
func (e *Emulator) manage(route routeFunc) {
	change := func(act func(id string) (membershipJSON, error)) http.HandlerFunc {
		return e.withKey(func(w http.ResponseWriter, r *http.Request) {
			changed, err := act(chi.URLParam(r, "id"))
			if err != nil {
				writeError(w, err)
				return
			}
			writeJSON(w, http.StatusOK, changed)
		})
	}
	const memberships, membership = "/user_management/organization_memberships", "/user_management/organization_memberships/{id}"
	route(http.MethodDelete, "/user_management/users/{id}", "users.delete", e.withKey(remove(e.DeleteUser)))
	route(http.MethodDelete, "/organizations/{id}", "organizations.delete", e.withKey(remove(e.DeleteOrganization)))
	// As workos-go v4 spells it.
	route(http.MethodDelete, "/Organizations/{id}", "organizations.delete", e.withKey(remove(e.DeleteOrganization)))
	route(http.MethodGet, memberships, "memberships.list", e.withKey(e.listMemberships))
	route(http.MethodPut, membership, "memberships.update", e.withKey(e.updateMembership))
	route(http.MethodPut, membership+"/deactivate", "memberships.deactivate",
		change(func(id string) (membershipJSON, error) { return e.setInactive(id, true) }))
	route(http.MethodPut, membership+"/reactivate", "memberships.reactivate",
		change(func(id string) (membershipJSON, error) { return e.setInactive(id, false) }))
	route(http.MethodDelete, membership, "memberships.delete", e.withKey(remove(e.DeleteMembership)))
}

// listMemberships answers GET /user_management/organization_memberships with all on one page.
func (e *Emulator) listMemberships(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	user, organization := q.Get("user_id"), q.Get("organization_id")
	if user == "" && organization == "" {
		writeError(w, unprocessable("One of user_id and organization_id is required."))
		return
	}
	statuses := strings.Split(strings.Join(append(q["statuses"], q["statuses[]"]...), ","), ",")
	if statuses[0] == "" {
		statuses = []string{"active"}
	}
	list := []membershipJSON{}
	e.mu.Lock()
	for p, m := range e.members() {
		shown := e.membershipJSON(p, m)
		if (user == "" || p.ID == user) && (organization == "" || m.OrganizationID == organization) &&
			slices.Contains(statuses, shown.Status) {
			list = append(list, shown)
		}
	}
	e.mu.Unlock()
	writeJSON(w, http.StatusOK, onePage(list))
}

// updateMembership answers PUT /user_management/organization_memberships/{id}.
func (e *Emulator) updateMembership(w http.ResponseWriter, r *http.Request) {
	p, err := params(w, r)
	if err != nil {
		writeError(w, err)
		return
	}
	changed, err := e.setRole(chi.URLParam(r, "id"), p.Get("role_slug"))
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, changed)
}
