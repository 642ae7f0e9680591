package verify

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// ExtAuthzPrefix is the path_prefix of Envoy's HTTP ext_authz: the original path follows it.
const ExtAuthzPrefix = "/verify/ext-authz"

// RemoveHeader tells Envoy which of the client's headers the app must not get, with commas between.
const RemoveHeader = "X-Envoy-Auth-Headers-To-Remove"

// ExtAuthz answers /verify/ext-authz/*, as Envoy's HTTP ext_authz asks: the method and the host are the
// original request's own, the path follows the prefix, and the query is the client's. So requirements come from
// WithRequirements alone.
func (h *Handler) ExtAuthz(w http.ResponseWriter, r *http.Request) {
	h.answer(w, r, extAuthz, false)
}

type requirementsKey struct{}

// WithRequirements adds requirements to the context of a request for ExtAuthz, written as in a verify URL's
// query. A gRPC check has them in its context extensions.
func WithRequirements(ctx context.Context, query string) context.Context {
	return context.WithValue(ctx, requirementsKey{}, query)
}

// isGRPC reports whether a request for ExtAuthz is a gRPC check, whose answer gets to the browser whole.
func isGRPC(r *http.Request) bool {
	_, ok := r.Context().Value(requirementsKey{}).(string)
	return ok
}

// requirementsOf is where a request's requirements stand.
func requirementsOf(p profile, r *http.Request) string {
	if p != extAuthz {
		return r.URL.RawQuery
	}
	query, _ := r.Context().Value(requirementsKey{}).(string)
	return query
}

// readExtAuthz reads the original request from the request's own first line and Host.
func readExtAuthz(r *http.Request, scheme string) (original, error) {
	uri, ok := strings.CutPrefix(r.RequestURI, ExtAuthzPrefix)
	if !ok || uri == "" {
		return original{}, &headerError{header: "the path", problem: "holds no original path",
			hint: "set path_prefix to " + ExtAuthzPrefix}
	}
	if r.Host == "" {
		return original{}, &headerError{header: "Host", problem: "is missing"}
	}
	return parseOriginal(scheme, header{"the method", r.Method}, header{"Host", r.Host}, header{"the path", uri})
}

// removal lists the client's headers, as it has spelt them, that an app may take for identity headers and that this answer
// doesn't overwrite. Envoy sets no header to an empty value, so those are among them.
func (hs IdentityHeaders) removal(asked, answer http.Header) []string {
	var names []string
	for name := range asked {
		if isIdentityName(name) && (!slices.Contains(hs.Names(), name) || answer.Get(name) == "") {
			names = append(names, strings.ToLower(name))
		}
	}
	slices.Sort(names)
	return names
}

// isIdentityName reports whether an app may read a header's name as that of an identity header of either list. CGI and WSGI
// know no difference between - and _, and some servers none between these and a dot.
func isIdentityName(name string) bool {
	name = strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
	switch name {
	case "remote-user", "remote-email", "remote-name", "remote-groups":
		return true
	}
	return strings.HasPrefix(name, "x-auth-request-")
}
