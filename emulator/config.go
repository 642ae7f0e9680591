package emulator

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

const defaultAccessTokenLifetime = 5 * time.Minute

// Config says how the emulated environment is set up, as WorkOS's dashboard would.
type Config struct {
	// BaseURL is where browsers and the service reach the emulator. The issuer of
	// access tokens is made from it. A path is for an emulator that is mounted
	// with http.StripPrefix. Required.
	BaseURL *url.URL

	ClientID string // required
	APIKey   string // the client secret too; required

	RedirectURIs     []string // registered redirect URIs, compared exactly
	LogoutReturnURLs []string // registered sign-out redirects, compared exactly; the first is the default

	// These two can be changed while it runs, see Change.
	AccessTokenLifetime time.Duration // 0: 5 minutes
	GraceWindow         time.Duration // how long a spent refresh token still works; 0: not at all

	// WebhookURLs get every event, each of them, signed with WebhookSecret. Webhooks are
	// sent in the background: call Close at the end.
	WebhookURLs   []string
	WebhookSecret string // required with WebhookURLs

	// Users and Organizations that exist from the start. Both nil: those of Seed.
	Users         []User
	Organizations []Organization

	// APIKeys and Applications that exist from the start. Nil: those of SeedAPIKeys and
	// SeedApplications, as far as their organizations exist.
	APIKeys      []APIKey
	Applications []Application

	// Resources are registered from the start (RFC 8707); the first is the default. None: tokens are for ClientID.
	Resources []string

	SigningKey        *rsa.PrivateKey  // signs access tokens; nil: a new key of 2048 bits
	ConnectSigningKey *rsa.PrivateKey  // signs Connect's, and must be another one; nil: a new key of 2048 bits
	Now               func() time.Time // nil: time.Now
}

func (c Config) withDefaults() (Config, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.AccessTokenLifetime == 0 {
		c.AccessTokenLifetime = defaultAccessTokenLifetime
	}
	if c.Users == nil && c.Organizations == nil {
		c.Users, c.Organizations = Seed()
	}
	if c.APIKeys == nil {
		c.APIKeys = slices.DeleteFunc(SeedAPIKeys(), func(k APIKey) bool { return !isKnown(c.Organizations, k.OrganizationID) })
	}
	if c.Applications == nil {
		c.Applications = slices.DeleteFunc(SeedApplications(), func(a Application) bool { return !isKnown(c.Organizations, a.OrganizationID) })
	}
	return c, errors.Join(slices.Concat(
		c.problems(),
		directoryProblems(c.Users, c.Organizations),
		apiKeyProblems(c.APIKeys, c.Users, c.Organizations),
		applicationProblems(c.Applications, c.ClientID, c.Organizations),
	)...)
}

func (c Config) problems() []error {
	var problems []error
	if c.BaseURL == nil || c.BaseURL.Host == "" || c.BaseURL.RawQuery != "" || c.BaseURL.Fragment != "" {
		problems = append(problems, errors.New("emulator: BaseURL: must be absolute, without query and fragment"))
	}
	if c.ClientID == "" || url.PathEscape(c.ClientID) != c.ClientID {
		problems = append(problems, errors.New("emulator: ClientID: must be set, and fit into a URL's path as it is"))
	}
	if c.APIKey == "" {
		problems = append(problems, errors.New("emulator: APIKey: must be set"))
	}
	if c.SigningKey != nil && c.ConnectSigningKey != nil && c.ConnectSigningKey.Equal(c.SigningKey) {
		problems = append(problems, errors.New("emulator: ConnectSigningKey: must be another one than SigningKey"))
	}
	if err := (Settings{AccessTokenLifetime: c.AccessTokenLifetime, GraceWindow: c.GraceWindow}).check(); err != nil {
		problems = append(problems, err)
	}
	for _, raw := range slices.Concat(c.RedirectURIs, c.LogoutReturnURLs, c.Resources) {
		if u, err := url.Parse(raw); err != nil || !u.IsAbs() || u.Host == "" || strings.Contains(raw, "#") {
			problems = append(problems, fmt.Errorf("emulator: %q: must be an absolute URL without fragment", raw))
		}
	}
	return append(problems, c.webhookProblems()...)
}

func (c Config) webhookProblems() []error {
	var problems []error
	if len(c.WebhookURLs) > maxWebhookURLs {
		problems = append(problems, fmt.Errorf("emulator: WebhookURLs: more than %d", maxWebhookURLs))
	}
	if len(c.WebhookURLs) > 0 && c.WebhookSecret == "" {
		problems = append(problems, errors.New("emulator: WebhookSecret: must be set where there are webhook URLs"))
	}
	for _, raw := range c.WebhookURLs {
		if u, err := url.Parse(raw); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			problems = append(problems, fmt.Errorf("emulator: webhook URL %q: must begin with http:// or https://", raw))
		}
	}
	return problems
}

// issuer of the access tokens.
func (c Config) issuer() string { return c.under("user_management/" + c.ClientID).String() }

// under is a URL below BaseURL. Its path is absolute, which URL.JoinPath's isn't
// where BaseURL has none.
func (c Config) under(below string) *url.URL {
	u := *c.BaseURL
	u.Path, u.RawPath = path.Join("/", u.Path, below), ""
	return &u
}
