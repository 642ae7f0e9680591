// Package apikey reports whether a request's API key is a valid one of a WorkOS
// customer, and whom it stands for.
//
//	Verify -> looks like a key? ------------------ no: ErrInvalid
//	       -> remembered as valid (60 s) --------- identity, unless news has come
//	       -> remembered as refused (60 s) ------- ErrInvalid
//	       -> WorkOS is being asked about it ----- wait for that answer
//	       -> WorkOS couldn't say, 1 s ago ------- *session.Outage
//	       -> unknown key, client over its limit - *LimitedError
//	       -> budget of this kind of key spent --- *session.Outage
//	       -> circuit breaker of this kind open -- *session.Outage
//	       -> WorkOS ----------------------------- identity, ErrInvalid, *session.Outage
//
// Keys that were valid within the last hour are known. They have a budget and a circuit
// breaker of their own, and no client's limit counts them, so that a flood of other keys
// can't shut them out:
//
//	              per client            together           circuit breaker opens for
//	known key     -                     50/s, 100 at once  both kinds
//	unknown key   10 at once, one/6 s   20/s, 40 at once   unknown keys
//
// A client is an IPv4 address or a /64 of IPv6. Only keys that WorkOS refuses count
// against it: a valid one, and an answer of 503, cost nothing. The breaker opens when
// five different keys failed within 10 s; then one key a second is tried, and a success
// closes it. One key that fails again and again is paused for a second each time.
//
// News (webhooks, on any replica) make a remembered key be validated anew. Without
// webhooks a revoked key works for 60 s at most. That is never stretched, whatever
// WorkOS's state.
//
// Keys are kept as keyed hashes only, in this process's memory. This package takes no
// key out of a request, doesn't know the policy, and writes no answer.
package apikey
