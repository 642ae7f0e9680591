package emulator

import (
	"iter"
	"slices"
)

// members yields every membership with its user. Users made on the spot have none. The caller
// holds the lock.
func (e *Emulator) members() iter.Seq2[*person, Membership] {
	return func(yield func(*person, Membership) bool) {
		for _, p := range e.seeded {
			for _, m := range p.Memberships {
				if !yield(p, m) {
					return
				}
			}
		}
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
	p.deleted = true // codes may be under way
	e.made.take(e.config.Now(), p.Email)
	e.seeded = slices.DeleteFunc(e.seeded, func(other *person) bool { return other == p })
	for _, s := range e.sessions.all(e.config.Now()) {
		if s.person == p && s.ended.IsZero() {
			s.end(e.now())
		}
	}
	e.dropAPIKeys(func(k *apiKey) bool { return k.UserID == id })
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

// DeleteOrganization removes an organization with its memberships and API keys, and sends
// organization.deleted alone. Its sessions are refused at their next refresh.
func (e *Emulator) DeleteOrganization(id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	o, ok := e.organization(id)
	if !ok {
		return notFound("Organization")
	}
	e.organizations = slices.DeleteFunc(e.organizations, func(o Organization) bool { return o.ID == id })
	for _, p := range e.seeded {
		p.Memberships = slices.DeleteFunc(slices.Clone(p.Memberships), func(m Membership) bool { return m.OrganizationID == id })
	}
	e.dropAPIKeys(func(k *apiKey) bool { return k.OrganizationID == id })
	now := timestamp(e.now())
	e.emit("organization.deleted", organizationJSON{"organization", o.ID, o.Name, now, now})
	return nil
}

// Memberships lists a user's memberships, inactive ones too.
func (e *Emulator) Memberships(userID string) []Membership {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p, ok := e.byID(userID); ok {
		return slices.Clone(p.Memberships)
	}
	return nil
}

// DeleteMembership takes a user out of an organization, and sends organization_membership.deleted. Their sessions
// there are refused at their next refresh.
func (e *Emulator) DeleteMembership(id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for p, m := range e.members() {
		if m.ID == id {
			e.emit("organization_membership.deleted", e.membershipJSON(p, m))
			p.Memberships = slices.DeleteFunc(slices.Clone(p.Memberships), func(m Membership) bool { return m.ID == id })
			return nil
		}
	}
	return notFound("Organization Membership")
}

// changeMembership changes one, and sends organization_membership.updated unless change says
// that nothing did.
func (e *Emulator) changeMembership(id string, change func(*Membership) bool) (membershipJSON, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for p, m := range e.members() {
		if m.ID != id {
			continue
		}
		if !change(&m) {
			return e.membershipJSON(p, m), nil
		}
		m.updated = e.now()
		p.Memberships = slices.Clone(p.Memberships)
		p.Memberships[slices.IndexFunc(p.Memberships, func(m Membership) bool { return m.ID == id })] = m
		changed := e.membershipJSON(p, m)
		e.emit("organization_membership.updated", changed)
		return changed, nil
	}
	return membershipJSON{}, notFound("Organization Membership")
}

// DeactivateMembership makes a membership inactive, as if there were none.
func (e *Emulator) DeactivateMembership(id string) error {
	_, err := e.setInactive(id, true)
	return err
}

// ReactivateMembership undoes DeactivateMembership.
func (e *Emulator) ReactivateMembership(id string) error {
	_, err := e.setInactive(id, false)
	return err
}

func (e *Emulator) setInactive(id string, inactive bool) (membershipJSON, error) {
	return e.changeMembership(id, func(m *Membership) bool {
		changes := m.Inactive != inactive
		m.Inactive = inactive
		return changes
	})
}

// ChangeRole gives a membership another role in place of those that it has. Its permissions are
// those that SetRole gave the role, else those of a member with this role alone, else none.
func (e *Emulator) ChangeRole(membershipID, slug string) error {
	_, err := e.setRole(membershipID, slug)
	return err
}

func (e *Emulator) setRole(id, slug string) (membershipJSON, error) {
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
