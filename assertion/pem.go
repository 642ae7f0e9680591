package assertion

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// ParseKeys reads private keys in PEM: EC keys of P-256, which sign by ES256, and RSA keys, which sign by RS256, in PKCS#8, SEC 1
// or PKCS#1. The first one signs; the others are published still, so that what they have signed, or another replica signs by now,
// is verified too. The error says what to change and holds nothing of the keys.
func ParseKeys(text []byte) (*Keys, error) {
	begun := bytes.Count(text, []byte("-----BEGIN "))
	var all []crypto.Signer
	read := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		read++
		if block.Type == "EC PARAMETERS" { // openssl ecparam writes them before the key
			continue
		}
		key, err := parseKey(block)
		if err != nil {
			return nil, err
		}
		all = append(all, key)
	}
	switch {
	case begun == 0:
		return nil, errors.New("has no key in PEM (-----BEGIN PRIVATE KEY-----)")
	case read != begun: // pem.Decode skips what it can't read
		return nil, errors.New("has a PEM block that is damaged: copy the key again, with its line breaks")
	case len(all) == 0:
		return nil, errors.New("has parameters and no key: write the key too")
	case len(all) > maxKeys:
		return nil, fmt.Errorf("has %d keys: keep at most %d", len(all), maxKeys)
	}
	return newKeys(all)
}

func parseKey(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch {
	case block.Headers["Proc-Type"] != "" || block.Type == "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("has an encrypted key: write it without a passphrase (openssl pkey -in KEY -out NEW)")
	case block.Type == "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case block.Type == "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case block.Type == "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("has a PEM block that is no private key (%.40q): leave it out", block.Type)
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok { // the error may quote the key
		return nil, errors.New("has a private key that can't be read: make an EC key of P-256 (openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256)")
	}
	return signer, nil
}
