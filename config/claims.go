package config

import (
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

// ClaimHeader is a claim of a JWT template, and the identity header that its values get.
type ClaimHeader struct{ Claim, Header string }

// ClaimHeaders are those of IDENTITY_CLAIMS.
type ClaimHeaders []ClaimHeader

// String returns the list as IDENTITY_CLAIMS takes it.
func (h ClaimHeaders) String() string {
	var items []string
	for _, c := range h {
		items = append(items, c.Claim+":"+c.Header)
	}
	return strings.Join(items, ",")
}

const maxClaimHeaders = 20

var claimHeaderName = regexp.MustCompile(`^X-[A-Z0-9][A-Za-z0-9-]*$`)

// ParseClaimHeaders reads IDENTITY_CLAIMS. The error says what to write instead.
func ParseClaimHeaders(v string) (ClaimHeaders, error) {
	var all ClaimHeaders
	for _, item := range items(v) {
		i := strings.LastIndexByte(item, ':')
		if i < 0 {
			return nil, fmt.Errorf("%q is not a claim, a colon and a header: write one such as department:X-Auth-Request-Department", item)
		}
		claim, header := strings.TrimSpace(item[:i]), textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(item[i+1:]))
		switch {
		case !identity.IsExtra(claim):
			return nil, fmt.Errorf("%q is no claim of a JWT template: what AuthKit itself says has headers of its own", claim)
		case !claimHeaderName.MatchString(header):
			return nil, fmt.Errorf("%q is not the name of a header that begins with X-", header)
		case isReserved(header):
			return nil, fmt.Errorf("%s has a meaning already: choose another name, such as X-Auth-Request-Department", header)
		case slices.ContainsFunc(all, func(c ClaimHeader) bool { return c.Header == header }):
			return nil, fmt.Errorf("%s is there twice", header)
		}
		all = append(all, ClaimHeader{claim, header})
	}
	if len(all) == 0 || len(all) > maxClaimHeaders {
		return nil, errors.New("lists none, or more than 20: list something, or remove it")
	}
	return all, nil
}

// isReserved reports whether a header is one of the service's own, or says something of the request to gateways or apps.
func isReserved(header string) bool {
	if own, ok := strings.CutPrefix(header, "X-Auth-Request-"); ok {
		return slices.Contains([]string{
			"User", "Email", "Name", "Groups", "Organization", "Role", "Permissions", "Entitlements", "Session", "Impersonator",
			"Access-Token", "Scopes", "Client", "Actor", "Assertion", "Id",
		}, own)
	}
	for _, prefix := range []string{"X-Forwarded-", "X-Original-", "X-Envoy-", "X-Auth-", "X-Content-", "X-Frame-", "X-Accel-", "X-Http-Method", "X-Amz-", "X-Goog-"} {
		if strings.HasPrefix(header, prefix) {
			return true
		}
	}
	return slices.Contains([]string{
		"X-Request-Id", "X-Correlation-Id", "X-Real-Ip", "X-Api-Key", "X-Requested-With", "X-Rewrite-Url", "X-Csrf-Token", "X-Xsrf-Token",
		"X-Client-Ip", "X-Cluster-Client-Ip", "X-Host",
	}, header)
}

func parseClaimHeaders(v string) (any, error) { return ParseClaimHeaders(v) }
