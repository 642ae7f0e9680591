package seal

import (
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// The bytes of a cookie of the Go SDK (7 and later; Rust's official SDK has the same),
// in standard base64:
//
//	nonce       12 random bytes
//	ciphertext  AES-256-GCM
//	tag         16 bytes
//
// The key is the password decoded where it is 64 hex digits, else its SHA-256.
type golang struct{ aead cipher.AEAD }

func newGolang(password string) (codec, error) {
	key, err := hex.DecodeString(password)
	if err != nil || len(key) != 32 {
		sum := sha256.Sum256([]byte(password))
		key = sum[:]
	}
	aead, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	return golang{aead}, nil
}

func (g golang) seal(plaintext []byte, _ time.Time) []byte {
	return g.aead.Seal(nil, nil, plaintext, nil)
}

func (g golang) open(raw []byte, _ time.Time) ([]byte, error) { return openGCM(g.aead, raw) }

func openGCM(aead cipher.AEAD, raw []byte) ([]byte, error) {
	if len(raw) < aead.Overhead() {
		return nil, ErrMalformed
	}
	plaintext, err := aead.Open(nil, nil, raw, nil)
	if err != nil {
		return nil, ErrPassword
	}
	return plaintext, nil
}
