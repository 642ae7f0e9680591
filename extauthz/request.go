package extauthz

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/authkit-forward-auth/authkit-forward-auth/verify"
)

// Where the parts of a CheckRequest stand: attributes is its field 1.
var (
	sourceAddress     = []number{1, 1, 1, 1, 2} // source, address, socket_address, address
	requestMethod     = []number{1, 4, 2, 2}    // request, http
	requestHeaders    = []number{1, 4, 2, 3}    // a map
	requestPath       = []number{1, 4, 2, 4}    // with the query
	requestHost       = []number{1, 4, 2, 5}
	requestHeaderMap  = []number{1, 4, 2, 13, 1} // instead of the map, with encode_raw_headers
	contextExtensions = []number{1, 10}          // a map
)

// requireExtension is the name of a route's requirements among its context extensions.
const requireExtension = "authkit.require"

// parseCheck makes the request that Envoy's HTTP ext_authz would send of a CheckRequest.
func parseCheck(ctx context.Context, message []byte) (*http.Request, error) {
	r := &http.Request{
		Header: http.Header{}, Body: http.NoBody, URL: &url.URL{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	var path, source, require string
	set := func(s *string) func([]byte) error {
		return func(value []byte) error {
			*s = string(value)
			return nil
		}
	}
	add := func(value []byte) error { return addHeader(r.Header, value) }
	for _, part := range []struct {
		path []number
		f    func([]byte) error
	}{
		{requestMethod, set(&r.Method)},
		{requestPath, set(&path)},
		{requestHost, set(&r.Host)},
		{requestHeaders, add},
		{requestHeaderMap, add},
		{sourceAddress, set(&source)},
		{contextExtensions, func(value []byte) error { return readExtension(&require, value) }},
	} {
		if err := each(message, part.path, part.f); err != nil {
			return nil, err
		}
	}
	if r.Method == "" || r.Host == "" || path == "" {
		return nil, callErrorf(codeInvalidArgument, "the check is about no HTTP request: it has no method, host or path")
	}
	r.RequestURI = verify.ExtAuthzPrefix + path
	// Envoy has found out who the client is, by its own xff_num_trusted_hops.
	if _, err := netip.ParseAddr(source); err == nil {
		r.Header["X-Forwarded-For"] = []string{source}
	}
	return r.WithContext(verify.WithRequirements(ctx, require)), nil
}

// addHeader reads an entry of either list of headers.
func addHeader(h http.Header, entry []byte) error {
	name, value, err := pair(entry)
	switch {
	case err != nil:
		return err
	case strings.HasPrefix(name, ":"), strings.EqualFold(name, "host"): // known already
		return nil
	case !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value):
		return callErrorf(codeInvalidArgument, "malformed header %q", name)
	}
	h.Add(name, value)
	return nil
}

// readExtension takes the requirements. One of our names that isn't known is refused: somebody may count on it.
func readExtension(require *string, entry []byte) error {
	name, value, err := pair(entry)
	switch {
	case err != nil:
		return err
	case name == requireExtension && *require != "":
		return callErrorf(codeInvalidArgument, "context extension %s came twice", name)
	case name == requireExtension:
		*require = value
	case strings.HasPrefix(name, "authkit."):
		return callErrorf(codeInvalidArgument, "context extension %s is not known: use %s", name, requireExtension)
	}
	return nil
}

// pair reads a map's entry, or a HeaderValue, whose value may be in either of two fields.
func pair(entry []byte) (name, value string, err error) {
	for _, part := range []struct {
		field number
		s     *string
	}{{1, &name}, {2, &value}, {3, &value}} {
		err = each(entry, []number{part.field}, func(b []byte) error {
			*part.s = string(b)
			return nil
		})
		if err != nil {
			return "", "", err
		}
	}
	return name, value, nil
}
