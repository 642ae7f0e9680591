package demo

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy/policyfile"
)

// Page is a part of the app for which the demo's policy has a rule.
type Page struct {
	Path  string `json:"path"`
	URL   string `json:"url"`
	Needs string `json:"needs"` // by the demo's own policy

	rule string                // by name
	why  func(identity) string // somebody who is signed in may open it, as far as the app can see
}

// Command is a line for a shell, and what comes of it.
type Command struct {
	Line   string `json:"line"`
	Answer string `json:"answer"`
}

// pages are all of the demo's pages, and the rest that the app shows of the demo around it.
type pages struct {
	List     []Page
	Commands []Command
	Policy   string // the file
}

// edited says which rule decides about a request by the file as it is now. It is empty where the file is the demo's own,
// or can't be used: then the policy before it decides.
func (p *pages) edited(r *http.Request) string {
	text, err := os.ReadFile(p.Policy)
	if err != nil || bytes.Equal(text, policySource) {
		return ""
	}
	d, err := policyfile.Parse(text, policyfile.Options{})
	if err != nil {
		return ""
	}
	host, _, _ := strings.Cut(r.Host, ":")
	m := d.Policy.Match(policy.Request{Method: r.Method, Host: host, Path: r.URL.EscapedPath()})
	if m.Err != nil || m.Rule == nil {
		return ""
	}
	if m.Rule.Name == policy.DefaultName {
		return "its default"
	}
	return fmt.Sprintf("its rule \u201c%s\u201d in line %d", m.Rule.Name, m.Rule.Line)
}

// allPages are those of policy.yaml; the first one is for everything else.
func allPages(gateway string) []Page {
	list := []Page{
		{Path: "/", rule: policy.DefaultName, Needs: "a session", why: func(identity) string { return "You have one." }},
		{Path: "/public", rule: "public page", Needs: "nothing", why: func(identity) string {
			return "You are signed in, which the app gets to know here, too."
		}},
		{Path: "/admin", rule: "administrators", Needs: "the role admin", why: func(who identity) string {
			return "Your roles: " + listed(who.Groups) + "."
		}},
		{Path: "/globex", rule: "Globex", Needs: "the organization Globex", why: func(who identity) string {
			return "Your session is for " + organization(who.Organization) + "."
		}},
		{Path: "/settings", rule: "settings", Needs: "your own fresh sign-in", why: func(identity) string {
			return "It may be 5 minutes old: no header says how old, the service has looked."
		}},
		{Path: reportsPath, rule: "reports for programs", Needs: "an API key or access token", why: func(who identity) string {
			return "Its permissions: " + listed(who.Permissions) + "."
		}},
	}
	for i := range list {
		list[i].URL = gateway + list[i].Path
	}
	return list
}

// reason says why who may open the page, as far as the app can see.
func (p Page) reason(who identity) string {
	if who.User == "" {
		return "Nobody is signed in, so all identity headers are empty."
	}
	return p.why(who)
}

// title is the rule as a sentence has it.
func (p Page) title() string {
	if p.rule == policy.DefaultName {
		return "The policy's default"
	}
	return "The policy's rule \u201c" + p.rule + "\u201d"
}

// pageOf is the page that a path belongs to, by its first segment.
func pageOf(all []Page, path string) Page {
	first := func(path string) string {
		segment, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		return segment
	}
	for _, p := range all[1:] {
		if first(path) == first(p.Path) {
			return p
		}
	}
	return all[0]
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
