// Package doctor examines a deployment from outside, as a browser and as an attacker, and says what to change.
//
//	page       a visitor without a session is asked to sign in, and comes back to the very URL
//	sign-in    the flow's endpoints are reached, AuthKit knows the redirect URI
//	denials    scripts, forms, uploads, WebSockets: each gets an answer that it can use
//	attacks    forged hosts, headers, queries, methods, paths, many cookies, endpoints that shouldn't be reachable
//	session    with a cookie: identity arrives, copies of it don't, a new cookie reaches the browser
//	service    with its address: it is ready, trusts the gateway, and there is no way around the gateway
//	down       while the service is stopped: nobody gets in
//
// Each check reports at least one Finding: what was sent, what came, and, where that isn't well, the line of the
// gateway's configuration or of the service's environment to change.
//
// It signs nobody in and changes nothing: with a session it sends the app nothing but GETs, and it ends none. The
// session cookie goes to the app's own origin and to the service alone.
package doctor
