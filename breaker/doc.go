// Package breaker is the circuit breaker: it spares a service that fails, and the
// requests that would wait for it. One type serves refreshes, code exchanges, API
// keys, key sets and the store.
//
//	state      calls                             it ends with
//	closed     all                               failures of Threshold different keys within
//	                                             Window, no success among them: open
//	open       none for Interval                 Interval: half-open
//	half-open  one each Interval, the trial      a success of any call: closed
//
// A key is whose call it is: a session, say. One key that fails and fails again is
// that key's trouble and opens nothing, where Threshold is more than one. A trial is
// given to a key that hasn't failed since the breaker counts, so that those who made
// it open don't keep it open for everybody else. If nobody else comes for another
// Interval, one of them has it: there may be nobody else.
//
// It decides nothing about errors: the caller says Failure for what an outage causes,
// Success for an answer, and neither for a call that it gave up itself. It makes no
// calls, has no goroutine, and waits for nothing.
package breaker
