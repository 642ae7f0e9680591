package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const minKeyBits = 2048

// parseKeys returns the keys of a set for RS256, and where that is wanted for ES256, by their id. Keys of other kinds are
// none of our business; a set without a single one of ours is an error.
func parseKeys(body []byte, es256 bool) (map[string]crypto.PublicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, errors.New("not a JSON key set")
	}
	keys := map[string]crypto.PublicKey{}
	for _, raw := range set.Keys {
		id, key := parseKey(raw)
		if _, ec := key.(*ecdsa.PublicKey); key != nil && (es256 || !ec) {
			keys[id] = key
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("no signature key in it that can be used")
	}
	return keys, nil
}

// parseKey returns a nil key for one that is neither for RS256 nor for ES256.
func parseKey(raw []byte) (id string, key crypto.PublicKey) {
	// Nothing else of the key gets as far as the library: a certificate beside it
	// (x5c) that Go finds odd must not cost us the key.
	var members struct {
		Type      string `json:"kty"`
		Use       string `json:"use,omitempty"`
		Algorithm string `json:"alg,omitempty"`
		ID        string `json:"kid"`
		N         string `json:"n,omitempty"`
		E         string `json:"e,omitempty"`
		Curve     string `json:"crv,omitempty"`
		X         string `json:"x,omitempty"`
		Y         string `json:"y,omitempty"`
	}
	if err := json.Unmarshal(raw, &members); err != nil || members.ID == "" || members.Use != "" && members.Use != "sig" {
		return "", nil
	}
	bare, err := json.Marshal(members)
	if err != nil {
		return "", nil
	}
	var parsed jose.JSONWebKey
	if err := parsed.UnmarshalJSON(bare); err != nil {
		return "", nil
	}
	if algorithm := algorithmOf(parsed.Key); algorithm == "" || members.Algorithm != "" && members.Algorithm != string(algorithm) {
		return "", nil
	}
	return members.ID, parsed.Key
}

// algorithmOf is the one algorithm that a key is for; empty: none of ours.
func algorithmOf(key crypto.PublicKey) jose.SignatureAlgorithm {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() >= minKeyBits {
			return jose.RS256
		}
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() {
			return jose.ES256
		}
	}
	return ""
}
