// Package token verifies AuthKit's access tokens: JWTs that AuthKit signs with
// RS256 and whose public keys it serves as a key set (JWKS), one a client.
//
//	raw token -> Parse    size, three parts, RS256, key id, claims and their types   ErrInvalid
//	Verify    -> claims   sub, exp, nbf, the client or audience that it was made for ErrInvalid
//	          -> key      cached, else fetched        ErrUnavailable, ErrCooldown, ErrUnknownKey
//	          -> verify   signature                                                  ErrInvalid
//	          -> issuer   only where issuers are configured           ErrIssuer and the claims
//	          -> expiry   10 s of leeway                             ErrExpired and the claims
//
// So an outage is never taken for a forgery, nor a mistake of the operator's for
// an expiry.
//
//	Verifier   the checks, for one kind of credential (sealed session, bearer token,
//	           bearer token of an OAuth or M2M application of AuthKit's Connect)
//	KeySet     the keys: fetched when first needed, by one fetch at a time, kept in
//	           an outage, refreshed in the background
//
// A token whose key id is unknown makes the Verifier fetch the set again, and
// then not for the next 30 seconds (ErrCooldown).
//
// The package does not know which user a session belongs to, whether it was
// revoked, or how a token is refreshed.
package token
