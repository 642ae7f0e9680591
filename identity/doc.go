// Package identity says who a request is from, and which claim of an access token becomes
// which part of that.
//
//	access token, sealed user --Decode--> Identity --> policy, identity headers, log lines
//
// The table is Identity.Claims: tokens, the claims of a policy's own tests and those of
// `policy check` are read by it alone. Nothing here verifies a token: session/token does.
package identity
