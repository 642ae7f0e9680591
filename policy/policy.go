package policy

import "github.com/authkit-forward-auth/authkit-forward-auth/policy/index"

// layersRoom is how many layers of a host find room without an allocation.
const layersRoom = 8

// Policy is a policy in force. It is not changed once made, and safe for concurrent use.
type Policy struct {
	rules     []*Rule // in their order
	fallback  *Rule   // where no rule matches
	refusal   *Rule   // for a host that no rule is about
	everyone  bool    // there are no rules: every host is named
	resources []*Resource
	index     *index.Index
	toolRules []int32 // rules about tools or methods of MCP servers, which the index doesn't have
}

// DefaultName is the name of a policy's default in the place of a rule's.
const DefaultName = "default"

// Default is what decides on a host that some rule is about, where no rule matches.
type Default struct {
	Access Access // Authenticated or Nobody
	Line   int    // in the file that it was read from, 0: not written
}

// New makes a policy of its rules, the first of which that matches a request decides.
// The error is Problems: all of them.
func New(rules []Rule, fallback Default) (*Policy, error) {
	c := &checker{resources: map[string]*Resource{}}
	checked := c.rules(rules)
	if len(c.problems) == 0 {
		c.unreachable(checked)
	}
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return newPolicy(checked, fallback), nil
}

// Everybody is the policy without rules: every protected host needs a session.
func Everybody() *Policy {
	p := newPolicy(nil, Default{Access: Authenticated})
	p.everyone = true
	return p
}

// newPolicy indexes rules that have no problems.
func newPolicy(rules []*Rule, fallback Default) *Policy {
	p := &Policy{
		rules:    rules,
		fallback: &Rule{Name: DefaultName, Line: fallback.Line, Access: fallback.Access, Credentials: []Credential{Cookie}},
		refusal:  &Rule{Name: DefaultName, Access: Nobody, Credentials: []Credential{Cookie}},

		resources: resourcesOf(rules),
		index:     index.New(),
	}
	for number, r := range rules {
		if r.MCP.selects() {
			p.toolRules = append(p.toolRules, int32(number))
			p.index.Mention(&r.target)
			continue
		}
		p.index.Add(int32(number), &r.target)
	}
	return p
}

// Rules are the policy's rules in their order, without the default.
func (p *Policy) Rules() []*Rule { return p.rules }

// Default is what decides where no rule matches, on hosts that some rule is about.
func (p *Policy) Default() *Rule { return p.fallback }

// Names reports whether some rule is about a host (canonical name without port).
func (p *Policy) Names(host string) bool {
	var room [layersRoom]*index.Layer
	return p.everyone || len(p.index.Layers(host, room[:0])) > 0
}
