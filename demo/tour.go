package demo

import (
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

// Page is one of the app's pages.
type Page struct {
	Path  string `json:"path"`
	URL   string `json:"url"`
	Needs string `json:"needs"` // what the demo's own policy asks for
}

// Command is a line for a shell, and what comes of it.
type Command struct {
	Line   string `json:"line"`
	Answer string `json:"answer"`
}

// tour is what the app knows of the demo around it.
type tour struct {
	Pages    []Page
	Commands []Command
	Policy   string // the file
	Own      bool   // it is the demo's own policy, as it was at the start
}

// place is a part of the app for which the demo's policy has a rule.
type place struct {
	path  string
	rule  string // by name
	needs string
	found func(identity) string // what of it an app can see, of somebody who is signed in
}

// places are those of policy.yaml; the first one is for everything else.
func places() []place {
	return []place{
		{"/", policy.DefaultName, "a session", func(identity) string { return "You have one." }},
		{"/public", "public page", "nothing", func(identity) string {
			return "You are signed in, which the app gets to know here, too."
		}},
		{"/admin", "administrators", "the role admin", func(who identity) string {
			return "Your roles: " + listed(who.Groups) + "."
		}},
		{"/globex", "Globex", "the organization Globex", func(who identity) string {
			return "Your session is for " + organization(who.Organization) + "."
		}},
		{"/settings", "settings", "your own fresh sign-in", func(identity) string {
			return "It may be 5 minutes old: no header tells, the service has looked."
		}},
		{reportsPath, "reports for programs", "an API key or access token", func(who identity) string {
			return "Its permissions: " + listed(who.Permissions) + "."
		}},
	}
}

// met says what of the place's needs an app can see.
func (p place) met(who identity) string {
	if who.User == "" {
		return "Nobody is signed in, so all identity headers are empty."
	}
	return p.found(who)
}

// title is the rule as a sentence has it.
func (p place) title() string {
	if p.rule == policy.DefaultName {
		return "The policy's default"
	}
	return "The policy's rule \u201c" + p.rule + "\u201d"
}

// placeOf is the part that a path belongs to, by its first segment.
func placeOf(path string) place {
	first := func(path string) string {
		segment, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		return segment
	}
	all := places()
	for _, p := range all[1:] {
		if first(path) == first(p.path) {
			return p
		}
	}
	return all[0]
}

func pages(gateway string) []Page {
	var list []Page
	for _, p := range places() {
		list = append(list, Page{p.path, gateway + p.path, p.needs})
	}
	return list
}

// commands try the API key, and end it.
func commands(a Addresses) []Command {
	key := emulator.SeedAPIKeys()[0]
	reports := a.Gateway + reportsPath
	return []Command{
		{"curl " + reports, "401: no credential"},
		{"curl -H 'X-API-Key: " + key.Value + "' " + reports, "200: who asks, and the reports"},
		{"curl -X DELETE -H 'Authorization: Bearer " + apiKey + "' " + a.Emulator + "/api_keys/" + key.ID,
			"revokes the key: 401 from then on"},
	}
}

func listed(values []string) string {
	if len(values) == 0 {
		return "none"
	}
	return strings.Join(values, ", ")
}

// organization is one of the seeded ones by name, or else what it is.
func organization(id string) string {
	if id == "" {
		return "no organization"
	}
	_, organizations := emulator.Seed()
	for _, o := range organizations {
		if o.ID == id {
			return o.Name
		}
	}
	return id
}
