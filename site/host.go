package site

import (
	"errors"
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

// ErrHost is the error for a host that is not one.
var ErrHost = errors.New("site: malformed host")

// Host is a host in canonical form: lower case, in ASCII (IDNA), without a
// trailing dot, an IPv6 address in brackets. Port is empty where it is the
// scheme's default, or 80.
type Host struct {
	Name string
	Port string
}

// String returns name:port, or the name alone.
func (h Host) String() string {
	if h.Port == "" {
		return h.Name
	}
	return h.Name + ":" + h.Port
}

// ParseHost makes a canonical host of a Host header's value or a URL's authority.
// The scheme (http or https) says which port is the default. User information,
// lists and anything else that isn't a host with at most a port: ErrHost.
func ParseHost(raw, scheme string) (Host, error) {
	name, port, err := splitPort(raw)
	if err != nil {
		return Host{}, err
	}
	if port == "443" && scheme == "https" || port == "80" && scheme != "" {
		port = "" // gateways behind a TLS terminator tell an https site's port as 80
	}
	name, err = canonicalName(name)
	if err != nil {
		return Host{}, err
	}
	return Host{Name: name, Port: port}, nil
}

// splitPort cuts host[:port]; a colon without a port is malformed.
func splitPort(raw string) (name, port string, err error) {
	end := strings.LastIndexByte(raw, ']') + 1 // brackets hold an IPv6 address
	colon := strings.IndexByte(raw[end:], ':')
	if colon < 0 {
		return raw, "", nil
	}
	name, port = raw[:end+colon], raw[end+colon+1:]
	if !validPort(port) {
		return "", "", ErrHost
	}
	return name, port, nil
}

func validPort(port string) bool {
	if len(port) == 0 || len(port) > 5 || port[0] == '0' {
		return false
	}
	n := 0
	for i := range len(port) {
		if port[i] < '0' || port[i] > '9' {
			return false
		}
		n = n*10 + int(port[i]-'0')
	}
	return n <= 65535
}

func canonicalName(name string) (string, error) {
	if strings.HasPrefix(name, "[") {
		addr, err := netip.ParseAddr(strings.TrimSuffix(name[1:], "]"))
		if err != nil || !strings.HasSuffix(name, "]") || addr.Zone() != "" || !addr.Is6() {
			return "", ErrHost
		}
		return "[" + addr.String() + "]", nil
	}
	name = strings.TrimSuffix(name, ".")
	if !ascii(name) || strings.Contains(strings.ToLower(name), "xn--") {
		converted, err := idna.Lookup.ToASCII(name)
		if err != nil {
			return "", ErrHost
		}
		// Bytes that are no UTF-8 become a name that is none itself.
		if again, err := idna.Lookup.ToASCII(converted); err != nil || again != converted {
			return "", ErrHost
		}
		name = strings.TrimSuffix(converted, ".")
	}
	name = strings.ToLower(name)
	if !validName(name) {
		return "", ErrHost
	}
	return name, nil
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// validName allows what DNS names and IPv4 addresses are made of, and the
// underscore that internal names sometimes have. No label may be empty.
func validName(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	previous := byte('.')
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		case c == '.' && previous != '.':
		default:
			return false
		}
		previous = c
	}
	return previous != '.'
}

// IsLocal reports whether a host is this machine by its name or address: there browsers take cookies without TLS.
func IsLocal(name string) bool {
	address, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || err == nil && address.IsLoopback()
}
