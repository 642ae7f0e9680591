package seal

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
)

// The bytes of a box, in base64url without padding:
//
//	version    1 byte, 1
//	nonce      12 random bytes
//	ciphertext AES-256-GCM
//	tag        16 bytes; it covers version and purpose too
//
// The key is HKDF-SHA256 of the password, no salt, for one purpose.
const (
	boxVersion  = 1
	boxMaxBytes = 128 << 10 // room for a session in iron's largest seal

	boxInfo = "authkit-forward-auth box "
	macInfo = "authkit-forward-auth mac "
)

// Box seals for one purpose; a box of another purpose never opens it. Make it
// with NewBox. It may be used by many goroutines.
type Box struct {
	aeads []cipher.AEAD // one a password, the first one seals
	aad   []byte
}

// NewBox makes the box of one purpose. The first password seals, all of them open.
// It fails where purpose, the list or a password is empty.
func NewBox(purpose string, passwords ...string) (*Box, error) {
	if purpose == "" || len(passwords) == 0 {
		return nil, errors.New("seal: box: no purpose or no password")
	}
	box := &Box{aad: append([]byte{boxVersion}, purpose...)}
	for _, password := range passwords {
		if password == "" {
			return nil, errors.New("seal: box: empty password")
		}
		aead, err := newAEAD(password, boxInfo+purpose)
		if err != nil {
			return nil, fmt.Errorf("seal: box: %w", err)
		}
		box.aeads = append(box.aeads, aead)
	}
	return box, nil
}

// Seal closes plaintext. Keep it well under 96 KiB: Open takes 128 KiB of text.
func (b *Box) Seal(plaintext []byte) string {
	return base64url.EncodeToString(b.aeads[0].Seal([]byte{boxVersion}, nil, plaintext, b.aad))
}

// Open opens what Seal has sealed. Its errors are ErrMalformed and ErrPassword,
// the latter for another purpose's box too.
func (b *Box) Open(sealed string) ([]byte, error) {
	if len(sealed) > boxMaxBytes {
		return nil, ErrMalformed
	}
	raw, err := decode(sealed)
	if err != nil {
		return nil, err
	}
	if len(raw) < 1+b.aeads[0].Overhead() || raw[0] != boxVersion {
		return nil, ErrMalformed
	}
	for _, aead := range b.aeads {
		if plaintext, err := aead.Open(nil, nil, raw[1:], b.aad); err == nil {
			return plaintext, nil
		}
	}
	return nil, ErrPassword
}

// SealFor closes plaintext for a context, such as the key of a store: nowhere else does it
// open. The bytes are a box's without the base64.
func (b *Box) SealFor(context string, plaintext []byte) []byte {
	return b.aeads[0].Seal([]byte{boxVersion}, nil, plaintext, b.aadFor(context))
}

// OpenFor opens what SealFor has sealed for the context. Its errors are Open's.
func (b *Box) OpenFor(context string, sealed []byte) ([]byte, error) {
	if len(sealed) > boxMaxBytes || len(sealed) < 1+b.aeads[0].Overhead() || sealed[0] != boxVersion {
		return nil, ErrMalformed
	}
	for _, aead := range b.aeads {
		if plaintext, err := aead.Open(nil, nil, sealed[1:], b.aadFor(context)); err == nil {
			return plaintext, nil
		}
	}
	return nil, ErrPassword
}

// aadFor is the additional data that binds a seal to a context; no purpose holds a zero byte.
func (b *Box) aadFor(context string) []byte {
	return append(append(slices.Clone(b.aad), 0), context...)
}

// MACKey returns a key of 32 bytes for keyed hashes of one purpose. No box has the
// same key, whatever its purpose is called.
func MACKey(purpose, password string) []byte {
	key, err := hkdf.Key(sha256.New, []byte(password), nil, macInfo+purpose, 32)
	if err != nil { // only for over 8,160 bytes of key, or a password that FIPS 140 forbids
		panic(err)
	}
	return key
}

// newAEAD returns AES-256-GCM under the key of one purpose.
func newAEAD(password, info string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(password), nil, info, 32)
	if err != nil {
		return nil, err
	}
	return newGCM(key)
}
