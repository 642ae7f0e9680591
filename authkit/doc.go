// Package authkit speaks AuthKit's HTTP API: the hosted sign-in's URL, the code
// exchange, the choice of an organization, the refresh, the logout URL; whether a
// customer's API key is valid; a user's organizations.
//
// workos-go builds the requests and URLs. Its result and error types lose what
// this service needs (nulls, unknown fields, a refresh's user, error codes,
// Retry-After), so the answer is recorded below it and read here:
//
//	Client.Refresh -> workos-go -> recorder -> net/http -> AuthKit
//	          ^                        |
//	          +- raw JSON or Error <---+
//
// The meaning of an answer of POST /user_management/authenticate, first match wins:
//
//	200, JSON with access_token, refresh_token, user.id   success: the bytes as they came
//	any other 2xx                                         Outage
//	no answer, time limit, over 1 MiB, 408, 429, 5xx      Outage
//	3xx (never followed), 401                             Outage, Refused: the operator's mistake
//	invalid_grant, and the codes that say the same of a
//	  code, a code verifier or a pending token            ErrInvalidGrant
//	sso_required, mfa_*, 400 organization_*,
//	  403 with a pending token                            StepRequired
//	any other 4xx, invalid_client among them              Outage, Refused
//
// The right-hand words are the session package's errors. Refresh returns them as
// they are; ExchangeCode and SelectOrganization return an *Error that wraps one
// and carries the organizations to choose from.
//
// ValidateAPIKey and Organizations return what they understand, and a
// *session.Outage for all else: Refused for 3xx, 4xx but 408 and 429, and an API key
// of a kind that this version doesn't know.
//
// A request is sent once: nothing here, nor in the transport below, sends a code
// or a refresh token a second time. No error holds a code, a token, a key or a URL.
//
// This package verifies no access token (session/token does), seals nothing,
// remembers nothing, and doesn't limit how many calls are made (session and apikey do).
package authkit
