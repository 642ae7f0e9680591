package server

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/config"
	"github.com/authkit-forward-auth/authkit-forward-auth/flow"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/cookie"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
	"github.com/authkit-forward-auth/authkit-forward-auth/verify"
)

// protectedSites are the hosts that the cookie reaches; a policy narrows them.
func protectedSites(c *config.Config) (*site.Sites, error) {
	s, err := site.NewSites(c.RedirectURIs, c.CookieDomains)
	if err != nil {
		return nil, err
	}
	if c.WebhookSecret.Reveal() != "" {
		s.TakeWebhooks()
	}
	if c.IdentityHeaders.Assertion {
		s.PublishJWKS()
	}
	return s, nil
}

func authKitClient(c *config.Config, to http.RoundTripper) *authkit.Client {
	return &authkit.Client{
		APIKey: authkit.Secret(c.APIKey.Reveal()), ClientID: c.ClientID,
		BaseURL: c.APIURL(), RedirectURI: c.RedirectURIs[0].String(),
		HTTPClient: &http.Client{Transport: to, Timeout: 10 * time.Second},
	}
}

// passwords are the one that seals and opens, and the one that opens.
func passwords(c *config.Config) []string {
	all := []string{c.CookiePassword.Reveal()}
	if previous := c.CookiePasswordPrevious.Reveal(); previous != "" {
		all = append(all, previous)
	}
	return all
}

func (s *Server) sessionSettings(client *authkit.Client, toAuthKit http.RoundTripper) (session.Config, error) {
	c := s.config
	cookies, err := seal.NewCookie(seal.Format(c.CookieFormat), passwords(c)...)
	if err != nil {
		return session.Config{}, fmt.Errorf("server: cookies: %w", err)
	}
	store, bus, err := s.shared()
	if err != nil {
		return session.Config{}, err
	}
	var unsealed *token.Verifier
	if c.InsecureUnsealedCookies {
		unsealed = &token.Verifier{Keys: s.keys, ClientID: c.ClientID, Issuers: c.Issuers}
	}
	return session.Config{
		Cookie: cookie.Config{
			Name: c.CookieName, MaxAge: int(c.CookieMaxAge / time.Second),
			SameSite: c.CookieSameSite, Secure: c.CookieSecure(), EscapePlus: c.CookieFormat == string(seal.FormatRuby),
		},
		Seal:            cookies,
		Slim:            c.CookieSlim,
		Tokens:          &token.Verifier{Keys: s.keys, ClientID: c.ClientID, Issuers: c.Issuers},
		Unsealed:        unsealed,
		AuthKit:         client,
		RevokeSession:   client.RevokeSession,
		KeepAccessToken: c.IdentityHeaders.AccessToken,
		RotationTTL:     time.Duration(c.RotationTTL),
		Store:           store,
		Bus:             bus,
		Passwords:       passwords(c),
		Metrics:         s.metrics.registry,
		Log:             s.log,
	}, nil
}

func (s *Server) flowSettings(client *authkit.Client) flow.Config {
	settings := flow.Config{
		Sites: s.sites, Sessions: s.sessions, SessionsOf: s.bound, AuthKit: client, Passwords: passwords(s.config),
		DefaultReturn: optional(s.config.DefaultReturnURL), LogoutReturnURL: optional(s.config.LogoutReturnURL),
		KeepFragment: s.config.KeepFragment, Log: s.log,
	}
	if s.config.LogoutEverywhere {
		settings.UserSessions = client.ActiveSessions
	}
	return settings
}

func (s *Server) verifySettings(client *authkit.Client) verify.Config {
	c := s.config
	settings := verify.Config{
		Sites: s.sites, Sessions: s.sessions, Cookie: s.sessions.Cookie,
		Gateway: verify.GatewayNamed(c.Gateway), Peers: verify.Peers{Prefixes: c.TrustedProxies.Prefixes, Unix: c.TrustedProxies.Unix},
		Headers: headers(c), AllowPreflight: c.AllowPreflight, LogAllowed: c.DecisionLog == "all",
		Bearer: s.bearer, Flow: s.flow.ThroughVerify(), Metrics: s.metrics.registry, Log: s.log,
	}
	if s.bound != nil {
		settings.SessionsOf = func(place *site.Site) verify.Sessions { return s.bound(place) }
	}
	if s.assertions != nil {
		settings.Assertion = s.assertions.Assertion
	}
	s.access(&settings, client, passwords(c)[0])
	return settings
}

func optional(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.String()
}

func headers(c *config.Config) verify.IdentityHeaders {
	list := verify.DefaultHeaders()
	if c.IdentityHeaders.Remote {
		list = verify.RemoteHeaders()
	}
	for _, claim := range c.IdentityClaims {
		list = list.WithClaim(claim.Header, claim.Claim)
	}
	return list
}
