package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// maxCookieAge is the 400 days beyond which no browser keeps a cookie (RFC 6265bis, 5.5).
const maxCookieAge = 34_560_000

// Peers are the addresses that may ask. A peer's address is to be unmapped and
// without zone before it is compared.
type Peers struct {
	Prefixes []netip.Prefix // masked, no IPv4-mapped ones
	Unix     bool           // whoever reaches a unix socket
}

// String returns the list as TRUSTED_PROXIES takes it.
func (p Peers) String() string {
	var items []string
	for _, prefix := range p.Prefixes {
		items = append(items, prefix.String())
	}
	if p.Unix {
		items = append(items, "unix")
	}
	return strings.Join(items, ",")
}

// Address is what net.Listen takes. The zero value means not set.
type Address struct {
	Network string // tcp or unix
	Addr    string // host:port, or an absolute path
}

// String returns the address as LISTEN_ADDR takes it.
func (a Address) String() string {
	if a.Network == "unix" {
		return "unix:" + a.Addr
	}
	return a.Addr
}

// TTL is how long something is remembered.
type TTL time.Duration

// String returns the time as ROTATION_TTL takes it.
func (t TTL) String() string {
	return strings.TrimSuffix(strings.TrimSuffix(time.Duration(t).String(), "0s"), "0m")
}

// Delay is a time to wait.
type Delay time.Duration

// String returns the time as SHUTDOWN_DELAY takes it.
func (d Delay) String() string { return time.Duration(d).String() }

// FileMode is a socket's mode. The zero value means not set.
type FileMode fs.FileMode

// String returns the mode as SOCKET_MODE takes it.
func (m FileMode) String() string {
	if m == 0 {
		return ""
	}
	return fmt.Sprintf("0%o", uint32(m))
}

// IdentityHeaders says under which names an allowed request tells who asks.
type IdentityHeaders struct {
	Remote      bool // Remote-…, in place of X-Auth-Request-…
	AccessToken bool // the access token too
	Assertion   bool // a signed assertion too
}

// String returns the list as IDENTITY_HEADERS takes it.
func (h IdentityHeaders) String() string {
	list := "default"
	if h.Remote {
		list = "remote"
	}
	if h.AccessToken {
		list += ",access-token"
	}
	if h.Assertion {
		list += ",assertion"
	}
	return list
}

// parsers make values of text. Their errors say what to write instead.
func parsers() map[reflect.Type]env.ParserFunc {
	return map[reflect.Type]env.ParserFunc{
		reflect.TypeFor[Secret]():          func(v string) (any, error) { return NewSecret(v), nil },
		reflect.TypeFor[[]string]():        parseList,
		reflect.TypeFor[url.URL]():         parseURL,
		reflect.TypeFor[URLs]():            parseURLs,
		reflect.TypeFor[time.Duration]():   parseAge,
		reflect.TypeFor[TTL]():             parseTTL,
		reflect.TypeFor[Delay]():           parseDelay,
		reflect.TypeFor[FileMode]():        parseFileMode,
		reflect.TypeFor[http.SameSite]():   parseSameSite,
		reflect.TypeFor[bool]():            parseBool,
		reflect.TypeFor[uint16]():          parsePort,
		reflect.TypeFor[Peers]():           parsePeers,
		reflect.TypeFor[Address]():         parseAddress,
		reflect.TypeFor[IdentityHeaders](): parseIdentityHeaders,
		reflect.TypeFor[ClaimHeaders]():    parseClaimHeaders,
	}
}

// items splits a comma-separated list.
func items(list string) []string {
	var all []string
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			all = append(all, item)
		}
	}
	return all
}

func parseList(v string) (any, error) {
	all := items(v)
	if len(all) == 0 {
		return nil, errors.New("lists nothing: list something, or remove it")
	}
	return all, nil
}

func parseAge(v string) (any, error) {
	seconds, err := strconv.Atoi(v)
	if err != nil || seconds < 1 || seconds > maxCookieAge {
		return nil, fmt.Errorf("%q is not a number of seconds from 1 to %d (400 days, the most that browsers keep a cookie): write such a number", v, maxCookieAge)
	}
	return time.Duration(seconds) * time.Second, nil
}

