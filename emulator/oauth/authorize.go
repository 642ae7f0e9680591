package oauth

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// request is what a client asks for at the authorization endpoint, once it is known that the answer may go to its redirect URI.
type request struct {
	query       url.Values
	client      *client
	redirectURI *url.URL
	scopes      []string
	audience    string // of the token
}

var (
	challengeFormat = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)                                      // the base64url of a SHA-256 sum
	scopeFormat     = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+( [\x21\x23-\x5B\x5D-\x7E]+)*$`) // RFC 6749, section 3.3
)

// Authorize answers /oauth2/authorize: the pages, and with POST what the user chose on them. The URL stays the same for all of them.
func (s *Server) Authorize(w http.ResponseWriter, r *http.Request) {
	req, problem := s.parse(r)
	if problem != "" {
		s.Page(w, http.StatusBadRequest, "Can't sign in", problem, "")
		return
	}
	if err := s.check(req); err != nil {
		s.fail(w, r, req, err)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		s.Page(w, http.StatusBadRequest, "Can't sign in", "The form is malformed.", "")
		return
	}
	if r.PostForm.Has("cancel") {
		s.fail(w, r, req, refuse("access_denied", "The user cancelled the sign-in."))
		return
	}
	choice := choiceOf(r.PostForm)
	if choice.email == "" {
		choice.email = req.query.Get("login_hint")
	}
	user, organizationID, shown := s.ask(w, s.prompt(req), choice)
	if shown {
		return
	}
	given, allowed := s.consent(req, user, organizationID, choice.allows)
	if !allowed {
		s.askConsent(w, s.prompt(req), user, organizationID)
		return
	}
	s.redirect(w, r, req, url.Values{"code": {s.newCode(req, given)}})
}

// parse names the problem of a request that must not be answered with a redirect: the redirect URI may be another client's.
func (s *Server) parse(r *http.Request) (*request, string) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, "The query is malformed."
	}
	for name, values := range query {
		if len(values) > 1 && name != "resource" {
			return nil, "The parameter " + name + " is repeated."
		}
	}
	c, ok := s.client(query.Get("client_id"))
	if !ok || c.application != nil {
		return nil, "This client is not known: " + query.Get("client_id")
	}
	raw := query.Get("redirect_uri")
	if raw == "" && len(c.redirectURIs) == 1 {
		raw = c.redirectURIs[0]
	}
	u, err := url.Parse(raw)
	if err != nil || !c.redirectsTo(raw) {
		return nil, "This is not a registered redirect URI: " + raw
	}
	return &request{query: query, client: c, redirectURI: u, scopes: scopesOf(query.Get("scope"))}, ""
}

// check refuses what the client gets back as an error.
func (s *Server) check(req *request) (err error) {
	challenge, method := req.query.Get("code_challenge"), req.query.Get("code_challenge_method")
	scope := req.query.Get("scope")
	switch {
	case req.query.Get("response_type") != "code":
		return refuse("unsupported_response_type", "The response_type must be code.")
	case req.query.Get("response_mode") != "" && req.query.Get("response_mode") != "query":
		return refuse("invalid_request", "The response_mode must be query.")
	case challenge == "" && req.client.secret == "":
		return refuse("invalid_request", "A public client needs a code_challenge.")
	case challenge != "" && method != "S256":
		return refuse("invalid_request", "The code_challenge_method must be S256.")
	case challenge != "" && !challengeFormat.MatchString(challenge):
		return refuse("invalid_request", "The code_challenge must be the base64url of a SHA-256 sum.")
	case scope != "" && !scopeFormat.MatchString(scope):
		return refuse("invalid_scope", "The scope is malformed.")
	case slices.Contains(strings.Fields(req.query.Get("prompt")), "none"):
		return refuse("login_required", "Every sign-in asks here.")
	case len(req.query["resource"]) > 1:
		return refuse("invalid_target", "A token is for one resource.")
	}
	req.audience, err = s.audience(req.query.Get("resource"))
	return err
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, req *request, err error) {
	refused := err.(*protocolError) // nothing else comes here
	s.redirect(w, r, req, url.Values{"error": {refused.code}, "error_description": {refused.description}})
}

// redirect sends the browser back to the client, with its state.
func (s *Server) redirect(w http.ResponseWriter, r *http.Request, req *request, answer url.Values) {
	if req.query.Has("state") {
		answer.Set("state", req.query.Get("state"))
	}
	if s.current().IssuerParameter {
		answer.Set("iss", s.Issuer)
	}
	to := *req.redirectURI
	if to.RawQuery != "" {
		to.RawQuery += "&"
	}
	to.RawQuery += answer.Encode()
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}

// prompt is how the pages show a request.
func (s *Server) prompt(req *request) prompt {
	return prompt{
		action: strings.TrimPrefix(s.URL("oauth2/authorize"), s.Issuer) + "?" + req.query.Encode(),
		client: req.client.display(), host: req.redirectURI.Scheme + "://" + req.redirectURI.Host,
		scopes: req.scopes, audience: req.audience,
	}
}

// display is a client's name as far as it says one, and its id.
func (c *client) display() string {
	if c.name == "" {
		return c.id
	}
	return c.name
}

// grant is what a code stands for.
type grant struct {
	client      *client
	consent     *consent
	scopes      []string
	audience    string
	redirectURI string // as the client sent it
	challenge   string
	nonce       string
}

func (s *Server) newCode(req *request, given *consent) string {
	code := newID("")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes.Put(code, &grant{
		client: req.client, consent: given, scopes: slices.Clone(req.scopes), audience: req.audience,
		redirectURI: req.query.Get("redirect_uri"), challenge: req.query.Get("code_challenge"), nonce: req.query.Get("nonce"),
	})
	return code
}
