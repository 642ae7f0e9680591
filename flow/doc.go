// Package flow signs people in and out, through AuthKit's hosted pages:
//
//	/login?rd=URL  state sealed, bound to the browser by a cookie -> 303 AuthKit
//	/sign-up       the same, at AuthKit's sign-up screen
//	/callback      state checked, code exchanged, session sealed -> 303 to rd
//	/logout        session ended and cookies cleared -> 303 AuthKit's logout
//	/switch        session moved to organization_id, sealed -> 303 to rd
//
// /login and /sign-up pass organization_id, login_hint, invitation_token, prompt and
// max_age (seconds) on to AuthKit. A switch that a sign-in would mend (no session,
// single sign-on, a second factor) goes to /login with organization_id and rd.
// /logout and /switch change a session only where the user means it: another site's
// link leads to a page with a button. A form's POST that leads to another origin gets
// a page that moves on by itself, as an application's form-action policy stops
// redirects. HEAD is answered as GET and has no effect; a prefetch has none either.
//
// A state is bound to the browser by a cookie, which no other host can set where the
// site has TLS, and is used once. Sixteen codes are exchanged at a time.
//
// A callback that can't be trusted or has come too late exchanges no code: it
// goes on where a session is there, else begins the sign-in once more, and then
// says what is wrong. A browser that comes back to /login for the same page a
// third time within a minute each gets a page that names the cause. No sign-in and
// no switch leads to an endpoint of the flow.
//
// A gateway that asks /verify about one of the endpoints gets the flow's answer to hand on
// (through.go), without a body and never a 2xx. So what a form of ours sends stands in its
// address, and the choice of an organization in a cookie.
//
// Where a browser brings session cookies in several scopes, sign-in and sign-out expire
// those that aren't the session's own.
//
// The package owns the state, the cookies that bind it, the count of attempts and
// the pages of the way in and out. URLs come from the redirect URI alone; no
// forwarded header is read.
//
// It doesn't decide who may enter (verify and policy do), doesn't seal or verify a
// session (session does), and knows nothing of AuthKit's HTTP API (authkit does). Of
// a sign-in it keeps only that its state was used.
package flow
