package seal

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"strings"
	"time"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/chacha20"
)

// The bytes of a cookie of the PHP SDK 4.30 to 4.32, a message of Halite 5, in base64url
// with padding (and that in standard base64):
//
//	version     4 bytes, 31 42 05 00
//	salt        32 random bytes
//	nonce       24 random bytes
//	ciphertext  XChaCha20 of {"data":<session>,"expires_at":<seconds since 1970>}
//	mac         64 bytes, BLAKE2b under macKey of the parts before, with their number and lengths
//
//	master  HKDF-SHA256 of the password, no salt
//	prk     BLAKE2b-256 of master, under a key of zeros
//	key     BLAKE2b-256 under prk of "Halite|EncryptionKey" salt 01
//	macKey  BLAKE2b-256 under prk of "AuthenticationKeyFor_|Halite" salt 01
//
// These are only read. https://github.com/paragonie/halite/blob/master/doc/Primitives.md
type halite struct{ prk []byte }

const (
	haliteText    = "MUIFA" // how the version begins in base64
	haliteVersion = "\x31\x42\x05\x00"
	haliteHead    = 4 + 32 + chacha20.NonceSizeX
)

func newHalite(password string) (halite, error) {
	master, err := hkdf.Key(sha256.New, []byte(password), nil, "", 32)
	if err != nil {
		return halite{}, err
	}
	return halite{blake(32, make([]byte, 32), string(master))}, nil
}

// open returns the session within.
func (h halite) open(text []byte, now time.Time) ([]byte, error) {
	raw, err := decode(strings.TrimRight(string(text), "="))
	if err != nil || len(raw) < haliteHead+blake2b.Size || string(raw[:4]) != haliteVersion {
		return nil, ErrMalformed
	}
	macAt := len(raw) - blake2b.Size
	salt, nonce, ciphertext := string(raw[4:36]), raw[36:haliteHead], raw[haliteHead:macAt]

	macKey := blake(32, h.prk, "AuthenticationKeyFor_|Halite", salt, "\x01")
	parts := countedParts(haliteVersion, salt, string(nonce), "", string(ciphertext))
	if !hmac.Equal(blake(blake2b.Size, macKey, parts...), raw[macAt:]) {
		return nil, ErrPassword
	}
	key := blake(32, h.prk, "Halite|EncryptionKey", salt, "\x01")
	stream, err := chacha20.NewUnauthenticatedCipher(key, nonce)
	if err != nil {
		return nil, err
	}
	plaintext := make([]byte, len(ciphertext))
	stream.XORKeyStream(plaintext, ciphertext)
	return unwrapPHP(plaintext, now)
}

// unwrapPHP takes the session out of what says how long it is good for.
func unwrapPHP(plaintext []byte, now time.Time) ([]byte, error) {
	var wrapper struct {
		Data      json.RawMessage `json:"data"`
		ExpiresAt int64           `json:"expires_at"`
	}
	if json.Unmarshal(plaintext, &wrapper) != nil || wrapper.Data == nil {
		return nil, ErrMalformed
	}
	if wrapper.ExpiresAt <= now.Add(-skew).Unix() {
		return nil, ErrExpired
	}
	return wrapper.Data, nil
}

// countedParts puts the number of parts in front, and its length in front of each.
func countedParts(parts ...string) []string {
	count := func(n int) string { return string(binary.LittleEndian.AppendUint64(nil, uint64(n))) }
	counted := []string{count(len(parts))}
	for _, part := range parts {
		counted = append(counted, count(len(part)), part)
	}
	return counted
}

func blake(size int, key []byte, parts ...string) []byte {
	h, err := blake2b.New(size, key)
	if err != nil { // only for sizes and keys over 64 bytes
		panic(err)
	}
	for _, part := range parts {
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}
