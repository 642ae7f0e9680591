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
	}
	return ""
}
