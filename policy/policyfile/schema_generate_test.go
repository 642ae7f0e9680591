package policyfile

import (
	"encoding/json"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

// generateSchema makes the committed Schema.
func generateSchema() []byte {
	root := required(object(
		key("default", "What decides on a host that some rule is about, where no rule matches. Not set: deny.",
			words(string(policy.Authenticated), "deny")),
		key("rules", "The first rule that matches a request decides.", listOf(ruleSchema())),
		key(issuersKey, "Issuers of workloads' tokens, which rules name: CI systems, Kubernetes clusters.", listOf(issuerSchema())),
		key("tests", "Requests and what has to become of them. They run whenever the policy is read.", listOf(checkSchema())),
	), "rules")
	root.Schema = "https://json-schema.org/draft/2020-12/schema"
	root.Title = "Policy of authkit-forward-auth"
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic("policy: schema: " + err.Error()) // it has no input
	}
	return append(text, '\n')
}

func ruleSchema() *jsonschema.Schema {
	rule := required(object(
		key("name", "A name of its own, as the log has it.", &jsonschema.Schema{
			Type: "string", MinLength: new(1), MaxLength: new(policy.MaxNameBytes), Not: &jsonschema.Schema{Const: new(any(policy.DefaultName))},
		}),
		key("hosts", "Names, or *.example.com for all below example.com. Not set: every protected host.", texts()),
		key("paths", "Globs: * is one segment, ** any number of them. Not set: every path.",
			listOf(&jsonschema.Schema{Type: "string", Pattern: "^/[^%?]*$"})),
		key("methods", "In capital letters. Not set: every method.", listOf(methodSchema())),
		key("allow", "Who passes: public is everybody, nobody is nobody. Not set: authenticated.",
			words(string(policy.Public), string(policy.Authenticated), string(policy.Nobody))),
		key("credentials", "What is accepted. The first of them that a request brings decides alone. Not set: cookie.",
			listOf(words(string(policy.Cookie), string(policy.Bearer), string(policy.APIKey)))),
		key("require", "What whoever passes has to meet, all of it.", requireSchema()),
		key("encoded_slash", "Whether a path may have %2F. Not set: allow.", words("allow", "deny")),
		key("ignore_case", "Whether letters of paths match in either case.", &jsonschema.Schema{Type: "boolean"}),
		key("resource", "An OAuth protected resource: clients bring tokens that AuthKit's authorization server has made for this very URL. Implies bearer.",
			resourceSchema()),
		key("m2m", "Whether tokens of machines (M2M) pass at the resource. Not set: deny.", words("allow", "deny")),
		key("agents", "Whether agents' tokens pass at the resource. Not set: deny.", words("allow", "deny")),
		key("mcp", "Which calls of an MCP server the rule is for, by the headers Mcp-Method and Mcp-Name. The server must compare them with the body.", object(
			key("tools", "Names of tools, such as write_file; a * stands for anything.", texts()),
			key("methods", "JSON-RPC's methods, such as tools/call; a * stands for anything. Not set: tools/call where there are tools.", texts()),
			key("origins", "Origins that browsers may ask from, such as https://inspector.example.com; others are denied. Not set: every one.", texts()),
			key("legacy", "What becomes of protocol versions before 2026-07-28: deny, or allow to pass the rule over. Not set: deny.", words("allow", "deny")),
		)),
		key("cors_preflight", "Whether CORS preflights of these requests pass without a credential. Not set: deny.", words("allow", "deny")),
	), "name")
	exempt := &jsonschema.Schema{
		Required:   []string{"allow"},
		Properties: map[string]*jsonschema.Schema{"allow": words(string(policy.Public), string(policy.Nobody))},
	}
	bound := &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Required: []string{"require"}}, {Required: []string{"credentials"}}}}
	rule.If, rule.Then = exempt, &jsonschema.Schema{Not: bound}
	return rule
}

func resourceSchema() *jsonschema.Schema {
	uri := func() *jsonschema.Schema { return &jsonschema.Schema{Type: "string", Pattern: "^https?://[^?#]+$"} }
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{uri(), required(object(
		key("url", "As clients name it, such as https://mcp.example.com/mcp; without a slash at its end.", uri()),
		key("name", "For people.", someText()),
		key("documentation", "A URL for people.", someText()),
		key("scopes", "Scopes that clients may ask for.", texts()),
	), "url")}}
}

