package emulator

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"
)

// User is somebody who can sign in. Empty strings are null in the API's answers.
type User struct {
	ID                string
	Email             string // in lower case
	FirstName         string
	LastName          string
	ProfilePictureURL string
	Locale            string
	ExternalID        string
	Metadata          map[string]string
	Memberships       []Membership  // organizations, may be none
	Impersonator      *Impersonator // who acts as this user; nil: the user signs in
	// Claims are what the environment's JWT template adds to this user's access tokens, by name. AuthKit's own can't be replaced.
	Claims map[string]any
}

// Name is the user's full name, or the email address of one who has none.
func (u User) Name() string {
	if name := strings.TrimSpace(u.FirstName + " " + u.LastName); name != "" {
		return name
	}
	return u.Email
}

// membership of the user in an organization, if it is active.
func (u User) membership(organizationID string) (Membership, bool) {
	for _, m := range u.active() {
		if m.OrganizationID == organizationID {
			return m, true
		}
	}
	return Membership{}, false
}

// active memberships of the user.
func (u User) active() []Membership {
	return slices.DeleteFunc(slices.Clone(u.Memberships), func(m Membership) bool { return m.Inactive })
}

// Membership says what a user is and may do in an organization.
type Membership struct {
	ID             string // empty: a new one
	OrganizationID string
	Roles          []string // the first is the token's role claim; at least one
	Permissions    []string // SetRole overrides them
	Inactive       bool     // kept, but as good as none

	updated time.Time
}

// Organization is what users can be members of.
type Organization struct {
	ID           string
	Name         string
	Entitlements []string
	FeatureFlags []string

	// Requires is what a session that began elsewhere lacks to come here by a refresh: sso_required
	// or mfa_enrollment. A sign-in on the hosted page brings it along. Empty: nothing.
	Requires string
}

// isKnown reports whether an organization of that id is among them.
func isKnown(organizations []Organization, id string) bool {
	return slices.ContainsFunc(organizations, func(o Organization) bool { return o.ID == id })
}

// Impersonator is the operator who signs in as somebody else.
type Impersonator struct {
	Email  string
	Reason string // may be empty
}

// person is a user with what changes while the emulator runs. The slice of memberships is
// replaced, never written to: copies of the user are read without the lock.
type person struct {
	User
	created    time.Time
	lastSignIn time.Time
	deleted    bool
}

// newPerson gives the user's memberships what they lack.
func newPerson(u User, now time.Time) *person {
	u.Memberships = slices.Clone(u.Memberships)
	for i := range u.Memberships {
		m := &u.Memberships[i]
		m.ID, m.updated = cmp.Or(m.ID, newID("om_", now)), now
	}
	return &person{User: u, created: now}
}

func directoryProblems(users []User, organizations []Organization) []error {
	var problems []error
	known := map[string]bool{}
	unique := func(id string) {
		if id == "" || known[id] {
			problems = append(problems, fmt.Errorf("emulator: id or email address %q: must be set and unique", id))
		}
		known[id] = true
	}
	for _, o := range organizations {
		unique(o.ID)
		if o.Requires != "" && o.Requires != ssoRequired && o.Requires != mfaEnrollment {
			problems = append(problems, fmt.Errorf("emulator: organization %s: requires %q: must be %s, %s or nothing",
				o.ID, o.Requires, ssoRequired, mfaEnrollment))
		}
	}
	for _, u := range users {
		unique(u.ID)
		unique(u.Email)
		if normal, err := normalEmail(u.Email); err != nil || normal != u.Email {
			problems = append(problems, fmt.Errorf("emulator: user %s: not an email address in lower case", u.ID))
		}
		for name, value := range u.Claims {
			if _, err := json.Marshal(value); err != nil || slices.Contains(ownClaims(), name) {
				problems = append(problems, fmt.Errorf("emulator: user %s: claim %s: must be JSON, and none of AuthKit's own", u.ID, name))
			}
		}
		for _, m := range u.Memberships {
			if m.ID != "" {
				unique(m.ID)
			}
			if !isKnown(organizations, m.OrganizationID) || len(m.Roles) == 0 {
				problems = append(problems, fmt.Errorf("emulator: user %s: a membership needs a known organization and a role", u.ID))
			}
		}
	}
	return problems
}

var errEmail = errors.New("emulator: not an email address")

// normalEmail is the form in which addresses are compared.
func normalEmail(raw string) (string, error) {
	email := strings.ToLower(strings.TrimSpace(raw))
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || len(email) > 254 {
		return "", errEmail
	}
	return email, nil
}
