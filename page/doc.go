// Package page writes what the service shows to people and scripts when it has
// something to say: one plain HTML page, or the same as problem+json (RFC
// 9457) where the client doesn't ask for HTML.
//
// The page has no script but a constant of its caller's, a strict content security
// policy and no input that html/template doesn't escape. It knows nothing of sessions
// or decisions.
package page
