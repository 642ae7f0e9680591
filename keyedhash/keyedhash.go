package keyedhash

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"sync"
)

// Value stands for a cookie's or a token's value in the memory of this process.
type Value [16]byte

// Hasher makes them: GMAC (NIST SP 800-38D) under a key that is made at the start and never leaves the process. For
// every request a whole cookie is hashed, and this takes a fifth of SHA-256's time.
//
// The nonce is always the same, which GMAC's as proofs must never have. These are none: nobody outside ever sees one, so
// that they are the values of a secret universal hash function. Two different values of 64 KB have the same one with a
// chance under 2^-114, whoever chooses them.
type Hasher struct {
	mac     cipher.AEAD
	nonce   []byte
	buffers sync.Pool // of *hashBuffer
}

type hashBuffer struct{ value, hash []byte }

// New makes a Hasher with a key of its own. The error is that of the cipher.
func New() (*Hasher, error) {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	mac, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &Hasher{mac: mac, nonce: make([]byte, mac.NonceSize()), buffers: sync.Pool{New: func() any { return new(hashBuffer) }}}, nil
}

// Of is a value's hash. The same value has another one in each scope, such as a site with keys of its own, or the audience that
// a token was verified for. It is safe for concurrent use.
func (h *Hasher) Of(scope, value string) (hash Value) {
	b := h.buffers.Get().(*hashBuffer)
	b.value = append(append(append(b.value[:0], scope...), 0), value...)
	b.hash = h.mac.Seal(b.hash[:0], h.nonce, nil, b.value)
	copy(hash[:], b.hash)
	h.buffers.Put(b)
	return hash
}
