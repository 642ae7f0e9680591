package policy

import "go.yaml.in/yaml/v4"

// Credential is a kind of proof that a request can bring.
type Credential string

// The kinds of credentials.
const (
	Cookie Credential = "cookie"  // the session cookie
	Bearer Credential = "bearer"  // an access token: Authorization: Bearer
	APIKey Credential = "api_key" // a WorkOS API key: Authorization: Bearer sk_…, or X-API-Key
)

// Access says who may pass a rule, before its requirements.
type Access string

// The kinds of access.
const (
	Authenticated Access = "authenticated" // whoever brings a good credential and meets the requirements
	Public        Access = "public"        // everybody
	Nobody        Access = "nobody"
)

// DefaultName is the name of a policy's default in the place of a rule's.
const DefaultName = "default"

// Rule is one rule of a policy, or its default. It must not be changed.
type Rule struct {
	Name        string // unique; "default" for the default
	Line        int    // in the file; 0 for the default of a policy that doesn't write one
	Access      Access
	Credentials []Credential // in the rule's order, never empty
	Require     Requirements

	number       int32     // in the file's order, from 0
	hosts        []string  // canonical, or "*." and a canonical name; none: every host
	paths        []pattern // none: every path
	methods      []string  // none: every method
	encodedSlash bool
	ignoreCase   bool
	preflight    bool // lets CORS preflights through
}

// Request is what is asked about.
type Request struct {
	Method    string // as the client sent it
	Host      string // canonical name without port
	Path      string // raw, as the client sent it, without the query
	Preflight string // the method that a CORS preflight announces, empty if the request is none
}

// Match is what a policy says of a request before anybody knows who makes it.
type Match struct {
	Rule *Rule // nil with Err
	// Preflight: the request is a CORS preflight, which the rule lets through
	// without a credential.
	Preflight bool
	// Unsure: the path or the method can be read in two ways, but no rule of the host
	// depends on it. No exemption is for such a request.
	Unsure bool
	// Err is an *AmbiguousError where the path or the method can be read in two ways
	// and a rule of the host depends on it.
	Err error
}

// AmbiguousError is the error for a request that an app may read in another way than
// this package does.
type AmbiguousError struct {
	What string // such as "the path has a dot segment"
}

func (e *AmbiguousError) Error() string { return "policy: ambiguous request: " + e.What }

// Policy is a policy in force. It is not changed once made, and safe for concurrent use.
type Policy struct {
	rules    []*Rule // in the file's order
	fallback *Rule   // where no rule matches
	refusal  *Rule   // for a host that no rule is about
	everyone bool    // there is no file: every host is named
	all      *index  // of every rule
	closed   *index  // of every rule that isn't public: what an ambiguous request can match

	testsNode *yaml.Node // the value of the key tests, nil without one
}

// Everybody is the policy without a file: every protected host needs a session.
func Everybody() *Policy {
	p := newPolicy(nil, &Rule{Access: Authenticated})
	p.everyone = true
	return p
}

// newPolicy indexes the rules. The default has its access and its line.
func newPolicy(rules []*Rule, fallback *Rule) *Policy {
	fallback.Name, fallback.Credentials = DefaultName, []Credential{Cookie}
	p := &Policy{
		rules: rules, fallback: fallback,
		refusal: &Rule{Name: DefaultName, Access: Nobody, Credentials: []Credential{Cookie}},
		all:     newIndex(), closed: newIndex(),
	}
	for _, r := range rules {
		p.all.add(r)
		if r.Access != Public {
			p.closed.add(r)
		}
	}
	return p
}

// Rules are the policy's rules in the file's order, without the default.
func (p *Policy) Rules() []*Rule { return p.rules }

// Default is what decides where no rule matches, on hosts that some rule is about.
func (p *Policy) Default() *Rule { return p.fallback }

// Names reports whether some rule is about a host (canonical name without port).
func (p *Policy) Names(host string) bool {
	var room [layersRoom]*layer
	return p.everyone || len(p.all.layers(host, room[:0])) > 0
}
