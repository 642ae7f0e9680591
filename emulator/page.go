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

// pages writes the hosted pages. No script, and no style but its own.
type pages struct {
	template *template.Template
	policy   string // Content-Security-Policy
}

func newPages() (*pages, error) {
	t, err := template.New("page").Parse(pageSource)
	if err != nil {
		return nil, fmt.Errorf("emulator: page: %w", err)
	}
	sum := sha256.Sum256([]byte(pageStyle))
	return &pages{
		template: t,
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
}

// button is a choice. Its value is what the form sends.
type button struct{ Value, Initial, Text, Note string }

// showUsers is the first step: who signs in.
func (e *Emulator) showUsers(w http.ResponseWriter, req authorizeRequest, status int, email, problem string) {
	v := view{Title: "Sign in", Error: problem, Email: email, Action: e.action(req), Text: req.application()}
	if req.query.Get("screen_hint") == "sign-up" {
		v.Title = "Sign up"
	}
	e.mu.Lock()
	for _, p := range e.seeded {
		v.Users = append(v.Users, button{p.Email, initial(p.Name()), p.Name(), e.note(p.User)})
	}
	e.mu.Unlock()
	e.pages.write(w, status, v)
}

// showOrganizations is the second step for a user of several organizations.
func (e *Emulator) showOrganizations(w http.ResponseWriter, req authorizeRequest, u User) {
	v := view{Title: "Choose an organization", Email: u.Email, Action: e.action(req), Text: u.Name()}
	e.mu.Lock()
	for _, m := range u.active() {
		o, _ := e.organization(m.OrganizationID)
		v.Organizations = append(v.Organizations, button{o.ID, initial(o.Name), o.Name, strings.Join(m.Roles, ", ")})
	}
	e.mu.Unlock()
	e.pages.write(w, http.StatusOK, v)
}

// message is a page that only says something.
func (p *pages) message(w http.ResponseWriter, status int, title, text string) {
	p.write(w, status, view{Title: title, Text: text})
}

func (p *pages) write(w http.ResponseWriter, status int, v view) {
	v.Style = template.CSS(pageStyle)
	var body bytes.Buffer
	if err := p.template.Execute(&body, v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

// action is the authorize URL again, where the forms post to.
func (e *Emulator) action(req authorizeRequest) string {
	return e.config.under("user_management/authorize").EscapedPath() + "?" + req.query.Encode()
}

// application names who asks for the sign-in.
func (req authorizeRequest) application() string {
	return "to continue to " + req.redirectURI.Scheme + "://" + req.redirectURI.Host
}

// note says what a user is. The caller holds the lock.
func (e *Emulator) note(u User) string {
	note := "no organization"
	memberships := u.active()
	if n := len(memberships); n == 1 {
		o, _ := e.organization(memberships[0].OrganizationID)
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
