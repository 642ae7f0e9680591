package flow

import "strings"

// OwnsCookie reports whether a cookie of that name is one of the flow's, which nobody else
// needs.
func OwnsCookie(name string) bool {
	return strings.HasPrefix(strings.TrimPrefix(name, "__Host-"), "authkit-")
}
