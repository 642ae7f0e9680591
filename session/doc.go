// Package session turns a request's session cookie into a verified session.
//
//	cookie -> remembered? ------------------------------------------> Verified
//	       -> unseal -> rotated here? the current session instead
//	                 -> access token verified (key set) ------------> Verified
//	                    expired, or about to -> refresh, once -----> Verified, with a new cookie
//
// It owns the sealed session and its JSON, the cookie with its chunks, the
// memory of verified sessions, and the memory of rotations: AuthKit's refresh
// tokens can be used once, browsers send one cookie in dozens of requests and
// miss the new one, so an old cookie leads to the session that it became.
//
// It does not decide who may enter, writes no response and knows nothing of
// gateways. AuthKit is behind the Refresher interface.
package session
