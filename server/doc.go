// Package server puts the service together and runs it:
//
//	New     sessions, flow and verify, out of a config.Config (server.go)
//	Run     listeners, readiness, graceful stop               (run.go)
//
//	/verify, /verify/forward-auth, /verify/auth-request, /verify/sign-in   package verify
//	login, sign-up, callback, logout at the redirect URI's directory       package flow
//	/healthz, /readyz                                                      here
//
// It decides nothing about requests.
package server
