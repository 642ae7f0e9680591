package bearer

// Kept is how many issuers of workloads' a Verifier keeps.
func Kept(v *Verifier) int { return len(v.workloads.sources) }
