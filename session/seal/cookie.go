package seal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Format is the form in which a WorkOS SDK seals the session cookie.
type Format string

// The formats, named after the SDKs' languages; iron is that of Node.js and of the
// SDKs built on it (Next.js, TanStack, SvelteKit, Astro, Remix, React Router), and Kotlin's.
const (
	FormatIron   Format = "iron"
	FormatGo     Format = "go"
	FormatRuby   Format = "ruby"
	FormatPython Format = "python"
	FormatPHP    Format = "php"
)

const maxBytes = 64 << 10 // of any cookie

// Cookie seals and opens session cookies in the form of one SDK, and opens iron
// seals too, bare or in Remix's envelope. Make it with NewCookie. It may be used by
// many goroutines.
//
// How a cookie is opened is decided by its looks; nothing is tried that costs more
// than microseconds. Two forms are left out for that reason or another: .NET's (100,000
// rounds of PBKDF2 for whatever a stranger sends) and plain JSON (sealed by nobody; see
// session.Config.Unsealed).
type Cookie struct {
	// Now is the clock. Nil means time.Now. Set it before the first use.
	Now func() time.Time

	format    Format
	passwords []string
	codecs    []codec // one for each password that the format can use; none for iron
}

// codec is a format's bytes under one password, base64 apart.
type codec interface {
	seal(plaintext []byte, now time.Time) []byte
	// open fails with ErrPassword where another password may do better.
	open(raw []byte, now time.Time) ([]byte, error)
}

// NewCookie makes the cookie of one format. The first password seals and must be
// what CheckPassword accepts; all of them open, each what it can: a password from
// before a change of format is no problem. It fails without a password and where one is empty.
func NewCookie(format Format, passwords ...string) (*Cookie, error) {
	if len(passwords) == 0 {
		return nil, errors.New("seal: cookie: no password")
	}
	if err := CheckPassword(format, passwords[0]); err != nil {
		return nil, err
	}
	c := &Cookie{format: format, passwords: passwords}
	for _, password := range passwords {
		if password == "" {
			return nil, errors.New("seal: cookie: empty password")
		}
		codec, err := newCodec(format, password)
		if err != nil {
			return nil, fmt.Errorf("seal: cookie: %w", err)
		}
		if codec != nil {
			c.codecs = append(c.codecs, codec)
		}
	}
	return c, nil
}

// newCodec returns nil where the format is iron, which derives keys for each seal, or
// can't use the password.
func newCodec(format Format, password string) (codec, error) {
	switch format {
	case FormatGo:
		return newGolang(password)
	case FormatRuby:
		return newRuby(password)
	case FormatPython:
		if key, ok := fernetKey(password); ok {
			return newPython(key)
		}
	case FormatPHP:
		return newPHP(password)
	}
	return nil, nil
}

// Format tells what Seal writes.
func (c *Cookie) Format() Format { return c.format }

// Seal closes plaintext under the first password. It fails where the result would be
// over the 64 KiB that Unseal takes.
func (c *Cookie) Seal(plaintext []byte) (string, error) {
	if c.format == FormatIron {
		return c.iron().Seal(plaintext)
	}
	sealed := c.base64().EncodeToString(c.codecs[0].seal(plaintext, c.now()))
	if len(sealed) > maxBytes {
		return "", fmt.Errorf("seal: %s: %d bytes of plaintext are too many", c.format, len(plaintext))
	}
	return sealed, nil
}

// Unseal opens what Seal or an SDK has sealed: an iron seal, Remix's envelope around
// one, or the cookie's own format. Its errors are ErrMalformed, ErrExpired and ErrPassword.
func (c *Cookie) Unseal(sealed string) ([]byte, error) {
	switch {
	case len(sealed) > maxBytes:
		return nil, ErrMalformed
	case strings.HasPrefix(sealed, ironPrefix+"*"):
		return c.iron().Unseal(sealed)
	case isEnvelope(sealed):
		inner, err := openEnvelope(sealed, c.passwords)
		if err != nil {
			return nil, err
		}
		return c.iron().Unseal(inner)
	case c.format == FormatIron:
		return nil, ErrMalformed
	}
	raw, err := c.base64().DecodeString(sealed)
	if err != nil {
		return nil, ErrMalformed
	}
	for _, codec := range c.codecs {
		plaintext, err := codec.open(raw, c.now())
		if !errors.Is(err, ErrPassword) {
			return plaintext, err
		}
	}
	return nil, ErrPassword
}

// base64 skips line ends, as the SDKs do: Ruby's cookies up to 6.2 have them, or had
// them before a cookie jar took them out.
func (c *Cookie) base64() *base64.Encoding {
	if c.format == FormatPython {
		return base64.URLEncoding.Strict()
	}
	return base64.StdEncoding.Strict()
}

func (c *Cookie) iron() Iron { return Iron{Passwords: c.passwords, Now: c.Now} }

func (c *Cookie) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}
