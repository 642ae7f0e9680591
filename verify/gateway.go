package verify

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// profile is the way in which one endpoint is asked and answers.
type profile int

const (
	sessionOnly profile = iota // /verify without GATEWAY and without headers
	forwardAuth
	authRequest
	signIn
	extAuthz
)

// reachesBrowser reports whether a denial gets to the browser as it is.
func (p profile) reachesBrowser() bool { return p != authRequest && p != sessionOnly }

// passing is how many Set-Cookie lines of a 200 a gateway passes on to the browser.
type passing int

const (
	oneCookie passing = iota
	everyCookie
	noCookie
)

// passes is what gateways of the profile pass where nothing else is known of them.
func (p profile) passes() passing {
	if p == forwardAuth || p == extAuthz {
		return everyCookie
	}
	return oneCookie
}

// Gateway is the one that asks at bare /verify. Of the zero Gateway nothing is known: only a session allows anything.
type Gateway struct {
	profile profile
	passing passing
}

// gateways are the values of GATEWAY.
var gateways = map[string]Gateway{
	"traefik":       {forwardAuth, everyCookie}, // it drops by itself what addAuthCookiesToResponse doesn't name
	"caddy":         {forwardAuth, everyCookie},
	"haproxy":       {forwardAuth, everyCookie},
	"nginx":         {authRequest, oneCookie}, // auth_request_set reads the first line
	"ingress-nginx": {authRequest, oneCookie},
	"envoy":         {extAuthz, everyCookie},
	"istio":         {extAuthz, everyCookie},
	"envoy-gateway": {extAuthz, noCookie}, // its HTTP extAuth has no allowed_client_headers_on_success
}

// GatewayNamed returns the gateway that a value of GATEWAY names; the empty one is the zero Gateway.
func GatewayNamed(name string) Gateway { return gateways[name] }

// passing is how many cookies of a 200 get to the browser. A gRPC answer is passed on whole.
func (h *Handler) passing(c *checkRequest) passing {
	if c.profile == h.Gateway.profile && !c.grpc {
		return h.Gateway.passing
	}
	return c.profile.passes()
}

// badRequestStatus is 403 where nginx would turn a 400 into a 500. It is never
// 401: a gateway that is set up wrongly must not become a sign-in loop.
func (p profile) badRequestStatus() int {
	if p == authRequest {
		return http.StatusForbidden
	}
	return http.StatusBadRequest
}

// Peers are the gateways that are answered.
type Peers struct {
	Prefixes []netip.Prefix
	Unix     bool // peers on a unix socket
}

// trusts reports whether http.Request.RemoteAddr is one of the peers.
func (p Peers) trusts(remoteAddr string) bool {
	address, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return p.Unix && (remoteAddr == "" || remoteAddr == "@" || remoteAddr[0] == '/')
	}
	return p.contains(address.Addr().Unmap().WithZone(""))
}

func (p Peers) contains(ip netip.Addr) bool {
	for _, prefix := range p.Prefixes {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// client is the address that a request comes from, for limits alone: the right-most
// of X-Forwarded-For that isn't one of the peers. A client can write everything to the
// left of it. Without one it is the peer's own; zero for a unix socket's.
func (p Peers) client(remoteAddr string, h http.Header) netip.Addr {
	var last netip.Addr
	if peer, err := netip.ParseAddrPort(remoteAddr); err == nil {
		last = peer.Addr().Unmap().WithZone("")
	}
	entries := strings.Split(strings.Join(h["X-Forwarded-For"], ","), ",")
	for i := len(entries) - 1; i >= 0; i-- {
		address, ok := parseAddress(strings.TrimSpace(entries[i]))
		if !ok {
			return last
		}
		last = address.Unmap().WithZone("")
		if !p.contains(last) {
			return last
		}
	}
	return last
}

// parseAddress reads an address, which some proxies write with its port.
func parseAddress(entry string) (netip.Addr, bool) {
	if withPort, err := netip.ParseAddrPort(entry); err == nil {
		return withPort.Addr(), true
	}
	address, err := netip.ParseAddr(strings.Trim(entry, "[]"))
	return address, err == nil
}

// isVerifyEndpoint reports whether a path on the flow's host is a verify endpoint: then
// the gateway asks about its own subrequest. Bare /verify may be the app's own, unless
// the flow has the host to itself.
func isVerifyEndpoint(s *site.Site, path string) bool {
	rest, ok := strings.CutPrefix(path, "/verify")
	switch {
	case !ok:
		return false
	case rest == "":
		return s.Prefix() == "/"
	}
	return rest == "/forward-auth" || rest == "/auth-request" || rest == "/sign-in" || strings.HasPrefix(rest, "/ext-authz/")
}

// untrusted denies a peer whose address only the log may name.
func untrusted(remoteAddr string) *decision {
	detail := "peer " + remoteAddr + " is not in TRUSTED_PROXIES: add unix if that is your gateway"
	if address, err := netip.ParseAddrPort(remoteAddr); err == nil {
		detail = "peer " + remoteAddr + " is not in TRUSTED_PROXIES: add " + address.Addr().Unmap().String() + " if that is your gateway"
	}
	return deny(http.StatusForbidden, ReasonUntrustedProxy, detail)
}

// badRequest denies what can't be read.
func badRequest(p profile, err error) *decision {
	d := deny(p.badRequestStatus(), ReasonBadRequest, err.Error())
	d.text = "The gateway's request can't be answered: " + d.detail
	var malformed *headerError
	if errors.As(err, &malformed) && malformed.byClient {
		d.byClient, d.text = true, "This request can't be read: "+d.detail
	}
	return d
}

// undecided denies a path that an app may read in another way than the policy, and a call of an MCP server that isn't said.
func undecided(p profile, err error) *decision {
	d := deny(p.badRequestStatus(), ReasonBadRequest, err.Error())
	if refused, ok := errors.AsType[*policy.MCPError](err); ok {
		d.byClient, d.text = true, "The rule here is about calls of an MCP server: "+refused.What+"."
		if refused.Version {
			d.reason = ReasonMCPVersion
		}
		return d
	}
	d.byClient, d.text = true, "This address can't be used: its path can be read in two ways."
	return d
}

// setGateway denies at /verify what only a named gateway may be told.
func setGateway(limit string) *decision {
	d := deny(http.StatusForbidden, ReasonMisconfigured, "set GATEWAY: until then "+limit)
	d.text = d.detail
	return d
}

// wrongHost says which host isn't protected, and which cookie domain would cover it.
func (h *Handler) wrongHost(name string) string {
	if h.Sites.Reaches(name) {
		return "host " + name + " is not protected: no rule of the policy names it"
	}
	detail := "host " + name + " is not protected; protected: " + h.Sites.Protected()
	flow, err := publicsuffix.EffectiveTLDPlusOne(h.Sites.First().FlowHost().Name)
	if err != nil {
		return detail
	}
	if asked, err := publicsuffix.EffectiveTLDPlusOne(name); err == nil && asked == flow {
		return detail + "; WORKOS_COOKIE_DOMAIN=" + flow + " would cover it"
	}
	return detail
}
