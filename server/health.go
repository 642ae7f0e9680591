package server

import (
	"errors"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// health adds /healthz, which says that the process serves, and /readyz, which
// says that it can judge sessions: the key set has been fetched once, and it isn't
// stopping. What is degraded it names and stays ready: taking every replica out
// would help nobody.
func (s *Server) health(r chi.Router) {
	r.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { status(w, http.StatusOK, "ok") })
	r.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := s.unready(); why != "" {
			status(w, http.StatusServiceUnavailable, why)
			return
		}
		status(w, http.StatusOK, strings.Join(append([]string{"ready"}, s.degraded()...), "\n"))
	})
}

// unready says why sessions can't be judged; empty: they can.
func (s *Server) unready() string {
	switch {
	case s.stopping.Load():
		return "stopping"
	case !s.keys.Ready():
		return "waiting for AuthKit's key set: " + s.keys.URL
	}
	return ""
}

// degraded says what doesn't work as it should, a line each.
func (s *Server) degraded() []string {
	var lines []string
	switch {
	case s.store == nil:
	case s.store.Err() != nil:
		lines = append(lines, "degraded: Redis doesn't answer; replicas don't know of each other's refreshes and sign-outs")
	case errors.Is(s.sessions.Degraded(), replica.ErrDisconnected):
		lines = append(lines, "degraded: Redis passes no messages; this replica asks it about each session instead")
	case s.sessions.Degraded() != nil:
		lines = append(lines, "degraded: Redis takes no writes; replicas don't know of each other's refreshes and sign-outs")
	}
	if s.sessions.BreakerOpen() {
		lines = append(lines, "degraded: AuthKit fails to refresh sessions; one is tried each second")
	}
	if s.policy != nil && s.policy.Err() != nil {
		lines = append(lines, "degraded: the policy file can't be used; the policy before it stays in force (the log says what is wrong)")
	}
	if err := s.keys.Err(); err != nil {
		lines = append(lines, "degraded: AuthKit's key set can't be fetched anew; the keys at hand stay in use")
	}
	return lines
}

func status(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text + "\n"))
}

// root says where one is, to an operator who opens the service's own address. It is no 2xx: a gateway that
// was told to ask at the address without a path would let everybody in.
func (s *Server) root(w http.ResponseWriter, _ *http.Request) {
	status(w, http.StatusNotFound, "This is authkit-forward-auth. A gateway asks it at /verify/forward-auth, /verify/auth-request or /verify/ext-authz;"+
		"\npeople sign in at "+s.sites.First().Endpoint(site.Login)+". /healthz and /readyz say how it is.")
}
