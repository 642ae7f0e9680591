package verify

import (
	"net/http"
	"slices"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

// IdentityHeaders is the one list of identity headers, in canonical form.
// Every one is set on every 200, empty where there is nothing to say, so that a
// gateway that copies them always overwrites what a client sent.
type IdentityHeaders []identityHeader

type identityHeader struct {
	name  string
	value func(*identity.Identity) string // nil: the assertion, which depends on the host too
}

// DefaultHeaders returns X-Auth-Request-User and its siblings. The access token's and the
// assertion's header are there too, and empty unless the session manager keeps the token and
// Config.Assertion makes assertions.
func DefaultHeaders() IdentityHeaders {
	return IdentityHeaders{
		{"X-Auth-Request-User", subject},
		{"X-Auth-Request-Email", email},
		{"X-Auth-Request-Name", name},
		{"X-Auth-Request-Groups", roles},
		{"X-Auth-Request-Organization", func(i *identity.Identity) string { return encode(i.OrganizationID) }},
		{"X-Auth-Request-Role", func(i *identity.Identity) string { return encode(i.Role) }},
		{"X-Auth-Request-Permissions", func(i *identity.Identity) string { return list(i.Permissions) }},
		{"X-Auth-Request-Entitlements", func(i *identity.Identity) string { return list(i.Entitlements) }},
		{"X-Auth-Request-Session", func(i *identity.Identity) string { return encode(i.SessionID) }},
		{"X-Auth-Request-Impersonator", func(i *identity.Identity) string { return encode(i.Impersonator) }},
		{"X-Auth-Request-Scopes", func(i *identity.Identity) string { return list(i.Extra.Granted()) }},
		{"X-Auth-Request-Client", func(i *identity.Identity) string { return encode(i.Extra.ClientID()) }},
		{"X-Auth-Request-Actor", func(i *identity.Identity) string { return encode(i.Extra.DelegatedTo()) }},
		{accessTokenHeader, accessToken},
		{assertionHeader, nil},
	}
}

// RemoteHeaders returns Remote-User (the email address) and its siblings.
func RemoteHeaders() IdentityHeaders {
	return IdentityHeaders{
		{remoteUser, email},
		{"Remote-Email", email},
		{"Remote-Name", name},
		{"Remote-Groups", roles},
		{accessTokenHeader, accessToken},
		{assertionHeader, nil},
	}
}

// WithClaim adds a header with the values of a claim that a JWT template puts into the access token. The name must be in
// canonical form.
func (hs IdentityHeaders) WithClaim(name, claim string) IdentityHeaders {
	return append(slices.Clone(hs), identityHeader{name, func(i *identity.Identity) string { return list(i.Extra.Values(claim)) }})
}

const (
	accessTokenHeader = "X-Auth-Request-Access-Token"
	assertionHeader   = "X-Auth-Request-Assertion"
	remoteUser        = "Remote-User"
)

// Names lists the headers' names.
func (hs IdentityHeaders) Names() []string {
	names := make([]string, len(hs))
	for i, h := range hs {
		names[i] = h.name
	}
	return names
}

// emailIsLogin reports whether the app takes the email address for the user.
func (hs IdentityHeaders) emailIsLogin() bool {
	return slices.ContainsFunc(hs, func(h identityHeader) bool { return h.name == remoteUser })
}

// set writes all of them; of nobody where id is nil.
func (hs IdentityHeaders) set(h http.Header, id *identity.Identity, assertion string) {
	values := make([]string, len(hs))
	for i, header := range hs {
		switch {
		case id == nil:
		case header.value == nil:
			values[i] = assertion
		default:
			values[i] = header.value(id)
		}
		h[header.name] = values[i : i+1 : i+1]
	}
}

func subject(i *identity.Identity) string     { return encode(i.Subject) }
func name(i *identity.Identity) string        { return encode(i.Name) }
func roles(i *identity.Identity) string       { return list(i.Roles) }
func accessToken(i *identity.Identity) string { return encode(i.AccessToken) }

// email is empty unless AuthKit says that it is verified: anybody can write any address.
func email(i *identity.Identity) string {
	if !i.EmailVerified {
		return ""
	}
	return encode(i.Email)
}

// list joins with commas; a comma inside a member is percent-encoded.
func list(members []string) string {
	switch len(members) {
	case 0:
		return ""
	case 1:
		return escape(members[0], true)
	}
	encoded := make([]string, len(members))
	for i, member := range members {
		encoded[i] = escape(member, true)
	}
	return strings.Join(encoded, ",")
}

// encode percent-encodes % and every byte outside 0x20-0x7E.
func encode(s string) string { return escape(s, false) }

func plain(c byte, inList bool) bool {
	return c >= 0x20 && c <= 0x7e && c != '%' && !(inList && c == ',')
}

func escape(s string, inList bool) string {
	n := 0
	for i := range len(s) {
		if !plain(s[i], inList) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, len(s)+2*n)
	for i := range len(s) {
		if c := s[i]; plain(c, inList) {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(b)
}

// assertion is for the host that was asked for. At first contact it may be a client that says which: then there is none.
func (h *Handler) assertion(c *checkRequest, d *decision) string {
	if h.Assertion == nil || d.identity == nil || c.firstContact {
		return ""
	}
	return h.Assertion(d.identity, c.site, c.original.host)
}
