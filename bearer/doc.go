// Package bearer reports whose access token a request brings as a bearer token (RFC 6750).
//
//	token -> remembered, and nothing new about it since? ------------------> Identity
//	      -> verified by who is in charge of it -> ended, changed? ---------> Identity
//
//	at a rule with a resource    one of AuthKit's authorization server, made for that resource (AUTHKIT_DOMAIN)
//	at one that names an issuer  one of that issuer (workloads: CI jobs, service accounts), whose claims stay its own
//	at any other                 one of a session, or of AuthKit's OAuth and M2M applications (BEARER_ISSUERS)
//
// Of the token's own claims only its issuer and whom it is for choose who verifies it; all of it is verified by then.
// Whether a session or a consent has ended is asked of package session, through Sessions. This package takes no
// token out of a request, refreshes none, doesn't know the policy, and writes no answer.
package bearer
