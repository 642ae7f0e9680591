package oauth

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator/bounded"
)

// How long things last, and how many are kept.
const (
	codeLifetime    = 10 * time.Minute
	refreshLifetime = 30 * 24 * time.Hour

	maxClients  = 1_000
	maxCodes    = 10_000
	maxConsents = 10_000
	maxTokens   = 100_000
	maxBody     = 64 << 10
)

// Server is the authorization server of one environment. All fields of the first part are required; set them before Init.
type Server struct {
	Issuer       string
	URL          func(path string) string // of an endpoint, such as oauth2/token
	ClientID     string                   // the environment's
	Applications []Application
	Directory    Directory
	Signer       Signer
	Now          func() time.Time     // what tokens say
	Clock        func() time.Time     // what lasts
	Lifetime     func() time.Duration // of access tokens
	Page         func(w http.ResponseWriter, status int, title, text string, form template.HTML)
	Resources    []string // registered from the start; the first is the default

	mu        sync.Mutex // guards everything below
	settings  Settings
	clients   *bounded.Map[*client] // registered ones
	documents map[string]*client    // by the URL of their metadata document
	codes     *bounded.Map[*grant]
	spent     *bounded.Map[*consent] // by codes that were exchanged
	consents  *bounded.Map[*consent] // by what they are about
	tokens    *bounded.Map[*refreshToken]
	devices   *bounded.Map[*device] // by device code
	resources []Resource
}

// Directory knows users. Its methods may be called at any time.
type Directory interface {
	Users() []User                     // whom the page offers
	SignIn(email string) (User, error) // found, or made on the spot
	User(id string) (User, bool)       // as long as there is one
}

// Signer signs the claims of tokens, and verifies its own signature.
type Signer interface {
	Sign(claims map[string]any) (string, error)
	Verify(token string) (claims map[string]any, err error)
}

// User is somebody who can sign in.
type User struct {
	ID, Email, Name, Note string
	Organizations         []Organization
	Claims                map[string]any // of the environment's JWT template
}

// Organization is one that the user is an active member of.
type Organization struct{ ID, Name, Note string }

// Application is a client with a secret that belongs to the environment.
type Application struct {
	ClientID, ClientSecret, Name string
	OrganizationID               string      // of a machine's tokens
	Active                       func() bool // nil: always
}

// Init makes what the server keeps. Call it once, before the others.
func (s *Server) Init() {
	s.settings = Settings{DynamicRegistration: true}
	s.clients = bounded.New[*client](maxClients, refreshLifetime, s.Clock)
	s.documents = map[string]*client{}
	s.codes = bounded.New[*grant](maxCodes, codeLifetime, s.Clock)
	s.spent = bounded.New[*consent](maxCodes, codeLifetime, s.Clock)
	s.consents = bounded.New[*consent](maxConsents, refreshLifetime, s.Clock)
	s.tokens = bounded.New[*refreshToken](maxTokens, refreshLifetime, s.Clock)
	s.devices = bounded.New[*device](maxCodes, deviceLifetime, s.Clock)
	for _, uri := range s.Resources {
		s.addResource(uri)
	}
}

// Settings are what WorkOS's dashboard sets, and what a test wants of a server.
type Settings struct {
	DynamicRegistration     bool `json:"dynamic_registration"`
	ClientMetadataDocuments bool `json:"client_id_metadata_documents"`
	IssuerParameter         bool `json:"authorization_response_iss_parameter"` // RFC 9207
	IgnoreUnknownResources  bool `json:"ignore_unknown_resources"`             // else they are invalid_target
}

// Change changes the settings.
func (s *Server) Change(change func(*Settings)) Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.settings)
	return s.settings
}

func (s *Server) current() Settings { return s.Change(func(*Settings) {}) }

// Metadata answers RFC 8414's and OpenID Connect's discovery.
func (s *Server) Metadata(w http.ResponseWriter, _ *http.Request) {
	settings := s.current()
	metadata := map[string]any{
		"issuer":                                s.Issuer,
		"authorization_endpoint":                s.URL("oauth2/authorize"),
		"token_endpoint":                        s.URL("oauth2/token"),
		"device_authorization_endpoint":         s.URL("oauth2/device_authorization"),
		"introspection_endpoint":                s.URL("oauth2/introspection"),
		"jwks_uri":                              s.URL("oauth2/jwks"),
		"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
		"response_types_supported":              []string{"code"},
		"response_modes_supported":              []string{"query"},
		"grant_types_supported":                 []string{grantCode, grantRefresh, grantDevice, grantExchange, grantClient},
		"code_challenge_methods_supported":      []string{"S256"},
		"token_endpoint_auth_methods_supported": authMethods,
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
	}
	if settings.DynamicRegistration {
		metadata["registration_endpoint"] = s.URL("oauth2/register")
	}
	if settings.ClientMetadataDocuments {
		metadata["client_id_metadata_document_supported"] = true
	}
	if settings.IssuerParameter {
		metadata["authorization_response_iss_parameter_supported"] = true
	}
	w.Header().Set("Access-Control-Allow-Origin", "*") // for clients in browsers
	writeJSON(w, http.StatusOK, metadata)
}

// protocolError is a refusal in OAuth's words (RFC 6749, 5.2).
type protocolError struct {
	status            int
	code, description string
}

func (e *protocolError) Error() string { return "oauth: " + e.code + ": " + e.description }

func refuse(code, description string) error {
	return &protocolError{http.StatusBadRequest, code, description}
}

var errClient error = &protocolError{http.StatusUnauthorized, "invalid_client", "Client authentication failed."}

func writeError(w http.ResponseWriter, r *http.Request, err error) {
	refused, ok := errors.AsType[*protocolError](err)
	if !ok {
		refused = &protocolError{http.StatusInternalServerError, "server_error", err.Error()}
	}
	if refused.status == http.StatusUnauthorized && r.Header.Get("Authorization") != "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="WorkOS Connect"`) // RFC 6749, section 5.2
	}
	writeJSON(w, refused.status, map[string]string{"error": refused.code, "error_description": refused.description})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(raw)
}

// readJSON reads a request's body.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	return json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(into)
}

func newID(prefix string) string { return prefix + rand.Text() }

// scopesOf splits a scope parameter.
func scopesOf(text string) []string {
	return slices.Compact(slices.Sorted(slices.Values(strings.Fields(text))))
}
