package oauth

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// How a client authenticates at the token endpoint.
const (
	authNone  = "none"
	authPost  = "client_secret_post"
	authBasic = "client_secret_basic"
)

var authMethods = []string{authNone, authPost, authBasic}

const (
	maxRedirectURIs = 20
	maxText         = 2000 // bytes of a client's name or URI
)

// client is whoever asks for tokens.
type client struct {
	id, name     string
	redirectURIs []string
	method       string // of authentication
	secret       string // empty: a public client
	application  *Application
}

// registration is a client's metadata (RFC 7591, 2), as a client registers it and as its document says it.
type registration struct {
	ClientID      string   `json:"client_id,omitempty"`
	ClientSecret  string   `json:"client_secret,omitempty"`
	SecretExpires *int     `json:"client_secret_expires_at,omitempty"`
	IssuedAt      int64    `json:"client_id_issued_at,omitempty"`
	Name          string   `json:"client_name,omitempty"`
	RedirectURIs  []string `json:"redirect_uris"`
	GrantTypes    []string `json:"grant_types,omitempty"`
	ResponseTypes []string `json:"response_types,omitempty"`
	AuthMethod    string   `json:"token_endpoint_auth_method,omitempty"`
	Scope         string   `json:"scope,omitempty"`
	Type          string   `json:"application_type,omitempty"`
	URI           string   `json:"client_uri,omitempty"`
	LogoURI       string   `json:"logo_uri,omitempty"`
}

// Register answers POST /oauth2/register.
func (s *Server) Register(w http.ResponseWriter, r *http.Request) {
	if !s.current().DynamicRegistration {
		writeJSON(w, http.StatusNotFound, map[string]string{"message": "Not Found"})
		return
	}
	var asked registration
	if err := readJSON(w, r, &asked); err != nil {
		writeError(w, r, refuse("invalid_client_metadata", "The body is not a valid JSON object."))
		return
	}
	made, err := newClient(&asked)
	if err != nil {
		writeError(w, r, err)
		return
	}
	made.id = newID("client_")
	asked.ClientID, asked.IssuedAt, asked.AuthMethod = made.id, s.Now().Unix(), made.method
	asked.ClientSecret, asked.SecretExpires = "", nil
	if made.method != authNone {
		made.secret = newID("")
		asked.ClientSecret, asked.SecretExpires = made.secret, new(int)
	}
	s.mu.Lock()
	s.clients.Put(made.id, made)
	s.mu.Unlock()
	writeJSON(w, http.StatusCreated, asked)
}

// newClient checks metadata.
func newClient(m *registration) (*client, error) {
	switch {
	case len(m.RedirectURIs) == 0 && !slices.Contains(m.GrantTypes, grantDevice), len(m.RedirectURIs) > maxRedirectURIs:
		return nil, refuse("invalid_redirect_uri", "The redirect_uris are required, twenty at most.")
	case len(m.Name) > maxText || len(m.URI) > maxText:
		return nil, refuse("invalid_client_metadata", "The client_name or the client_uri is too long.")
	case len(m.ResponseTypes) > 0 && !slices.Equal(m.ResponseTypes, []string{"code"}):
		return nil, refuse("invalid_client_metadata", "The response_types can be code alone.")
	}
	for _, uri := range m.RedirectURIs {
		if !allowedRedirectURI(uri) {
			return nil, refuse("invalid_redirect_uri", "A redirect URI must be https, http at a loopback address, or an app's own scheme, without a fragment.")
		}
	}
	for _, grant := range m.GrantTypes {
		if !slices.Contains([]string{grantCode, grantRefresh, grantDevice, grantExchange, grantClient}, grant) {
			return nil, refuse("invalid_client_metadata", "This grant type is not supported: "+grant)
		}
	}
	method := m.AuthMethod
	if method == "" {
		method = authBasic // RFC 7591, 2
	}
	if !slices.Contains(authMethods, method) {
		return nil, refuse("invalid_client_metadata", "This token_endpoint_auth_method is not supported.")
	}
	return &client{name: m.Name, redirectURIs: m.RedirectURIs, method: method}, nil
}

