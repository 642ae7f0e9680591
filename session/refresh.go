package session

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

const (
	askerWait = 5 * time.Second // how long a request waits for a refresh that it needs
	aheadWait = time.Second     // and for one that it could do without
	backOff   = time.Second     // before AuthKit is asked again about a token, where it doesn't say
	maxPause  = time.Minute     // the longest wait that AuthKit can ask for
)

// Refresher exchanges a refresh token at AuthKit and returns the raw authenticate
// response. Its errors are ErrInvalidGrant, *StepRequired and *Outage.
type Refresher interface {
	Refresh(ctx context.Context, refreshToken, organizationID string) (json.RawMessage, error)
}

// aheadOf is how long before its expiry a token of this lifetime is refreshed,
// on answers that can carry the cookie: before WorkOS's SDKs do it, which is 60
// and 30 s.
func aheadOf(lifetime time.Duration) time.Duration {
	ahead := 90 * time.Second
	if lifetime <= 5*time.Minute {
		ahead = 60 * time.Second
	}
	return min(ahead, lifetime/4)
}

// canRefresh returns why a session can't be refreshed now, or nil.
func (m *Manager) canRefresh(o *opened, p place, now time.Time) error {
	switch {
	case o.RefreshToken == "":
		return fmt.Errorf("%w: no refresh token", ErrEnded)
	case p.refused:
		return fmt.Errorf("%w: %w", ErrEnded, ErrInvalidGrant)
	case now.Before(p.pause):
		return &Outage{RetryAfter: p.pause.Sub(now), Err: errors.New("waiting before AuthKit is asked again")}
	}
	return nil
}

// renew refreshes a session, once however many ask, and returns what it became.
func (m *Manager) renew(ctx context.Context, o *opened, c *token.Claims, p place, wait time.Duration) (*Verified, error) {
	if err := m.canRefresh(o, p, m.Now()); err != nil {
		return nil, err
	}
	f := m.flights.join(o.token, func(ctx context.Context) (string, error) {
		return m.exchange(ctx, o, c)
	})
	if f == nil {
		return nil, &Outage{RetryAfter: backOff, Err: errors.New("too many refreshes are waiting")}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-f.done:
	case <-timer.C:
		return nil, &Outage{RetryAfter: backOff, Err: errors.New("the refresh takes too long")}
	case <-ctx.Done():
		return nil, &Outage{Err: ctx.Err()}
	}
	if f.err != nil {
		return nil, f.err
	}
	return m.follow(ctx, f.sealed, false)
}

// exchange spends the refresh token and stores what it became before anybody
// is answered.
func (m *Manager) exchange(ctx context.Context, o *opened, c *token.Claims) (string, error) {
	now := m.Now()
	p := m.rotations.find(o.token, o.sealed, now)
	if p.current != "" {
		return p.current, nil // a flight that has just landed did it
	}
	if err := m.canRefresh(o, p, now); err != nil {
		return "", err // or was refused
	}
	response, err := m.AuthKit.Refresh(ctx, o.RefreshToken, c.OrganizationID)
	if err != nil {
		return "", m.refused(o.token, c, err)
	}
	next, err := o.Refreshed(response)
	if err != nil {
		return "", m.lost(o.token, c, err)
	}
	claims, err := token.Decode(next.AccessToken)
	if err != nil {
		return "", m.lost(o.token, c, err)
	}
	sealed, err := m.seal(next)
	if err != nil {
		return "", m.lost(o.token, c, err)
	}
	m.rotations.record(rotation{
		line: lineOf(c), spent: o.token, next: hashToken(next.RefreshToken), sealed: sealed, issued: claims.IssuedAt,
	}, m.Now())
	m.remembered.Invalidate(o.hash)
	m.Log.Info().Str("event", "refresh").Str("subject", c.Subject).Str("session", c.SessionID).Str("session_hash", hashSession(c.SessionID)).Msg("session refreshed")
	return sealed, nil
}

