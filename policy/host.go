package policy

import (
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// host reads a rule's host: a name, or "*." and the name that it must be below.
// "" after a problem.
func (d *decoder) host(t text, where string) string {
	name, wildcard := strings.CutPrefix(t.value, "*.")
	switch {
	case t.value == "*":
		d.report(t.line, `%s: "*": leave hosts out, then the rule is for every protected host`, where)
		return ""
	case strings.Contains(name, "*"):
		d.report(t.line, "%s: %s: a * stands only at the beginning, before a dot: write *.example.com", where, quote(t.value))
		return ""
	}
	host, err := site.ParseHost(name, "")
	switch {
	case err != nil || wildcard && strings.HasPrefix(host.Name, "["):
		d.report(t.line, "%s: %s is not a host: write its name alone, such as app.example.com or *.example.com", where, quote(t.value))
		return ""
	case host.Port != "":
		d.report(t.line, "%s: %s: leave the port out: ports are ignored, as cookies ignore them", where, quote(t.value))
		return ""
	}
	if wildcard {
		return "*." + host.Name
	}
	return host.Name
}

// matchesHost reports whether a host's canonical name is one of a rule's hosts.
func (r *Rule) matchesHost(host string) bool {
	for _, pattern := range r.hosts {
		below, wildcard := strings.CutPrefix(pattern, "*")
		if pattern == host || wildcard && strings.HasSuffix(host, below) {
			return true
		}
	}
	return len(r.hosts) == 0
}
