// Package apikey reports whether a request's API key is a valid one of a WorkOS
// customer, and whom it stands for.
//
//	Verify -> looks like a key? ------------------ no: ErrInvalid
//	       -> remembered as valid (60 s) --------- identity, unless news has come
//	       -> remembered as refused (60 s) ------- ErrInvalid
//	       -> somebody is asking WorkOS already -- wait for that answer
//	       -> WorkOS has just failed ------------- *session.Outage
//	       -> unknown key, client over its limit - *LimitedError
//	       -> budget of this kind of key spent --- *session.Outage
//	       -> WorkOS ----------------------------- identity, ErrInvalid, *session.Outage
//
// Keys that were valid within the last hour are known. They have a budget and rests
// of their own, and no client's limit counts them, so that a flood of other keys
// can't shut them out:
//
//	              per client            together           after an outage
//	known key     -                     50/s, 100 at once  all rest for 1 s
//	unknown key   10 at once, one/6 s   20/s, 40 at once   unknown keys rest for 1 s
//
// After the rest one key is tried, and the others once that was answered. A client is
// an IPv4 address or a /64 of IPv6.
//
// News (webhooks, on any replica) make a remembered key be validated anew. Without
// webhooks a revoked key works for 60 s at most. That is never stretched, whatever
// WorkOS's state.
//
// Keys are kept as keyed hashes only, in this process's memory. This package takes no
// key out of a request, doesn't know the policy, and writes no answer.
package apikey
