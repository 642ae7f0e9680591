// Package replicatest is a store and a bus in memory, with the faults that a Redis can
// have, for tests of packages session and replica.
//
//	Server   the values, the listeners and the faults of all of them
//	Connect  -> Conn, one replica's replica.Store and replica.Bus, with faults of its own
//
// It knows nothing of sessions and records, and is no part of the service.
package replicatest
