package config

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/rs/zerolog"
)

// Config is what serve runs with. Parse makes and validates it once, and
// nothing changes it afterwards. The comments of its fields are the table in
// docs/configuration.md.
//
//	env       the variable, and whether it is required
//	else      another name, read where the first is not set
//	choices   the only values
//	Secret    read from the file that NAME_FILE names, too
type Config struct {
	// Secret key of the WorkOS environment (dashboard, API Keys).
	APIKey Secret `env:"WORKOS_API_KEY,required"`
	// Client ID of the WorkOS environment (dashboard, API Keys).
	ClientID string `env:"WORKOS_CLIENT_ID,required"`
	// Seals the session cookie: at least 32 characters, the same in every app that shares the session.
	// `openssl rand -base64 32` makes one.
	CookiePassword Secret `env:"WORKOS_COOKIE_PASSWORD,required"`
	// The password before this one: opens session cookies, never seals. Changes the password without
	// signing anybody out.
	CookiePasswordPrevious Secret `env:"WORKOS_COOKIE_PASSWORD_PREVIOUS"`
	// This service's own callback, such as `https://app.example.com/_auth/callback`, as registered in the
	// dashboard under Redirects. Its directory is the path of the sign-in flow, its scheme that of every
	// URL. `http` for localhost, `*.localhost` and loopback addresses only. Several, comma-separated, are
	// sites of their own; of `https://*.example.com/_auth/callback`, which can't be the first, each host is one.
	RedirectURIs URLs `env:"WORKOS_REDIRECT_URI,required" else:"NEXT_PUBLIC_WORKOS_REDIRECT_URI"`
	// Name of the session cookie. `__Host-` needs https and no cookie domain, `__Secure-` needs https.
	CookieName string `env:"WORKOS_COOKIE_NAME" envDefault:"wos-session"`
	// Protects every host under this domain, which must cover the redirect URI's host. Not set: that host
	// alone. Several, comma-separated, are for several redirect URIs.
	CookieDomains []string `env:"WORKOS_COOKIE_DOMAIN"`
	// A sign-out ends all of the user's sessions at AuthKit: at other sites and on other devices too.
	LogoutEverywhere bool `env:"LOGOUT_EVERYWHERE" envDefault:"false"`
	// Seals the session cookies of each redirect URI's site with keys of its own, made of
	// `WORKOS_COOKIE_PASSWORD`: one site's cookie is nothing at another, and apps' SDKs can't read any.
	BindSessions bool `env:"BIND_SESSIONS_TO_SITE" envDefault:"false"`
	// The SDK whose cookie this service writes and reads: `iron` is that of Node.js, Next.js, TanStack,
	// SvelteKit, Astro, Remix and React Router. Iron cookies are read in any case. `python` and `php` ask
	// for a password that is base64 of 32 bytes.
	CookieFormat string `env:"WORKOS_COOKIE_FORMAT" envDefault:"iron" choices:"iron,go,ruby,python,php"`
	// How long a browser keeps the session cookie, in seconds: 1 to 34560000 (400 days).
	CookieMaxAge time.Duration `env:"WORKOS_COOKIE_MAX_AGE" envDefault:"34560000"`
	// The cookie's SameSite. `none` is for apps in other sites' frames, and makes the cookie Secure.
	CookieSameSite http.SameSite `env:"WORKOS_COOKIE_SAMESITE" else:"WORKOS_COOKIE_SAME_SITE" envDefault:"lax" choices:"lax,none"`
	// Host of AuthKit's API, without scheme and port.
	APIHostname string `env:"WORKOS_API_HOSTNAME" envDefault:"api.workos.com"`
	// Whether AuthKit's API is asked over https. `false` is for an emulator: the API key then travels in
	// the clear.
	APIHTTPS bool `env:"WORKOS_API_HTTPS" envDefault:"true"`
	// Port of AuthKit's API, where it isn't the scheme's own.
	APIPort uint16 `env:"WORKOS_API_PORT"`
	// Accepted issuers of access tokens, comma-separated. Not set: the issuer isn't checked, the signature
	// binds the token to the environment.
	Issuers []string `env:"WORKOS_ISSUER"`
	// Signing secret of the webhook endpoint (dashboard, Webhooks), which is then `webhooks` beside the
	// callback. Not set: there is none, and revoked sessions end with their access token.
	WebhookSecret Secret `env:"WORKOS_WEBHOOK_SECRET"`

	// Who may reach which host, path and method: a YAML file, see docs/policy.md. Read again when it
	// changes. Not set: everybody who can sign in may enter every protected host.
	PolicyFile string `env:"POLICY_FILE"`
	// Shows to people who are signed in which rule and requirement of the policy denies.
	ExplainDenials bool `env:"EXPLAIN_DENIALS" envDefault:"false"`
	// The AuthKit domain, such as `https://example.authkit.app`: the authorization server of the clients of rules with a
	// `resource` (MCP clients, command lines, agents), see docs/resources.md. Exactly its issuer, without a slash at the end.
	AuthKitDomain *url.URL `env:"AUTHKIT_DOMAIN"`
	// Issuers of WorkOS Connect whose access tokens are accepted as bearer tokens, beside those of
	// sessions: AuthKit domains, such as `https://example.authkit.app`, comma-separated. Where a rule
	// of the policy accepts bearer tokens.
	BearerIssuers []string `env:"BEARER_ISSUERS"`
	// Audiences that such a token may have, comma-separated: resource indicators. Not set:
	// `WORKOS_CLIENT_ID`. Never an application's client ID: its ID tokens have that as their audience.
	BearerAudiences []string `env:"BEARER_AUDIENCES"`
	// Which gateway asks at `/verify`; `/verify/forward-auth`, `/verify/auth-request` and `/verify/ext-authz` do without it. Not
	// set: at `/verify` nothing but a session lets a request in, and with a policy nothing does.
	Gateway string `env:"GATEWAY" choices:"traefik,caddy,haproxy,nginx,ingress-nginx,envoy,istio,envoy-gateway"`
	// Who may ask: addresses and CIDR ranges, `unix` (any peer on a unix socket), `private` (loopback, RFC
	// 1918, `fc00::/7`, link-local and `unix`), comma-separated. Best the gateway's addresses alone:
	// whoever is trusted writes the headers that say what is asked.
	TrustedProxies Peers `env:"TRUSTED_PROXIES" envDefault:"private"`
	// Where to listen: `:9000`, `127.0.0.1:9000` or `unix:/path`.
	ListenAddr Address `env:"LISTEN_ADDR" envDefault:":9000"`
	// A listener of its own for `/verify` and all below it. Not set: they share `LISTEN_ADDR`.
	VerifyAddr Address `env:"VERIFY_ADDR"`
	// A listener of its own for `/metrics` (Prometheus), `/healthz` and `/readyz`. Not set: no metrics.
	AdminAddr Address `env:"ADMIN_ADDR"`
	// Mode of the unix sockets, such as `0660`, so that a gateway which runs as another user can open them.
	// Not set: as the umask says.
	SocketMode FileMode `env:"SOCKET_MODE"`
	// How long the service goes on answering after it was told to stop, with 503 at `/readyz`: as long as the
	// gateway or Kubernetes needs to notice, such as `10s`.
	ShutdownDelay Delay `env:"SHUTDOWN_DELAY" envDefault:"0s"`
	// Redis 6.2 or later, or Valkey, that several replicas share: `redis://:password@host:6379/0`,
	// `rediss://` with TLS; for the forms with Sentinel and Cluster see docs/replicas.md. Not set: run one
	// replica.
	RedisURL Secret `env:"REDIS_URL"`
	// How long a browser that never gets a new cookie may go on with an old one, since it last did.
	RotationTTL TTL `env:"ROTATION_TTL" envDefault:"720h"`
	// Leaves out of the cookie what identity headers don't need of the user. For users with large metadata;
	// an app's own SDK then misses it.
	CookieSlim bool `env:"COOKIE_SLIM" envDefault:"false"`
	// Reads session cookies in plain JSON, too, which WorkOS's SDKs may come to write; see docs/replicas.md. Anybody can make one
	// of an access token. It ends with that token, and has neither email nor name. For the format `iron`.
	InsecureUnsealedCookies bool `env:"INSECURE_UNSEALED_COOKIES" envDefault:"false"`
	// Where a sign-in leads that asks for no page: a path, or a URL on a protected host.
	DefaultReturnURL *url.URL `env:"DEFAULT_RETURN_URL"`
	// Brings the `#fragment` of a page back after the sign-in: two pages of the flow's keep it in the
	// browser, by a script of a few lines each. It never reaches a server.
	KeepFragment bool `env:"KEEP_FRAGMENT" envDefault:"false"`
	// Where AuthKit sends the browser after a sign-out, as registered in the dashboard under Redirects.
	// Not set: the dashboard's default.
	LogoutReturnURL *url.URL `env:"LOGOUT_RETURN_URL"`
	// Identity headers of an allowed request, comma-separated: `default` (X-Auth-Request-…), or `remote`
	// for the Remote-… names in their place; `access-token` also fills the access token's header, `assertion` that of a signed
	// JWT which the app can verify, see docs/assertion.md.
	IdentityHeaders IdentityHeaders `env:"IDENTITY_HEADERS" envDefault:"default"`
	// A file of private keys in PEM, EC keys of P-256 or RSA keys: the first one signs assertions, the others are published
	// still. Not set: a key that is made of `WORKOS_COOKIE_PASSWORD` and `WORKOS_API_KEY`, so that every app that has both can
	// sign too.
	AssertionKeyFile string `env:"ASSERTION_KEY_FILE"`
	// Claims that a JWT template puts into the access token, as identity headers of their own: the claim, a colon, the
	// header, such as `department:X-Auth-Request-Department`, comma-separated. The gateway must overwrite these names too.
	IdentityClaims ClaimHeaders `env:"IDENTITY_CLAIMS"`
	// Keeps the session's cookies from the apps, and the sign-in flow's: each answer that lets a request
	// in has a `Cookie` header with the other ones, which the gateway must be told to set on the app's
	// request. An app with a WorkOS SDK has no session of its own then.
	HideSessionCookie bool `env:"HIDE_SESSION_COOKIE" envDefault:"false"`
	// Lets CORS preflights through without a session.
	AllowPreflight bool `env:"ALLOW_PREFLIGHT" envDefault:"false"`
	// The least severe lines that are logged.
	LogLevel zerolog.Level `env:"LOG_LEVEL" envDefault:"info" choices:"debug,info,warn,error"`
	// How lines are logged: `json`, `text` for people, `auto` text on a terminal and JSON elsewhere.
	LogFormat string `env:"LOG_FORMAT" envDefault:"auto" choices:"auto,json,text"`
	// Which decisions are logged.
	DecisionLog string `env:"DECISION_LOG" envDefault:"denied" choices:"denied,all"`
}