// refused sorts AuthKit's refusals: what ends the session, what asks for a step,
// and what only means that nobody can tell now.
func (m *Manager) refused(spent tokenHash, c *token.Claims, err error) error {
	var step *StepRequired
	if errors.As(err, &step) {
		if step.OrganizationID == "" {
			step = &StepRequired{Code: step.Code, OrganizationID: c.OrganizationID}
		}
		return step
	}
	if errors.Is(err, ErrInvalidGrant) {
		m.rotations.refuse(spent)
		m.Log.Info().Str("event", "refresh").Str("subject", c.Subject).Str("session", c.SessionID).Str("session_hash", hashSession(c.SessionID)).
			Msg("AuthKit refused the refresh token: the session has ended")
		return fmt.Errorf("%w: %w", ErrEnded, err)
	}
	var outage *Outage
	if !errors.As(err, &outage) {
		outage = &Outage{Err: err}
	}
	m.rotations.hold(spent, m.Now().Add(min(max(outage.RetryAfter, backOff), maxPause)))
	line := m.Log.Warn()
	if outage.Refused {
		line = m.Log.Error()
	}
	line.Str("event", "refresh").Str("session", c.SessionID).Str("session_hash", hashSession(c.SessionID)).Int("status", outage.Status).Str("code", outage.Code).
		Err(outage.Err).Msg("AuthKit can't refresh sessions now; sessions are kept")
	return outage
}

// lost reports an answer of AuthKit's that is no session. The token is spent.
func (m *Manager) lost(spent tokenHash, c *token.Claims, err error) error {
	m.rotations.hold(spent, m.Now().Add(backOff))
	m.Log.Error().Str("event", "refresh").Str("session", c.SessionID).Str("session_hash", hashSession(c.SessionID)).Err(err).
		Msg("AuthKit answered a refresh with something that is no session")
	return &Outage{Err: err}
}

// seal seals a session, and warns of one that needs several cookies.
func (m *Manager) seal(s *Session) (string, error) {
	plaintext, err := s.JSON()
	if err != nil {
		return "", fmt.Errorf("session: seal: %w", err)
	}
	sealed, err := m.Seal.Seal(plaintext)
	if err != nil {
		return "", fmt.Errorf("session: seal: %w", err)
	}
	if len(m.Cookie.Name)+len(sealed) > maxCookie {
		m.Log.Warn().Int("bytes", len(sealed)).Interface("fields", s.sizes()).
			Msg("the session needs several cookies; WorkOS's SDKs can't read these: shorten the JWT template or the user's metadata")
	}
	return sealed, nil
}

// sizes tells how many bytes each field of the session and each claim of its
// access token takes.
func (s *Session) sizes() map[string]int {
	sizes := make(map[string]int)
	for name, value := range s.fields {
		sizes[name] = len(value)
	}
	payload := strings.Split(s.AccessToken, ".")
	var claims map[string]json.RawMessage
	if len(payload) != 3 {
		return sizes
	}
	if decoded, err := base64.RawURLEncoding.DecodeString(payload[1]); err == nil {
		_ = json.Unmarshal(decoded, &claims)
	}
	for name, value := range claims {
		sizes["accessToken."+name] = len(value)
	}
	return sizes
}

// SignIn seals the session of an authenticate response (a code's exchange) and
// tells whose it is. The access token is decoded, not verified: it comes
// straight from AuthKit.
func (m *Manager) SignIn(response json.RawMessage) (sealed string, id Identity, err error) {
	s, err := FromResponse(response)
	if err != nil {
		return "", Identity{}, err
	}
	claims, err := token.Decode(s.AccessToken)
	if err != nil {
		return "", Identity{}, fmt.Errorf("session: sign in: %w", err)
	}
	if sealed, err = m.seal(s); err != nil {
		return "", Identity{}, err
	}
	return sealed, identityOf(s, claims), nil
}

// End ends every session that the request carries, expired or not, and returns
// the identity of the newest. It returns false where there is none that opens.
func (m *Manager) End(request http.Header) (Identity, bool) {
	var ended Identity
	var issued time.Time
	values, _ := m.Cookie.read(request)
	for _, value := range values {
		s, err := m.open(value)
		if err != nil {
			continue
		}
		claims, err := token.Decode(s.AccessToken)
		if err != nil || claims.Subject != s.User.ID {
			continue
		}
		m.rotations.end(lineOf(claims))
		if ended.Subject == "" || claims.IssuedAt.After(issued) {
			ended, issued = identityOf(s.Session, claims), claims.IssuedAt
		}
	}
	return ended, ended.Subject != ""
}
