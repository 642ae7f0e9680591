package emulator

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

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

// json describes the session. The caller holds the lock.
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

// withKey lets a request with the API key through.
func (e *Emulator) withKey(handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || !same(key, e.config.APIKey) {
			writeError(w, &apiError{http.StatusUnauthorized, map[string]string{"message": "Unauthorized"}})
			return
		}
		handle(w, r)
	}
}

// listSessions answers GET /user_management/users/{id}/sessions with all active
// sessions on one page, the newest first.
func (e *Emulator) listSessions(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	e.mu.Lock()
	_, known := e.byID(id)
	list := []sessionJSON{}
	for _, s := range slices.Backward(e.sessions.all(e.config.Now())) {
		if s.person.ID == id && s.ended.IsZero() {
			list = append(list, s.json())
		}
	}
	e.mu.Unlock()
	if !known {
		writeError(w, notFound("User"))
		return
	}
	writeJSON(w, http.StatusOK, onePage(list))
}

// revokeSession answers POST /user_management/sessions/revoke.
func (e *Emulator) revokeSession(w http.ResponseWriter, r *http.Request) {
	p, err := params(w, r)
	if err != nil {
		writeError(w, err)
		return
	}
	if err := e.RevokeSession(p.Get("session_id")); err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]bool{"success": true})
}

// logout answers GET /user_management/sessions/logout, where the browser goes to
// sign out. A session that isn't there any more is as good as ended.
func (e *Emulator) logout(w http.ResponseWriter, r *http.Request) {
	id, returnTo := r.URL.Query().Get("session_id"), r.URL.Query().Get("return_to")
	if id == "" {
		e.pages.message(w, http.StatusUnprocessableEntity, "Can't sign out", "The session_id is missing.")
		return
	}
	if returnTo != "" && !slices.Contains(e.config.LogoutReturnURLs, returnTo) {
		e.pages.message(w, http.StatusBadRequest, "Can't sign out",
			"This return_to is not a registered sign-out redirect: "+returnTo)
		return
	}
	_ = e.RevokeSession(id) // it may be gone
	if returnTo == "" && len(e.config.LogoutReturnURLs) > 0 {
		returnTo = e.config.LogoutReturnURLs[0]
	}
	if returnTo == "" {
		e.pages.message(w, http.StatusOK, "Signed out", "The session has ended.")
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, returnTo, http.StatusFound)
}

// RevokeSession ends a session and sends session.revoked. One that has ended stays as it is; one
// that there isn't is an error.
func (e *Emulator) RevokeSession(id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, ok := e.sessions.get(e.config.Now(), id)
	if !ok {
		return notFound("Session")
	}
	if s.ended.IsZero() {
		s.end(e.now())
		e.emit("session.revoked", s.json())
	}
	return nil
}

// end ends a session. The caller holds the lock.
func (s *session) end(now time.Time) { s.ended, s.updated = now, now }
