package policy

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// canonicalEmail returns an address in lower case with its domain in ASCII, and the
// domain alone. Only a plain address counts: two @ (CVE-2026-40574), a space, a control
// character and what RFC 5322 allows in quotes alone give two empty strings.
func canonicalEmail(address string) (email, domain string) {
	local, domain, _ := strings.Cut(address, "@")
	domain = canonicalDomain(domain)
	if local == "" || domain == "" || !utf8.ValidString(local) ||
		strings.ContainsAny(local, `"(),:;<>[\]`) || strings.ContainsFunc(local, notVisible) {
		return "", ""
	}
	return lowerASCII(local) + "@" + domain, domain
}

// canonicalDomain returns an e-mail domain in lower case and in ASCII, "" for what is
// none.
func canonicalDomain(domain string) string {
	host, err := site.ParseHost(domain, "")
	if err != nil || host.Port != "" || host.Name[0] == '[' || strings.HasSuffix(domain, ".") {
		return ""
	}
	return host.Name
}

// lowerASCII leaves every other letter alone: the Kelvin sign is no k.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func notVisible(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }
