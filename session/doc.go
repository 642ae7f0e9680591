// Package session turns a request's session cookie into a verified identity.
//
//	cookie -> remembered, and nothing new about it since? -----------> Verified
//	       -> unseal -> its record: ended? superseded? spent: the current session instead
//	                 -> access token verified (key set), events ----> Verified
//	                    expired, or about to -> refresh, once -----> Verified, with a new cookie
//
//	Verify        for a page that needs the session
//	Peek          for a public page: the session as it stands, never refreshed
//	Switch        to another organization: a refresh that waits its turn
//	Watch         for an access token that somebody else keeps and refreshes (package bearer)
//	SignIn, End   a session's begin and end; Revoke, what AuthKit's webhooks say
//
//	package family   the record of a session: which refresh token became which session
//	package replica  copies of records, and the messages between replicas
//	refresh.go       who asks for a refresh; exchange.go what comes of it; call.go AuthKit's answers
//
// It owns the sealed session and its JSON, and the memory of verified sessions. It
// does not decide who may enter, writes no response and knows nothing of
// gateways. AuthKit is behind the Refresher interface.
package session
