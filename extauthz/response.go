package extauthz

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/verify"
)

// The fields of CheckResponse, and of the messages in it.
const (
	responseStatus         number = 1 // google.rpc.Status
	responseDenied         number = 2
	responseOK             number = 3
	okHeaders              number = 2 // of the request on its way to the app
	okHeadersToRemove      number = 5
	okResponseHeadersToAdd number = 6
	deniedStatus           number = 1
	deniedHeaders          number = 2
	deniedBody             number = 3
)

const permissionDenied = 7 // of google.rpc.Code

// How a header is set: HeaderValueOption.HeaderAppendAction. Its older field append stays unset, which old versions of
// Envoy take for "overwrite" where a request's header is meant, and new ones leave to the action.
const (
	appendAction    = 0
	overwriteAction = 2
)

// allowed makes the CheckResponse of a 200: the app gets the identity headers and none that the client has made up, the
// browser every new cookie.
func (h *Handler) allowed(header http.Header) []byte {
	var ok []byte
	for _, name := range h.Identity {
		if value := header.Get(name); value != "" { // else it is among those to remove
			ok = appendHeader(ok, okHeaders, name, value, overwriteAction)
		}
	}
	remove := header.Get(verify.RemoveHeader)
	if cookies, hides := header["Cookie"]; hides {
		if cookies[0] != "" {
			ok = appendHeader(ok, okHeaders, "Cookie", cookies[0], overwriteAction)
		} else {
			ok = appendBytes(ok, okHeadersToRemove, "cookie")
		}
	}
	for name := range strings.SplitSeq(remove, ",") {
		if name != "" {
			ok = appendBytes(ok, okHeadersToRemove, name)
		}
	}
	for _, line := range header["Set-Cookie"] {
		ok = appendHeader(ok, okResponseHeadersToAdd, "Set-Cookie", line, appendAction)
	}
	if len(header["Set-Cookie"]) > 0 { // no cache may keep it
		ok = appendHeader(ok, okResponseHeadersToAdd, "Cache-Control", header.Get("Cache-Control"), overwriteAction)
	}
	return appendBytes(appendBytes(nil, responseStatus, []byte{}), responseOK, ok)
}

// denied makes the CheckResponse of any other answer, which the browser gets as it is.
func denied(answer *recorder) []byte {
	inner := appendBytes(nil, deniedStatus, appendInt(nil, 1, uint64(answer.status)))
	for _, name := range slices.Sorted(maps.Keys(answer.header)) {
		if name == "Content-Length" { // Envoy's own
			continue
		}
		for i, value := range answer.header[name] {
			action := uint64(appendAction)
			if i == 0 && name != "Set-Cookie" {
				action = overwriteAction
			}
			inner = appendHeader(inner, deniedHeaders, name, value, action)
		}
	}
	inner = appendBytes(inner, deniedBody, answer.body)
	return appendBytes(appendBytes(nil, responseStatus, appendInt(nil, 1, permissionDenied)), responseDenied, inner)
}

// appendHeader appends a HeaderValueOption.
func appendHeader(message []byte, field number, name, value string, action uint64) []byte {
	header := appendBytes(appendBytes(nil, 1, strings.ToLower(name)), 2, value)
	option := appendBytes(nil, 1, header)
	if action != 0 {
		option = appendInt(option, 3, action)
	}
	return appendBytes(message, field, option)
}
