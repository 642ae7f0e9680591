package emulator

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

//go:embed page.html
var pageSource string

//go:embed page.css
var pageStyle string

// hosted has the hosted pages: sign-in and sign-out. No script, and no style but its own.
type hosted struct {
	*authentication
	template *template.Template
	policy   string // Content-Security-Policy
}

func newHosted(a *authentication) (*hosted, error) {
	t, err := template.New("page").Parse(pageSource)
	if err != nil {
		return nil, fmt.Errorf("emulator: page: %w", err)
	}
	sum := sha256.Sum256([]byte(pageStyle))
	return &hosted{
		authentication: a,
		template:       t,
		// No form-action: browsers apply it to the redirect that answers the form.
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; base-uri 'none'; frame-ancestors 'none'",
	}, nil
}

// view is what the page shows. Forms post to Action.
type view struct {
	Style  template.CSS
	Title  string
	Text   string
	Error  string
	Action string

	Users []button // first step
	Email string   // first step: the field's value; second step: who signs in

	Organizations []button // second step

	Forms template.HTML // of a page that isn't a sign-in of the application's
}

// button is a choice. Its value is what the form sends.
type button struct{ Value, Initial, Text, Note string }

// showUsers is the first step: who signs in.
func (h *hosted) showUsers(w http.ResponseWriter, req authorizeRequest, status int, email, problem string) {
	v := view{Title: "Sign in", Error: problem, Email: email, Action: h.action(req), Text: req.application()}
	if req.query.Get("screen_hint") == "sign-up" {
		v.Title = "Sign up"
	}
	h.mu.Lock()
	for _, p := range h.seeded {
		v.Users = append(v.Users, button{p.Email, initial(p.Name()), p.Name(), h.note(p.User)})
	}
	h.mu.Unlock()
	h.write(w, status, v)
}

// showOrganizations is the second step for a user of several organizations.
func (h *hosted) showOrganizations(w http.ResponseWriter, req authorizeRequest, u User) {
	v := view{Title: "Choose an organization", Email: u.Email, Action: h.action(req), Text: u.Name()}
	h.mu.Lock()
	for _, m := range u.active() {
		o, _ := h.organization(m.OrganizationID)
		v.Organizations = append(v.Organizations, button{o.ID, initial(o.Name), o.Name, strings.Join(m.Roles, ", ")})
	}
	h.mu.Unlock()
	h.write(w, http.StatusOK, v)
}

// root says where one is, to somebody who opens the emulator's own address.
func (h *hosted) root(w http.ResponseWriter, _ *http.Request) {
	h.message(w, http.StatusOK, "This is an AuthKit in memory", "It stands in for WorkOS's API and hosted pages, for the client "+h.config.ClientID+
		". An application sends people here to sign in. docs/emulator.md has its endpoints and its faults.")
}

// message is a page that only says something.
func (h *hosted) message(w http.ResponseWriter, status int, title, text string) {
	h.write(w, status, view{Title: title, Text: text})
}

func (h *hosted) write(w http.ResponseWriter, status int, v view) {
	v.Style = template.CSS(pageStyle)
	var body bytes.Buffer
	if err := h.template.Execute(&body, v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", h.policy)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

// action is the authorize URL again, where the forms post to.
func (h *hosted) action(req authorizeRequest) string {
	return h.config.under("user_management/authorize").EscapedPath() + "?" + req.query.Encode()
}

// application names who asks for the sign-in.
func (req authorizeRequest) application() string {
	return "to continue to " + req.redirectURI.Scheme + "://" + req.redirectURI.Host
}

// note says what a user is.
func (d *directory) note(u User) string {
	note := "no organization"
	memberships := u.active()
	if n := len(memberships); n == 1 {
		o, _ := d.organization(memberships[0].OrganizationID)
		note = o.Name + ": " + strings.Join(memberships[0].Roles, ", ")
	} else if n > 1 {
		note = strconv.Itoa(n) + " organizations"
	}
	if u.Impersonator != nil {
		note += ", impersonated by " + u.Impersonator.Email
	}
	return note
}

func initial(name string) string {
	r, _ := utf8.DecodeRuneInString(name)
	return strings.ToUpper(string(r))
}
