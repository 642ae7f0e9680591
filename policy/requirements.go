package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

// The names of the requirements, as the policy file spells them, in the order in which
// they are checked.
const (
	Impersonation = "impersonation" // only "deny" requires something
	users         = "users"
	emails        = "emails"
	emailDomains  = "email_domains"
	// Organizations is the name of the requirement that a switch may meet.
	Organizations = "organizations"
	roles         = "roles"
	permissions   = "permissions"
	entitlements  = "entitlements"
	featureFlags  = "feature_flags"
	// Scopes is the name of the requirement that a client may meet by asking for more (RFC 6750, 3.1).
	Scopes = "scopes"
	// ClaimPrefix begins the name of a requirement of a claim that a JWT template puts into the
	// token: "claims: department".
	ClaimPrefix = "claims: "
	// MaxAuthAge is the name of the requirement that a fresh sign-in meets.
	MaxAuthAge = "max_auth_age"
)

// Requirements are what an identity has to meet. The zero value asks for nothing.
type Requirements struct {
	Impersonation string            // "deny": by nobody who is there as another user; "" and "allow": by all
	Lists         []ListRequirement // of a Policy's in the order in which they are checked
	MaxAuthAge    time.Duration     // since the sign-in; zero: any
	Issuer        *Issuer           // whose tokens alone pass; nil: AuthKit's alone
}

// ListRequirement asks for a claim's values.
type ListRequirement struct {
	Name string   // as the policy file spells it
	Any  []string // one of these, where there are some; of a Policy's sorted
	All  []string // all of these
}

// ListNames are the names that a ListRequirement can have beside those with ClaimPrefix, in the order in which they are
// checked.
func ListNames() []string {
	return []string{users, emails, emailDomains, Organizations, roles, permissions, entitlements, featureFlags, Scopes}
}

// Unmet is the first requirement that an identity does not meet.
type Unmet struct {
	Requirement string        // as the policy file spells it, such as "roles"
	MaxAuthAge  time.Duration // where that is max_auth_age
}

// None reports whether nothing is required.
func (r *Requirements) None() bool {
	return r.Impersonation != "deny" && len(r.Lists) == 0 && r.MaxAuthAge == 0 && r.Issuer == nil
}

// written reports whether somebody wrote a requirement, be it one that asks for nothing.
func (r *Requirements) written() bool { return !r.None() || r.Impersonation != "" }

// Check returns the first requirement that isn't met, nil if all are. Its order is
// such that what comes later can still be mended: issuer, impersonation, users, emails,
// email_domains, organizations, roles, permissions, entitlements, feature_flags, scopes,
// claims, max_auth_age. A claim that is missing meets nothing. Without an issuer, nobody passes whose token is not AuthKit's.
func (r *Requirements) Check(id *identity.Identity, now time.Time) *Unmet {
	if id.Extra.IssuedBy() != r.issuer() {
		return &Unmet{Requirement: IssuerName}
	}
	if r.Impersonation == "deny" && id.Impersonator != "" {
		return &Unmet{Requirement: Impersonation}
	}
	for i := range r.Lists {
		if l := &r.Lists[i]; !l.met(r.claims(id, l.Name)) {
			return &Unmet{Requirement: l.Name}
		}
	}
	if r.MaxAuthAge > 0 && (id.AuthTime.IsZero() || now.Sub(id.AuthTime) > r.MaxAuthAge) {
		return &Unmet{Requirement: MaxAuthAge, MaxAuthAge: r.MaxAuthAge}
	}
	return nil
}

// AllowsOrganization reports whether the organizations required include this one. Where
// none is required, they include all.
func (r *Requirements) AllowsOrganization(id string) bool {
	for i := range r.Lists {
		if l := &r.Lists[i]; l.Name == Organizations && !l.met([]string{id}) {
			return false
		}
	}
	return true
}

// met reports whether a claim's values are those asked for. An empty value is none.
func (l *ListRequirement) met(values []string) bool {
	for _, required := range l.All {
		if !slices.Contains(values, required) {
			return false
		}
	}
	return len(l.Any) == 0 || slices.ContainsFunc(values, func(value string) bool {
		_, found := slices.BinarySearch(l.Any, value)
		return found
	})
}

