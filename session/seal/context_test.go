package seal_test

import (
	"errors"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
)

// A box for a context opens there alone, with any of the passwords.
func TestBoxForContext(t *testing.T) {
	t.Parallel()
	one, err := seal.NewBox("store", "0123456789abcdefghijklmnopqrstuv")
	if err != nil {
		t.Fatal(err)
	}
	both, err := seal.NewBox("store", "another-password-of-32-characters", "0123456789abcdefghijklmnopqrstuv")
	if err != nil {
		t.Fatal(err)
	}
	sealed := one.SealFor("key a", []byte("value"))
	if got, err := both.OpenFor("key a", sealed); err != nil || string(got) != "value" {
		t.Errorf("got %q, %v, want the value", got, err)
	}
	if _, err := one.OpenFor("key b", sealed); !errors.Is(err, seal.ErrPassword) {
		t.Errorf("in another context: got %v, want ErrPassword", err)
	}
	if _, err := one.OpenFor("key a", both.SealFor("key a", []byte("value"))); !errors.Is(err, seal.ErrPassword) {
		t.Errorf("under another password: got %v, want ErrPassword", err)
	}
	if _, err := one.OpenFor("key a", sealed[:10]); !errors.Is(err, seal.ErrMalformed) {
		t.Errorf("cut: got %v, want ErrMalformed", err)
	}
}
