package oauth

import (
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// consent is a user's to a client, for an organization. Its id is the sid of the tokens.
type consent struct {
	id             string
	userID         string
	clientID       string
	organizationID string
	scopes         []string // all that were allowed so far
	audiences      []string
	revoked        bool
}

// Consent is one that a user gave.
type Consent struct {
	ID             string   `json:"id"`
	UserID         string   `json:"user_id"`
	ClientID       string   `json:"client_id"`
	OrganizationID string   `json:"organization_id,omitempty"`
	Scopes         []string `json:"scopes"`
	Resources      []string `json:"resources"` // audiences of the tokens
}

// choice is what a form of the pages sends.
type choice struct {
	email, organizationID string
	allows                bool
}

func choiceOf(form url.Values) choice {
	return choice{form.Get("email"), form.Get("organization_id"), form.Has("allow")}
}

// prompt is what the pages show of a request.
type prompt struct {
	action   string // where the forms post to
	client   string
	host     string // where the answer goes; empty: to a device
	scopes   []string
	audience string
	code     string // of a device, to be compared
}

//go:embed forms.html
var formsSource string

var forms = template.Must(template.New("forms").Parse(formsSource))

// formData is what the templates in forms.html show.
type formData struct {
	Action, Email, OrganizationID string
	Users                         []User
	Organizations                 []Organization
	Scopes                        []string
	Audience, Host, Code          string
}

// ask finds who signs in and for which organization, or shows the page that asks for it.
func (s *Server) ask(w http.ResponseWriter, p prompt, c choice) (u User, organizationID string, shown bool) {
	f := formData{Action: p.action, Email: c.email, Code: p.code}
	if c.email == "" {
		f.Users = s.Directory.Users()
		s.page(w, http.StatusOK, "Sign in", "to let "+p.client+" in", "users", f)
		return u, "", true
	}
	u, err := s.Directory.SignIn(c.email)
	if err != nil {
		f.Users = s.Directory.Users()
		s.page(w, http.StatusBadRequest, "Sign in", "This is not an email address.", "users", f)
		return u, "", true
	}
	is := func(o Organization) bool { return o.ID == c.organizationID }
	switch {
	case slices.ContainsFunc(u.Organizations, is):
		return u, c.organizationID, false
	case len(u.Organizations) == 0:
		return u, "", false
	case len(u.Organizations) == 1:
		return u, u.Organizations[0].ID, false
	}
	f.Organizations = u.Organizations
	s.page(w, http.StatusOK, "Choose an organization", u.Name, "organizations", f)
	return u, "", true
}

// askConsent shows the page that asks the user whether the client may.
func (s *Server) askConsent(w http.ResponseWriter, p prompt, u User, organizationID string) {
	f := formData{
		Action: p.action, Email: u.Email, OrganizationID: organizationID,
		Scopes: p.scopes, Audience: p.audience, Host: p.host, Code: p.code,
	}
	s.page(w, http.StatusOK, "Allow "+p.client+"?", u.Name+", it asks for access in your name.", "consent", f)
}

func (s *Server) page(w http.ResponseWriter, status int, title, text, name string, f formData) {
	var body strings.Builder
	if err := forms.ExecuteTemplate(&body, name, f); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.Page(w, status, title, text, template.HTML(body.String()))
}

// consent finds the one that a user has given, or takes the one given now. A consent for less than what is asked for is none.
func (s *Server) consent(req *request, u User, organizationID string, given bool) (*consent, bool) {
	force := slices.Contains(strings.Fields(req.query.Get("prompt")), "consent")
	return s.consentTo(req.client, u, organizationID, req.scopes, req.audience, given, force)
}

func (s *Server) consentTo(client *client, u User, organizationID string, scopes []string, audience string, given, force bool) (*consent, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.Join([]string{u.ID, client.id, organizationID}, " ")
	c, ok := s.consents.Get(key)
	if ok && !c.revoked && !force && !given {
		missing := func(scope string) bool { return !slices.Contains(c.scopes, scope) }
		return c, slices.Contains(c.audiences, audience) && !slices.ContainsFunc(scopes, missing)
	}
	if !given {
		return nil, false
	}
	if !ok || c.revoked {
		c = &consent{id: newID("app_consent_"), userID: u.ID, clientID: client.id, organizationID: organizationID}
	}
	c.scopes = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(c.scopes), scopes...))))
	if !slices.Contains(c.audiences, audience) {
		c.audiences = append(slices.Clone(c.audiences), audience)
	}
	s.consents.Put(key, c)
	return c, true
}

// Consents lists those that were given and not revoked.
func (s *Server) Consents() []Consent {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Consent{}
	for _, c := range s.consents.All() {
		if !c.revoked {
			list = append(list, Consent{c.id, c.userID, c.clientID, c.organizationID, slices.Clone(c.scopes), slices.Clone(c.audiences)})
		}
	}
	return list
}

// RevokeConsent ends a consent: its refresh tokens are none any more, and introspection says so. It reports whether there was one.
func (s *Server) RevokeConsent(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.consents.All() {
		if c.id == id && !c.revoked {
			c.revoked = true
			return true
		}
	}
	return false
}
