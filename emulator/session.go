package emulator

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"
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

// startSession signs the user of a grant in.
func (a *authentication) startSession(g grant, ip, userAgent string) (*authenticated, error) {
	now := a.now()
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
	a.sessions.Put(s.id, s)
	a.emit("session.created", s.json())
	return a.issue(s)
}

// issue gives a session its next tokens.
func (a *authentication) issue(s *session) (*authenticated, error) {
	access, err := a.accessToken(s)
	if err != nil {
		return nil, err
	}
	refresh := newSecret()
	a.tokens.Put(refresh, &refreshToken{session: s})
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

// errSeveral is SignIn's refusal to guess.
var errSeveral = errors.New("emulator: sign in: the user has several organizations, name one")

// SignIn signs a user in without a browser and gives the answer that
// /authenticate would give. Nobody has to have the email address: see the package's
// description. The organization may be left out where the user has at most one;
// one that the user is not a member of is an error.
func (a *authentication) SignIn(email, organizationID string) (json.RawMessage, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, err := a.findOrMake(email, a.now())
	if err != nil {
		return nil, err
	}
	switch organizations := a.organizationsOf(p.User); {
	case organizationID != "":
		if _, ok := p.membership(organizationID); !ok {
			return nil, fmt.Errorf("emulator: sign in: not a member of %q", organizationID)
		}
	case len(organizations) > 1:
		return nil, errSeveral
	case len(organizations) == 1:
		organizationID = organizations[0].ID
	}
	answer, err := a.startSession(grant{person: p, organizationID: organizationID}, "", "")
	if err != nil {
		return nil, err
	}
	return json.Marshal(answer)
}

// sessionJSON is the API's session.
type sessionJSON struct {
	Object         string            `json:"object"`
	ID             string            `json:"id"`
	UserID         string            `json:"user_id"`
	OrganizationID *string           `json:"organization_id"`
	Status         string            `json:"status"`
	AuthMethod     string            `json:"auth_method"`
	IPAddress      *string           `json:"ip_address"`
	UserAgent      *string           `json:"user_agent"`
	Impersonator   *impersonatorJSON `json:"impersonator,omitempty"`
	ExpiresAt      string            `json:"expires_at"`
	EndedAt        *string           `json:"ended_at"`
	CreatedAt      string            `json:"created_at"`
	UpdatedAt      string            `json:"updated_at"`
}

// json describes the session.
func (s *session) json() sessionJSON {
	method, status := "password", "active"
	if s.person.Impersonator != nil {
		method = "impersonation"
	}
	if !s.ended.IsZero() {
		status = "revoked"
	}
	return sessionJSON{
		Object:         "session",
		ID:             s.id,
		UserID:         s.person.ID,
		OrganizationID: orNull(s.organizationID),
		Status:         status,
		AuthMethod:     method,
		IPAddress:      orNull(s.ip),
		UserAgent:      orNull(s.userAgent),
		Impersonator:   s.person.Impersonator.json(),
		ExpiresAt:      timestamp(s.created.Add(sessionLifetime)),
		EndedAt:        timeOrNull(s.ended),
		CreatedAt:      timestamp(s.created),
		UpdatedAt:      timestamp(s.updated),
	}
}

// listSessions answers GET /user_management/users/{id}/sessions with all active
// sessions on one page, the newest first.
func (a *authentication) listSessions(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	a.mu.Lock()
	_, known := a.byID(id)
	list := []sessionJSON{}
	for _, s := range slices.Backward(a.sessions.All()) {
		if s.person.ID == id && s.ended.IsZero() {
			list = append(list, s.json())
		}
	}
	a.mu.Unlock()
	if !known {
		writeError(w, notFound("User"))
		return
	}
	writeJSON(w, http.StatusOK, onePage(list))
}

// revokeSession answers POST /user_management/sessions/revoke.
func (a *authentication) revokeSession(w http.ResponseWriter, r *http.Request) {
	p, err := params(w, r)
	if err != nil {
		writeError(w, err)
		return
	}
	if err := a.RevokeSession(p.Get("session_id")); err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]bool{"success": true})
}

// RevokeSession ends a session and sends session.revoked. One that has ended stays as it is; one
// that there isn't is an error.
func (a *authentication) RevokeSession(id string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.sessions.Get(id)
	if !ok {
		return notFound("Session")
	}
	if s.ended.IsZero() {
		s.end(a.now())
		a.emit("session.revoked", s.json())
	}
	return nil
}

// endAll ends a user's sessions, without an event.
func (a *authentication) endAll(p *person) {
	for _, s := range a.sessions.All() {
		if s.person == p && s.ended.IsZero() {
			s.end(a.now())
		}
	}
}

func (s *session) end(now time.Time) { s.ended, s.updated = now, now }

// logout answers GET /user_management/sessions/logout, where the browser goes to
// sign out. A session that isn't there any more is as good as ended.
func (h *hosted) logout(w http.ResponseWriter, r *http.Request) {
	id, returnTo := r.URL.Query().Get("session_id"), r.URL.Query().Get("return_to")
	if id == "" {
		h.message(w, http.StatusUnprocessableEntity, "Can't sign out", "The session_id is missing.")
		return
	}
	if returnTo != "" && !slices.Contains(h.config.LogoutReturnURLs, returnTo) {
		h.message(w, http.StatusBadRequest, "Can't sign out",
			"This return_to is not a registered sign-out redirect: "+returnTo)
		return
	}
	_ = h.RevokeSession(id) // it may be gone
	if returnTo == "" && len(h.config.LogoutReturnURLs) > 0 {
		returnTo = h.config.LogoutReturnURLs[0]
	}
	if returnTo == "" {
		h.message(w, http.StatusOK, "Signed out", "The session has ended.")
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, returnTo, http.StatusFound)
}
