package policy

import (
	"slices"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// mismatch is why a rule doesn't match a request. "": it does.
type mismatch string

const (
	otherHost   mismatch = "host"
	otherPath   mismatch = "path"
	otherMethod mismatch = "method"
	// notExempt: what is ambiguous never matches a public rule.
	notExempt mismatch = "not exempt"
	// oneReading: the path matches in one of the two readings of its encoded slash.
	oneReading mismatch = "one reading"
	// ambiguousPath: the path is ambiguous, and the rule has paths.
	ambiguousPath mismatch = "ambiguous path"
)

// mismatch says why one rule alone doesn't match a request. The first rule that does
// is the one that Match finds in its index, where Match has no error. For a preflight
// that is let through, ask with the method that it announces.
func (p *Policy) mismatch(r *Rule, q Request) mismatch {
	path := site.ReadPath(q.Path)
	why := r.mismatch(q.Host, path, path.Text, q.Method)
	if !path.EncodedSlash || path.Ambiguity != "" {
		return why
	}
	held := r.mismatch(q.Host, path, path.WithEscape, q.Method)
	if (why == "") != (held == "") {
		return oneReading
	}
	if why == "" && r.Access == Public && !p.hasPaths(q.Host) {
		return notExempt
	}
	return why
}

// mismatch compares with one reading of the path.
func (r *Rule) mismatch(host string, path site.Path, name, method string) mismatch {
	switch {
	case !r.target.MatchesHost(host):
		return otherHost
	case len(r.Paths) > 0 && path.Ambiguity != "":
		return ambiguousPath
	case !r.target.MatchesPath(name):
		return otherPath
	case len(r.Methods) > 0 && !slices.Contains(r.Methods, method):
		return otherMethod
	case r.Access == Public && (path.Ambiguity != "" || !inCapitals(method)):
		return notExempt
	}
	return ""
}

// hasPaths reports whether some rule of a host has paths.
func (p *Policy) hasPaths(host string) bool {
	return slices.ContainsFunc(p.rules, func(r *Rule) bool { return len(r.Paths) > 0 && r.target.MatchesHost(host) })
}
