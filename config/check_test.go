package config

import (
	"strings"
	"testing"
)

// Every row is one problem: one line, which begins with the variable's name and
// says how to mend it.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const (
		local    = "http is for localhost, *.localhost and loopback addresses only: put TLS on the gateway"
		absolute = "is not an absolute http or https URL"
		segments = "needs a path of plain segments"
		endpoint = "its path is an endpoint of this service: choose another"
		openssl  = "make one with: openssl rand -base64 32"
		page     = "is not a page that a sign-in may lead to: write a path such as /start, or a URL with https:// on auth.example.com"
	)
	tests := []struct{ name, variable, value, want string }{
		{"placeholder key", "WORKOS_API_KEY", "sk_Example_123", "is a placeholder: copy the key"},
		{"placeholder key of a template", "WORKOS_API_KEY", "your_api_key", "is a placeholder: copy the key"},
		{"key with a newline", "WORKOS_API_KEY", "sk_test_abc\n", "has a space, a line break"},
		{"password with a carriage return", "WORKOS_COOKIE_PASSWORD", "0123456789abcdefghijklmnopqrstuv\r", "has a space, a line break"},
		{"password with a space behind", "WORKOS_COOKIE_PASSWORD", "0123456789abcdefghijklmnopqrstuv ", "has a space, a line break"},
		{"password with a byte order mark", "WORKOS_COOKIE_PASSWORD", "\ufeff0123456789abcdefghijklmnopqrstuv", "byte order mark"},
		{"old password with a tab in front", "WORKOS_COOKIE_PASSWORD_PREVIOUS", "\t0123456789abcdefghijklmnopqrstuv", "has a space, a line break"},
		{"password of two lines", "WORKOS_COOKIE_PASSWORD", "0123456789abcdefg\nhijklmnopqrstuv", "a control character in it"},
		{"webhook secret with a carriage return", "WORKOS_WEBHOOK_SECRET", "whsec_0123456789\r", "has a space, a line break"},
		{"Redis with a no-break space", "REDIS_URL", "redis://redis:6379\u00a0", "has a space, a line break"},
		{"delay without a unit", "SHUTDOWN_DELAY", "10", "is not a time from 0s to 5m: write one such as 10s"},
		{"delay of an hour", "SHUTDOWN_DELAY", "1h", "is not a time from 0s to 5m"},
		{"mode in words", "SOCKET_MODE", "rw", "is not a file's mode in octal: write one such as 0660"},
		{"mode with a sticky bit", "SOCKET_MODE", "1777", "is not a file's mode in octal"},
		{"key in quotes", "WORKOS_API_KEY", `"sk_test_abc"`, "the value has quotes around it"},
		{"key as client ID", "WORKOS_CLIENT_ID", "sk_test_abc", "is an API key"},
		{"client ID with a slash", "WORKOS_CLIENT_ID", "client/../x", "copy the client ID again"},

		{"short password", "WORKOS_COOKIE_PASSWORD", "kY3vQ0xWm7RzT9pLc2NfHs8JdGb5UaE", "has 31 characters, and the SDKs ask for 32: " + openssl},
		{"short in UTF-16, long in bytes", "WORKOS_COOKIE_PASSWORD", "äöüßÄÖÜéèêëàâçñ", "has 15 characters"},
		{"dull password", "WORKOS_COOKIE_PASSWORD", "abcdefgabcdefgabcdefgabcdefgabcdefg", "has 7 different characters, too easy to guess: " + openssl},
		{"placeholder password", "WORKOS_COOKIE_PASSWORD", "CHANGEME-0123456789-0123456789-abcdef", "is a placeholder: " + openssl},
		{"another placeholder", "WORKOS_COOKIE_PASSWORD", "please-change-me-0123456789-0123456789", "is a placeholder"},
		{"another placeholder", "WORKOS_COOKIE_PASSWORD", "your-32-character-password-0123456789", "is a placeholder"},
		{"another placeholder", "WORKOS_COOKIE_PASSWORD", "placeholder-0123456789-0123456789-abc", "is a placeholder"},
		{"password in quotes", "WORKOS_COOKIE_PASSWORD", "'kY3vQ0xWm7RzT9pLc2NfHs8JdGb5UaEo'", "remove them"},
		{"short previous password", "WORKOS_COOKIE_PASSWORD_PREVIOUS", "kY3vQ0x", "has 7 characters"},

		{"not a URL", "WORKOS_REDIRECT_URI", "https://auth.example.com:port/callback", "is not a URL"},
		{"no scheme", "WORKOS_REDIRECT_URI", "auth.example.com/callback", absolute},
		{"other scheme", "WORKOS_REDIRECT_URI", "ftp://auth.example.com/callback", absolute},
		{"no host", "WORKOS_REDIRECT_URI", "https:///callback", absolute},
		{"user", "WORKOS_REDIRECT_URI", "https://ada:pw@auth.example.com/callback", "has a user, a query or a fragment: remove it"},
		{"query", "WORKOS_REDIRECT_URI", "https://auth.example.com/callback?a=1", "has a user, a query or a fragment"},
		{"empty query", "WORKOS_REDIRECT_URI", "https://auth.example.com/callback?", "has a user, a query or a fragment"},
		{"fragment", "WORKOS_REDIRECT_URI", "https://auth.example.com/callback#a", "has a user, a query or a fragment"},
		{"default port", "WORKOS_REDIRECT_URI", "https://auth.example.com:443/callback", "write auth.example.com"},
		{"trailing dot", "WORKOS_REDIRECT_URI", "https://auth.example.com./callback", "write auth.example.com"},
		{"host not in ASCII", "WORKOS_REDIRECT_URI", "https://bücher.example.com/callback", "write xn--bcher-kva.example.com"},
		{"one of several is bad", "WORKOS_REDIRECT_URI", "https://auth.example.com/callback,https://shop.test/", segments},
		{"two of a host", "WORKOS_REDIRECT_URI", "https://auth.example.com/callback,https://auth.example.com/sso/callback", "two redirect URIs have the same host"},
		{"two schemes", "WORKOS_REDIRECT_URI", "https://auth.example.com/callback,http://localhost/callback", "different schemes"},
		{"a wildcard first", "WORKOS_REDIRECT_URI", "https://*.example.com/callback", "the first redirect URI must not be a wildcard"},
		{"a wildcard of a public suffix", "WORKOS_REDIRECT_URI", "https://auth.example.com/callback,https://*.co.uk/callback", "its hosts belong to strangers"},
		{"a wildcard in the middle", "WORKOS_REDIRECT_URI", "https://auth.example.com/callback,https://a.*.example.com/callback", "is not an absolute http or https URL"},
		{"nothing but a comma", "WORKOS_REDIRECT_URI", ",", "lists nothing"},
		{"a domain that covers nothing", "WORKOS_COOKIE_DOMAIN", "example.com,shop.test", "shop.test does not cover the redirect URI's host"},
		{"no path", "WORKOS_REDIRECT_URI", "https://auth.example.com", segments},
		{"root", "WORKOS_REDIRECT_URI", "https://auth.example.com/", segments},
		{"slash at the end", "WORKOS_REDIRECT_URI", "https://auth.example.com/_auth/", segments},
		{"double slash", "WORKOS_REDIRECT_URI", "https://auth.example.com//callback", segments},
		{"dot segment", "WORKOS_REDIRECT_URI", "https://auth.example.com/a/../callback", segments},
		{"dots at the end", "WORKOS_REDIRECT_URI", "https://auth.example.com/a/..", segments},
		{"escape", "WORKOS_REDIRECT_URI", "https://auth.example.com/%61uth/callback", segments},
		{"semicolon", "WORKOS_REDIRECT_URI", "https://auth.example.com/a;b/callback", segments},
		{"star", "WORKOS_REDIRECT_URI", "https://auth.example.com/*/callback", segments},
		{"login", "WORKOS_REDIRECT_URI", "https://auth.example.com/_auth/login", endpoint},
		{"sign-up", "WORKOS_REDIRECT_URI", "https://auth.example.com/sign-up", endpoint},
		{"logout", "WORKOS_REDIRECT_URI", "https://auth.example.com/logout", endpoint},
		{"switch", "WORKOS_REDIRECT_URI", "https://auth.example.com/switch", endpoint},
		{"webhooks", "WORKOS_REDIRECT_URI", "https://auth.example.com/webhooks", endpoint},
		{"verify", "WORKOS_REDIRECT_URI", "https://auth.example.com/verify", endpoint},
		{"below verify", "WORKOS_REDIRECT_URI", "https://auth.example.com/verify/sign-in", endpoint},
		{"healthz", "WORKOS_REDIRECT_URI", "https://auth.example.com/healthz", endpoint},
		{"readyz", "WORKOS_REDIRECT_URI", "https://auth.example.com/readyz", endpoint},
		{"http on a LAN", "WORKOS_REDIRECT_URI", "http://192.168.1.5/callback", local},
		{"http in public", "WORKOS_REDIRECT_URI", "http://auth.example.com/callback", local},
		{"http on a name like localhost", "WORKOS_REDIRECT_URI", "http://localhost.example.com/callback", local},
		{"http on a name ending like it", "WORKOS_REDIRECT_URI", "http://notlocalhost/callback", local},

		{"cookie name with a space", "WORKOS_COOKIE_NAME", "my session", "is not a cookie's name: use up to 64 letters"},
		{"cookie name with =", "WORKOS_COOKIE_NAME", "a=b", "is not a cookie's name"},
		{"cookie name without end", "WORKOS_COOKIE_NAME", strings.Repeat("n", 65), "is not a cookie's name"},
		{"max age in words", "WORKOS_COOKIE_MAX_AGE", "400d", `"400d" is not a number of seconds from 1 to 34560000`},
		{"max age of zero", "WORKOS_COOKIE_MAX_AGE", "0", "write such a number"},
		{"max age beyond 400 days", "WORKOS_COOKIE_MAX_AGE", "34560001", "is not a number of seconds"},
		{"strict", "WORKOS_COOKIE_SAMESITE", "Strict", "with strict the return from AuthKit arrives without the cookie, and nobody can sign in: use lax"},
		{"strict in the other spelling", "WORKOS_COOKIE_SAME_SITE", "strict", "use lax"},
		{"unknown SameSite", "WORKOS_COOKIE_SAMESITE", "loose", `"loose" is not known: use one of lax, none`},

		{"domain as URL", "WORKOS_COOKIE_DOMAIN", "https://example.com", "is not a domain: write one such as example.com"},
		{"domain with port", "WORKOS_COOKIE_DOMAIN", "example.com:443", "is not a domain"},
		{"two dots", "WORKOS_COOKIE_DOMAIN", "..example.com", "is not a domain"},
		{"wildcard", "WORKOS_COOKIE_DOMAIN", "*.example.com", "is not a domain"},
		{"only a dot", "WORKOS_COOKIE_DOMAIN", ".", "is not a domain"},
		{"IP address", "WORKOS_COOKIE_DOMAIN", "10.0.0.5", "is an IP address"},
		{"IPv6 address", "WORKOS_COOKIE_DOMAIN", "[::1]", "is an IP address"},
		{"public suffix", "WORKOS_COOKIE_DOMAIN", "co.uk", "co.uk is a public suffix"},
		{"private public suffix", "WORKOS_COOKIE_DOMAIN", ".GitHub.io", "github.io is a public suffix, shared by strangers"},
		{"top level domain", "WORKOS_COOKIE_DOMAIN", "com", "com is a public suffix"},
		{"localhost", "WORKOS_COOKIE_DOMAIN", "localhost", "localhost is a public suffix"},
		{"another domain", "WORKOS_COOKIE_DOMAIN", "example.org", "example.org does not cover the redirect URI's host auth.example.com"},
		{"half a label", "WORKOS_COOKIE_DOMAIN", "ample.com", "does not cover"},
		{"deeper than the host", "WORKOS_COOKIE_DOMAIN", "a.auth.example.com", "does not cover"},

		{"API as URL", "WORKOS_API_HOSTNAME", "https://api.workos.com", "is not a host's name: write one such as api.workos.com"},
		{"API with port", "WORKOS_API_HOSTNAME", "api.workos.com:443", "a port goes into WORKOS_API_PORT"},
		{"API with path", "WORKOS_API_HOSTNAME", "api.workos.com/v1", "is not a host's name"},
		{"not a bool", "WORKOS_API_HTTPS", "yes", `"yes" is neither true nor false: write one of them`},
		{"port zero", "WORKOS_API_PORT", "0", "write a number from 1 to 65535"},
		{"port too large", "WORKOS_API_PORT", "65536", "write a number from 1 to 65535"},
		{"issuer without scheme", "WORKOS_ISSUER", "https://api.workos.com,api.workos.com", "an issuer is not an http or https URL"},
		{"no issuer", "WORKOS_ISSUER", ",", "lists nothing"},

		{"unknown gateway", "GATEWAY", "apache", `"apache" is not known: use one of traefik, caddy, haproxy, nginx, ingress-nginx, envoy, istio, envoy-gateway`},
		{"two gateways", "GATEWAY", "traefik,caddy", "is not known"},
		{"everybody", "TRUSTED_PROXIES", "10.0.0.0/8,0.0.0.0/0", "0.0.0.0/0 would trust far more than your gateway"},
		{"everybody in IPv6", "TRUSTED_PROXIES", "::/0", "list the gateway's own addresses"},
		{"everybody as mapped addresses", "TRUSTED_PROXIES", "::ffff:0.0.0.0/96", "0.0.0.0/0 would trust"},
		{"half of everybody", "TRUSTED_PROXIES", "128.0.0.0/1", "would trust far more"},
		{"wider than 10/8", "TRUSTED_PROXIES", "10.0.0.0/7", "would trust far more"},
		{"a name", "TRUSTED_PROXIES", "traefik", `"traefik" is not an address, a CIDR range, private or unix`},
		{"a star", "TRUSTED_PROXIES", "*", "write for example 10.0.0.5,172.18.0.0/16"},
		{"a zone", "TRUSTED_PROXIES", "fe80::1%eth0", "names of hosts and zones are not read"},
		{"nobody", "TRUSTED_PROXIES", ",", "lists nobody"},
		{"port alone", "LISTEN_ADDR", "9000", `"9000" is not an address to listen on: write :9000`},
		{"port by name", "LISTEN_ADDR", ":http", "write :9000"},
		{"port out of range", "LISTEN_ADDR", ":99999", "write :9000"},
		{"relative socket", "VERIFY_ADDR", "unix:auth.sock", "or unix:/path"},
		{"one address twice", "VERIFY_ADDR", ":9000", "is the same as LISTEN_ADDR"},

		{"return to a foreign host", "DEFAULT_RETURN_URL", "https://evil.example.org/", page},
		{"return to another scheme", "DEFAULT_RETURN_URL", "http://auth.example.com/", page},
		{"return to a relative path", "DEFAULT_RETURN_URL", "start", page},
		{"return to two slashes", "DEFAULT_RETURN_URL", "//evil.example.org", page},
		{"return to a backslash", "DEFAULT_RETURN_URL", `/\evil.example.org`, page},
		{"return to the sign-in", "DEFAULT_RETURN_URL", "/login", page},
		{"sign-out to a path", "LOGOUT_RETURN_URL", "/bye", absolute},
		{"sign-out to a script", "LOGOUT_RETURN_URL", "javascript:alert(1)", absolute},
		{"sign-out with a password", "LOGOUT_RETURN_URL", "https://ada:pw@example.com/", absolute},

		{"unknown identity header", "IDENTITY_HEADERS", "default,groups", `"groups" is not known: list default or remote`},
		{"both sets of names", "IDENTITY_HEADERS", "default,remote", "list one of them"},
		{"not a bool either", "ALLOW_PREFLIGHT", "on", "write one of them"},
		{"unknown level", "LOG_LEVEL", "trace", `"trace" is not known: use one of debug, info, warn, error`},
		{"unknown decision log", "DECISION_LOG", "none", "use one of denied, all"},

		{"no policy", "POLICY_FILE", "testdata/none.yaml", "testdata/none.yaml: no such file or directory: name a policy that this process may read"},
		{"bearer issuer over http", "BEARER_ISSUERS", "http://example.authkit.app", "write one such as https://example.authkit.app"},
		{"bearer issuer with a path", "BEARER_ISSUERS", "https://example.authkit.app/oauth2", "without a path"},
		{"bearer issuer that is none", "BEARER_ISSUERS", "https://a.authkit.app,client_123", "is not the https address of an AuthKit domain"},
		{"audiences of no issuer", "BEARER_AUDIENCES", "https://api.example.com", "is for the tokens of BEARER_ISSUERS, which is not set"},
		{"Redis without a scheme", "REDIS_URL", "user:pw@redis:6379", "is not a Redis URL: write redis://"},
		{"Redis database", "REDIS_URL", "redis://user:pw@redis:6379/sessions", "is not a Redis URL: write redis://"},
		{"unknown format", "WORKOS_COOKIE_FORMAT", "java", "use one of iron, go, ruby, python, php"},
		{"Python's password", "WORKOS_COOKIE_FORMAT", "python", "the password is not of the form that the python format needs: make one with: openssl rand -base64 32"},
		{"PHP's password", "WORKOS_COOKIE_FORMAT", "php", "the password is not of the form that the php format needs"},
		{"time without a unit", "ROTATION_TTL", "720", "write one such as 720h"},
		{"time of minutes", "ROTATION_TTL", "10m", "is not a time from 1h to 9600h"},
		{"monitoring at the front door", "ADMIN_ADDR", ":9000", "is another listener's address"},
		{"placeholder", "WORKOS_WEBHOOK_SECRET", "your-webhook-secret", "is a placeholder: copy the signing secret"},
	}
	for _, tt := range tests {
		t.Run(tt.variable+" "+tt.name, func(t *testing.T) {
			t.Parallel()
			got := lines(t, environ(tt.variable, tt.value))
			if len(got) != 1 || !strings.HasPrefix(got[0], tt.variable+": ") || !strings.Contains(got[0], tt.want) {
				t.Errorf("got %q, want one line %s: …%s", got, tt.variable, tt.want)
			}
			if strings.Contains(got[0], ":pw@") || strings.Contains(got[0], "sk_test") {
				t.Errorf("%q shows a password", got[0])
			}
		})
	}
}

