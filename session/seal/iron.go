package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The bytes of an iron seal, as @hapi/iron, iron-session and iron-webcrypto write
// it for WorkOS's SDKs:
//
//	sealed = base "*" macSalt "*" base64url(HMAC-SHA256(macKey, base)) "~2"
//	base   = "Fe26.2" "*" passwordID "*" keySalt "*" base64url(iv) "*" base64url(ciphertext) "*" expiration
//
//	keySalt, macSalt   32 random bytes in hex; the hex text itself is the salt
//	key                PBKDF2(SHA-1, password, keySalt, 1 iteration, 32 bytes), for AES-256-CBC with PKCS#7
//	macKey             the same with macSalt
//	expiration         milliseconds since 1970, or empty
//	~2                 iron-session's version; the Kotlin SDK leaves it out
const (
	ironPrefix     = "Fe26.2"
	ironPasswordID = "1" // the only one that the SDKs read
	ironVersion    = "2"
	ironFields     = 8
)

const skew = 60 * time.Second // what the SDKs allow for clocks that differ

var (
	ironIDPattern         = regexp.MustCompile(`^\w{0,64}$`)
	ironExpirationPattern = regexp.MustCompile(`^([1-9]\d{0,17})?$`)
)

// Iron seals and opens session cookies in the SDKs' format.
type Iron struct {
	// Passwords: the first one seals, all of them open, whatever id the seal
	// names (the id is authenticated, so trying them all is safe). An empty
	// password opens nothing.
	Passwords []string
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Seal closes plaintext under the first password, without an expiration. It
// fails without a password, and where the result would be over the 64 KiB that
// Unseal takes.
func (i Iron) Seal(plaintext []byte) (string, error) {
	if len(i.Passwords) == 0 || i.Passwords[0] == "" {
		return "", errors.New("seal: iron: no password")
	}
	iv := make([]byte, aes.BlockSize)
	rand.Read(iv) // never fails
	keySalt, macSalt := ironSalt(), ironSalt()

	block, err := ironCipher(i.Passwords[0], keySalt)
	if err != nil {
		return "", err
	}
	ciphertext := pad(plaintext)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(ciphertext, ciphertext)

	base := strings.Join([]string{
		ironPrefix, ironPasswordID, keySalt, base64url.EncodeToString(iv), base64url.EncodeToString(ciphertext), "",
	}, "*")
	mac, err := ironMAC(i.Passwords[0], macSalt, base)
	if err != nil {
		return "", err
	}
	sealed := base + "*" + macSalt + "*" + base64url.EncodeToString(mac) + "~" + ironVersion
	if len(sealed) > maxBytes {
		return "", fmt.Errorf("seal: iron: %d bytes of plaintext are too many", len(plaintext))
	}
	return sealed, nil
}

// Unseal opens what Seal or an SDK has sealed, with the version suffix or without
// it. Its errors are ErrMalformed, ErrExpired and ErrPassword.
func (i Iron) Unseal(sealed string) ([]byte, error) {
	s, err := parseIron(sealed)
	if err != nil {
		return nil, err
	}
	if s.expired(i.now()) {
		return nil, ErrExpired
	}
	for _, password := range i.Passwords {
		if password == "" {
			continue
		}
		mac, err := ironMAC(password, s.macSalt, s.base)
		if err != nil {
			return nil, err
		}
		if hmac.Equal(mac, s.mac) {
			return s.decrypt(password)
		}
	}
	return nil, ErrPassword
}

func (i Iron) now() time.Time {
	if i.Now == nil {
		return time.Now()
	}
	return i.Now()
}

// ironSeal is a seal taken apart; nothing in it is authentic yet.
type ironSeal struct {
	base       string
	keySalt    string
	iv         []byte
	ciphertext []byte
	expiration string
	macSalt    string
	mac        []byte
}

func parseIron(sealed string) (*ironSeal, error) {
	if len(sealed) > maxBytes {
		return nil, ErrMalformed
	}
	body, version, versioned := strings.Cut(sealed, "~")
	if versioned && version != ironVersion {
		return nil, ErrMalformed
	}
	fields := strings.SplitN(body, "*", ironFields+1)
	if len(fields) != ironFields || fields[0] != ironPrefix ||
		!ironIDPattern.MatchString(fields[1]) || !ironExpirationPattern.MatchString(fields[5]) {
		return nil, ErrMalformed
	}
	iv, ivErr := decode(fields[3])
	ciphertext, ciphertextErr := decode(fields[4])
	mac, macErr := decode(fields[7])
	if ivErr != nil || ciphertextErr != nil || macErr != nil || len(iv) != aes.BlockSize ||
		len(ciphertext) == 0 || len(ciphertext)%aes.BlockSize != 0 || len(mac) != sha256.Size {
		return nil, ErrMalformed
	}
	return &ironSeal{
		base:       body[:len(body)-len("*")-len(fields[6])-len("*")-len(fields[7])],
		keySalt:    fields[2],
		iv:         iv,
		ciphertext: ciphertext,
		expiration: fields[5],
		macSalt:    fields[6],
		mac:        mac,
	}, nil
}

func (s *ironSeal) expired(now time.Time) bool {
	if s.expiration == "" {
		return false
	}
	ms, err := strconv.ParseInt(s.expiration, 10, 64)
	return err != nil || ms <= now.Add(-skew).UnixMilli()
}

// decrypt must only be called once the MAC has been checked: CBC's padding
// would tell an attacker the plaintext otherwise.
func (s *ironSeal) decrypt(password string) ([]byte, error) {
	block, err := ironCipher(password, s.keySalt)
	if err != nil {
		return nil, err
	}
	cipher.NewCBCDecrypter(block, s.iv).CryptBlocks(s.ciphertext, s.ciphertext) // in place: there is no second time
	return unpad(s.ciphertext)
}

func ironSalt() string {
	salt := make([]byte, 32)
	rand.Read(salt) // never fails
	return hex.EncodeToString(salt)
}

func ironCipher(password, salt string) (cipher.Block, error) {
	key, err := ironKey(password, salt)
	if err != nil {
		return nil, err
	}
	return aes.NewCipher(key)
}

func ironMAC(password, salt, base string) ([]byte, error) {
	key, err := ironKey(password, salt)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(base))
	return mac.Sum(nil), nil
}

// ironKey fails only where Go is told to allow nothing but FIPS 140: the format
// asks for SHA-1 and a single iteration.
func ironKey(password, salt string) ([]byte, error) {
	key, err := pbkdf2.Key(sha1.New, password, []byte(salt), 1, 32)
	if err != nil {
		return nil, fmt.Errorf("seal: iron: %w", err)
	}
	return key, nil
}

// pad returns a padded copy (PKCS#7).
func pad(plaintext []byte) []byte {
	n := aes.BlockSize - len(plaintext)%aes.BlockSize
	return slices.Concat(plaintext, bytes.Repeat([]byte{byte(n)}, n))
}

func unpad(padded []byte) ([]byte, error) {
	n := int(padded[len(padded)-1])
	padding := bytes.Repeat([]byte{byte(n)}, n)
	if n == 0 || n > aes.BlockSize || !bytes.HasSuffix(padded, padding) {
		return nil, ErrMalformed
	}
	return padded[:len(padded)-n], nil
}