func parseTTL(v string) (any, error) {
	d, err := time.ParseDuration(v)
	if err != nil || d < time.Hour || d > maxCookieAge*time.Second {
		return nil, fmt.Errorf("%q is not a time from 1h to %dh: write one such as 720h", v, maxCookieAge/3600)
	}
	return TTL(d), nil
}

func parseDelay(v string) (any, error) {
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 || d > 5*time.Minute {
		return nil, fmt.Errorf("%q is not a time from 0s to 5m: write one such as 10s", v)
	}
	return Delay(d), nil
}

func parseFileMode(v string) (any, error) {
	mode, err := strconv.ParseUint(v, 8, 32)
	if err != nil || mode == 0 || mode > 0o777 {
		return nil, fmt.Errorf("%q is not a file's mode in octal: write one such as 0660", v)
	}
	return FileMode(mode), nil
}

func parseSameSite(v string) (any, error) {
	if v == "none" {
		return http.SameSiteNoneMode, nil
	}
	return http.SameSiteLaxMode, nil // the only other choice
}

func parseBool(v string) (any, error) {
	b, err := strconv.ParseBool(strings.ToLower(v))
	if err != nil {
		return nil, fmt.Errorf("%q is neither true nor false: write one of them", v)
	}
	return b, nil
}

func parsePort(v string) (any, error) {
	port, err := strconv.ParseUint(v, 10, 16)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("%q is not a port: write a number from 1 to 65535", v)
	}
	return uint16(port), nil
}

func parseAddress(v string) (any, error) {
	if path, ok := strings.CutPrefix(v, "unix:"); ok && strings.HasPrefix(path, "/") {
		return Address{"unix", path}, nil
	}
	_, port, err := net.SplitHostPort(v)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return nil, fmt.Errorf("%q is not an address to listen on: write :9000, 127.0.0.1:9000 or unix:/path", v)
	}
	return Address{"tcp", v}, nil
}

func parseIdentityHeaders(v string) (any, error) {
	var h IdentityHeaders
	var plain bool
	for _, item := range items(v) {
		switch strings.ToLower(item) {
		case "default":
			plain = true
		case "remote":
			h.Remote = true
		case "access-token":
			h.AccessToken = true
		case "assertion":
			h.Assertion = true
		default:
			return nil, fmt.Errorf("%q is not known: list default or remote, and access-token and assertion where they are wanted", item)
		}
	}
	if plain && h.Remote {
		return nil, errors.New("default and remote are two names for the same headers: list one of them")
	}
	return h, nil
}

func parsePeers(v string) (any, error) {
	var peers Peers
	for _, item := range items(v) {
		switch strings.ToLower(item) {
		case "private":
			peers.Prefixes = append(peers.Prefixes, privatePrefixes()...)
			peers.Unix = true
		case "unix":
			peers.Unix = true
		default:
			prefix, err := parsePrefix(item)
			if err != nil {
				return nil, err
			}
			peers.Prefixes = append(peers.Prefixes, prefix)
		}
	}
	if len(peers.Prefixes) == 0 && !peers.Unix {
		return nil, errors.New("lists nobody: list the gateway's addresses, or remove it")
	}
	return peers, nil
}

// privatePrefixes are loopback, RFC 1918, unique local and link-local addresses.
func privatePrefixes() []netip.Prefix {
	var all []netip.Prefix
	for _, s := range []string{
		"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
		"fc00::/7", "169.254.0.0/16", "fe80::/10",
	} {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

// parsePrefix reads an address or a CIDR range. Ranges wider than 10.0.0.0/8 and
// fc00::/7 are refused: there is no way to trust everybody (CVE-2026-40575).
func parsePrefix(item string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(item)
	if !strings.Contains(item, "/") {
		var addr netip.Addr
		addr, err = netip.ParseAddr(item)
		prefix = netip.PrefixFrom(addr, addr.BitLen())
		if addr.Zone() != "" {
			err = errors.New("zone")
		}
	}
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not an address, a CIDR range, private or unix: write for example 10.0.0.5,172.18.0.0/16 (names of hosts and zones are not read)", item)
	}
	if prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	if prefix.Bits() < 7 || prefix.Bits() == 7 && prefix.Addr().Is4() {
		return netip.Prefix{}, fmt.Errorf("%s would trust far more than your gateway, and whoever is trusted writes the headers that say what is asked: list the gateway's own addresses", prefix)
	}
	return prefix.Masked(), nil
}
