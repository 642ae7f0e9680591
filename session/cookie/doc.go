// Package cookie reads the session cookie of a request and writes the Set-Cookie lines
// that give a session to a browser or take it away.
//
//	Cookie header --Read--> sealed sessions
//	sealed session --SetLines--> Set-Cookie lines      session ended --ClearLines--> Set-Cookie lines
//
// It owns the cookie's name and attributes, and the chunks that a session over 4096 bytes
// is cut into. It doesn't open a seal (session/seal does), and of several sessions in one
// request it doesn't choose (package session does).
package cookie
