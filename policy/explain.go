package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

// Answer is what becomes of a request.
type Answer string

// The answers. A tested policy expects one of these words.
const (
	Allowed         Answer = "allowed"
	SignIn          Answer = "sign_in"    // nobody is signed in: to sign-in, or 401
	NeedsCredential Answer = "credential" // 401 without sign-in: the rule wants a token or a key
	StepUp          Answer = "step_up"    // a fresh sign-in is needed (max_auth_age)
	Denied          Answer = "denied"     // 403
	Ambiguous       Answer = "ambiguous"  // the request can be read in two ways, and that matters
	BadMCPRequest   Answer = "mcp"        // the rule is about calls of an MCP server, and the headers don't say which this is
	WrongHost       Answer = "wrong_host" // no rule is about the host
)

// Answers are all of them.
func Answers() []string {
	return []string{
		string(Allowed), string(SignIn), string(NeedsCredential), string(StepUp), string(Denied), string(Ambiguous),
		string(BadMCPRequest), string(WrongHost),
	}
}

// Caller is who makes a request.
type Caller struct {
	Credential Credential         // what the request brings
	Identity   *identity.Identity // whose that is; nil: nobody's
}

// Explanation says what a policy makes of a request, and why.
type Explanation struct {
	Steps       []Step // the rules that were looked at, the last one decides
	Rule        *Rule  // that decides; nil with Ambiguous and WrongHost
	Preflight   bool   // it is a CORS preflight, which the rule lets through
	Answer      Answer
	Requirement string // that isn't met, as the decision log has it
	Why         string // in words
}

// Step is one rule of an Explanation.
type Step struct {
	Rule    *Rule
	Matches bool
	Why     string // in words
}

// Explain answers as the service does, by the same Match and Check, and says why. It
// knows nothing of ALLOW_PREFLIGHT, of the requirements of a verify URL's query, nor
// of the hosts that the session cookie reaches.
func (p *Policy) Explain(r Request, by Caller, now time.Time) Explanation {
	e := p.Answer(r, by, now)
	if e.Preflight {
		r.Method = r.Preflight // the rule is that of the request to come
	}
	for _, rule := range p.Rules() {
		why := rule.mismatch(r)
		e.Steps = append(e.Steps, Step{Rule: rule, Matches: why == "", Why: rule.words(why)})
		if rule == e.Rule {
			return e
		}
	}
	if e.Rule != nil {
		e.Steps = append(e.Steps, Step{Rule: e.Rule, Matches: true, Why: "no rule matches"})
	}
	return e
}

// words says what a mismatch means.
func (r *Rule) words(m mismatch) string {
	switch m {
	case "":
		return "matches"
	case otherHost:
		return "is for other hosts: " + some(r.target.Hosts)
	case otherPath:
		return "is for other paths: " + some(r.Paths)
	case otherMethod:
		return "is for other methods: " + some(r.Methods)
	case otherCall:
		return "is for other calls: " + some(slices.Concat(r.MCP.Methods, r.MCP.Tools))
	case legacyCall:
		return "is about calls, and nothing is known of those of this protocol version"
	case someReadings:
		return "matches some readings of the path, but not all"
	case unlistedPath:
		return "has paths, and nobody can list the readings of this one"
	}
	return string(m)
}

// some shows the first values of a list.
func some(list []string) string {
	const most = 4
	if len(list) > most {
		return strings.Join(list[:most], ", ") + ", …"
	}
	return strings.Join(list, ", ")
}

// Answer is Explain without the steps.
func (p *Policy) Answer(r Request, by Caller, now time.Time) Explanation {
	if !p.Names(r.Host) {
		return Explanation{Answer: WrongHost, Why: "no rule is about this host"}
	}
	m := p.Match(r)
	if refused, ok := errors.AsType[*MCPError](m.Err); ok {
		return Explanation{Rule: m.Rule, Answer: BadMCPRequest, Why: refused.What}
	}
	if m.Err != nil {
		return Explanation{Answer: Ambiguous, Why: strings.TrimPrefix(m.Err.Error(), "policy: ambiguous request: ")}
	}
	e := Explanation{Rule: m.Rule}
	switch {
	case m.Rule.Access == Nobody:
		e.Answer, e.Requirement, e.Why = Denied, string(Nobody), "the rule lets nobody in"
		if m.Rule == p.fallback {
			e.Why = "no rule matches, and the default lets nobody in"
		}
	case m.Preflight:
		e.Answer, e.Preflight, e.Why = Allowed, true, "the rule lets CORS preflights through"
	case m.Rule.Access == Public:
		e.Answer, e.Why = Allowed, "the rule is public"
	case by.Identity == nil || !slices.Contains(m.Rule.Credentials, by.Credential):
		e.refuse(by)
	default:
		e.check(by, now)
	}
	return e
}

// refuse answers somebody without a credential that the rule accepts.
func (e *Explanation) refuse(by Caller) {
	e.Answer, e.Why = NeedsCredential, "there is no credential, and the rule accepts no sign-in"
	if slices.Contains(e.Rule.Credentials, Cookie) {
		e.Answer, e.Why = SignIn, "nobody is signed in"
	}
	if by.Identity != nil {
		e.Why = fmt.Sprintf("the rule does not accept the credential %s", by.Credential)
	}
}

// check answers somebody with one.
func (e *Explanation) check(by Caller, now time.Time) {
	unmet := e.Rule.Require.Check(by.Identity, now)
	switch {
	case unmet == nil && e.Rule.Require.None():
		e.Answer, e.Why = Allowed, "the credential is accepted, and nothing else is required"
		return
	case unmet == nil:
		e.Answer, e.Why = Allowed, "the requirements are met"
		return
	}
	e.Answer, e.Requirement, e.Why = Denied, unmet.Requirement, "not met: "+e.Rule.Require.describe(unmet, by.Identity, now)
	if unmet.Requirement == MaxAuthAge && by.Credential != APIKey { // a key has no sign-in
		e.Answer = StepUp
	}
}

// describe says in words what a requirement asks for, and what is there.
func (r *Requirements) describe(unmet *Unmet, id *identity.Identity, now time.Time) string {
	switch unmet.Requirement {
	case IssuerName:
		return fmt.Sprintf("%s: tokens of %s pass, and this one is of %s", unmet.Requirement, cmp.Or(r.issuer(), "AuthKit"), cmp.Or(id.Extra.IssuedBy(), "AuthKit"))
	case Impersonation:
		return fmt.Sprintf("%s: %s is there as the user", unmet.Requirement, id.Impersonator)
	case MaxAuthAge:
		there := "nobody knows when the sign-in was"
		if !id.AuthTime.IsZero() {
			there = fmt.Sprintf("it was %s ago", now.Sub(id.AuthTime).Round(time.Second))
		}
		return fmt.Sprintf("%s: the sign-in may be %s ago, and %s", unmet.Requirement, unmet.MaxAuthAge, there)
	}
	var asked []string
	for _, l := range r.Lists {
		if l.Name == unmet.Requirement && len(l.Any) > 0 {
			asked = append(asked, "any of "+some(l.Any))
		}
		if l.Name == unmet.Requirement && len(l.All) > 0 {
			asked = append(asked, "all of "+some(l.All))
		}
	}
	there := some(slices.DeleteFunc(slices.Clone(r.claims(id, unmet.Requirement)), func(value string) bool { return value == "" }))
	return fmt.Sprintf("%s: asked for %s; there is %s", unmet.Requirement, strings.Join(asked, " and "), cmp.Or(there, "none"))
}
