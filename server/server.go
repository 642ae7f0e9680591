package server

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/config"
	"github.com/authkit-forward-auth/authkit-forward-auth/flow"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy/policyfile"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/cookie"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/redis"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
	"github.com/authkit-forward-auth/authkit-forward-auth/verify"
	"github.com/authkit-forward-auth/authkit-forward-auth/webhook"
)

// Server is the service, put together.
type Server struct {
	config   *config.Config
	log      zerolog.Logger
	site     *site.Site
	keys     *token.KeySet
	sessions *session.Manager
	flow     *flow.Flow
	verify   *verify.Handler
	policy   *policyfile.File // nil: there is none
	store    *redis.Store     // nil: this process is alone
	metrics  *metrics
	stopping atomic.Bool
}

// New puts the service together. Nothing runs yet.
func New(c *config.Config, log zerolog.Logger) (*Server, error) {
	protected, err := site.New(c.RedirectURI, c.CookieDomain)
	if err != nil {
		return nil, err
	}
	protected.HasWebhooks = c.WebhookSecret.Reveal() != ""
	counts := newMetrics()
	toAuthKit := &transport{next: http.DefaultTransport, requests: counts.authKit}
	client := &authkit.Client{
		APIKey: authkit.Secret(c.APIKey.Reveal()), ClientID: c.ClientID,
		BaseURL: c.APIURL(), RedirectURI: c.RedirectURI.String(),
		HTTPClient: &http.Client{Transport: toAuthKit, Timeout: 10 * time.Second},
	}
	passwords := []string{c.CookiePassword.Reveal()}
	if previous := c.CookiePasswordPrevious.Reveal(); previous != "" {
		passwords = append(passwords, previous)
	}
	s := &Server{config: c, log: log, site: protected, metrics: counts}
	if err := s.loadPolicy(); err != nil {
		return nil, err
	}
	s.keys = &token.KeySet{URL: client.KeySetURL(), Client: &http.Client{Transport: toAuthKit}}
	store, bus, err := s.shared()
	if err != nil {
		return nil, err
	}
	cookies, err := seal.NewCookie(seal.Format(c.CookieFormat), passwords...)
	if err != nil {
		return nil, fmt.Errorf("server: cookies: %w", err)
	}
	bearer, connect := s.bearerVerifiers(c, toAuthKit)
	s.sessions, err = session.New(session.Config{
		Cookie: cookie.Config{
			Name: c.CookieName, Domain: c.CookieDomain, MaxAge: int(c.CookieMaxAge / time.Second),
			SameSite: c.CookieSameSite, Secure: c.CookieSecure(), EscapePlus: c.CookieFormat == string(seal.FormatRuby),
		},
		Seal:            cookies,
		Slim:            c.CookieSlim,
		Tokens:          &token.Verifier{Keys: s.keys, ClientID: c.ClientID, Issuers: c.Issuers},
		Bearer:          bearer,
		Connect:         connect,
		AuthKit:         client,
		KeepAccessToken: c.IdentityHeaders.AccessToken,
		RotationTTL:     time.Duration(c.RotationTTL),
		Store:           store,
		Bus:             bus,
		Passwords:       passwords,
		Metrics:         counts.registry,
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
	checks := verify.Config{
		Site: protected, Sessions: s.sessions, Cookie: s.sessions.Cookie,
		Gateway: gateway(c.Gateway), Peers: verify.Peers{Prefixes: c.TrustedProxies.Prefixes, Unix: c.TrustedProxies.Unix},
		Headers: headers(c.IdentityHeaders), AllowPreflight: c.AllowPreflight, LogAllowed: c.DecisionLog == "all",
		Metrics: counts.registry, Log: log,
	}
	s.access(&checks, client, passwords[0])
	s.verify = verify.New(checks)
	return s, nil
}

// shared makes the store that replicas share; both results are nil without one.
func (s *Server) shared() (session.Store, session.Bus, error) {
	rawURL := s.config.RedisURL.Reveal()
	if rawURL == "" {
		return nil, nil, nil
	}
	store, err := redis.New(rawURL, "bus:"+s.config.ClientID)
	if err != nil {
		return nil, nil, fmt.Errorf("REDIS_URL: %w", err)
	}
	store.Log, store.Observe = s.log, s.metrics.observeStore
	s.metrics.storeUp(store.Err)
	s.store = store
	return store, store, nil
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

func headers(h config.IdentityHeaders) verify.IdentityHeaders {
	if h.Remote {
		return verify.RemoteHeaders()
	}
	return verify.DefaultHeaders()
}

// Handler serves the flow, the health endpoints and, unless they have a listener
// of their own, the verify endpoints.
func (s *Server) Handler() http.Handler {
	r := chi.NewRouter()
	s.health(r)
	s.flow.Routes(r)
	if secret := s.config.WebhookSecret.Reveal(); secret != "" {
		r.Handle(s.site.Prefix()+site.Webhooks, &webhook.Handler{
			Secret: webhook.Secret(secret), Sessions: s.sessions, Log: s.log,
			Observe: func(event, result string) { s.metrics.webhooks.WithLabelValues(event, result).Inc() },
		})
	}
	if s.config.VerifyAddr.Network != "" {
		return r
	}
	return s.withVerify(r)
}

// VerifyHandler serves the verify and health endpoints alone.
func (s *Server) VerifyHandler() http.Handler {
	r := chi.NewRouter()
	s.health(r)
	return s.withVerify(r)
}

// AdminHandler serves the metrics and the health endpoints.
func (s *Server) AdminHandler() http.Handler {
	r := chi.NewRouter()
	s.health(r)
	r.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	return r
}

// withVerify answers the verify endpoints, and leaves everything else to next. They stand
// in front of the router because gateways may ask with any method, also one that chi
// doesn't know, and because every request of every application comes by here.
func (s *Server) withVerify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if r.URL.RawPath != "" { // an escaped slash is none
			path = r.URL.RawPath
		}
		switch path {
		case "/verify":
			s.verify.Verify(w, r)
		case "/verify/forward-auth":
			s.verify.ForwardAuth(w, r)
		case "/verify/auth-request":
			s.verify.AuthRequest(w, r)
		case "/verify/sign-in":
			s.verify.SignIn(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// health adds /healthz, which says that the process serves, and /readyz, which
// says that it can judge sessions: the key set has been fetched once, and it isn't
// stopping. What is degraded it names and stays ready: taking every replica out
// would help nobody.
func (s *Server) health(r chi.Router) {
	r.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { status(w, http.StatusOK, "ok") })
	r.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		switch {
		case s.stopping.Load():
			status(w, http.StatusServiceUnavailable, "stopping")
		case !s.keys.Ready():
			status(w, http.StatusServiceUnavailable, "waiting for AuthKit's key set: "+s.keys.URL)
		default:
			status(w, http.StatusOK, strings.Join(append([]string{"ready"}, s.degraded()...), "\n"))
		}
	})
}

// degraded says what doesn't work as it should, a line each.
func (s *Server) degraded() []string {
	var lines []string
	switch {
	case s.store == nil:
	case s.store.Err() != nil:
		lines = append(lines, "degraded: Redis doesn't answer; replicas don't know of each other's refreshes and sign-outs")
	case s.sessions.Untold():
		lines = append(lines, "degraded: Redis takes no writes; replicas don't know of each other's refreshes and sign-outs")
	}
	if wait, failing := s.sessions.Resting(); failing {
		lines = append(lines, fmt.Sprintf("degraded: AuthKit fails to refresh sessions; it is asked again in %s", wait.Round(time.Second)))
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
