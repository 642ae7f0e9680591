// Package verify answers the question that a gateway asks about every request:
// may it pass, and who is it from?
//
//	peer trusted? -> original request (original.go)
//	              -> protected host, flow endpoint, the policy's rule, preflight (route.go)
//	              -> credential: session, bearer token or API key (decide.go, credential.go)
//	              -> the rule's requirements, and the verify URL's (forbid.go)
//	              -> decision: status, reason, identity, cookies (decide.go, renew.go)
//	              -> written for the gateway's profile (respond.go)
//
//	profile       endpoint               denies with
//	forward-auth  /verify/forward-auth   303, 401, 403, 400, 429, 503
//	auth-request  /verify/auth-request   401, 403, 503
//	sign-in       /verify/sign-in        303, 401, 403, 400, 429, 503 (nginx's error_page 401)
//	first contact /verify without GATEWAY: by the session alone
//
// Nothing here falls back: a header that is missing, repeated or malformed is a
// denial that names it. The package knows no AuthKit and opens no cookie.
package verify
