package cookie

import (
	"net"
	"net/http"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// SetLines returns the Set-Cookie lines that give a browser a sealed session:
// the session's own first, then those that expire chunks which the request
// carried and the session no longer needs. ErrTooLarge where it doesn't fit.
func (c Config) SetLines(sealed string, request http.Header) ([]string, error) {
	values, err := c.split(sealed)
	if err != nil {
		return nil, err
	}
	var lines []string
	for i, value := range values {
		lines = append(lines, c.line(c.chunkName(i), value, c.Domain, c.MaxAge))
	}
	for _, i := range c.carried(request) {
		if i >= len(values) {
			lines = append(lines, c.line(c.chunkName(i), "", c.Domain, -1))
		}
	}
	return lines, nil
}

// ClearLines returns the Set-Cookie lines that take the session away: the
// session's own first, then the chunks that the request carried.
func (c Config) ClearLines(request http.Header) []string {
	lines := []string{c.line(c.Name, "", c.Domain, -1)}
	for _, i := range c.carried(request) {
		if i > 0 {
			lines = append(lines, c.line(c.chunkName(i), "", c.Domain, -1))
		}
	}
	return lines
}

// ExpireLines returns the lines that expire the session's cookies in every scope that an
// answer of host can reach and that isn't Config's own: the host alone, and the host and
// each parent domain down to the registrable one. Send them after the session's own
// lines. Cookies with another path than / stay.
func (c Config) ExpireLines(request http.Header, host string) []string {
	if strings.HasPrefix(c.Name, "__Host-") { // there is but one scope
		return nil
	}
	indexes := c.carried(request)
	var lines []string
	for _, domain := range scopes(host) {
		if domain == c.Domain {
			continue
		}
		for _, i := range indexes {
			lines = append(lines, c.line(c.chunkName(i), "", domain, -1))
		}
	}
	return lines
}

// scopes are the domains that a cookie of a host can have; "" is the host alone.
func scopes(host string) []string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(host)
	all := []string{""}
	registrable, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil || net.ParseIP(host) != nil { // localhost, an address, a public suffix
		return all
	}
	for domain := host; ; {
		all = append(all, domain)
		if domain == registrable {
			return all
		}
		_, domain, _ = strings.Cut(domain, ".")
	}
}

func (c Config) escape(value string) string {
	if !c.EscapePlus {
		return value
	}
	return strings.ReplaceAll(value, "+", "%2B")
}

func (c Config) line(name, value, domain string, maxAge int) string {
	cookie := http.Cookie{
		Name: name, Value: c.escape(value), Path: "/", Domain: domain, MaxAge: maxAge,
		HttpOnly: true, Secure: c.Secure, SameSite: c.SameSite,
	}
	return cookie.String()
}
