// Package session turns a request's session cookie, or its bearer token, into a
// verified identity.
//
//	Cookie header --selectCookie--> one session, hashed
//	  --resolve-->  remembered? that is all
//	                else unsealed; an older cookie leads to the session that it became
//	  --judge-->    access token verified (key set) --------------> Verified
//	                expired, or about to -> refreshed, once ------> Verified, with a new cookie
//
//	bearer token -> remembered? ----------------------------------> Identity
//	             -> verified, by who is in charge of its issuer --> Identity
//
//	Verify        for a page that needs the session
//	Peek        for a public page: the session as it stands, never refreshed
//	Switch        to another organization: a refresh that waits its turn
//	VerifyBearer  for an access token that somebody else keeps and refreshes
//	SignIn, End   a session's begin and end; Revoke, what AuthKit's webhooks say
//
// It owns the sealed session's JSON, the memory of verified sessions, and the memory
// of rotations: AuthKit's refresh tokens can be used once, browsers send one cookie in
// dozens of requests and miss the new one, so an old cookie leads to the session that
// it became. Below it, cookie reads and writes cookies, seal opens them, and token
// verifies access tokens.
//
// It does not decide who may enter, writes no response and knows nothing of
// gateways. AuthKit is behind the Refresher interface.
package session
