package policy

// Unchecked makes a policy of rules that may have problems: it keeps those that can never
// match.
func Unchecked(rules []Rule, fallback Default) *Policy {
	return newPolicy((&checker{}).rules(rules), fallback)
}

// Mismatch is why the rule alone doesn't match a request. "": it does.
func (r *Rule) Mismatch(q Request) string { return string(r.mismatch(q)) }

// MismatchReading compares with one reading of the path.
func (r *Rule) MismatchReading(q Request, reading string) string {
	return string(r.mismatchReading(q, reading))
}

// InCapitals reports whether a method is written as rules write them.
var InCapitals = inCapitals