// Parse makes a Config of environment variables by name; an empty one
// counts as not set. The error has a line for each variable with a problem,
// which names it and says how to mend it. No line holds a secret.
func Parse(environ map[string]string) (*Config, error) {
	p := &problems{source: map[string]string{}, bad: map[string]bool{}}
	c := &Config{}
	p.parse(c, p.gather(environ))
	p.checkConflicts(environ)
	p.checkCredentials(c)
	p.checkRedirectURIs(c)
	p.checkCookieDomains(c)
	p.checkCookieName(c)
	p.checkUnsealedCookies(c)
	p.checkAPI(c)
	p.checkListeners(c)
	p.checkStore(c)
	p.checkReturnURLs(c)
	p.checkBearer(c)
	p.checkAuthKitDomain(c)
	p.checkPolicy(c)
	p.checkAssertion(c)
	if len(p.lines) > 0 {
		return nil, errors.Join(p.lines...)
	}
	return c, nil
}

// CookieSecure reports whether cookies are Secure: always with SameSite=None,
// and otherwise unless the site is plain http on the local machine.
func (c *Config) CookieSecure() bool {
	return c.RedirectURIs[0].Scheme == "https" || c.CookieSameSite == http.SameSiteNoneMode
}

// APIURL is the base of AuthKit's API, without a path.
func (c *Config) APIURL() *url.URL {
	u := &url.URL{Scheme: "https", Host: c.APIHostname}
	if !c.APIHTTPS {
		u.Scheme = "http"
	}
	if c.APIPort != 0 {
		u.Host += ":" + strconv.Itoa(int(c.APIPort))
	}
	return u
}
