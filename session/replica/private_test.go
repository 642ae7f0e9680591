package replica

import (
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
)

// Records that stay in the process aren't waiting to be written.
func TestPrivateRecordsAreNotUnwritten(t *testing.T) {
	t.Parallel()
	r, err := New(Config{Store: unreachable{}, Bus: unreachable{}, Passwords: []string{"0123456789abcdefghijklmnopqrstuv"}, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	private, public := family.PrivateKey("client", "user", family.Hash{1}), family.KeyOf("client", "user", "session_1")
	for i, want := range []int{0, 1} {
		for _, key := range []family.Key{private, public}[:i+1] {
			r.Change(t.Context(), key, func(record *family.Record) bool { return record.Bring(family.Hash{byte(i + 1)}, r.Now()) })
		}
		if got := r.copies.unwritten(); got != want {
			t.Errorf("got %d unwritten, want %d", got, want)
		}
	}
	if got := r.copies.allUnwritten(); len(got) != 1 || got[0] != public {
		t.Errorf("got %v to write, want the shared record alone", got)
	}
	for _, key := range []family.Key{private, public} {
		r.copies.mu.Lock()
		r.copies.remove(r.copies.find(key))
		r.copies.mu.Unlock()
	}
	if all, unwritten, bytes := r.copies.count(); all != 0 || unwritten != 0 || bytes != 0 {
		t.Errorf("got %d records, %d unwritten, %d bytes after all were removed, want none", all, unwritten, bytes)
	}
}
