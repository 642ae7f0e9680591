package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// One denial is one line in the log, under the id that the client sees, though nginx asks twice.
func TestOneDenialIsOneLine(t *testing.T) {
	t.Parallel()
	eachGatewayWithRequirements(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		nobody, member := newBrowser(t), newBrowser(t)
		member.signInTo(s, acmeID, sam)
		for _, test := range []struct {
			name, path string
			send       func(target string) answer
			status     int
		}{
			{"a fetch without session", "/denied-fetch", func(target string) answer { return nobody.fetch(http.MethodGet, target, "") }, http.StatusUnauthorized},
			{"a page without session", "/denied-page", func(target string) answer {
				return nobody.send(http.MethodGet, target, documentHeaders(), "")
			}, http.StatusSeeOther},
			{"a page that isn't for this user", "/admin/denied-page", member.open, http.StatusForbidden},
			{"a fetch that isn't for this user", "/admin/denied-fetch", func(target string) answer { return member.fetch(http.MethodGet, target, "") }, http.StatusForbidden},
		} {
			t.Run(test.name, func(t *testing.T) {
				a := test.send(s.origin + test.path)
				if a.Status != test.status {
					t.Fatalf("got status %d, want %d", a.Status, test.status)
				}
				next := test.path + "-next" // a line is written behind the answer, in turn
				test.send(s.origin + next)
				waitUntil(t, "the next denial is logged", func() bool { return len(s.logged(next)) > 0 })
				ids := s.logged(test.path)
				if got := a.Header.Values("X-Request-Id"); len(ids) != 1 || len(got) != 1 || got[0] != ids[0] {
					t.Errorf("got lines with the ids %q and X-Request-Id: %q, want one line and its id", ids, got)
				}
			})
		}
	})
}

// logged returns the request ids of the service's log lines about a path.
func (s *stack) logged(path string) (ids []string) {
	for line := range strings.Lines(s.service.output.String()) {
		var entry struct {
			Path      string `json:"path"`
			RequestID string `json:"request_id"`
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Path == path {
			ids = append(ids, entry.RequestID)
		}
	}
	return ids
}
