// Package assertion signs what an application is told of who is there, so that it need not trust the network between the
// gateway and itself: a JWT for one host, good for five minutes.
//
//	identity, host --Minter--> kept one, or claims (claims.go) -> signed by the first key (keys.go) -> kept (minter.go)
//	application    <--JWKS---- the public half of every key (keys.go)
//
// An assertion is kept per session and host, and handed out again until half of its life is over or the identity says something
// else. Of a session that has ended none is handed out: package verify asks only for those that it lets in.
//
// The keys come from a file, or else they are derived from two secrets that every replica has. The package serves nothing and
// decides nothing.
package assertion