// claims are the values that an identity has for a requirement.
func (r *Requirements) claims(id *identity.Identity, requirement string) []string {
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
	case Scopes:
		return id.Extra.Granted()
	}
	if claim, ok := strings.CutPrefix(requirement, ClaimPrefix); ok {
		return id.Extra.ValuesOf(r.issuer(), claim)
	}
	return nil
}

// requirements checks what a rule requires of its credentials, and brings it into
// canonical form.
func (c *checker) requirements(r *Requirements, credentials []Credential) {
	lists := make([]ListRequirement, 0, len(r.Lists))
	for _, name := range ListNames() {
		for _, l := range r.Lists {
			if l.Name == name {
				c.canMeet(name, credentials)
				lists = append(lists, c.listRequirement(l))
			}
		}
	}
	for _, l := range r.Lists {
		claim, ok := strings.CutPrefix(l.Name, ClaimPrefix)
		if !ok {
			continue
		}
		if problem := r.claimProblem(claim); problem != "" {
			c.report("require: "+l.Name, -1, "%s: require: claims: %s", c.where, problem)
		}
		c.canMeet(l.Name, credentials)
		lists = append(lists, c.listRequirement(l))
	}
	if len(lists) != len(r.Lists) {
		c.report("require", -1, "%s: require: a requirement that there is none of", c.where)
	}
	r.Lists = lists
	if r.MaxAuthAge != 0 {
		c.canMeet(MaxAuthAge, credentials)
		if r.MaxAuthAge < time.Second {
			c.report("require: "+MaxAuthAge, -1, "%s: require: %s must be at least %s", c.where, MaxAuthAge, time.Second)
		}
	}
	if !slices.Contains([]string{"", "deny", "allow"}, r.Impersonation) {
		c.report("require: "+Impersonation, -1, "%s: require: %s must be deny or allow", c.where, Impersonation)
	}
}

// canMeet reports a requirement that none of the credentials can meet. An access token
// has no email; an API key has an organization, permissions and sometimes a user.
func (c *checker) canMeet(name string, credentials []Credential) {
	able := []Credential{Cookie, Bearer, APIKey}
	switch name {
	case Scopes:
		able = []Credential{Bearer}
	case emails, emailDomains:
		able = able[:1]
	case roles, entitlements, featureFlags, MaxAuthAge:
		able = able[:2]
	default:
		if strings.HasPrefix(name, ClaimPrefix) {
			able = able[:2]
		}
	}
	if slices.ContainsFunc(credentials, func(credential Credential) bool { return slices.Contains(able, credential) }) || len(credentials) == 0 && slices.Contains(able, Cookie) {
		return
	}
	c.report("require: "+name, -1, "%s: require: %s: none of the rule's credentials can meet it: add %s to its credentials", c.where, name, able[0])
}

// listRequirement brings the values into the form in which claims are compared.
func (c *checker) listRequirement(l ListRequirement) ListRequirement {
	field, form := "require: "+l.Name, claimForm(l.Name)
	canonical := ListRequirement{Name: l.Name, Any: c.canonical(field, l.Any, form), All: c.canonical(field+": all", l.All, form)}
	slices.Sort(canonical.Any)
	if len(l.Any)+len(l.All) == 0 {
		c.report(field, -1, "%s: %s must not be empty: write any or all", c.where, field)
	}
	single := l.Name == users || l.Name == emails || l.Name == emailDomains || l.Name == Organizations
	if all := canonical.All; single && (len(all) > 1 || len(all) == 1 && len(canonical.Any) > 0 && !slices.Contains(canonical.Any, all[0])) {
		c.report(field+": all", -1, "%s: %s: all can't be met, as nobody has two: write them as any", c.where, field)
	}
	return canonical
}

// claimForm returns what brings a claim's value into the form in which it is compared.
func claimForm(name string) func(text string) (canonical, problem string) {
	switch name {
	case emails:
		return func(text string) (string, string) {
			if address, _ := canonicalEmail(text); address != "" {
				return address, ""
			}
			return "", Quote(text) + " is not an email address: write it as user@example.com"
		}
	case emailDomains:
		return func(text string) (string, string) {
			if domain := canonicalDomain(text); domain != "" {
				return domain, ""
			}
			return "", Quote(text) + " is not a domain: write it as example.com, without @ and *"
		}
	}
	if name == Scopes {
		return func(text string) (string, string) { return text, ScopeProblem(text) }
	}
	return func(text string) (string, string) { return text, "" }
}
