package policy

import (
	"slices"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

// The names of the requirements, as the policy file spells them, in the order in which
// they are checked.
const (
	impersonation = "impersonation"
	users         = "users"
	emails        = "emails"
	emailDomains  = "email_domains"
	// Organizations is the name of the requirement that a switch may meet.
	Organizations = "organizations"
	roles         = "roles"
	permissions   = "permissions"
	entitlements  = "entitlements"
	featureFlags  = "feature_flags"
	// MaxAuthAge is the name of the requirement that a fresh sign-in meets.
	MaxAuthAge = "max_auth_age"
)

// Requirements are what an identity has to meet. The zero value asks for nothing.
type Requirements struct {
	denyImpersonation bool
	lists             []listRequirement // in the order in which they are checked
	maxAuthAge        time.Duration     // zero: any
}

// listRequirement asks for a claim's values.
type listRequirement struct {
	name string
	any  []string // one of these, where there are some; sorted
	all  []string // all of these
}

// Unmet is the first requirement that an identity does not meet.
type Unmet struct {
	Requirement string        // as the policy file spells it, such as "roles"
	MaxAuthAge  time.Duration // where that is max_auth_age
}

// None reports whether nothing is required.
func (r *Requirements) None() bool {
	return !r.denyImpersonation && len(r.lists) == 0 && r.maxAuthAge == 0
}

// Check returns the first requirement that isn't met, nil if all are. Its order is
// such that what comes later can still be mended: impersonation, users, emails,
// email_domains, organizations, roles, permissions, entitlements, feature_flags,
// max_auth_age. A claim that is missing meets nothing.
func (r *Requirements) Check(id *identity.Identity, now time.Time) *Unmet {
	if r.denyImpersonation && id.Impersonator != "" {
		return &Unmet{Requirement: impersonation}
	}
	for i := range r.lists {
		if l := &r.lists[i]; !l.met(claims(id, l.name)) {
			return &Unmet{Requirement: l.name}
		}
	}
	if r.maxAuthAge > 0 && (id.AuthTime.IsZero() || now.Sub(id.AuthTime) > r.maxAuthAge) {
		return &Unmet{Requirement: MaxAuthAge, MaxAuthAge: r.maxAuthAge}
	}
	return nil
}

// AllowsOrganization reports whether the organizations required include this one. Where
// none is required, they include all.
func (r *Requirements) AllowsOrganization(id string) bool {
	for i := range r.lists {
		if l := &r.lists[i]; l.name == Organizations && !l.met([]string{id}) {
			return false
		}
	}
	return true
}

// met reports whether a claim's values are those asked for. An empty value is none.
func (l *listRequirement) met(values []string) bool {
	for _, required := range l.all {
		if !slices.Contains(values, required) {
			return false
		}
	}
	return len(l.any) == 0 || slices.ContainsFunc(values, func(value string) bool {
		_, found := slices.BinarySearch(l.any, value)
		return found
	})
}

// claims are the values that an identity has for a requirement.
func claims(id *identity.Identity, requirement string) []string {
	switch requirement {
	case users:
		return []string{id.Subject}
	case emails, emailDomains:
		if !id.EmailVerified { // anybody can write any address
			return nil
		}
		address, domain := canonicalEmail(id.Email)
		if requirement == emails {
			return []string{address}
		}
		return []string{domain}
	case Organizations:
		return []string{id.OrganizationID}
	case roles:
		if len(id.Roles) == 0 {
			return []string{id.Role}
		}
		return id.Roles
	case permissions:
		return id.Permissions
	case entitlements:
		return id.Entitlements
	case featureFlags:
		return id.FeatureFlags
	}
	return nil
}
