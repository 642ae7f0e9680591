package assertion

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const (
	maxKeys    = 10
	minRSABits = 2048
	maxRSABits = 4096 // a signature takes milliseconds

	derivedInfo = "authkit-forward-auth assertion key" // and nothing else is derived with it
)

// Keys are those that sign assertions or did. Make them with ParseKeys or DeriveKeys.
type Keys struct {
	signer jose.Signer
	id     string
	jwks   []byte
}

// ID is the id of the key that signs: its thumbprint (RFC 7638).
func (k *Keys) ID() string { return k.id }

// JWKS is the key set for applications, in JSON: the public half of every key.
func (k *Keys) JWKS() []byte { return k.jwks }

// newKeys makes Keys of private keys. The first one signs.
func newKeys(private []crypto.Signer) (*Keys, error) {
	var set jose.JSONWebKeySet
	k := &Keys{}
	for i, key := range private {
		published, err := publicKey(key)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(set.Keys, func(other jose.JSONWebKey) bool { return other.KeyID == published.KeyID }) {
			return nil, errors.New("has the same key twice")
		}
		set.Keys = append(set.Keys, published)
		if i > 0 {
			continue
		}
		k.id = published.KeyID
		signing := jose.SigningKey{Algorithm: jose.SignatureAlgorithm(published.Algorithm), Key: jose.JSONWebKey{Key: key, KeyID: k.id}}
		if k.signer, err = jose.NewSigner(signing, new(jose.SignerOptions).WithType("JWT")); err != nil {
			return nil, err
		}
	}
	var err error
	k.jwks, err = json.Marshal(set)
	return k, err
}

// publicKey is what applications learn of a key.
func publicKey(private crypto.Signer) (jose.JSONWebKey, error) {
	published := jose.JSONWebKey{Key: private.Public(), Use: "sig"}
	switch key := published.Key.(type) {
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return published, fmt.Errorf("has an EC key of the curve %s: make one of P-256 (prime256v1)", key.Curve.Params().Name)
		}
		published.Algorithm = string(jose.ES256)
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return published, fmt.Errorf("has an RSA key of %d bits: make one of %d to %d, or better an EC key of P-256", bits, minRSABits, maxRSABits)
		}
		published.Algorithm = string(jose.RS256)
	default:
		return published, errors.New("has a key that is neither EC nor RSA: make an EC key of P-256 (prime256v1)")
	}
	thumbprint, err := published.Thumbprint(crypto.SHA256)
	published.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	return published, err
}

// DeriveKeys makes a key of each password together with another secret, so that all who have both make the same. The first
// password's signs.
func DeriveKeys(passwords []string, secret string) (*Keys, error) {
	var all []crypto.Signer
	for _, password := range passwords {
		key, err := derive(password, secret)
		if err != nil {
			return nil, err
		}
		all = append(all, key)
	}
	if len(all) == 0 {
		return nil, errors.New("assertion: no password to derive a key from")
	}
	return newKeys(all)
}

// derive makes a key of P-256 from 64 bits more than it has (FIPS 186-5, A.2.1): the remainder is then as good as uniform.
func derive(password, secret string) (crypto.Signer, error) {
	if password == "" || secret == "" {
		return nil, errors.New("assertion: an empty secret to derive a key from")
	}
	curve := elliptic.P256()
	size := curve.Params().BitSize / 8
	// Each secret in a place of its own, so that no two pairs are one text.
	bytes, err := hkdf.Key(sha256.New, []byte(password), []byte(secret), derivedInfo, size+8)
	if err != nil {
		return nil, err
	}
	scalar := new(big.Int).SetBytes(bytes)
	one := big.NewInt(1)
	scalar.Mod(scalar, new(big.Int).Sub(curve.Params().N, one)).Add(scalar, one)
	return ecdsa.ParseRawPrivateKey(curve, scalar.FillBytes(make([]byte, size)))
}
