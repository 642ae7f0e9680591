package session

import (
	"slices"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
)

// Names of marks that are in a store already must not change. An API key's is no
// session's, even if the ids were the same.
func TestNamesOfMarks(t *testing.T) {
	t.Parallel()
	s := &shared{keys: [][]byte{seal.MACKey("session store", "0123456789abcdefghijklmnopqrstuv")}}
	tests := []struct {
		name string
		key  markKey
		want string
	}{
		{"a session", markKey{Subject: "user_1", SID: "session_1"}, "mmtM1yk6Kz-8gZpAxMUu7CM5S"},
		{"a membership", markKey{Subject: "user_1", Organization: "org_1"}, "mVhMLZ0I5OD78LOW53Pce46ah"},
		{"an API key", markKey{APIKey: "api_key_1"}, "mwGZTjoHPzjtRfkVWzBeXTyqc"},
	}
	seen := map[string]bool{}
	for _, tt := range tests {
		got := s.markNames(tt.key)
		if !slices.Equal(got, []string{tt.want}) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		seen[got[0]] = true
	}
	if len(seen) != 3 {
		t.Errorf("got %d names, want 3", len(seen))
	}
}
