package config

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// String returns the effective configuration, a line NAME=value for every
// variable, without secrets.
func (c *Config) String() string {
	var b strings.Builder
	fields := reflect.ValueOf(c).Elem()
	for i, v := range variables() {
		fmt.Fprintf(&b, "%s=%s\n", v.name, text(fields.Field(i).Interface()))
	}
	return b.String()
}

// text returns a value as its variable takes it, a secret redacted.
func text(value any) string {
	switch v := value.(type) {
	case Secret:
		if v.Reveal() == "" {
			return ""
		}
	case *url.URL:
		if v == nil {
			return ""
		}
	case uint16:
		if v == 0 {
			return ""
		}
	case time.Duration:
		return strconv.Itoa(int(v.Seconds()))
	case http.SameSite:
		if v == http.SameSiteNoneMode {
			return "none"
		}
		return "lax"
	case []string:
		return strings.Join(v, ",")
	}
	return fmt.Sprint(value)
}

// Summary returns what an operator should read at every start, in sentences:
// what is protected, who is trusted, and what the settings leave open.
func (c *Config) Summary(s *site.Site) []string {
	lines := []string{
		"protected hosts: " + s.Protected(),
		"sign-in: " + s.Endpoint(site.Login) + ", redirect URI " + c.RedirectURI.String(),
		"trusted peers: " + c.TrustedProxies.String() + " (TRUSTED_PROXIES)",
	}
	if c.PolicyFile == "" {
		lines = append(lines, "no policy (POLICY_FILE): everybody who can sign in to this AuthKit environment may enter")
	} else {
		lines = append(lines, "policy: "+c.PolicyFile+"; a host that no rule names is denied")
	}
	if c.Gateway == "" {
		lines = append(lines, "GATEWAY is not set: /verify answers by the session alone; set it to the gateway in use")
	}
	if api := c.APIURL(); api.Scheme == "http" && !isLocal(c.APIHostname) {
		lines = append(lines, "the API key goes to "+api.String()+" unencrypted: WORKOS_API_HTTPS=false is for emulators")
	}
	return lines
}
