package policy

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// Resource is an OAuth protected resource (RFC 9728): apps that MCP clients, command lines and agents reach with access
// tokens of AuthKit's authorization server, made for this very resource (RFC 8707).
type Resource struct {
	URL           string   // the audience of its tokens, as the metadata has it
	Name          string   // for people; may be empty
	Documentation string   // a URL for people; may be empty
	Scopes        []string // that clients may ask for; may be empty

	host, path string // of the URL: the canonical name, and the path without a slash at its end
}

const (
	maxScopes     = 50
	maxScopeBytes = 100
	maxResource   = 500 // bytes of its URL, and of its documentation's
)

// resource checks a rule's resource, and brings what follows from it into the rule.
func (c *checker) resource(r *Rule) {
	res := r.Resource
	if res == nil {
		if r.AllowsMachines || r.AllowsAgents {
			c.report("", -1, "%s: m2m and agents are for rules with a resource: add one, or leave them out", c.where)
		}
		return
	}
	made := *res // the caller's stays as it is
	r.Resource = &made
	if problem := made.read(); problem != "" {
		c.report("resource", -1, "%s: resource: %s", c.where, problem)
		return
	}
	if len(r.target.Hosts) != 1 || r.target.Hosts[0] != made.host {
		c.report("resource", -1, "%s: resource: its host is %s: write hosts: [%s], and nothing else", c.where, made.host, made.host)
	}
	if made.path != "" && (len(r.Paths) == 0 || slices.ContainsFunc(r.Paths, func(glob string) bool { return !below(glob, made.path) })) {
		c.report("resource", -1, "%s: resource: paths must be %s and below it: write paths: [%s, %s/**]", c.where, made.path, made.path, made.path)
	}
	if r.Access == Public || r.Access == Nobody {
		c.report("resource", -1, "%s: resource: the rule has allow: %s: leave one of them out", c.where, r.Access)
	}
	if len(r.Credentials) == 0 {
		r.Credentials = []Credential{Bearer}
	}
	if !slices.Contains(r.Credentials, Bearer) {
		c.report("resource", -1, "%s: resource: its tokens are bearer tokens: add bearer to credentials", c.where)
	}
	if r.Require.MaxAuthAge > 0 {
		c.report("resource", -1, "%s: resource: max_auth_age can't be met: such tokens don't say when the sign-in was", c.where)
	}
	if first := c.resources[made.URL]; first != nil && !made.same(first) {
		c.report("resource", -1, "%s: resource: another rule has %s with another name, documentation or scopes: write the same", c.where, Quote(made.URL))
	} else if first == nil {
		c.resources[made.URL] = &made
	}
	r.AllowsPreflights = true
}

// read takes the URL apart. It returns what is wrong.
func (r *Resource) read() string {
	u, err := url.Parse(r.URL)
	switch {
	case err != nil || u.Host == "" || len(r.URL) > maxResource || u.Scheme != "https" && u.Scheme != "http":
		return Quote(r.URL) + " is no URL such as https://mcp.example.com/mcp"
	case u.Scheme == "http" && !site.IsLocal(u.Hostname()):
		return Quote(r.URL) + ": http is for localhost: write https"
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(r.URL, "#"):
		return Quote(r.URL) + ": leave out user, query and fragment"
	case u.RawPath != "" || u.EscapedPath() != u.Path || strings.HasSuffix(u.Path, "/") || strings.Contains(u.Path, "//") || strings.Contains(u.Path, "/."):
		return Quote(r.URL) + ": write a plain path without a slash at its end, such as /mcp, or none"
	}
	host, problem := CanonicalHost(u.Hostname())
	if problem != "" || strings.HasPrefix(host, "*") || host != u.Hostname() {
		return Quote(r.URL) + ": write the host in its canonical form"
	}
	if u, err := url.Parse(r.Documentation); r.Documentation != "" && (err != nil || u.Host == "" || len(r.Documentation) > maxResource) {
		return "documentation: " + Quote(r.Documentation) + " is no URL"
	}
	if len(r.Scopes) > maxScopes {
		return "scopes: more than 50"
	}
	for i, scope := range r.Scopes {
		if problem := ScopeProblem(scope); problem != "" {
			return "scopes: " + problem
		}
		if slices.Contains(r.Scopes[:i], scope) {
			return "scopes: " + Quote(scope) + " is there twice"
		}
	}
	r.host, r.path = host, u.Path
	return ""
}

// ResourceProblem says why a text can't be a resource's URL; nil: it can.
func ResourceProblem(text string) error {
	if problem := (&Resource{URL: text}).read(); problem != "" {
		return errors.New(problem)
	}
	return nil
}

// ScopeProblem says what is wrong with a scope; RFC 6749, 3.3.
func ScopeProblem(scope string) string {
	if scope == "" || len(scope) > maxScopeBytes || strings.ContainsFunc(scope, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' }) {
		return Quote(scope) + " is no scope: write one such as files:read"
	}
	return ""
}

func (r *Resource) same(other *Resource) bool {
	return r.Name == other.Name && r.Documentation == other.Documentation && slices.Equal(r.Scopes, other.Scopes)
}

// below reports whether all that a glob matches is a path or below it.
func below(glob, path string) bool {
	return glob == path || strings.HasPrefix(glob, path+"/")
}

// MetadataPath is where a resource's metadata is, on its host (RFC 9728, 3.1).
const MetadataPath = "/.well-known/oauth-protected-resource"

// MetadataURL is where clients find the resource's metadata.
func (r *Resource) MetadataURL() string {
	return strings.TrimSuffix(r.URL, r.path) + MetadataPath + r.path
}

// Is reports whether a token's audience is this resource. A slash at the end of one without a path makes no difference:
// some clients add it.
func (r *Resource) Is(audience string) bool {
	return audience == r.URL || r.path == "" && audience == r.URL+"/"
}

// Resources are those of the policy's rules, each once.
func (p *Policy) Resources() []*Resource { return p.resources }

func resourcesOf(rules []*Rule) []*Resource {
	var all []*Resource
	seen := map[string]bool{}
	for _, r := range rules {
		if r.Resource != nil && !seen[r.Resource.URL] {
			seen[r.Resource.URL] = true
			all = append(all, r.Resource)
		}
	}
	return all
}

// ResourceAt is the resource whose metadata a host (canonical name) has at a path behind MetadataPath. Without a path it is the
// host's only resource, or that without a path; nil: there is none.
func (p *Policy) ResourceAt(host, path string) *Resource {
	var only *Resource
	several := false
	for _, res := range p.resources {
		if res.host != host {
			continue
		}
		if res.path == path {
			return res
		}
		only, several = res, only != nil
	}
	if path != "" || several {
		return nil
	}
	return only
}
