package verify

import (
	"net/http"
	"slices"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/bearer"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

// audienceOf is what the rule's bearer tokens have to be made for; nil: it has no resource.
func audienceOf(rule *policy.Rule) *bearer.Audience {
	r := rule.Resource
	if r == nil {
		return nil
	}
	return &bearer.Audience{URL: r.URL, Is: r.Is, Machines: rule.AllowsMachines, Agents: rule.AllowsAgents}
}

// challenge is the value of WWW-Authenticate. Without credentials there is no error
// (RFC 6750, 3.1). At a resource it says where its metadata is (RFC 9728, 5.1), and all the scopes that the rule asks for: some
// clients ask for these alone.
func challenge(rule *policy.Rule, code, description string) string {
	var parameters []string
	if code != "" {
		parameters = append(parameters, `error="`+code+`"`, `error_description="`+description+`"`)
	}
	if rule.Resource != nil {
		parameters = append(parameters, `resource_metadata="`+rule.Resource.MetadataURL()+`"`)
		if scopes := scopesOf(rule); len(scopes) > 0 {
			parameters = append(parameters, `scope="`+strings.Join(scopes, " ")+`"`)
		}
	}
	return strings.TrimSpace("Bearer " + strings.Join(parameters, ", "))
}

// scopesOf are those that the rule requires, else those that its resource has.
func scopesOf(rule *policy.Rule) []string {
	for i := range rule.Require.Lists {
		if l := &rule.Require.Lists[i]; l.Name == policy.Scopes {
			return slices.Compact(slices.Sorted(slices.Values(slices.Concat(l.All, l.Any))))
		}
	}
	return rule.Resource.Scopes
}

// allowClients lets a script of any origin read a resource's denial: MCP clients run in browsers too. Only a protected origin
// may send cookies.
func allowClients(header http.Header, d *decision) {
	if d.rule == nil || d.rule.Resource == nil {
		return
	}
	if header.Get("Access-Control-Allow-Origin") == "" {
		header.Set("Access-Control-Allow-Origin", "*")
	}
	header.Set("Access-Control-Expose-Headers", "WWW-Authenticate, X-Auth-Reason, X-Auth-Login-URL, X-Request-Id, Mcp-Session-Id, Retry-After")
}
