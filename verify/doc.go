// Package verify answers what a gateway asks about every request:
// may it pass, and who is it from?
//
//	peer trusted? (gateway.go) -> original request (original.go, extauthz.go), what kind it is (client.go)
//	              -> protected host, flow endpoint, the policy's rule, preflight (decide.go)
//	              -> the flow's own endpoint: answered by the flow, or let through (flow.go)
//	              -> credential: session, bearer token or API key (credential.go)
//	              -> the rule's requirements, and the verify URL's (decide.go)
//	              -> decision: status, reason, identity, cookies (decide.go, denial.go)
//	              -> counted and logged (log.go), written (handler.go, identity.go, page.go)
//
// Each step returns what it finds; handler.go has them in a row.
//
//	profile       endpoint               denies with
//	forward-auth  /verify/forward-auth   303, 401, 403, 400, 429, 503
//	auth-request  /verify/auth-request   401, 403, 503
//	ext-authz     /verify/ext-authz/*    303, 401, 403, 400, 429, 503
//	sign-in       /verify/sign-in        303, 401, 403, 400, 429, 503 (nginx's error_page 401)
//	first contact /verify without GATEWAY: by the session alone
//
// Nothing here falls back: a header that is missing, repeated or malformed is a
// denial that names it. The package knows no AuthKit and opens no cookie.
package verify