func requireSchema() *jsonschema.Schema {
	anyOf := func(name, description string) property {
		return key(name, description, &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			texts(), object(key("any", "One of these.", texts()), key("all", "All of these.", texts())),
		}})
	}
	return object(
		anyOf("users", "User ids (user_…). A list here and below: one of these; or a mapping of any and all."),
		anyOf("emails", "Email addresses."),
		anyOf("email_domains", "Domains of email addresses, without those below them."),
		anyOf(policy.Organizations, "Organization ids (org_…): the one that is signed in to."),
		anyOf("roles", "Role slugs, in the organization that is signed in to."),
		anyOf("permissions", "Permission slugs."),
		anyOf("entitlements", "Entitlements."),
		anyOf("feature_flags", "Feature flags."),
		anyOf(policy.Scopes, "Scopes that the OAuth client was granted. Only bearer tokens of OAuth clients have any."),
		key(claimsKey, "Claims that a JWT template puts into the token, by name: a list, or a mapping of any and all.", claimsSchema()),
		key(policy.IssuerName, "The issuer of workloads' tokens, of the list issuers: its tokens alone pass, by their claims.", issuerName()),
		key(policy.MaxAuthAge, "How long ago the sign-in may be: 90s, 15m, 12h. Older: signs in again.", durationSchema()),
		key(policy.Impersonation, "Whether somebody may be there as another user. Not set: allow.", words("deny", "allow")),
	)
}

func issuerSchema() *jsonschema.Schema {
	return required(object(
		key("name", "Begins the user that apps are told: name and colon, then the token's sub.", issuerName()),
		key("issuer", "Exactly the iss of its tokens. Its metadata is below it, at /.well-known/openid-configuration.",
			&jsonschema.Schema{Type: "string", Pattern: "^https?://[^?#]+$"}),
		key("audience", "That its tokens have to have.", someText()),
	), "name", "issuer", "audience")
}

func issuerName() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: "^[a-z][a-z0-9-]{0,31}$"}
}

// withOthers has an object take other claims, too: those of a JWT template.
func withOthers(s *jsonschema.Schema) *jsonschema.Schema {
	s.AdditionalProperties = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{someText(), texts()}}
	return s
}

func claimsSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "object", MinProperties: new(1), AdditionalProperties: &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
		texts(), object(key("any", "One of these.", texts()), key("all", "All of these.", texts())),
	}}}
}

func checkSchema() *jsonschema.Schema {
	claim := func(name, description string) property {
		return key(name, description, someText())
	}
	check := object(
		claim("name", "A name of its own."),
		key("request", "Method and absolute URL, such as GET https://app.example.com/.", &jsonschema.Schema{
			Type: "string", Pattern: "^[A-Za-z_-]+ https?://[^/]+/",
		}),
		key("preflight", "The request is a CORS preflight for this method.", methodSchema()),
		key("mcp", "What it calls of an MCP server, as its headers say.", object(
			claim("method", "Mcp-Method."), claim("name", "Mcp-Name."), claim("version", "MCP-Protocol-Version. Not set: 2026-07-28."),
		)),
		key("credential", "What the request brings. Not set: cookie.", words(string(policy.Cookie), string(policy.Bearer), string(policy.APIKey))),
		key(policy.IssuerName, "The bearer token is of this issuer of the list issuers, and has the claims.", issuerName()),
		key("claims", "Whose it is, as an access token says. Not set: nobody is signed in.", withOthers(object(
			claim("sub", "User id."),
			claim("email", "Email address, which access tokens don't have."),
			key("email_verified", "Whether the user has verified it. Not set: true.", &jsonschema.Schema{Type: "boolean"}),
			claim("org_id", "Organization id."),
			claim("role", "Role slug."),
			key("roles", "Role slugs. Not set: the role.", texts()),
			key("permissions", "Permission slugs.", texts()),
			key("entitlements", "Entitlements.", texts()),
			key("feature_flags", "Feature flags.", texts()),
			claim("scope", "Scopes of an OAuth client, with spaces between them."),
			key("act", "Who is really there.", required(object(claim("sub", "Their email address.")), "sub")),
			key("auth_age", "How long ago the sign-in was: 90s, 15m, 12h.", durationSchema()),
		))),
		key("expect", "What has to become of it.", words(policy.Answers()...)),
		claim("rule", "The rule that has to decide."),
	)
	return required(check, "name", "request", "expect")
}
