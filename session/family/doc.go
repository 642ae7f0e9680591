// Package family holds the record of one AuthKit session: a family of refresh
// tokens, all of which descend from one sign-in.
//
// AuthKit's refresh tokens rotate: each is exchanged once, for a new session with a
// new token, and is spent then. Browsers don't know that: they send one cookie in
// dozens of requests, and miss the new one. So the record remembers of each token
// from which one it came and whether it is spent, and the session that the last
// exchange brought is current. A token that is not spent stands for the session
// that it came with, a spent one for the current session. Tokens that descend from
// each other make a chain; one that came from elsewhere (an application's own SDK has
// exchanged a token, too) begins a chain of its own. Once a request has brought a
// token, those before it in its chain are superseded three minutes later: a stolen
// old cookie must not live on. Only the holder of the lease exchanges a token, so
// that of many who ask, in all replicas, one calls AuthKit; the lease ends by itself,
// or when its holder dies. Of a call that was not answered the outcome is unknown: its
// token may be spent, so AuthKit is asked again soon, while it still answers.
// Every copy has a version, a count and a random tag; it is changed by compare-and-swap
// on the tag, and copies that went apart are merged, never replaced. Nothing is
// ordered by a clock.
//
// The transitions; what is not listed leaves the record as it is:
//
//	state                     event                          becomes
//	any                       Bring, unknown token           token begins a chain, brought now
//	any                       Bring, not brought before      brought now
//	any                       Carry, neither carried nor b.  carried now
//	idle                      Acquire                        running (holder, 12 s)
//	running, over or gone     Acquire                        running (new holder), unknown
//	running, holder alive     Acquire                        -
//	paused, not over          Acquire                        -; a switch, or unknown: running
//	token spent or rejected   Acquire                        -
//	running                   Renew                          running (12 s), unknown
//	running                   Pause                          paused (until, why), unknown kept
//	running                   Release                        idle
//	running                   Restore                        as before Acquire; idle, unknown after another's lease
//	running                   Exchange                       idle; token spent, the new one current
//	running, token spent      Exchange                       idle; the new token noted, not current
//	current                   Replace                        current spent, the later one current
//	running                   Reject                         idle; token rejected
//	running, once unanswered  Reject, another current        idle; token spent
//	any                       End                            ended
//	ended                     Revoked                        ended, AuthKit knows
//	ended                     Exchange, Acquire, Renew       -
//	two copies                Merge                          tokens united, ended wins, one current
//
// The package is pure: no input or output, no goroutine, no clock. Storing records and
// announcing them is for package replica, calling AuthKit for package session.
package family
