package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"
)

// The bytes of a cookie of the Python SDK, a Fernet token, in base64url with padding:
//
//	version     1 byte, 0x80
//	time        8 bytes, big-endian seconds since 1970; the SDK checks no age
//	iv          16 random bytes
//	ciphertext  AES-128-CBC with PKCS#7
//	mac         32 bytes, HMAC-SHA256 of all before
//
// The password is base64 of two keys of 16 bytes: the first signs, the second encrypts.
// https://github.com/fernet/spec/blob/master/Spec.md
type python struct {
	signKey [16]byte
	block   cipher.Block
}

const (
	fernetVersion = 0x80
	fernetHead    = 1 + 8 + aes.BlockSize
)

func newPython(key [32]byte) (codec, error) {
	block, err := aes.NewCipher(key[16:])
	if err != nil {
		return nil, err
	}
	return python{[16]byte(key[:16]), block}, nil
}

func (p python) seal(plaintext []byte, now time.Time) []byte {
	iv := make([]byte, aes.BlockSize)
	rand.Read(iv) // never fails
	ciphertext := pad(plaintext)
	cipher.NewCBCEncrypter(p.block, iv).CryptBlocks(ciphertext, ciphertext)
	signed := slices.Concat(binary.BigEndian.AppendUint64([]byte{fernetVersion}, uint64(now.Unix())), iv, ciphertext)
	return append(signed, p.mac(signed)...)
}

func (p python) open(raw []byte, _ time.Time) ([]byte, error) {
	n := len(raw) - fernetHead - sha256.Size // of the ciphertext
	if n < aes.BlockSize || n%aes.BlockSize != 0 || raw[0] != fernetVersion {
		return nil, ErrMalformed
	}
	signed, mac := raw[:fernetHead+n], raw[fernetHead+n:]
	if !hmac.Equal(p.mac(signed), mac) {
		return nil, ErrPassword
	}
	padded := make([]byte, n)
	cipher.NewCBCDecrypter(p.block, signed[fernetHead-aes.BlockSize:fernetHead]).CryptBlocks(padded, signed[fernetHead:])
	return unpad(padded)
}

func (p python) mac(signed []byte) []byte {
	h := hmac.New(sha256.New, p.signKey[:])
	h.Write(signed)
	return h.Sum(nil)
}
