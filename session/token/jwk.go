package token

import (
	"crypto/rsa"
	"errors"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const minKeyBits = 2048

// parseKeys returns the RS256 keys of a set by their id. Keys of other kinds are
// none of our business; a set without a single one of ours is an error.
func parseKeys(body []byte) (map[string]*rsa.PublicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, errors.New("not a JSON key set")
	}
	keys := map[string]*rsa.PublicKey{}
	for _, raw := range set.Keys {
		if id, key := parseKey(raw); key != nil {
			keys[id] = key
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("no RSA signature key in it")
	}
	return keys, nil
}

// parseKey returns a nil key for one that isn't for RS256.
func parseKey(raw []byte) (id string, key *rsa.PublicKey) {
	// Nothing else of the key gets as far as the library: a certificate beside it
	// (x5c) that Go finds odd must not cost us the key.
	var members struct {
		Type      string `json:"kty"`
		Use       string `json:"use,omitempty"`
		Algorithm string `json:"alg,omitempty"`
		ID        string `json:"kid"`
		N         string `json:"n"`
		E         string `json:"e"`
	}
	if err := json.Unmarshal(raw, &members); err != nil || members.ID == "" || members.Type != "RSA" ||
		members.Use != "" && members.Use != "sig" || members.Algorithm != "" && members.Algorithm != string(jose.RS256) {
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
	key, ok := parsed.Key.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < minKeyBits {
		return "", nil
	}
	return members.ID, key
}
