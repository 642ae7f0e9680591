package identity

import "encoding/json"

// maxSubject bounds the sub of a workload's token: it goes into a header, and into log lines.
const maxSubject = 1 << 10

// Workload is who a token of another issuer than AuthKit is from: a CI job, a service account. The subject is the policy's
// name for the issuer, a colon, and the token's sub, so that none can be taken for AuthKit's. Nothing else of an identity comes
// of the claims, whatever they are called: they meet requirements of claims at rules of that issuer alone. It is not ok without a
// sub that can be used.
func Workload(issuer string, claims map[string][]string) (id *Identity, ok bool) {
	if len(claims["sub"]) != 1 || len(claims["sub"][0]) > maxSubject {
		return nil, false
	}
	extra := &Extra{}
	if packed := NewExtra(claims); packed != nil {
		extra = packed
	}
	extra.Issuer, extra.Client = issuer, issuer
	return &Identity{Subject: issuer + ":" + claims["sub"][0], Extra: extra}, true
}

// ClaimValues are the values of all claims of a token, as an Extra has them.
func ClaimValues(members map[string]json.RawMessage) map[string][]string {
	claims := map[string][]string{}
	for name, value := range members {
		if values, ok := scalars(value); ok && storable(name) {
			claims[name] = values
		}
	}
	return claims
}

// IssuedBy is the policy's name of the issuer of a workload's token; empty for everybody else, whose tokens are AuthKit's.
func (e *Extra) IssuedBy() string {
	if e == nil {
		return ""
	}
	return e.Issuer
}

// ValuesOf are those of a claim in a token of that issuer; none where it is another's. Without an issuer they are Values.
func (e *Extra) ValuesOf(issuer, name string) []string {
	if e.IssuedBy() != issuer {
		return nil
	}
	return e.values(name)
}
