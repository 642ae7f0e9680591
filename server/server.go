package server

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/assertion"
	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/bearer"
	"github.com/authkit-forward-auth/authkit-forward-auth/config"
	"github.com/authkit-forward-auth/authkit-forward-auth/extauthz"
	"github.com/authkit-forward-auth/authkit-forward-auth/flow"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy/policyfile"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/redis"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
	"github.com/authkit-forward-auth/authkit-forward-auth/verify"
	"github.com/authkit-forward-auth/authkit-forward-auth/webhook"
)

// Server is the service, put together.
type Server struct {
	config   *config.Config
	log      zerolog.Logger
	sites    *site.Sites
	keys     *token.KeySet
	authKit  *authkit.Client
	sessions *session.Manager
	bearer   *bearer.Verifier
	bound    func(*site.Site) *session.Manager // BIND_SESSIONS_TO_SITE: those of a site; else nil
	flow     *flow.Flow
	verify   *verify.Handler
	extAuthz *extauthz.Handler
	policy   *policyfile.File // nil: there is none
	store    *redis.Store     // nil: this process is alone
	metrics  *metrics
	stopping atomic.Bool

	assertions *assertion.Minter // nil: none are asked for
}

// New puts the service together. Nothing runs yet.
func New(c *config.Config, log zerolog.Logger) (*Server, error) {
	s := &Server{config: c, log: log, metrics: newMetrics()}
	var err error
	if s.sites, err = protectedSites(c); err != nil {
		return nil, err
	}
	if err := s.loadPolicy(); err != nil {
		return nil, err
	}
	toAuthKit := &transport{next: http.DefaultTransport, requests: s.metrics.authKit}
	client := authKitClient(c, toAuthKit)
	s.authKit = client
	s.keys = &token.KeySet{URL: client.KeySetURL(), Client: &http.Client{Transport: toAuthKit}}
	sessions, err := s.sessionSettings(client, toAuthKit)
	if err != nil {
		return nil, err
	}
	if s.sessions, err = session.New(sessions); err != nil {
		return nil, fmt.Errorf("server: sessions: %w", err)
	}
	if s.bearer, err = bearer.New(s.bearerSettings(toAuthKit)); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	if err := s.bindSessions(); err != nil {
		return nil, fmt.Errorf("server: sessions: %w", err)
	}
	if s.flow, err = flow.New(s.flowSettings(client)); err != nil {
		return nil, fmt.Errorf("server: flow: %w", err)
	}
	if err := s.signAssertions(); err != nil {
		return nil, fmt.Errorf("server: assertions: %w", err)
	}
	s.verify = verify.New(s.verifySettings(client))
	s.extAuthz = &extauthz.Handler{
		Verify: s.verify.ExtAuthz, Identity: s.verify.Headers.Names(), Ready: func() bool { return s.unready() == "" }, Log: s.log,
	}
	return s, nil
}

// shared makes the store that replicas share; both results are nil without one.
func (s *Server) shared() (replica.Store, replica.Bus, error) {
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

// Handler serves the flow, the health endpoints and, unless they have a listener
// of their own, the verify endpoints.
func (s *Server) Handler() http.Handler {
	r := chi.NewRouter()
	s.health(r)
	r.Get("/", s.root)
	s.flow.Routes(r)
	r.HandleFunc(policy.MetadataPath, s.resourceMetadata)
	r.HandleFunc(policy.MetadataPath+"/*", s.resourceMetadata)
	if s.assertions != nil {
		for _, place := range s.sites.Places() {
			r.HandleFunc(place.Prefix()+site.JWKS, s.jwks)
		}
	}
	if secret := s.config.WebhookSecret.Reveal(); secret != "" {
		webhooks := &webhook.Handler{
			Secret: webhook.Secret(secret), Sessions: s.sessions, Log: s.log,
			Observe: func(event, result string) { s.metrics.webhooks.WithLabelValues(event, result).Inc() },
		}
		for _, place := range s.sites.Places() {
			r.Handle(place.Prefix()+site.Webhooks, webhooks)
		}
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
		case extauthz.CheckPath:
			s.extAuthz.Check(w, r)
		case extauthz.HealthPath:
			s.extAuthz.Health(w, r)
		default:
			if strings.HasPrefix(path, verify.ExtAuthzPrefix+"/") {
				s.verify.ExtAuthz(w, r)
				return
			}
			next.ServeHTTP(w, r)
		}
	})
}
