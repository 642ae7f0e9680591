// Package oauth is the emulator's OAuth authorization server: what AuthKit's domain is for MCP clients, command lines, agents and
// machines (WorkOS Connect).
//
//	GET       /.well-known/oauth-authorization-server   metadata (RFC 8414), also as /.well-known/openid-configuration
//	GET       /oauth2/jwks                              key set of its tokens
//	POST      /oauth2/register                          dynamic client registration (RFC 7591)
//	GET, POST /oauth2/authorize                         sign-in and consent, then back with a code
//	POST      /oauth2/token                             code, refresh token, device code, token exchange, client credentials
//	POST      /oauth2/device_authorization              a code for a command line's user (RFC 8628)
//	GET, POST /oauth2/device                            where the user enters it
//	POST      /oauth2/introspection                     whether a token is good (RFC 7662), for first-party applications
//
// A client is public (registered, or known by the URL of its metadata document) or an application with a secret:
//
//	authorize -> user -> organization -> consent -> code -> access token for one resource, refresh token with offline_access
//
// A token is made for a resource (RFC 8707) that is registered. Without any registered one it is made for the environment's client
// id, and what the client asks for is ignored, as with AuthKit: the commonest mistake in production.
//
// client.go knows clients; authorize.go, consent.go and device.go the user's side; token.go, refresh.go and exchange.go the grants; resource.go the
// resources. The caller has users, keys and pages. It fetches nothing: client metadata documents are handed in.
package oauth
