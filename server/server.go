package server

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/flow"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
	"github.com/authkit-forward-auth/authkit-forward-auth/verify"
)

// Server is the service, put together.
type Server struct {
	config   *Config
	log      zerolog.Logger
	site     *site.Site
	keys     *token.KeySet
	sessions *session.Manager
	flow     *flow.Flow
	verify   *verify.Handler
	stopping atomic.Bool
}

// New puts the service together. Nothing runs yet.
func New(c *Config, log zerolog.Logger) (*Server, error) {
	protected, err := site.New(c.RedirectURI, c.CookieDomain)
	if err != nil {
		return nil, err
	}
	client := &authkit.Client{
		APIKey: authkit.Secret(c.APIKey.Reveal()), ClientID: c.ClientID,
		BaseURL: c.APIURL(), RedirectURI: c.RedirectURI.String(),
	}
	passwords := []string{c.CookiePassword.Reveal()}
	if previous := c.CookiePasswordPrevious.Reveal(); previous != "" {
		passwords = append(passwords, previous)
	}
	s := &Server{config: c, log: log, site: protected, keys: &token.KeySet{URL: client.KeySetURL()}}
	s.sessions, err = session.New(session.Config{
		Cookie: session.Cookie{
			Name: c.CookieName, Domain: c.CookieDomain, MaxAge: int(c.CookieMaxAge / time.Second),
			SameSite: c.CookieSameSite, Secure: c.CookieSecure(),
		},
		Seal:            &seal.Iron{Passwords: passwords},
		Tokens:          &token.Verifier{Keys: s.keys, ClientID: c.ClientID, Issuers: c.Issuers},
		AuthKit:         client,
		KeepAccessToken: c.IdentityHeaders.AccessToken,
		Log:             log,
	})
	if err != nil {
		return nil, fmt.Errorf("server: sessions: %w", err)
	}
	s.flow, err = flow.New(flow.Config{
		Site: protected, Sessions: s.sessions, AuthKit: client, Passwords: passwords,
		DefaultReturn: optional(c.DefaultReturnURL), LogoutReturnURL: optional(c.LogoutReturnURL), Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("server: flow: %w", err)
	}
	s.verify = verify.New(verify.Config{
		Site: protected, Sessions: s.sessions, Cookie: s.sessions.Cookie,
		Gateway: gateway(c.Gateway), Peers: verify.Peers{Prefixes: c.TrustedProxies.Prefixes, Unix: c.TrustedProxies.Unix},
		Headers: headers(c.IdentityHeaders), AllowPreflight: c.AllowPreflight, LogAllowed: c.DecisionLog == "all", Log: log,
	})
	return s, nil
}

func optional(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.String()
}

func gateway(name string) verify.Gateway {
	switch name {
	case "traefik", "caddy", "haproxy":
		return verify.ForwardAuth
	case "nginx", "ingress-nginx":
		return verify.AuthRequest
	}
	return verify.FirstContact
}

func headers(h IdentityHeaders) verify.IdentityHeaders {
	if h.Remote {
		return verify.RemoteHeaders()
	}
	return verify.DefaultHeaders()
}

// Handler serves the flow, the health endpoints and, unless they have a listener
// of their own, the verify endpoints.
func (s *Server) Handler() http.Handler {
	r := chi.NewRouter()
	r.Use(anyMethodAtVerify)
	s.health(r)
	s.flow.Routes(r)
	if s.config.VerifyAddr.Network == "" {
		s.verifyRoutes(r)
	}
	return r
}

// VerifyHandler serves the verify and health endpoints alone.
func (s *Server) VerifyHandler() http.Handler {
	r := chi.NewRouter()
	r.Use(anyMethodAtVerify)
	s.health(r)
	s.verifyRoutes(r)
	return r
}

func (s *Server) verifyRoutes(r chi.Router) {
	r.Get("/verify", s.verify.Bare)
	r.Get("/verify/forward-auth", s.verify.ForwardAuth)
	r.Get("/verify/auth-request", s.verify.AuthRequest)
	r.Get("/verify/sign-in", s.verify.SignIn)
}

// anyMethodAtVerify routes every method at the verify endpoints, also those that
// chi doesn't know: some gateways ask with the original request's method.
func anyMethodAtVerify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := r.URL.Path; path == "/verify" || strings.HasPrefix(path, "/verify/") {
			chi.RouteContext(r.Context()).RouteMethod = http.MethodGet
		}
		next.ServeHTTP(w, r)
	})
}

// health adds /healthz, which says that the process serves, and /readyz, which
// says that it can judge sessions: the key set has been fetched once, and it isn't
// stopping.
func (s *Server) health(r chi.Router) {
	r.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { status(w, http.StatusOK, "ok") })
	r.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		switch {
		case s.stopping.Load():
			status(w, http.StatusServiceUnavailable, "stopping")
		case !s.keys.Ready():
			status(w, http.StatusServiceUnavailable, "waiting for AuthKit's key set: "+s.keys.URL)
		default:
			status(w, http.StatusOK, "ready")
		}
	})
}

func status(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text + "\n"))
}
