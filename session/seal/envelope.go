package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// The envelope that authkit-remix and authkit-react-router put around an iron seal:
// a signed cookie of Remix or React Router.
//
//	cookie = body "." base64(HMAC-SHA256(password, body))
//	body   = base64({"jwt":"Fe26.2*...~2"})
//
// Both are standard base64; the body's has padding, the signature's none.
const envelopePrefix = "eyJ" // {"

// isEnvelope goes by the shape alone. No other format has a dot.
func isEnvelope(cookie string) bool {
	return strings.HasPrefix(cookie, envelopePrefix) && strings.IndexByte(cookie, '.') >= 0
}

// openEnvelope returns the seal within, once the signature has been checked.
func openEnvelope(cookie string, passwords []string) (string, error) {
	body, signature, _ := strings.Cut(cookie, ".")
	mac, err := base64.RawStdEncoding.Strict().DecodeString(signature)
	if err != nil || len(mac) != sha256.Size {
		return "", ErrMalformed
	}
	if !signed(body, mac, passwords) {
		return "", ErrPassword
	}
	text, err := base64.StdEncoding.DecodeString(body)
	if err != nil {
		return "", ErrMalformed
	}
	var session struct{ JWT string }
	if json.Unmarshal(text, &session) != nil || session.JWT == "" {
		return "", ErrMalformed
	}
	return session.JWT, nil
}

func signed(body string, mac []byte, passwords []string) bool {
	for _, password := range passwords {
		h := hmac.New(sha256.New, []byte(password))
		h.Write([]byte(body))
		if hmac.Equal(h.Sum(nil), mac) {
			return true
		}
	}
	return false
}
