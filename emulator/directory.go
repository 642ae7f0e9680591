package emulator

import (
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator/bounded"
)

// directory is who and what there is: users, organizations, memberships and roles. The caller of its methods
// holds the environment's lock.
type directory struct {
	organizations []Organization
	seeded        []*person
	made          *bounded.Map[*person] // users made on the spot, by email address
	roles         map[roleKey][]string  // permissions that SetRole gave
}

func newDirectory(config Config) directory {
	d := directory{
		organizations: slices.Clone(config.Organizations),
		made:          bounded.New[*person](maxMadeUsers, sessionLifetime, config.Now),
		roles:         map[roleKey][]string{},
	}
	for _, user := range config.Users {
		d.seeded = append(d.seeded, newPerson(user, config.Now()))
	}
	return d
}

// find looks a user up by email address.
func (d *directory) find(email string) (*person, bool) {
	for _, p := range d.seeded {
		if p.Email == email {
			return p, true
		}
	}
	return d.made.Get(email)
}

// findOrMake is find, and makes a plain user where there is none.
func (d *directory) findOrMake(raw string, now time.Time) (*person, error) {
	email, err := normalEmail(raw)
	if err != nil {
		return nil, err
	}
	if p, ok := d.find(email); ok {
		return p, nil
	}
	p := newPerson(User{ID: newID("user_", now), Email: email}, now)
	d.made.Put(email, p)
	return p, nil
}

// byID looks a user up by id.
func (d *directory) byID(id string) (*person, bool) {
	for _, p := range slices.Concat(d.seeded, d.made.All()) {
		if p.ID == id {
			return p, true
		}
	}
	return nil, false
}

// organization looks an organization up by id.
func (d *directory) organization(id string) (Organization, bool) {
	i := slices.IndexFunc(d.organizations, func(o Organization) bool { return o.ID == id })
	if i < 0 {
		return Organization{}, false
	}
	return d.organizations[i], true
}

// organizationsOf lists the organizations that a user is an active member of.
func (d *directory) organizationsOf(u User) []Organization {
	var list []Organization
	for _, m := range u.active() {
		if o, ok := d.organization(m.OrganizationID); ok {
			list = append(list, o)
		}
	}
	return list
}

// members yields every membership with its user. Users made on the spot have none.
func (d *directory) members() iter.Seq2[*person, Membership] {
	return func(yield func(*person, Membership) bool) {
		for _, p := range d.seeded {
			for _, m := range p.Memberships {
				if !yield(p, m) {
					return
				}
			}
		}
	}
}

// permissions of a membership: those of its roles, as far as SetRole gave them, else its own.
func (d *directory) permissions(m Membership) []string {
	var list []string
	given := false
	for _, slug := range m.Roles {
		permissions, ok := d.roles[roleKey{m.OrganizationID, slug}]
		if !ok {
			permissions, ok = d.roles[roleKey{"", slug}]
		}
		given = given || ok
		list = append(list, permissions...)
	}
	if !given {
		return m.Permissions
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// remove takes a user out of the directory. Codes may be under way, so the person says so too.
func (d *directory) remove(p *person) {
	p.deleted = true
	d.made.Take(p.Email)
	d.seeded = slices.DeleteFunc(d.seeded, func(other *person) bool { return other == p })
}

// removeOrganization takes an organization and its memberships out of the directory.
func (d *directory) removeOrganization(id string) {
	d.organizations = slices.DeleteFunc(d.organizations, func(o Organization) bool { return o.ID == id })
	for _, p := range d.seeded {
		p.Memberships = slices.DeleteFunc(slices.Clone(p.Memberships), func(m Membership) bool { return m.OrganizationID == id })
	}
}

func (d *directory) checkMembership(p *person, organizationID string) error {
	if _, ok := d.organization(organizationID); !ok {
		return oauthError("organization_not_found", "The organization does not exist.")
	}
	if _, ok := p.membership(organizationID); !ok {
		return oauthError("organization_membership_not_found", "The user is not a member of the organization.")
	}
	return nil
}

// The steps that an organization may require of those who enter it.
const (
	ssoRequired   = "sso_required"
	mfaEnrollment = "mfa_enrollment"
)

// checkSteps refuses a user whom the organization asks for a step that only the hosted page has.
// Nothing takes the pending token: the way is a sign-in with the organization's id.
func (d *directory) checkSteps(p *person, organizationID string) error {
	o, _ := d.organization(organizationID)
	switch o.Requires {
	case ssoRequired:
		return &apiError{http.StatusBadRequest, map[string]any{
			"error":                        ssoRequired,
			"error_description":            "The user must sign in through the organization's connection.",
			"connection_ids":               []string{"conn_" + strings.TrimPrefix(o.ID, "org_")},
			"email":                        p.Email,
			"pending_authentication_token": newSecret(),
		}}
	case mfaEnrollment:
		return oauthError(mfaEnrollment, "The user must enroll a second factor to finish their authentication.")
	}
	return nil
}
