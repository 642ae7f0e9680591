// Package redis is the store that replicas share: Redis 6.2 or later, or Valkey,
// alone, with Sentinel, or as a cluster. It knows nothing of sessions.
//
//	values   authkit-forward-auth:<key>        GETEX; GET and a script that sets it if it is still the same
//	locks    authkit-forward-auth:lock:<key>   SET NX PX, a lease of 3 s that its holder extends
//	epoch    authkit-forward-auth:epoch        a random value: another one means that values were lost
//	channel  authkit-forward-auth:<channel>    PUBLISH, SUBSCRIBE
//
// A Redis that doesn't answer costs a call 250 ms at most. Then the store is left
// out: every call returns ErrLeftOut at once, until a PING in the background is
// answered; in a cluster, by every master. An error that Redis itself answers (out
// of memory, read-only, loading) fails that call alone, and so does a pool of
// connections that is busy.
//
// go-redis writes to a logger that is one for the whole process. What it would say
// there is in this package's errors, so New switches it off, for all of the process.
//
// It doesn't promise that nothing is lost: a failover may lose what was written
// last. In a cluster the epoch tells of the loss of one shard only.
package redis
