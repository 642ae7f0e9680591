package seal

import (
	"crypto/cipher"
	"crypto/sha256"
	"slices"
	"time"
)

// The bytes of a cookie of the Ruby SDK, in standard base64. Version 7 and later:
//
//	version     1 byte, 1
//	nonce       12 random bytes
//	tag         16 bytes
//	ciphertext  AES-256-GCM, key SHA-256(password)
//
// Versions 5.7 to 6.2, with a line end after every 60 characters of base64:
//
//	nonce       12 random bytes
//	ciphertext  AES-256-GCM, key the password itself, of exactly 32 bytes
//	tag         16 bytes
//
// One old cookie in 256 begins as a new one does: both ways are tried then.
type ruby struct {
	aead cipher.AEAD
	old  cipher.AEAD // nil where the password has not 32 bytes
}

const (
	rubyVersion = 1
	gcmNonce    = 12
	gcmTag      = 16
)

func newRuby(password string) (codec, error) {
	key := sha256.Sum256([]byte(password))
	aead, err := newGCM(key[:])
	if err != nil {
		return nil, err
	}
	r := ruby{aead: aead}
	if len(password) == 32 {
		if r.old, err = newGCM([]byte(password)); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r ruby) seal(plaintext []byte, _ time.Time) []byte {
	sealed := r.aead.Seal(nil, nil, plaintext, nil)
	tagAt := len(sealed) - gcmTag
	return slices.Concat([]byte{rubyVersion}, sealed[:gcmNonce], sealed[tagAt:], sealed[gcmNonce:tagAt])
}

func (r ruby) open(raw []byte, _ time.Time) ([]byte, error) {
	if len(raw) < gcmNonce+gcmTag {
		return nil, ErrMalformed
	}
	if raw[0] == rubyVersion && len(raw) > gcmNonce+gcmTag {
		nonce, rest := raw[1:1+gcmNonce], raw[1+gcmNonce:]
		plaintext, err := openGCM(r.aead, slices.Concat(nonce, rest[gcmTag:], rest[:gcmTag]))
		if err == nil {
			return plaintext, nil
		}
	}
	if r.old == nil {
		return nil, ErrPassword
	}
	return openGCM(r.old, raw)
}
