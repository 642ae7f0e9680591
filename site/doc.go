// Package site knows which hosts are protected and where the sign-in flow
// lives. Everything follows from two settings, the redirect URI and the cookie
// domain:
//
//	redirect URI   https://app.example.com/_auth/callback
//	scheme         https, the scheme of every URL that we make
//	flow           https://app.example.com/_auth/{login,sign-up,callback,logout,switch}
//	protected      app.example.com; with a cookie domain, all under that;
//	               of these, those that the policy names
//
// Several redirect URIs are sites of their own (sites.go); a request's is the one of
// its host.
//
// The same list of protected hosts decides which requests are answered at
// /verify and which return URLs a sign-in may lead to.
//
// Every path is read here, so that requests, rules and return URLs are read alike: path.go
// has the bytes and what is ambiguous about them, readings.go all the ways in which servers
// read it. The package does not decide who may enter, and it
// never looks at a request.
package site
