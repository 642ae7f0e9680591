package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

// oldRuby is a cookie of Ruby's SDK up to 6.2, of a nonce that the test chooses.
func oldRuby(t *testing.T, nonce, plaintext string) string {
	t.Helper()
	block, err := aes.NewCipher([]byte(password))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(aead.Seal([]byte(nonce), []byte(nonce), []byte(plaintext), nil))
}

// The first byte of an old cookie is random: one in 256 looks like a new one.
func TestRubyOldCookieThatLooksNew(t *testing.T) {
	t.Parallel()
	sealed := oldRuby(t, "\x01 12 bytes!!", "secret")
	if got, err := newCookie(t, FormatRuby, universal, password).Unseal(sealed); err != nil || string(got) != "secret" {
		t.Errorf("got %q, %v, want secret", got, err)
	}
	if _, err := newCookie(t, FormatRuby, universal).Unseal(sealed); !errors.Is(err, ErrPassword) {
		t.Errorf("under another password: got %v, want ErrPassword", err)
	}
	if got, err := newCookie(t, FormatRuby, password).Unseal(oldRuby(t, "\x01 12 bytes!!", "")); err != nil || len(got) != 0 {
		t.Errorf("nothing sealed: got %q, %v, want nothing", got, err)
	}
}

// A cookie jar may change the line ends in the base64 of Ruby up to 6.2.
func TestRubyLineEnds(t *testing.T) {
	t.Parallel()
	v := readVector(t, "testdata/vectors/ruby-6.2.0.json")
	if strings.Count(v.Sealed, "\n") < 20 {
		t.Fatalf("got %q, want line ends", v.Sealed)
	}
	for name, sealed := range map[string]string{
		"lost":               strings.ReplaceAll(v.Sealed, "\n", ""),
		"last one lost":      strings.TrimSuffix(v.Sealed, "\n"),
		"with carriage ones": strings.ReplaceAll(v.Sealed, "\n", "\r\n"),
	} {
		got, err := v.cookie(t).Unseal(sealed)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sameJSON(t, got, v.Plaintext)
	}
}

// A password of 32 bytes in Ruby up to 6.2 is the same key as its hex digits in Go.
func TestRubyOldCookieReadAsGo(t *testing.T) {
	t.Parallel()
	const hex = "303132333435363738396162636465666768696a6b6c6d6e6f70717273747576"
	v := readVector(t, "testdata/vectors/ruby-6.2.0.json")
	got, err := newCookie(t, FormatGo, hex).Unseal(v.Sealed)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, got, v.Plaintext)

	sealed, err := newCookie(t, FormatGo, hex).Seal([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := newCookie(t, FormatRuby, password).Unseal(sealed); err != nil || string(got) != "secret" {
		t.Errorf("and back: got %q, %v, want secret", got, err)
	}
}
