package policy

import (
	"slices"
	"time"

	"go.yaml.in/yaml/v4"
)

// requirements reads what a rule requires of its credentials.
func (d *decoder) requirements(n *yaml.Node, where string, credentials []Credential) Requirements {
	lists := []string{users, emails, emailDomains, Organizations, roles, permissions, entitlements, featureFlags}
	keys := d.mapping(n, where, append(slices.Clone(lists), MaxAuthAge, impersonation)...)
	if keys != nil && len(n.Content) == 0 {
		d.report(n.Line, "%s must not be empty: leave it out", where)
	}
	var r Requirements
	for _, name := range lists {
		if n := keys[name]; n != nil {
			d.canMeet(n.Line, where, name, credentials)
			r.lists = append(r.lists, d.listRequirement(n, where+": "+name, name))
		}
	}
	if n := keys[MaxAuthAge]; n != nil {
		d.canMeet(n.Line, where, MaxAuthAge, credentials)
		r.maxAuthAge = d.duration(n, where+": "+MaxAuthAge, time.Second)
	}
	if n := keys[impersonation]; n != nil {
		r.denyImpersonation = d.word(n, where+": "+impersonation, "deny", "allow") == "deny"
	}
	return r
}

// canMeet reports a requirement that none of the credentials can meet. An access token
// has no email; an API key has an organization, permissions and sometimes a user.
func (d *decoder) canMeet(line int, where, name string, credentials []Credential) {
	able := []Credential{Cookie, Bearer, APIKey}
	switch name {
	case emails, emailDomains:
		able = able[:1]
	case roles, entitlements, featureFlags, MaxAuthAge:
		able = able[:2]
	}
	if slices.ContainsFunc(credentials, func(c Credential) bool { return slices.Contains(able, c) }) || len(credentials) == 0 {
		return
	}
	d.report(line, "%s: %s: none of the rule's credentials can meet it: add %s to its credentials", where, name, able[0])
}

// listRequirement reads a list, of which any is enough, or a mapping of any and all.
func (d *decoder) listRequirement(n *yaml.Node, where, name string) listRequirement {
	l := listRequirement{name: name}
	if n.Kind != yaml.MappingNode {
		l.any = d.claimValues(n, where, name)
		slices.Sort(l.any)
		return l
	}
	keys := d.mapping(n, where, "any", "all")
	if len(n.Content) == 0 {
		d.report(n.Line, "%s must not be empty: write any or all", where)
	}
	if n := keys["any"]; n != nil {
		l.any = d.claimValues(n, where+": any", name)
		slices.Sort(l.any)
	}
	if n := keys["all"]; n != nil {
		l.all = d.claimValues(n, where+": all", name)
		if onlyOne := name == users || name == emails || name == emailDomains || name == Organizations; !onlyOne {
			return l
		}
		if len(l.all) > 1 || len(l.all) == 1 && len(l.any) > 0 && !slices.Contains(l.any, l.all[0]) {
			d.report(n.Line, "%s: all can't be met, as nobody has two: write them as any", where)
		}
	}
	return l
}

// claimValues reads the values that a claim may have.
func (d *decoder) claimValues(n *yaml.Node, where, name string) []string {
	var values []string
	for _, t := range d.canonical(n, where, d.claimForm(name)) {
		values = append(values, t.value)
	}
	return values
}

// claimForm returns what brings a claim's value into the form in which it is compared.
func (d *decoder) claimForm(name string) func(t text, where string) string {
	return func(t text, where string) string {
		value, hint := t.value, ""
		switch name {
		case emails:
			value, _ = canonicalEmail(t.value)
			hint = "an email address: write it as user@example.com"
		case emailDomains:
			value = canonicalDomain(t.value)
			hint = "a domain: write it as example.com, without @ and *"
		}
		if value == "" {
			d.report(t.line, "%s: %s is not %s", where, quote(t.value), hint)
		}
		return value
	}
}
