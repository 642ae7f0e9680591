package seal

import (
	"bytes"
	"crypto/rand"
	"time"

	"golang.org/x/crypto/nacl/secretbox"
)

// The bytes of a cookie of the PHP SDK, in standard base64. Version 5 and later:
//
//	nonce       24 random bytes
//	tag         16 bytes, Poly1305
//	ciphertext  XSalsa20
//
// The two are libsodium's secretbox; the password is base64 of its key of 32 bytes.
// Versions 4.30 to 4.32 are in halite.go.
type php struct {
	key    [32]byte
	usable bool // whether the password gave a key; Halite takes any
	halite halite
}

const secretboxNonce = 24

func newPHP(password string) (codec, error) {
	h, err := newHalite(password)
	if err != nil {
		return nil, err
	}
	key, ok := secretboxKey(password)
	return php{key, ok, h}, nil
}

func (p php) seal(plaintext []byte, _ time.Time) []byte {
	var nonce [secretboxNonce]byte
	rand.Read(nonce[:]) // never fails
	return secretbox.Seal(nonce[:], plaintext, &nonce, &p.key)
}

func (p php) open(raw []byte, now time.Time) ([]byte, error) {
	if bytes.HasPrefix(raw, []byte(haliteText)) {
		return p.halite.open(raw, now)
	}
	if len(raw) < secretboxNonce+secretbox.Overhead {
		return nil, ErrMalformed
	}
	if !p.usable {
		return nil, ErrPassword
	}
	plaintext, ok := secretbox.Open(nil, raw[secretboxNonce:], (*[secretboxNonce]byte)(raw), &p.key)
	if !ok {
		return nil, ErrPassword
	}
	return plaintext, nil
}
