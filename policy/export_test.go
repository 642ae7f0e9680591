package policy

// Unchecked makes a policy of rules that may have problems: it keeps those that can never
// match.
func Unchecked(rules []Rule, fallback Default) *Policy {
	return newPolicy((&checker{}).rules(rules), fallback)
}

// Mismatch is why one rule alone doesn't match a request. "": it does.
func (p *Policy) Mismatch(r *Rule, q Request) string { return string(p.mismatch(r, q)) }

// MismatchReading compares with one reading of the path.
var MismatchReading = (*Rule).mismatch

// InCapitals reports whether a method is written as rules write them.
var InCapitals = inCapitals
