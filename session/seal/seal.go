package seal

import (
	"encoding/base64"
	"errors"
	"strings"
)

// Why something sealed doesn't open.
var (
	// ErrMalformed: it isn't in the format at all, or its padding is wrong.
	ErrMalformed = errors.New("seal: malformed")
	// ErrExpired: it carries an expiration, which has passed.
	ErrExpired = errors.New("seal: expired")
	// ErrPassword: no password opens it. It was sealed under another one, or
	// changed since.
	ErrPassword = errors.New("seal: no password opens it")
)

// base64url is strict: there is one spelling only for each value.
var base64url = base64.RawURLEncoding.Strict()

// decode reads base64url. The decoder itself skips line ends.
func decode(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, ErrMalformed
	}
	raw, err := base64url.DecodeString(text)
	if err != nil {
		return nil, ErrMalformed
	}
	return raw, nil
}
