// Package redis is the store and the bus that replicas share: Redis 6.2 or later, or
// Valkey, alone, with Sentinel, or as a cluster. It knows nothing of sessions: see
// package replica for what it implements.
//
//	value    authkit-forward-auth:<key>      16 bytes of tag, then what is sealed
//	channel  authkit-forward-auth:<channel>  PUBLISH, SUBSCRIBE
//
//	Load     a script on the key: TIME, GET, PEXPIRE
//	Swap     a script on the key: TIME, GET, and if the tag is still the same SET PX, PUBLISH
//	Publish  PUBLISH
//	Listen   SUBSCRIBE, on a connection that is replaced once it is silent
//
// A Redis that doesn't answer costs a call 250 ms at most. Then the circuit breaker is
// open: every call returns ErrOpen at once, until a PING in the background, each 500 ms,
// is answered; in a cluster, by every master. An error that Redis itself answers fails
// that call alone, and so does a pool of connections that is busy. One that refuses
// writes only is replica.ErrFull.
//
// go-redis writes to a logger that is one for the whole process. What it would say
// there is in this package's errors, so New switches it off, for all of the process.
//
// It doesn't promise that nothing is lost: a failover may lose what was written last,
// and a restart what wasn't saved. Nor does it notice. Whoever uses it merges and
// writes again what it knows.
package redis
