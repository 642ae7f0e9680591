package emulator

import (
	"net/http"
	"net/url"
	"regexp"
)

// authorizeRequest is the application's request, from the authorize URL's query.
type authorizeRequest struct {
	query       url.Values
	redirectURI *url.URL // registered
}

// challengeFormat is the base64url of a SHA-256 sum.
var challengeFormat = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// authorize answers /user_management/authorize: the page, and with POST the
// user's choice on it.
func (h *hosted) authorize(w http.ResponseWriter, r *http.Request) {
	req, problem := h.parseAuthorize(r)
	if problem != "" {
		h.message(w, http.StatusBadRequest, "Can't sign in", problem)
		return
	}
	if code, description := req.refusal(); code != "" {
		req.fail(w, r, code, description)
		return
	}
	if r.Method == http.MethodPost {
		h.submit(w, r, req)
		return
	}
	hint := req.query.Get("login_hint")
	if code, ok := h.hintedCode(req, hint); ok {
		req.redirect(w, r, url.Values{"code": {code}})
		return
	}
	h.showUsers(w, req, http.StatusOK, hint, "")
}

// parseAuthorize names the problem of a request that must not be answered with a redirect: the
// redirect URI may be another application's.
func (h *hosted) parseAuthorize(r *http.Request) (authorizeRequest, string) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return authorizeRequest{}, "The query is malformed."
	}
	for _, name := range []string{"client_id", "redirect_uri", "response_type", "state", "code_challenge", "code_challenge_method"} {
		if len(query[name]) > 1 {
			return authorizeRequest{}, "The parameter " + name + " is repeated."
		}
	}
	if query.Get("client_id") != h.config.ClientID {
		return authorizeRequest{}, "The client_id is not this environment's."
	}
	raw := query.Get("redirect_uri")
	if !h.isRedirectURI(raw) {
		return authorizeRequest{}, "This is not a registered redirect URI: " + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return authorizeRequest{}, "The redirect URI is malformed."
	}
	return authorizeRequest{query, u}, ""
}

// refusal is what the application gets as error and error_description, or nothing.
func (req authorizeRequest) refusal() (code, description string) {
	challenge, method := req.query.Get("code_challenge"), req.query.Get("code_challenge_method")
	switch {
	case req.query.Get("response_type") != "code":
		return "unsupported_response_type", "The response_type must be code."
	case req.query.Get("provider") == "" && req.query.Get("connection_id") == "" && req.query.Get("organization_id") == "":
		return "invalid_request", "One of provider, connection_id and organization_id is required."
	case challenge == "" && method == "":
		return "", ""
	case method != "S256":
		return "invalid_request", "The code_challenge_method must be S256."
	case !challengeFormat.MatchString(challenge):
		return "invalid_request", "The code_challenge must be the base64url of a SHA-256 sum."
	}
	return "", ""
}

// hintedCode signs a user that the login_hint names in at once.
func (h *hosted) hintedCode(req authorizeRequest, hint string) (code string, ok bool) {
	email, err := normalEmail(hint)
	if err != nil {
		return "", false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p, ok := h.find(email)
	if !ok {
		return "", false
	}
	return h.newCode(req, p, req.query.Get("organization_id")), true
}

// submit takes what the user chose on the page.
func (h *hosted) submit(w http.ResponseWriter, r *http.Request, req authorizeRequest) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		h.message(w, http.StatusBadRequest, "Can't sign in", "The form is malformed.")
		return
	}
	if r.PostForm.Has("cancel") {
		req.fail(w, r, "access_denied", "The user cancelled the sign-in.")
		return
	}
	email, organizationID := r.PostForm.Get("email"), r.PostForm.Get("organization_id")
	if organizationID == "" {
		organizationID = req.query.Get("organization_id")
	}
	switch code, u, err := h.chosenCode(req, email, organizationID); {
	case err != nil:
		h.showUsers(w, req, http.StatusBadRequest, email, "This is not an email address.")
	case code == "":
		h.showOrganizations(w, req, u)
	default:
		req.redirect(w, r, url.Values{"code": {code}})
	}
}

// chosenCode signs the chosen user in. Without a code, the user has yet to choose an organization.
func (h *hosted) chosenCode(req authorizeRequest, email, organizationID string) (code string, u User, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p, err := h.findOrMake(email, h.now())
	if err != nil {
		return "", User{}, err
	}
	if _, member := p.membership(organizationID); !member && len(p.active()) > 1 {
		return "", p.User, nil
	}
	return h.newCode(req, p, organizationID), p.User, nil
}

// newCode makes a code for the user. The caller holds the lock.
func (h *hosted) newCode(req authorizeRequest, p *person, organizationID string) string {
	code := newSecret()
	h.codes.Put(code, grant{p, organizationID, req.query.Get("code_challenge")})
	return code
}

func (req authorizeRequest) fail(w http.ResponseWriter, r *http.Request, code, description string) {
	req.redirect(w, r, url.Values{"error": {code}, "error_description": {description}})
}

// redirect sends the browser back to the application, with its state.
func (req authorizeRequest) redirect(w http.ResponseWriter, r *http.Request, answer url.Values) {
	if req.query.Has("state") {
		answer.Set("state", req.query.Get("state"))
	}
	to := *req.redirectURI
	if to.RawQuery != "" {
		to.RawQuery += "&"
	}
	to.RawQuery += answer.Encode()
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}
