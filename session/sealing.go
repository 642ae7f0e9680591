package session

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/jsonobject"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/cookie"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
)

// seal seals a session, and warns of one that needs several cookies, or soon will.
func (m *Manager) seal(s *Session) (string, error) { return m.sealWith(m.Seal, s) }

func (m *Manager) sealWith(c *seal.Cookie, s *Session) (string, error) {
	if m.Slim {
		s = s.Slim()
	}
	plaintext, err := s.JSONFor(c.Format())
	if err != nil {
		return "", fmt.Errorf("session: seal: %w", err)
	}
	sealed, err := c.Seal(plaintext)
	if err != nil {
		return "", fmt.Errorf("session: seal: %w", err)
	}
	if size := len(m.Cookie.Name) + len(sealed); size > nearlyFull {
		text := "the session nearly fills a cookie, of which browsers take 4096 bytes"
		if size > cookie.MaxBytes {
			text = "the session needs several cookies, which WorkOS's SDKs can't read"
		}
		m.Log.Warn().Int("bytes", size).Interface("large_fields", s.large()).
			Msg(text + ": shorten the JWT template or the user's metadata, or set COOKIE_SLIM=true")
	}
	return sealed, nil
}

const (
	nearlyFull = 3800 // bytes of name and value
	large      = 30   // bytes of a field worth naming
)

// large returns how many bytes each of the large fields of the session, of its user and
// of its access token's claims takes.
func (s *Session) large() map[string]int {
	sizes := make(map[string]int)
	note := func(prefix string, fields map[string]json.RawMessage) {
		for name, value := range fields {
			if len(value) >= large {
				sizes[prefix+name] = len(value)
			}
		}
	}
	note("", s.fields)
	user, _ := jsonobject.MembersOfSDK(s.fields["user"])
	note("user.", user)
	if parts := strings.Split(s.AccessToken, "."); len(parts) == 3 {
		if payload, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
			claims, _ := jsonobject.Members(payload)
			note("accessToken.", claims)
		}
	}
	return sizes
}
