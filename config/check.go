package config

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"

	"golang.org/x/net/publicsuffix"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/redis"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

var (
	plainPath   = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)
	dotSegment  = regexp.MustCompile(`/\.{1,2}(/|$)`)
	cookieToken = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$") // RFC 6265, 4.1.1
	word        = regexp.MustCompile(`^[!-~]+$`)
	clientID    = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	placeholder = regexp.MustCompile(`(?i)example|placeholder|changeme|change-me|your[-_]`)
	digits      = regexp.MustCompile(`(^|\.)[0-9]+$`)
)

// checkConflicts refuses what the environment asks for and this version can't
// do, where going on without it would let people in or be quietly wrong.
func (p *problems) checkConflicts(environ map[string]string) {
	set := func(name string) string { return strings.ToLower(strings.TrimSpace(environ[name])) }
	one, other := set("WORKOS_COOKIE_SAMESITE"), set("WORKOS_COOKIE_SAME_SITE")
	if one != "" && other != "" && one != other {
		p.add("WORKOS_COOKIE_SAMESITE", "differs from WORKOS_COOKIE_SAME_SITE, which means the same: remove one of them")
	}
}

// checkCredentials never puts a value into a line.
func (p *problems) checkCredentials(c *Config) {
	switch key := c.APIKey.Reveal(); {
	case !p.ok("WORKOS_API_KEY"):
	case placeholder.MatchString(key):
		p.add("WORKOS_API_KEY", "is a placeholder: copy the key from the WorkOS dashboard, API Keys")
	case !word.MatchString(key):
		p.add("WORKOS_API_KEY", "has a space, a line break or an odd character in it: copy the key again from the WorkOS dashboard, API Keys")
	}
	switch {
	case !p.ok("WORKOS_CLIENT_ID"):
	case strings.HasPrefix(c.ClientID, "sk_"):
		p.add("WORKOS_CLIENT_ID", "is an API key, and the client ID is public: copy the client ID (client_…) from the WorkOS dashboard, API Keys")
	case !clientID.MatchString(c.ClientID):
		p.add("WORKOS_CLIENT_ID", "has more than letters, digits, - . and _ in it: copy the client ID again from the WorkOS dashboard, API Keys")
	}
	p.checkPassword("WORKOS_COOKIE_PASSWORD", c.CookiePassword)
	p.checkPassword("WORKOS_COOKIE_PASSWORD_PREVIOUS", c.CookiePasswordPrevious)
	if placeholder.MatchString(c.WebhookSecret.Reveal()) {
		p.add("WORKOS_WEBHOOK_SECRET", "is a placeholder: copy the signing secret of the endpoint from the WorkOS dashboard, Webhooks")
	}
	if !p.ok("WORKOS_COOKIE_FORMAT") || !p.ok("WORKOS_COOKIE_PASSWORD") || c.CookiePassword.Reveal() == "" {
		return
	}
	if seal.CheckPassword(seal.Format(c.CookieFormat), c.CookiePassword.Reveal()) != nil {
		p.add("WORKOS_COOKIE_FORMAT", "the password is not of the form that the %s format needs: make one with: openssl rand -base64 32", c.CookieFormat)
	}
}

// checkUnsealedCookies refuses what would be quietly wrong: a cookie that nobody has sealed is bound to no site, and of Node.js's SDKs.
func (p *problems) checkUnsealedCookies(c *Config) {
	const name = "INSECURE_UNSEALED_COOKIES"
	switch {
	case !c.InsecureUnsealedCookies:
	case c.BindSessions:
		p.add(name, "can't be with BIND_SESSIONS_TO_SITE: a cookie that isn't sealed is good at every site; remove one of them")
	case c.CookieFormat != string(seal.FormatIron):
		p.add(name, "is for WORKOS_COOKIE_FORMAT=iron: other SDKs than those for Node.js write no such cookies; remove one of them")
	}
}

func (p *problems) checkStore(c *Config) {
	if rawURL := c.RedisURL.Reveal(); rawURL != "" && p.ok("REDIS_URL") {
		if err := redis.CheckURL(rawURL); err != nil {
			p.add("REDIS_URL", "%w", err)
		}
	}
}

