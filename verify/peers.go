package verify

import (
	"net/http"
	"net/netip"
	"strings"
)

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
// of X-Forwarded-For that isn't one of the peers. What stands left of it a client can
// write. Without one it is the peer's own; zero for a unix socket's.
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
