// Package webhook takes WorkOS's webhooks and has the sessions that they concern
// ended or refreshed.
//
//	POST -> WorkOS-Signature parsed ------- not readable: 400
//	     -> signed within 3 minutes ------- older or later: 401
//	     -> one of 32 slots, within 3 s --- none: 503, WorkOS delivers again
//	     -> body, 64 KB at most, in 3 s --- more: 413
//	     -> HMAC over the raw body -------- no fit: 401
//	     -> event parsed ------------------ not readable, or no id: 400
//	     -> what it ends or changes ------- nothing: 200
//	     -> Revoker ----------------------- error: 503, WorkOS delivers again
//	     -> 200
//
// Deliveries may come twice, late and in any order. A revocation carries the time
// of its event, and session compares that with the time at which a token was
// issued: what was signed in afterwards isn't hit, and a repetition changes nothing.
//
// It owns the signature and the meaning of events. It keeps no state, doesn't know
// which sessions exist, and never asks WorkOS anything.
package webhook