// checkPassword measures the length as the SDKs do, in UTF-16 code units.
func (p *problems) checkPassword(name string, password Secret) {
	value := password.Reveal()
	if !p.ok(name) || value == "" {
		return
	}
	runes := []rune(value)
	different := map[rune]bool{}
	for _, r := range runes {
		different[r] = true
	}
	const mend = "make one with: openssl rand -base64 32"
	switch length := len(utf16.Encode(runes)); {
	case placeholder.MatchString(value):
		p.add(name, "is a placeholder: %s", mend)
	case length < 32:
		p.add(name, "has %d characters, and the SDKs ask for 32: %s", length, mend)
	case len(different) < 8:
		p.add(name, "has %d different characters, too easy to guess: %s", len(different), mend)
	}
}

func (p *problems) checkRedirectURIs(c *Config) {
	const name = "WORKOS_REDIRECT_URI"
	if !p.ok(name) {
		return
	}
	for _, u := range c.RedirectURIs {
		p.checkRedirectURI(name, u)
	}
	if !p.ok(name) {
		return
	}
	if _, err := site.NewSites(c.RedirectURIs, nil); err != nil {
		p.add(name, "%w", err)
	}
}

func (p *problems) checkRedirectURI(name string, u *url.URL) {
	plain, isWildcard := strings.CutPrefix(u.Host, "*.")
	host, err := site.ParseHost(plain, u.Scheme)
	suffix, _ := publicsuffix.PublicSuffix(host.Name)
	switch {
	case u.Scheme != "https" && u.Scheme != "http" || err != nil:
		p.add(name, "is not an absolute http or https URL: write one such as https://app.example.com/_auth/callback")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		p.add(name, "has a user, a query or a fragment: remove it, in the WorkOS dashboard too")
	case strings.ToLower(plain) != host.String():
		p.add(name, "the host isn't in its plain form: write %s, in the WorkOS dashboard too", host)
	case !plainPath.MatchString(u.EscapedPath()) || dotSegment.MatchString(u.Path):
		p.add(name, "needs a path of plain segments (letters, digits, - . _ ~) without a slash at its end, such as /callback or /_auth/callback")
	case reserved(u.Path):
		p.add(name, "its path is an endpoint of this service: choose another, such as /callback or /_auth/callback")
	case u.Scheme == "http" && !site.IsLocal(host.Name):
		p.add(name, "http is for localhost, *.localhost and loopback addresses only: put TLS on the gateway and write https; on a LAN without a certificate, use a tunnel (ssh -L 3000:localhost:3000 host) and http://localhost:3000/_auth/callback")
	case isWildcard && suffix == host.Name && !site.IsLocal(host.Name):
		p.add(name, "%s is a public suffix: its hosts belong to strangers", u.Host)
	}
}

// reserved reports whether the callback would take the place of another endpoint.
func reserved(callback string) bool {
	switch path.Base(callback) {
	case site.Login, site.SignUp, site.Logout, site.Webhooks, site.Switch, site.JWKS, "verify", "healthz", "readyz":
		return true
	}
	return strings.HasPrefix(callback, "/verify/")
}

// checkCookieDomains puts the domains into their canonical form, without a dot in front.
func (p *problems) checkCookieDomains(c *Config) {
	for i, domain := range c.CookieDomains {
		c.CookieDomains[i] = p.checkCookieDomain(c, domain)
	}
}

func (p *problems) checkCookieDomain(c *Config, raw string) string {
	const name = "WORKOS_COOKIE_DOMAIN"
	if !p.ok(name) {
		return raw
	}
	domain, err := site.ParseHost(strings.TrimPrefix(raw, "."), "")
	suffix, _ := publicsuffix.PublicSuffix(domain.Name)
	switch {
	case err != nil || domain.Port != "":
		p.add(name, "is not a domain: write one such as example.com, without scheme, port and path")
	case strings.HasPrefix(domain.Name, "[") || digits.MatchString(domain.Name):
		p.add(name, "is an IP address, which no cookie domain can be: use a name, or remove it")
	case suffix == domain.Name:
		p.add(name, "%s is a public suffix, shared by strangers, and browsers refuse cookies for it: use a domain of your own below it, or remove it", domain.Name)
	case p.ok("WORKOS_REDIRECT_URI") && c.wildcardUnder(domain.Name) != "":
		p.add(name, "%s covers %s, whose hosts are to be sites with cookies of their own: remove one of them", domain.Name, c.wildcardUnder(domain.Name))
	case p.ok("WORKOS_REDIRECT_URI") && !c.covered(domain.Name):
		p.add(name, "%s does not cover the redirect URI's host %s, so the browser would refuse the cookie: make one of them fit the other, or remove it", domain.Name, c.redirectHosts())
	}
	return domain.Name
}

