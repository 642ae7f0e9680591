// Package emulator is an in-memory AuthKit: an [http.Handler] for the demo, for
// tests and for development without a WorkOS account. WorkOS's SDKs talk to it
// as to the real API.
//
//	GET  /user_management/authorize           the hosted sign-in page
//	POST /user_management/authorize           the user's choice, 303 to the redirect URI
//	POST /user_management/authenticate        code, refresh token or organization -> session
//	GET  /sso/jwks/{client_id}                key set of the access tokens (RS256)
//	GET  /user_management/users/{id}/sessions active sessions (Bearer API key)
//	POST /user_management/sessions/revoke     ends one (Bearer API key)
//	GET  /user_management/sessions/logout     ends one, back to a registered URL
//	GET  /health                              {"status":"ok"}
//
// API keys of customers (Bearer API key), of Config.APIKeys and created ones:
//
//	POST   /api_keys/validations                    value -> the key, or null
//	POST   /organizations/{id}/api_keys             name, permissions -> the key with its value
//	GET    /organizations/{id}/api_keys
//	POST   /user_management/users/{id}/api_keys     the same for a member, with organization_id
//	DELETE /api_keys/{id}
//
// The environment's registrations (Bearer API key). Lists have pages, by limit and after:
//
//	GET, POST      /user_management/redirect_uris          uri
//	DELETE         /user_management/redirect_uris/{id}
//	GET, POST      /webhook_endpoints                      endpoint_url, events -> the endpoint with its secret
//	PATCH, DELETE  /webhook_endpoints/{id}
//
//	GET, POST      /user_management/authkit_oauth_resources               uri: MCP resource indicators
//	PUT            /user_management/authkit_oauth_resources/{id}/default
//	DELETE         /user_management/authkit_oauth_resources/{id}
//
// The authorization server of AuthKit's domain (WorkOS Connect) for clients that register, and for Config.Applications: package oauth.
// Its issuer is BaseURL's origin, its keys are its own.
//
// The changes that WorkOS's dashboard makes (Bearer API key), each with its webhooks:
//
//	DELETE /user_management/users/{id}
//	DELETE /organizations/{id}
//	GET    /user_management/organization_memberships       ?user_id= or ?organization_id=
//	PUT    /user_management/organization_memberships/{id}  role_slug
//	PUT    /user_management/organization_memberships/{id}/deactivate and /reactivate
//	DELETE /user_management/organization_memberships/{id}
//
// The emulator's own (Bearer API key, but for calls); a name is that of Emulator's method:
//
//	GET                /_emulator/calls         how often each endpoint was called: Calls
//	GET, POST, DELETE  /_emulator/faults        what goes wrong: Faulted, AddFault, ClearFaults
//	GET, PATCH         /_emulator/oauth         what the authorization server allows
//	POST               /_emulator/oauth/documents       a client's metadata document, as its client_id would serve it
//	GET, DELETE        /_emulator/oauth/consents[/{id}] users' consents; DELETE revokes one
//	GET, PATCH         /_emulator/settings      lifetimes, issuer, clock: Change
//	POST               /_emulator/keys/rotate   RotateKey
//	POST               /_emulator/keys/publish  PublishKey
//	PUT                /_emulator/roles/{slug}  SetRole
//	POST               /_emulator/events        an event of any name, which changes nothing
//	GET                /_emulator/webhooks      Deliveries
//
// docs/emulator.md shows them with curl.
//
// In the code the parts share one environment with its directory and its lock:
//
//	environment ── authentication ── hosted     grants, sessions, tokens; the pages
//	           ├── apiKeys                       customers' keys
//	           └── connect ── domain             WorkOS Connect's tokens; users and keys for package oauth
//	calls                                        counts every call, lets faults answer it
//
// # Signing in
//
// The hosted page is served at the authorize URL. The URL's query is the
// application's request; the POST's body is what the user chose on the page. So
// curl signs in by posting to the authorize URL that it was sent to, and gets the
// callback URL with code and state:
//
//	curl -s "$AUTHORIZE"                                                # the page
//	curl -s -o /dev/null -w '%{redirect_url}' -d email=paula@example.com "$AUTHORIZE"
//	curl -s -o /dev/null -w '%{redirect_url}' -d email=sam@example.com \
//	     -d organization_id=org_01JBGJ09TQM83XSSSS6YS3C4DW "$AUTHORIZE"
//	curl -s -o /dev/null -w '%{redirect_url}' -d cancel=1 "$AUTHORIZE"  # error=access_denied
//
// (An address with a + needs --data-urlencode for -d.)
//
// An address that nobody has makes a plain user on the spot: no name, no
// organization. A login_hint of a user that exists skips the page.
//
// Which organization a session is for:
//
//	organization_id of the request, if the user is a member  that one (else as if not given)
//	one membership                                           that one
//	none                                                     none
//	several, page                                            the user chooses in a second step
//	several, login_hint                                      403 organization_selection_required
//	                                                         at the code exchange
//
// # Sessions
//
// A code works once, for 10 minutes. Every refresh rotates the refresh token and
// keeps the session's id. A spent one is answered within Config.GraceWindow with
// one more token of the same session, and is invalid_grant after that. Sign-out
// and revocation end the session: its refresh tokens are invalid_grant. So does the deletion of
// its user. Without an active membership in the session's organization a refresh is
// organization_membership_not_found, and organization_not_found once the organization is gone;
// neither spends the token.
//
// A refresh into another organization keeps auth_time, which is that of the sign-in. Where the
// organization has a Requires, it is refused with sso_required or mfa_enrollment, unless the
// session's sign-in was for that organization: the hosted page counts as the step. A refresh within
// the session's present organization is never asked for it.
//
// # Webhooks
//
// Every event goes to each of Config.WebhookURLs, and to each registered endpoint that has its name and is enabled, in
// order, in the background, signed as WorkOS signs: session.created, session.revoked, user.deleted, organization.deleted,
// organization_membership.updated and .deleted, role.updated, organization_role.updated,
// api_key.created, api_key.revoked, and those that POST /_emulator/events has. One change sends one event: the deletion
// of a user says nothing of the user's sessions and API keys. Without endpoints nothing runs in the background.
//
// client_id and client_secret are checked; a wrong one is 400 invalid_client. The
// issuer is BaseURL + "/user_management/" + ClientID, and there is no audience.
//
// # What it does not do
//
// No passwords, second factors, single sign-on, invitations, of sessions no public clients (those
// without a secret), no pages of lists but of registrations. It keeps no browser session: every sign-in
// asks, so prompt and max_age hold by themselves. Everything is gone when the
// process ends, and memory is bounded: what has expired is dropped, and past a
// limit the oldest is.
package emulator
