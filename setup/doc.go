// Package setup registers a deployment at WorkOS and writes the service's environment.
//
//	credentials   the API key is WorkOS's, and the client ID is of the same environment
//	redirect URI  registered, or there already
//	resources     MCP resource indicators, for the policy's OAuth resources
//	webhooks      an endpoint with the events that end and refresh sessions, and its signing secret
//	.env          the service's variables; one that is there is kept as .env.bak, with what it says beside them
//
// Prepare only looks: it returns the steps, and what each would do. Nothing that belongs to another deployment is
// changed or deleted, and nothing at all before Apply.
package setup
