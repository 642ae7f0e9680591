package policy

import (
	"errors"
	"slices"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// mismatch is why a rule doesn't match a request. "": it does.
type mismatch string

const (
	otherHost   mismatch = "host"
	otherPath   mismatch = "path"
	otherMethod mismatch = "method"
	otherCall   mismatch = "call" // of an MCP server
	legacyCall  mismatch = "legacy call"
	// someReadings: some readings of the path match, others don't.
	someReadings mismatch = "some readings"
	// unlistedPath: nobody can list the readings of the path, and the rule has paths.
	unlistedPath mismatch = "unlisted readings"
)

// mismatch says why one rule alone doesn't match a request. The first rule that does is
// the one that Match finds in its index, where Match has no error. For a preflight that
// is let through, ask with the method that it announces.
func (r *Rule) mismatch(q Request) mismatch {
	path := site.ReadPath(q.Path)
	why := r.mismatchReading(q, path.Text)
	if path.Unlisted && len(r.Paths) > 0 && why != otherHost {
		return unlistedPath
	}
	for _, reading := range path.Others {
		if (r.mismatchReading(q, reading) == "") != (why == "") {
			return someReadings
		}
	}
	return why
}

// mismatchReading compares with one reading of the path.
func (r *Rule) mismatchReading(q Request, reading string) mismatch {
	switch {
	case !r.target.MatchesHost(q.Host):
		return otherHost
	case !r.target.MatchesPath(reading):
		return otherPath
	case len(r.Methods) > 0 && !slices.Contains(r.Methods, q.Method):
		return otherMethod
	case r.MCP.selects() && (q.Preflight == "" || q.Method != q.Preflight): // a preflight announces no call
		return r.mismatchCall(q)
	}
	return ""
}

// mismatchCall compares with what an MCP request calls. One that can't be read is refused by the rule.
func (r *Rule) mismatchCall(q Request) mismatch {
	call, err := readCall(q.Header)
	refused, _ := errors.AsType[*MCPError](err)
	switch {
	case err != nil && refused.Version && r.MCP.AllowsLegacy:
		return legacyCall
	case err == nil && !r.MCP.matches(call):
		return otherCall
	}
	return ""
}
