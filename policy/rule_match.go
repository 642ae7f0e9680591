package policy

import "slices"

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
	// unread: the path is ambiguous, and the rule has paths.
	unread mismatch = "ambiguous path"
)

// mismatch tells why one rule alone doesn't match a request. The first rule that does
// is the one that Match finds in its index, where Match has no error. For a preflight
// that is let through, ask with the method that it announces.
func (p *Policy) mismatch(r *Rule, q Request) mismatch {
	path := readPath(q.Path)
	why := r.mismatch(q.Host, path, path.path, q.Method)
	if !path.slash || path.unsure != "" {
		return why
	}
	held := r.mismatch(q.Host, path, path.held, q.Method)
	if (why == "") != (held == "") {
		return oneReading
	}
	if why == "" && r.Access == Public && !p.hasPaths(q.Host) {
		return notExempt
	}
	return why
}

// mismatch compares with one reading of the path.
func (r *Rule) mismatch(host string, path reading, name, method string) mismatch {
	switch {
	case !r.matchesHost(host):
		return otherHost
	case len(r.paths) > 0 && path.unsure != "":
		return unread
	case !r.matchesPath(name):
		return otherPath
	case len(r.methods) > 0 && !slices.Contains(r.methods, method):
		return otherMethod
	case r.Access == Public && (path.unsure != "" || !validMethod(method)):
		return notExempt
	}
	return ""
}

func (r *Rule) matchesPath(path string) bool {
	if r.ignoreCase {
		path = fold(path)
	}
	return len(r.paths) == 0 || slices.ContainsFunc(r.paths, func(p pattern) bool { return p.matches(path) })
}

// hasPaths reports whether some rule of a host has paths.
func (p *Policy) hasPaths(host string) bool {
	return slices.ContainsFunc(p.rules, func(r *Rule) bool { return len(r.paths) > 0 && r.matchesHost(host) })
}
