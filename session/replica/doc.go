// Package replica keeps the copies of session records that one replica of the service
// uses, and announces its changes to the other replicas.
//
//	Lookup  copy fresh? --------------------------------------------> record
//	            else -> Store.Load -> merged with the copy ---------> record
//	Change  copy -> f -> Store.Swap, if the tag is as it was read --> record, stored
//	                       another tag: merged, f again
//	                       full, or can't be asked: kept here, announced whole, written later
//
// A copy is stale once another tag of its record was announced, or messages may have
// been lost: each replica gets its own pings back, and each ping lists the messages sent before
// it. Nothing is pushed after an outage and nothing repaired: whoever reads a record merges
// it with the copy at hand, and writes it if that says more.
//
//	ping      five a second: here, and these messages were sent
//	changed   record r has tag t (whole, where it couldn't be stored, and after a switch)
//	ended     session r was signed out or revoked
//	event     something about more than one session
//	ask       who knows token t of record r?
//	answer    this is what I know of r, or: nothing
//	hello     who has ended sessions and events that I haven't?
//	known     ended sessions and events, the answer to hello
//	goodbye   this replica stops
//
// It decides nothing about sessions, and calls nobody but the Store and
// the Bus. Without both it is alone, and every copy is the record itself.
package replica
