package policy

import (
	"errors"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// NewRequest makes a Request of what a person writes: the host in any spelling, the
// path as a client sends it, whose query is cut off. What the service refuses before
// it asks a policy is an error.
func NewRequest(method, host, path, preflight string) (Request, error) {
	canonical, err := site.ParseHost(host, "https")
	if err != nil {
		return Request{}, errors.New("the host is not one: write a name such as app.example.com")
	}
	path, _, _ = strings.Cut(path, "?")
	switch {
	case !isMethod(method):
		return Request{}, errors.New("the method is not one: write a word such as GET")
	case !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//"):
		return Request{}, errors.New("the path must begin with one slash")
	case !visible(path):
		return Request{}, errors.New("the path has a space or another byte that no client sends: write it with percent escapes")
	case preflight != "" && !isMethod(preflight):
		return Request{}, errors.New("the preflight is not a method: write a word such as PUT")
	case preflight != "" && method != "OPTIONS":
		return Request{}, errors.New("a preflight has the method OPTIONS")
	}
	return Request{Method: method, Host: canonical.Name, Path: path, Preflight: preflight}, nil
}

// isMethod accepts what the service does: letters, hyphens and underscores.
func isMethod(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

func visible(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
