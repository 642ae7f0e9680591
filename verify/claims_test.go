package verify

import (
	"net/http"
	"slices"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

// A claim's header is always set and encoded as the others, and the list that it is added to stays as it is.
func TestWithClaim(t *testing.T) {
	t.Parallel()
	plain := DefaultHeaders()
	headers := plain.WithClaim("X-Auth-Request-Teams", "teams").WithClaim("X-Department", "department")
	if names := headers.Names(); len(names) != len(plain)+2 || !slices.Contains(names, "X-Department") || len(DefaultHeaders()) != len(plain) {
		t.Errorf("got %q", names)
	}
	for name, test := range map[string]struct {
		id          *identity.Identity
		teams, dept string
	}{
		"nobody":   {nil, "", ""},
		"no claim": {&identity.Identity{Subject: "user_01"}, "", ""},
		"both":     {&identity.Identity{Extra: identity.NewExtra(map[string][]string{"teams": {"a,b", "dü%"}, "department": {"R&D \r\nX-Evil: 1"}})}, "a%2Cb,d%C3%BC%25", "R&D %0D%0AX-Evil: 1"},
	} {
		h := http.Header{}
		headers.set(h, test.id, "")
		if got := [...]string{h.Get("X-Auth-Request-Teams"), h.Get("X-Department")}; got != [...]string{test.teams, test.dept} || len(h["X-Department"]) != 1 {
			t.Errorf("%s: got %q, want %q, %q", name, got, test.teams, test.dept)
		}
	}
}
