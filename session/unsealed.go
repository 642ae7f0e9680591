package session

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// maxUnsealed is the longest cookie in plain JSON that is read; browsers take 4096 bytes.
const maxUnsealed = 16 << 10

// isUnsealed reports whether a cookie is a session in plain JSON, where those are read. No seal begins so. A site's own sessions are
// bound to it by their seal.
func (m *Manager) isUnsealed(value string) bool {
	return m.Unsealed != nil && m.site == "" && strings.HasPrefix(value, "{")
}

// openAny opens a session that a request brought, sealed or not. The error is ErrBad, and of one that isn't sealed ErrUnavailable and
// ErrMisconfigured, too.
func (m *Manager) openAny(ctx context.Context, s sealedSession) (*opened, error) {
	if s.opened == nil && m.isUnsealed(s.value) {
		return m.openUnsealed(ctx, s)
	}
	return m.open(s)
}

// openUnsealed reads a session that nobody has sealed. Anybody can have written it, so only what AuthKit has signed counts:
//
//	accessToken   verified here, before a record is looked up, or the cookie counts beside others
//	user          its id must be the token's; email and name are left out
//	impersonator  must be the token's
//	refreshToken  never used: with it anybody could have AuthKit asked about tokens of their own making,
//	              and whose session it continues isn't known. Such a session ends with its access token
//
// An expired one opens, as it can be signed out.
func (m *Manager) openUnsealed(ctx context.Context, s sealedSession) (*opened, error) {
	parsed, err := parseUnsealed(s.value)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBad, err)
	}
	access, err := token.Parse(parsed.AccessToken)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBad, err)
	}
	if err := m.ofSession(parsed, access.Unverified()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBad, err)
	}
	_, err = m.Unsealed.Verify(ctx, access)
	switch {
	case err == nil, errors.Is(err, token.ErrExpired):
		o := m.openedOf(parsed, access, s)
		o.unsealed = true
		return o, nil
	case errors.Is(err, token.ErrUnknownKey), errors.Is(err, token.ErrCooldown): // no seal says that it is ours
		return nil, fmt.Errorf("%w: %w", ErrBad, err)
	}
	return nil, tokenError(err)
}

// ofSession says what is wrong with the access token of an unsealed session. AuthKit signs other tokens with the same keys: agents' and
// ID tokens.
func (m *Manager) ofSession(s *Session, c *token.Claims) error {
	switch {
	case c.SessionID == "" || !strings.HasPrefix(c.Subject, "user_"):
		return errors.New("session: unsealed: its access token is of no user's session")
	case c.ClientID == "" && len(c.Audience) == 0 && len(m.Unsealed.Issuers) == 0:
		return errors.New("session: unsealed: its access token says neither by client_id nor by aud whom it is for, and WORKOS_ISSUER is not set")
	case c.Subject != s.User.ID:
		return errors.New("session: unsealed: the access token is of another user than its own")
	case s.Impersonator != "" && c.Impersonator != s.Impersonator:
		return errors.New("session: unsealed: the access token doesn't name its impersonator")
	}
	return nil
}

// parseUnsealed reads plain JSON as far as it is compared with the access token.
func parseUnsealed(value string) (*Session, error) {
	if len(value) > maxUnsealed {
		return nil, errors.New("session: unsealed: too long")
	}
	s, err := Parse([]byte(value))
	if err != nil {
		return nil, err
	}
	if impersonator := string(s.fields["impersonator"]); impersonator != "" && impersonator != "null" && s.Impersonator == "" {
		return nil, errors.New("session: unsealed: an impersonator without an email address")
	}
	return &Session{AccessToken: s.AccessToken, User: User{ID: s.User.ID}, Impersonator: s.Impersonator}, nil
}
