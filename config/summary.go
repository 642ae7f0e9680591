package config

import (
	"fmt"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// Note is a sentence for the operator.
type Note struct {
	Text string
	Warn bool // it asks for a change
}

// Summary is for an operator to read at every start: the effect that the settings have together,
// and the doors that they leave open.
func (c *Config) Summary(s *site.Sites, p *policy.Policy) []Note {
	notes := []Note{
		{Text: "protected hosts: " + s.Protected()},
	}
	for _, place := range s.Places() {
		notes = append(notes,
			Note{Text: "sign-in: " + place.Endpoint(site.Login) + ", redirect URI " + place.RedirectURI()},
			Note{Text: "sign-out: " + place.Endpoint(site.Logout) + ", then " + c.afterSignOut()})
	}
	notes = append(notes, []Note{
		{Text: "webhooks: " + c.webhooks(s)},
		{Text: "AuthKit: " + c.APIURL().String() + " for the client " + c.ClientID},
		{Text: "trusted peers: " + c.TrustedProxies.String() + " (TRUSTED_PROXIES)"},
	}...)
	if len(c.IdentityClaims) > 0 {
		notes = append(notes, Note{Text: "claims as headers, which the gateway must overwrite too: " + c.IdentityClaims.String() + " (IDENTITY_CLAIMS)"})
	}
	notes = append(notes, c.assertions(s)...)
	switch c.Gateway {
	case "":
		notes = append(notes, c.withoutGateway())
	case "nginx", "ingress-nginx":
		notes = append(notes, Note{Text: "GATEWAY=" + c.Gateway + ": the gateway needs routes to the sign-in flow's endpoints below " + s.First().Endpoint("")})
	}
	if api := c.APIURL(); api.Scheme == "http" && !site.IsLocal(c.APIHostname) {
		notes = append(notes, Note{Warn: true,
			Text: "the API key goes to " + api.String() + " unencrypted: WORKOS_API_HTTPS=false is for emulators"})
	}
	if c.InsecureUnsealedCookies {
		notes = append(notes, Note{Warn: true,
			Text: "session cookies in plain JSON are read (INSECURE_UNSEALED_COOKIES): whoever has a session's access token, such as an app that gets it, can make a cookie of it; they have neither email nor name"})
	}
	if p == nil {
		notes = append(notes, Note{Text: "no policy (POLICY_FILE): everybody who can sign in to this AuthKit environment may enter"})
	} else {
		for _, i := range p.Issuers() {
			notes = append(notes, Note{Text: fmt.Sprintf("workloads: where a rule requires it, tokens of %s (%s) for the audience %s pass", i.Name, i.URL, i.Audience)})
		}
		notes = append(notes, Note{Text: c.policy(s, p)})
	}
	return notes
}

func (c *Config) afterSignOut() string {
	if c.LogoutReturnURL == nil {
		return "the sign-out redirect that is the dashboard's default (LOGOUT_RETURN_URL)"
	}
	return c.LogoutReturnURL.String()
}

func (c *Config) webhooks(s *site.Sites) string {
	if c.WebhookSecret.Reveal() == "" {
		return "none (WORKOS_WEBHOOK_SECRET): revoked sessions end with their access token"
	}
	return s.First().Endpoint(site.Webhooks)
}

// assertions says by which key apps verify, and warns where apps may have it themselves.
func (c *Config) assertions(s *site.Sites) []Note {
	if !c.IdentityHeaders.Assertion {
		return nil
	}
	const made = "assertions are signed with a key that is made of WORKOS_COOKIE_PASSWORD and WORKOS_API_KEY: " +
		"every app that has both can sign as this service; set ASSERTION_KEY_FILE (docs/assertion.md)"
	notes := []Note{{Text: "assertions: X-Auth-Request-Assertion, which the gateway must overwrite too; key set: " + s.First().Endpoint(site.JWKS) + " (IDENTITY_HEADERS)"}}
	if c.AssertionKeyFile == "" {
		notes = append(notes, Note{made, true})
	}
	return notes
}

// policy says how many rules there are, and which hosts they leave out: none, if one of them is
// for every host.
func (c *Config) policy(s *site.Sites, p *policy.Policy) string {
	rules := p.Rules()
	text := fmt.Sprintf("policy: %s, %d rules; ", c.PolicyFile, len(rules))
	for _, r := range rules {
		if len(r.Hosts) == 0 {
			return text + fmt.Sprintf("the rule %q of line %d has no hosts, so all of %s are covered", r.Name, r.Line, s.Protected())
		}
	}
	return text + "a host that no rule names is denied"
}

// withoutGateway warns where /verify can only say no.
func (c *Config) withoutGateway() Note {
	const elsewhere = ", and the gateway needs routes to the sign-in flow; /verify/forward-auth, /verify/auth-request and /verify/ext-authz do without GATEWAY"
	if c.PolicyFile != "" {
		return Note{"GATEWAY is not set: with a policy /verify answers 403 until it is" + elsewhere, true}
	}
	return Note{"GATEWAY is not set: at /verify nothing but a session lets a request in" + elsewhere, false}
}
