package demo

import (
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

// User is somebody who can sign in. Any other email address can, too.
type User struct {
	Email         string   `json:"email"`
	Name          string   `json:"name"`
	Organizations []string `json:"organizations"`          // by name; with more than one, the user chooses
	Impersonator  string   `json:"impersonator,omitempty"` // email address of who is really there
}

func users() []User {
	seeded, organizations := emulator.Seed()
	names := map[string]string{}
	for _, o := range organizations {
		names[o.ID] = o.Name
	}
	list := make([]User, len(seeded))
	for i, u := range seeded {
		list[i] = User{Email: u.Email, Name: u.Name(), Organizations: []string{}}
		for _, m := range u.Memberships {
			list[i].Organizations = append(list[i].Organizations, names[m.OrganizationID])
		}
		if u.Impersonator != nil {
			list[i].Impersonator = u.Impersonator.Email
		}
	}
	return list
}

// String says in a few words what somebody is.
func (u User) String() string {
	text := u.Name
	switch {
	case u.Impersonator != "":
		text += ", impersonated by " + u.Impersonator
	case len(u.Organizations) == 0:
		text += ", no organization"
	case len(u.Organizations) == 1:
		text += ", at " + u.Organizations[0]
	default:
		text += ", chooses: " + strings.Join(u.Organizations, " or ")
	}
	return text
}
