package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// sealedState is "secret" in a box of purpose "state" under password: a box that
// an earlier build has sealed must open in a later one.
const sealedState = "AQABAgMEBQYHCAkKC0fIa8Wk5LkgQVhSk9LHai8L9owv0QY"

func newBox(t testing.TB, purpose string, passwords ...string) *Box {
	t.Helper()
	box, err := NewBox(purpose, passwords...)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func TestBoxRoundTrip(t *testing.T) {
	t.Parallel()
	box := newBox(t, "state", password)
	for _, want := range [][]byte{nil, []byte("s"), []byte("secret"), bytes.Repeat([]byte{0}, 90<<10)} {
		sealed := box.Seal(want)
		if strings.ContainsAny(sealed, "+/=") {
			t.Errorf("got %.40s, want base64url without padding", sealed)
		}
		if sealed == box.Seal(want) {
			t.Errorf("%d bytes: got the same box twice, want a nonce for each", len(want))
		}
		if got, err := box.Open(sealed); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: got %d bytes, %v, want them back", len(want), len(got), err)
		}
	}
}

func TestBoxFormat(t *testing.T) {
	t.Parallel()
	got, err := newBox(t, "state", password).Open(sealedState)
	if err != nil || string(got) != "secret" {
		t.Errorf("got %q, %v, want secret", got, err)
	}
}

func TestBoxOpenRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		box    *Box
		sealed string
		want   error
	}{
		{"another purpose", newBox(t, "store", password), sealedState, ErrPassword},
		{"another password", newBox(t, "state", "another password of 32 characters"), sealedState, ErrPassword},
		{"another version", newBox(t, "state", password), "Ag" + sealedState[2:], ErrMalformed},
		{"empty", newBox(t, "state", password), "", ErrMalformed},
		{"version only", newBox(t, "state", password), "AQ", ErrMalformed},
		{"padding", newBox(t, "state", password), sealedState + "=", ErrMalformed},
		{"line end", newBox(t, "state", password), sealedState + "\n", ErrMalformed},
		{"over 128 KiB", newBox(t, "state", password), strings.Repeat("AQID", 40<<10), ErrMalformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got, err := test.box.Open(test.sealed); !errors.Is(err, test.want) || got != nil {
				t.Errorf("got %q, %v, want %v", got, err, test.want)
			}
		})
	}
}

func TestBoxOpenChanged(t *testing.T) {
	t.Parallel()
	box := newBox(t, "state", password)
	for i := range len(sealedState) {
		for _, flip := range []byte{0x01, 0x02, 0x20, 0x80} {
			changed := []byte(sealedState)
			changed[i] ^= flip
			if _, err := box.Open(string(changed)); !known(err) {
				t.Errorf("byte %d ^ %#x: got %v, want one of the package's errors", i, flip, err)
			}
		}
		if _, err := box.Open(sealedState[:i]); !known(err) {
			t.Errorf("cut to %d bytes: got %v, want one of the package's errors", i, err)
		}
	}
}

func TestBoxRotation(t *testing.T) {
	t.Parallel()
	rotated := newBox(t, "state", "the next password of 32 characters", password)
	if got, err := rotated.Open(sealedState); err != nil || string(got) != "secret" {
		t.Errorf("under the previous password: got %q, %v, want secret", got, err)
	}
	fresh := newBox(t, "state", "the next password of 32 characters")
	if got, err := fresh.Open(rotated.Seal([]byte("secret"))); err != nil || string(got) != "secret" {
		t.Errorf("under the first password: got %q, %v, want secret", got, err)
	}
}

func TestNewBoxRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		purpose   string
		passwords []string
	}{
		{"no purpose", "", []string{password}},
		{"no password", "state", nil},
		{"empty password", "state", []string{""}},
		{"empty previous password", "state", []string{password, ""}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if box, err := NewBox(test.purpose, test.passwords...); err == nil || box != nil {
				t.Errorf("got %v, %v, want an error", box, err)
			}
		})
	}
}

func TestMACKey(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, purpose, password, want string }{
		{"a purpose", "store", password, "d39419696306c9b5945d06e9f80cca7fb873e5405f784ee9e60c6ddf47bd9daf"},
		{"another purpose", "state", password, "2abaa9873073fd1311fab72c6781b092a9096bf998309c20e38886603cfecc86"},
		{"another password", "store", "another password of 32 characters", "c6de823df34a70e14cec8de9570077bdad8330c15bfdffa427cb40954e230e68"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := hex.EncodeToString(MACKey(test.purpose, test.password)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func FuzzBoxOpen(f *testing.F) {
	box := newBox(f, "state", password)
	f.Add(sealedState)
	f.Add("Ag" + sealedState[2:])
	f.Add(sealedState[:40])
	for _, v := range vectors(f) {
		f.Add(v.Sealed)
	}
	f.Fuzz(func(t *testing.T, sealed string) {
		got, err := box.Open(sealed)
		if err != nil && !known(err) {
			t.Errorf("got %v, want one of the package's errors", err)
		}
		if err == nil && string(got) != "secret" {
			t.Errorf("got %q: nobody without the password can have sealed that", got)
		}
	})
}
