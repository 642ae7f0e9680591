// Package server puts the service together and runs it:
//
//	New       sessions, flow and verify, and the routes to them  (server.go)
//	settings  config.Config -> the settings of each package      (settings.go, access.go)
//	Run       listeners, graceful stop                           (run.go)
//	health    healthz, readyz and what is degraded               (health.go)
//	metrics   counts at the service's edges                      (metrics.go)
//
//	/verify, /verify/forward-auth, /verify/auth-request, /verify/sign-in, /verify/ext-authz/*   package verify
//	Envoy's ext_authz and the health service over gRPC                     package extauthz
//	login, sign-up, callback, logout at the redirect URI's directory       package flow
//	jwks.json beside the callback, the metadata of resources               here: what anybody may read
//	/healthz, /readyz                                                      here
//
// It decides nothing about requests.
package server
