package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/jsonobject"
)

const (
	discoveryPath     = "/.well-known/openid-configuration"
	maxDiscoveryBytes = 64 << 10
)

// discover returns where an issuer says that its keys are (OpenID Connect Discovery 1.0, 4). It has to call itself as it was
// asked for, byte by byte, and its keys have to come over https; an issuer on loopback may do without.
func (k *KeySet) discover(ctx context.Context) (string, error) {
	body, err := k.get(ctx, strings.TrimSuffix(k.Issuer, "/")+discoveryPath, maxDiscoveryBytes)
	if err != nil {
		return "", err
	}
	return keysOf(body, k.Issuer)
}

// keysOf reads the metadata of an issuer.
func keysOf(metadata []byte, issuer string) (string, error) {
	members, err := jsonobject.Members(metadata)
	if err != nil {
		return "", errors.New("not a JSON object with different names")
	}
	var named, keys string
	if json.Unmarshal(members["issuer"], &named) != nil || named != issuer {
		return "", fmt.Errorf("it calls itself %.200q, not %q: write its issuer exactly so", named, issuer)
	}
	if json.Unmarshal(members["jwks_uri"], &keys) != nil {
		return "", errors.New("it has no jwks_uri")
	}
	u, err := url.Parse(keys)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return "", fmt.Errorf("jwks_uri %.200q is no URL to use", keys)
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u) && strings.HasPrefix(issuer, "http://"):
		return keys, nil
	}
	return "", fmt.Errorf("jwks_uri %.200q is not https", keys)
}

func isLoopback(u *url.URL) bool {
	address, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && address.IsLoopback()
}