// covered reports whether a cookie domain covers the host of a redirect URI.
func (c *Config) covered(domain string) bool {
	return slices.ContainsFunc(c.RedirectURIs, func(u *url.URL) bool {
		return !strings.HasPrefix(u.Host, "*.") && site.Covers(domain, u.Hostname())
	})
}

// wildcardUnder returns the host of a redirect URI that is a wildcard and under a cookie domain, or above it; empty: none is.
func (c *Config) wildcardUnder(domain string) string {
	for _, u := range c.RedirectURIs {
		if below, ok := strings.CutPrefix(u.Hostname(), "*."); ok && (site.Covers(domain, below) || site.Covers(below, domain)) {
			return u.Hostname()
		}
	}
	return ""
}

func (c *Config) redirectHosts() string {
	var hosts []string
	for _, u := range c.RedirectURIs {
		hosts = append(hosts, u.Hostname())
	}
	return strings.Join(hosts, " or ")
}

func (p *problems) checkCookieName(c *Config) {
	const name = "WORKOS_COOKIE_NAME"
	prefix := strings.ToLower(c.CookieName)
	host, secure := strings.HasPrefix(prefix, "__host-"), strings.HasPrefix(prefix, "__secure-")
	switch {
	case !cookieToken.MatchString(c.CookieName):
		p.add(name, "is not a cookie's name: use up to 64 letters, digits, - . and _, such as wos-session")
	case host && len(c.CookieDomains) > 0:
		p.add(name, "a __Host- cookie has no domain: choose a name without that prefix, or remove WORKOS_COOKIE_DOMAIN")
	case (host || secure) && p.ok("WORKOS_REDIRECT_URI") && c.RedirectURIs[0].Scheme != "https":
		p.add(name, "browsers take __Host- and __Secure- cookies over https only: choose a name without that prefix, or an https redirect URI")
	}
}

func (p *problems) checkAPI(c *Config) {
	host, err := site.ParseHost(c.APIHostname, "")
	c.APIHostname = host.Name
	if err != nil || host.Port != "" {
		p.add("WORKOS_API_HOSTNAME", "is not a host's name: write one such as api.workos.com, without scheme and path; a port goes into WORKOS_API_PORT")
	}
	for _, issuer := range c.Issuers {
		if u, err := url.Parse(issuer); err != nil || !isAbsolute(u) {
			p.add("WORKOS_ISSUER", "an issuer is not an http or https URL: write the tokens' iss, such as https://api.workos.com/user_management/client_…")
		}
	}
}

func (p *problems) checkListeners(c *Config) {
	if c.VerifyAddr != (Address{}) && c.VerifyAddr == c.ListenAddr {
		p.add("VERIFY_ADDR", "is the same as LISTEN_ADDR: remove it to share the listener, or choose another address")
	}
	if c.AdminAddr != (Address{}) && (c.AdminAddr == c.ListenAddr || c.AdminAddr == c.VerifyAddr) {
		p.add("ADMIN_ADDR", "is another listener's address: choose one that only your monitoring reaches, such as 127.0.0.1:9001")
	}
}

// checkReturnURLs makes DEFAULT_RETURN_URL absolute.
func (p *problems) checkReturnURLs(c *Config) {
	if c.LogoutReturnURL != nil && p.ok("LOGOUT_RETURN_URL") && !isAbsolute(c.LogoutReturnURL) {
		p.add("LOGOUT_RETURN_URL", "is not an absolute http or https URL: write one that is registered in the WorkOS dashboard under Redirects")
	}
	const name = "DEFAULT_RETURN_URL"
	if c.DefaultReturnURL == nil || !p.ok(name) || !p.ok("WORKOS_REDIRECT_URI") || !p.ok("WORKOS_COOKIE_DOMAIN") {
		return
	}
	s, err := site.NewSites(c.RedirectURIs, c.CookieDomains)
	if err != nil {
		p.add(name, "%w", err)
		return
	}
	for _, one := range s.Listed() {
		if absolute, ok := one.ReturnURL(c.DefaultReturnURL.String()); ok {
			if c.DefaultReturnURL, err = url.Parse(absolute); err != nil {
				p.add(name, "is not a URL: write a path such as /start")
			}
			return
		}
	}
	p.add(name, "is not a page that a sign-in may lead to: write a path such as /start, or a URL with %s:// on %s", s.Scheme(), s.Protected())
}

func isAbsolute(u *url.URL) bool {
	_, err := site.ParseHost(u.Host, u.Scheme)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.User == nil
}