// SetDocument makes a client metadata document known that a client would serve at its client id. The error says what is wrong with it.
func (s *Server) SetDocument(document []byte) error {
	var m registration
	if err := json.Unmarshal(document, &m); err != nil {
		return errors.New("not a JSON object")
	}
	u, err := url.Parse(m.ClientID)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Path == "" || u.Path == "/" || u.Fragment != "" || u.User != nil {
		return errors.New("client_id: must be the document's own https URL, with a path")
	}
	if m.ClientSecret != "" || m.AuthMethod != "" && m.AuthMethod != authNone {
		return errors.New("token_endpoint_auth_method: must be none: nobody keeps a secret for a document")
	}
	m.AuthMethod = authNone
	c, err := newClient(&m)
	if err != nil {
		return err
	}
	c.id = m.ClientID
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.documents) >= maxClients {
		return errors.New("too many documents")
	}
	s.documents[c.id] = c
	return nil
}

// allowedRedirectURI reports whether a client may register it.
func allowedRedirectURI(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || !u.IsAbs() || len(uri) > maxText || strings.Contains(uri, "#") || u.User != nil {
		return false
	}
	switch u.Scheme {
	case "https":
		return u.Host != ""
	case "http":
		return isLoopback(u.Hostname())
	case "javascript", "data", "file", "about", "blob", "vbscript":
		return false
	}
	return strings.Contains(u.Scheme, ".") || u.Opaque == "" // RFC 8252, 7.1: a domain in reverse; editors have others
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// redirectsTo reports whether a redirect URI is the client's: exactly, but for the port of a loopback address (RFC 8252, 7.3).
func (c *client) redirectsTo(uri string) bool {
	return slices.Contains(c.redirectURIs, uri) || slices.ContainsFunc(c.redirectURIs, func(registered string) bool {
		want, err := url.Parse(registered)
		got, gotErr := url.Parse(uri)
		if err != nil || gotErr != nil || want.Scheme != "http" || !isLoopback(want.Hostname()) || got.Port() == "" {
			return false
		}
		want.Host = strings.TrimSuffix(want.Host, ":"+want.Port()) + ":" + got.Port()
		return want.String() == uri
	})
}

// client finds one by its id.
func (s *Server) client(id string) (*client, bool) {
	for i, a := range s.Applications {
		if a.ClientID == id && (a.Active == nil || a.Active()) {
			return &client{id: id, name: a.Name, secret: a.ClientSecret, method: authBasic, application: &s.Applications[i]}, true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.documents[id]; ok && s.settings.ClientMetadataDocuments {
		return c, true
	}
	return s.clients.Get(id)
}

// form reads the body of a request to the token endpoint, in which no parameter stands twice (RFC 6749, section 3.2).
func form(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err := r.ParseForm(); err != nil || mediaType != "application/x-www-form-urlencoded" {
		return nil, refuse("invalid_request", "The body is not a valid form.")
	}
	for _, values := range r.PostForm {
		if len(values) > 1 {
			return nil, refuse("invalid_request", "A parameter is repeated.")
		}
	}
	return r.PostForm, nil
}

// authenticate knows the client of a request: by its secret, in the form or as HTTP Basic but not both (RFC 6749, section 2.3), or a
// public one by its id alone.
func (s *Server) authenticate(r *http.Request, form url.Values) (*client, error) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if r.Header.Get("Authorization") != "" {
		user, password, ok := r.BasicAuth()
		basicID, badID := url.QueryUnescape(user)
		basicSecret, badSecret := url.QueryUnescape(password)
		switch {
		case form.Has("client_secret") || form.Has("client_id") && ok && form.Get("client_id") != basicID:
			return nil, refuse("invalid_request", "The client authenticates in two ways.")
		case !ok || badID != nil || badSecret != nil:
			return nil, errClient
		}
		id, secret = basicID, basicSecret
	}
	c, ok := s.client(id)
	if !ok || subtle.ConstantTimeCompare([]byte(secret), []byte(c.secret)) != 1 {
		return nil, errClient
	}
	return c, nil
}
