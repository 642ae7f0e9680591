package session

import (
	"fmt"
	"net/http"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// opened is a session with what it is looked up by.
type opened struct {
	*Session
	sealed  string
	hash    valueHash
	token   tokenHash
	arrived bool // a request has brought it
}

// open unseals a session.
func (m *Manager) open(sealed string) (*opened, error) {
	plaintext, err := m.Seal.Unseal(sealed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBad, err)
	}
	s, err := Parse(plaintext)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBad, err)
	}
	return &opened{Session: s, sealed: sealed, hash: hashValue(sealed), token: hashToken(s.RefreshToken)}, nil
}

// pick chooses the request's session cookie. Of several, those that don't open
// are ignored and the newest counts; of different users none does.
func (m *Manager) pick(request http.Header) (string, error) {
	values, present := m.Cookie.read(request)
	switch {
	case len(values) == 1:
		return values[0], nil
	case len(values) == 0 && !present:
		return "", ErrNone
	case len(values) == 0:
		return "", fmt.Errorf("%w: no whole session in the cookies", ErrBad)
	}
	var newest, user string
	var issued time.Time
	for _, value := range values {
		s, err := m.open(value)
		if err != nil {
			continue
		}
		claims, err := token.Decode(s.AccessToken)
		if err != nil {
			continue
		}
		if user != "" && user != s.User.ID {
			return "", fmt.Errorf("%w: session cookies of different users", ErrBad)
		}
		if user = s.User.ID; newest == "" || claims.IssuedAt.After(issued) {
			newest, issued = value, claims.IssuedAt
		}
	}
	if newest == "" {
		return "", fmt.Errorf("%w: none of %d session cookies opens", ErrBad, len(values))
	}
	return newest, nil
}
