package config

import (
	"errors"
	"io"
	"os"

	"github.com/authkit-forward-auth/authkit-forward-auth/assertion"
)

// maxKeyFile is the size in bytes up to which a file of keys is read.
const maxKeyFile = 64 << 10

// AssertionKeys are those that sign assertions: the file's, or made of the credentials that every replica has.
func (c *Config) AssertionKeys() (*assertion.Keys, error) {
	if c.AssertionKeyFile == "" {
		passwords := []string{c.CookiePassword.Reveal()}
		if previous := c.CookiePasswordPrevious.Reveal(); previous != "" && previous != passwords[0] {
			passwords = append(passwords, previous)
		}
		return assertion.DeriveKeys(passwords, c.APIKey.Reveal())
	}
	file, err := os.Open(c.AssertionKeyFile)
	if err != nil {
		return nil, errors.New(cause(err).Error() + ": name a file of private keys that this process may read")
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	switch {
	case err != nil:
		return nil, errors.New(cause(err).Error() + ": name a file of private keys that this process may read")
	case len(text) > maxKeyFile:
		return nil, errors.New("is larger than 64 KB: name a file of private keys in PEM, and of nothing else")
	}
	return assertion.ParseKeys(text)
}

// checkAssertion reads the keys, so that their problems are listed with the others.
func (p *problems) checkAssertion(c *Config) {
	const name = "ASSERTION_KEY_FILE"
	switch {
	case c.AssertionKeyFile == "":
	case !c.IdentityHeaders.Assertion && p.ok("IDENTITY_HEADERS"):
		p.add(name, "is for assertions, which IDENTITY_HEADERS doesn't ask for: add assertion there, or remove this one")
	default:
		if _, err := c.AssertionKeys(); err != nil {
			p.add(name, "%w", err)
		}
	}
}
