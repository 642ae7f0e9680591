// Package redis is the store that replicas share: Redis 6.2 or later, or Valkey,
// alone, with Sentinel, or as a cluster. It knows nothing of sessions.
//
//	values   authkit-forward-auth:<key>        GETEX; SET under WATCH, so that no change is lost
//	locks    authkit-forward-auth:lock:<key>   SET NX PX, a lease of 3 s that its holder extends
//	epoch    authkit-forward-auth:epoch        a random value: another one means that values were lost
//	channel  authkit-forward-auth:<channel>    PUBLISH, SUBSCRIBE
//
// A Redis that doesn't answer costs a call 250 ms at most. Then the store is left
// out: every call returns ErrLeftOut at once, until a PING in the background is
// answered. An error that Redis itself answers (out of memory, read-only, loading)
// fails that call alone.
//
// go-redis writes to a logger that is one for the whole process; what it would
// say there is in this package's errors, so New silences it.
package redis
