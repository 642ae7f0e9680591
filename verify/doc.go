// Package verify answers the question that a gateway asks about every request:
// may it pass, and who is it from?
//
//	peer trusted? -> original request (original.go)
//	              -> protected host, flow endpoint, preflight (decide.go)
//	              -> session (package session)
//	              -> decision: status, reason, identity, cookies (decide.go)
//	              -> written for the gateway's profile (respond.go)
//
//	profile       endpoint               denies with
//	forward-auth  /verify/forward-auth   303, 401, 403, 400, 503
//	auth-request  /verify/auth-request   401, 403, 503
//	sign-in       /verify/sign-in        303, 401, 403, 400, 503 (nginx's error_page 401)
//	first contact /verify without GATEWAY: by the session alone
//
// Nothing here falls back: a header that is missing, repeated or malformed is a
// denial that names it. The package knows no AuthKit and opens no cookie.
package verify
