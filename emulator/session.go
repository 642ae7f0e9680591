package emulator

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// session is one sign-in.
type session struct {
	id             string
	person         *person
	organizationID string // empty: none
	signedInto     string // the organization of the sign-in, whose step is done; empty: none
	ip, userAgent  string // as the application passed them on, may be empty
	created        time.Time
	updated        time.Time
	ended          time.Time // zero: active
}

// refreshToken belongs to a session. Within the grace window a session has several.
type refreshToken struct {
	session *session
	spent   time.Time // zero: not yet
}

// newSecret makes a code or a token that nobody can guess.
func newSecret() string { return rand.Text() }

// authenticated is the answer of every grant.
type authenticated struct {
	User                 userJSON          `json:"user"`
	OrganizationID       *string           `json:"organization_id"`
	AccessToken          string            `json:"access_token"`
	RefreshToken         string            `json:"refresh_token"`
	AuthenticationMethod string            `json:"authentication_method"`
	Impersonator         *impersonatorJSON `json:"impersonator,omitempty"`
}

// startSession signs the user of a grant in. The caller holds the lock.
func (e *Emulator) startSession(g grant, ip, userAgent string) (*authenticated, error) {
	now := e.now()
	s := &session{
		id:             newID("session_", now),
		person:         g.person,
		organizationID: g.organizationID,
		signedInto:     g.organizationID,
		ip:             ip,
		userAgent:      userAgent,
		created:        now,
		updated:        now,
	}
	g.person.lastSignIn = now
	e.sessions.put(e.config.Now(), s.id, s)
	e.emit("session.created", s.json())
	return e.issue(s)
}

// issue gives a session its next tokens. The caller holds the lock.
func (e *Emulator) issue(s *session) (*authenticated, error) {
	access, err := e.accessToken(s)
	if err != nil {
		return nil, err
	}
	refresh := newSecret()
	e.tokens.put(e.config.Now(), refresh, &refreshToken{session: s})
	method := "Password"
	if s.person.Impersonator != nil {
		method = "Impersonation"
	}
	return &authenticated{
		User:                 s.person.json(),
		OrganizationID:       orNull(s.organizationID),
		AccessToken:          access,
		RefreshToken:         refresh,
		AuthenticationMethod: method,
		Impersonator:         s.person.Impersonator.json(),
	}, nil
}

// grantRefresh rotates a refresh token. A refused one is not spent by the refusal. The caller
// holds the lock.
func (e *Emulator) grantRefresh(p url.Values) (*authenticated, error) {
	now := e.config.Now()
	token, ok := e.tokens.get(now, p.Get("refresh_token"))
	if !ok {
		return nil, oauthError("invalid_grant", "Invalid refresh token.")
	}
	s, ok := e.sessions.get(now, token.session.id)
	if !ok || !s.ended.IsZero() {
		return nil, oauthError("invalid_grant", "Session has already ended.")
	}
	if !token.spent.IsZero() && now.Sub(token.spent) >= e.settings.GraceWindow {
		return nil, oauthError("invalid_grant", "Refresh token already exchanged.")
	}
	// The session's own organization may have lost the user, or be gone.
	if organizationID := cmp.Or(p.Get("organization_id"), s.organizationID); organizationID != "" {
		if err := e.checkMembership(s.person, organizationID); err != nil {
			return nil, err
		}
		if organizationID != s.signedInto {
			if err := e.checkSteps(s.person, organizationID); err != nil {
				return nil, err
			}
		}
		s.organizationID = organizationID
	}
	if token.spent.IsZero() {
		token.spent = now
	}
	s.updated = e.now()
	return e.issue(s)
}

// errSeveral is SignIn's refusal to guess.
var errSeveral = errors.New("emulator: sign in: the user has several organizations, name one")

// SignIn signs a user in without a browser and gives the answer that
// /authenticate would give. Nobody has to have the email address: see the package's
// description. The organization may be left out where the user has at most one;
// one that the user is not a member of is an error.
func (e *Emulator) SignIn(email, organizationID string) (json.RawMessage, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p, err := e.findOrMake(email)
	if err != nil {
		return nil, err
	}
	switch organizations := e.organizationsOf(p.User); {
	case organizationID != "":
		if _, ok := p.membership(organizationID); !ok {
			return nil, fmt.Errorf("emulator: sign in: not a member of %q", organizationID)
		}
	case len(organizations) > 1:
		return nil, errSeveral
	case len(organizations) == 1:
		organizationID = organizations[0].ID
	}
	answer, err := e.startSession(grant{person: p, organizationID: organizationID}, "", "")
	if err != nil {
		return nil, err
	}
	return json.Marshal(answer)
}
