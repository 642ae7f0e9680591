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

// describe has a membership as the API does.
func (d *directory) describe(p *person, m Membership) membershipJSON {
	organization, _ := d.organization(m.OrganizationID)
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

// changeMembership changes one, and sends organization_membership.updated unless change says
// that nothing did.
func (e *environment) changeMembership(id string, change func(*Membership) bool) (membershipJSON, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for p, m := range e.members() {
		if m.ID != id {
			continue
		}
		if !change(&m) {
			return e.describe(p, m), nil
		}
		m.updated = e.now()
		p.Memberships = slices.Clone(p.Memberships)
		p.Memberships[slices.IndexFunc(p.Memberships, func(m Membership) bool { return m.ID == id })] = m
		changed := e.describe(p, m)
		e.emit("organization_membership.updated", changed)
		return changed, nil
	}
	return membershipJSON{}, notFound("Organization Membership")
}

// setInactive makes a membership as good as none, or undoes that.
func (e *environment) setInactive(id string, inactive bool) (membershipJSON, error) {
	return e.changeMembership(id, func(m *Membership) bool {
		changes := m.Inactive != inactive
		m.Inactive = inactive
		return changes
	})
}

// ChangeRole gives a membership another role in place of those that it has. Its permissions are
// those that SetRole gave the role, else those of a member with this role alone, else none.
func (e *environment) ChangeRole(membershipID, slug string) error {
	_, err := e.setRole(membershipID, slug)
	return err
}

func (e *environment) setRole(id, slug string) (membershipJSON, error) {
	if slug == "" || len(slug) > maxSlug {
		return membershipJSON{}, unprocessable("The role_slug is required.")
	}
	return e.changeMembership(id, func(m *Membership) bool {
		roles := []string{slug}
		if slices.Equal(m.Roles, roles) {
			return false
		}
		m.Permissions = nil
		for _, other := range e.members() {
			if other.OrganizationID == m.OrganizationID && slices.Equal(other.Roles, roles) {
				m.Permissions = other.Permissions
			}
		}
		m.Roles = roles
		return true
	})
}

// deleteMembership takes a user out of an organization, and sends organization_membership.deleted. Their sessions
// there are refused at their next refresh.
func (e *environment) deleteMembership(id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for p, m := range e.members() {
		if m.ID == id {
			e.emit("organization_membership.deleted", e.describe(p, m))
			p.Memberships = slices.DeleteFunc(slices.Clone(p.Memberships), func(m Membership) bool { return m.ID == id })
			return nil
		}
	}
	return notFound("Organization Membership")
}

// changed answers with the membership that the path names, as act has changed it.
func changed[T any](act func(id string) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		m, err := act(chi.URLParam(r, "id"))
		if err != nil {
			writeError(w, err)
			return
		}
		writeJSON(w, http.StatusOK, m)
	}
}

// listMemberships answers GET /user_management/organization_memberships with all on one page.
func (e *environment) listMemberships(w http.ResponseWriter, r *http.Request) {
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
		shown := e.describe(p, m)
		if (user == "" || p.ID == user) && (organization == "" || m.OrganizationID == organization) &&
			slices.Contains(statuses, shown.Status) {
			list = append(list, shown)
		}
	}
	e.mu.Unlock()
	writeJSON(w, http.StatusOK, onePage(list))
}

// updateMembership answers PUT /user_management/organization_memberships/{id}.
func (e *environment) updateMembership(w http.ResponseWriter, r *http.Request) {
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

// DeleteUser removes a user with their API keys, ends their sessions, and sends user.deleted alone.
func (e *Emulator) DeleteUser(id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	p, ok := e.byID(id)
	if !ok {
		return notFound("User")
	}
	e.remove(p)
	e.endAll(p)
	e.apiKeys.drop(func(k *apiKey) bool { return k.Owner.Type == ownerUser && k.Owner.ID == id })
	e.emit("user.deleted", p.json())
	return nil
}

type organizationJSON struct {
	Object    string `json:"object"`
	ID        string `json:"id"`
	Name      string `json:"name"`
	CreatedAt string `json:"created_at"`
	UpdatedAt string `json:"updated_at"`
}

// deleteOrganization removes an organization with its memberships and API keys, and sends
// organization.deleted alone. Its sessions are refused at their next refresh.
func (e *Emulator) deleteOrganization(id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	o, ok := e.organization(id)
	if !ok {
		return notFound("Organization")
	}
	e.removeOrganization(id)
	e.apiKeys.drop(func(k *apiKey) bool { return k.organizationID == id })
	now := timestamp(e.now())
	e.emit("organization.deleted", organizationJSON{"organization", o.ID, o.Name, now, now})
	return nil
}
