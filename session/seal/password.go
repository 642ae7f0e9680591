package seal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
)

// Each SDK asks something else of a cookie password:
//
//	iron      32 or more characters, as JavaScript counts them (UTF-16)
//	go, ruby  32 or more bytes
//	python    base64 of 32 bytes, with padding, either alphabet
//	php       base64 of 32 bytes, the alphabet with + and /
const (
	passwordLength = 32
	makePassword   = "`openssl rand -base64 32` makes one that every format takes"
)

// CheckPassword reports whether a password has the form that the format's SDK accepts.
// How hard it is to guess is for the configuration to check. The error says how to
// make one and holds nothing of the password.
func CheckPassword(format Format, password string) error {
	switch format {
	case FormatIron:
		if len(utf16.Encode([]rune(password))) < passwordLength {
			return fmt.Errorf("seal: password: fewer than %d characters; %s", passwordLength, makePassword)
		}
	case FormatGo, FormatRuby:
		if len(password) < passwordLength {
			return fmt.Errorf("seal: password: fewer than %d bytes; %s", passwordLength, makePassword)
		}
	case FormatPython:
		if _, ok := fernetKey(password); !ok {
			return errors.New("seal: password: the python format needs base64 of 32 bytes; " + makePassword)
		}
	case FormatPHP:
		if _, ok := secretboxKey(password); !ok {
			return errors.New("seal: password: the php format needs base64 of 32 bytes, without - and _; " + makePassword)
		}
	default:
		return fmt.Errorf("seal: format %q: want iron, go, ruby, python or php", format)
	}
	return nil
}

// fernetKey reads a password as Python's cryptography does, which takes both alphabets.
func fernetKey(password string) (key [32]byte, ok bool) {
	return key32(base64.StdEncoding, strings.NewReplacer("-", "+", "_", "/").Replace(password))
}

// secretboxKey reads a password as PHP's base64_decode does: padding may be missing.
func secretboxKey(password string) (key [32]byte, ok bool) {
	return key32(base64.RawStdEncoding, strings.TrimRight(password, "="))
}

func key32(encoding *base64.Encoding, text string) (key [32]byte, ok bool) {
	raw, err := encoding.DecodeString(text)
	if err != nil || len(raw) != len(key) {
		return key, false
	}
	return [32]byte(raw), true
}
