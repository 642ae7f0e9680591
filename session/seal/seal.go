package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"strings"
)

// Why something sealed doesn't open.
var (
	// ErrMalformed: it isn't in the format at all, or its padding is wrong.
	ErrMalformed = errors.New("seal: malformed")
	// ErrExpired: it carries an expiration, which has passed.
	ErrExpired = errors.New("seal: expired")
	// ErrPassword: no password opens it. It was sealed under another one, or
	// changed since.
	ErrPassword = errors.New("seal: no password opens it")
)

// base64url is strict: there is one spelling only for each value.
var base64url = base64.RawURLEncoding.Strict()

// decode reads base64url. The decoder itself skips line ends.
func decode(text string) ([]byte, error) {
	if strings.IndexByte(text, '\n') >= 0 || strings.IndexByte(text, '\r') >= 0 {
		return nil, ErrMalformed
	}
	raw, err := base64url.DecodeString(text)
	if err != nil {
		return nil, ErrMalformed
	}
	return raw, nil
}

// newGCM returns AES-GCM that puts a random nonce of 12 bytes of its own in front,
// and the tag of 16 bytes at the end.
func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
