package session

import "testing"

func TestSessionHash(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{"": "", "session_01VECTORS": "63de51fcdf08"} {
		if got := (Identity{SessionID: id}).SessionHash(); got != want {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
	}
}