// Problems that take two variables.
func TestParseRefusesTogether(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		pairs []string
		want  string
	}{
		{"__Host- with a domain", []string{"WORKOS_COOKIE_NAME", "__Host-s", "WORKOS_COOKIE_DOMAIN", "example.com"},
			"WORKOS_COOKIE_NAME: a __Host- cookie has no domain: choose a name without that prefix, or remove WORKOS_COOKIE_DOMAIN"},
		{"__Host- over http", []string{"WORKOS_COOKIE_NAME", "__host-s", "WORKOS_REDIRECT_URI", "http://localhost/callback"},
			"WORKOS_COOKIE_NAME: browsers take __Host- and __Secure- cookies over https only: choose a name without"},
		{"__Secure- over http", []string{"WORKOS_COOKIE_NAME", "__Secure-s", "WORKOS_REDIRECT_URI", "http://localhost/callback"},
			"WORKOS_COOKIE_NAME: browsers take"},
		{"domain over an address", []string{"WORKOS_COOKIE_DOMAIN", "0.5", "WORKOS_REDIRECT_URI", "https://10.0.0.5/callback"},
			"WORKOS_COOKIE_DOMAIN: is an IP address"},
		{"unsealed cookies of bound sites", []string{"INSECURE_UNSEALED_COOKIES", "true", "BIND_SESSIONS_TO_SITE", "true"},
			"INSECURE_UNSEALED_COOKIES: can't be with BIND_SESSIONS_TO_SITE"},
		{"unsealed cookies of another format", []string{"INSECURE_UNSEALED_COOKIES", "true", "WORKOS_COOKIE_FORMAT", "go"},
			"INSECURE_UNSEALED_COOKIES: is for WORKOS_COOKIE_FORMAT=iron"},
		{"two SameSites", []string{"WORKOS_COOKIE_SAMESITE", "lax", "WORKOS_COOKIE_SAME_SITE", "none"},
			"WORKOS_COOKIE_SAMESITE: differs from WORKOS_COOKIE_SAME_SITE, which means the same: remove one of them"},
		{"the app's redirect URI", []string{"WORKOS_REDIRECT_URI", "", "NEXT_PUBLIC_WORKOS_REDIRECT_URI", "http://10.0.0.5/callback"},
			"NEXT_PUBLIC_WORKOS_REDIRECT_URI: http is for localhost"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := lines(t, environ(tt.pairs...))
			if len(got) != 1 || !strings.HasPrefix(got[0], tt.want) {
				t.Errorf("got %q, want one line %q", got, tt.want)
			}
		})
	}
}

// A cookie domain would make one site of what is to be many.
func TestCookieDomainOverAWildcard(t *testing.T) {
	t.Parallel()
	for domain, good := range map[string]bool{"example.com": false, "customers.example.com": false, "auth.example.com": true} {
		_, err := Parse(environ("WORKOS_REDIRECT_URI", "https://auth.example.com/callback,https://*.customers.example.com/_auth/callback",
			"WORKOS_COOKIE_DOMAIN", domain))
		if got := err == nil; got != good || err != nil && !strings.Contains(err.Error(), "covers *.customers.example.com") {
			t.Errorf("%s: got %v", domain, err)
		}
	}
}
