package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

// Page is one message: what happened, and the way on.
type Page struct {
	Status  int      // HTTP status
	Title   string   // a few words
	Text    string   // one or two sentences
	Details []string // causes and hints, may be empty
	Links   []Link   // ways on, the best one first
	Buttons []Button // forms to send, may be empty
	Next    *Next    // where the browser goes on by itself; nil: it stays
	User    string   // who is signed in, where it matters; may be empty

	// Ancestors are the CSP sources that may have the page in a frame. Empty: nobody may.
	Ancestors []string

	// For the problem+json form.
	Reason   string // short code, as in X-Auth-Reason
	LoginURL string // where to sign in, absolute
	ID       string // request id, shown on the page too
}

// Link is a way on.
type Link struct {
	Text, URL string
	Target    Target
}

// Target is where a link opens. The zero Target: in the page's own place.
type Target string

// The targets of a link out of a frame, or out of a page that is to stay.
const (
	Top    Target = "_top"
	NewTab Target = "_blank"
)

// Next is where the browser goes on by itself, and a link in case it doesn't: at once,
// or by a script, and after two seconds where scripts don't run.
type Next struct {
	URL string
	// Script is a constant of the caller's, allowed by its hash. It finds the link by its
	// id, next, with URL as data-to and Key as data-key. Empty: there is none.
	Script string
	Key    string
}

// Button is a form that is sent by POST, without a body: what it says stands in its action's query.
type Button struct {
	Text   string
	Action string
}

//go:embed page.html
var source string

//go:embed page.css
var style string

var tmpl = template.Must(template.New("page").Parse(source))

// policy allows the page's own style and nothing else; who may frame it follows. It names
// no form-action: that would block the redirect from a form's POST to AuthKit.
var policy = "default-src 'none'; style-src 'sha256-" + styleHash() + "'; base-uri 'none'; frame-ancestors "

func styleHash() string { return hash(style) }

func hash(source string) string {
	sum := sha256.Sum256([]byte(source))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Secure sets the headers that every answer of ours has: nothing may be
// stored, framed or sniffed, and the full URL stays on the site. A referrer
// policy of no-referrer would make the Origin of the page's forms null.
func Secure(h http.Header) {
	h.Set("Cache-Control", "private, no-store")
	h.Add("Vary", "Cookie")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
}

// HTML writes the page. Headers that the caller has set stay.
func (p Page) HTML(w http.ResponseWriter) {
	var b bytes.Buffer
	v := view{Page: p, Style: template.CSS(style)}
	if p.Next != nil {
		v.Script = template.JS(p.Next.Script)
	}
	if err := tmpl.Execute(&b, v); err != nil {
		http.Error(w, p.Title, p.Status)
		return
	}
	h := w.Header()
	Secure(h)
	h.Set("Content-Security-Policy", policy+p.ancestors())
	switch { // a form's POST ends with the page, so that no form-action policy concerns this
	case p.Next == nil:
	case p.Next.Script == "":
		h.Set("Refresh", "0;url="+p.Next.URL)
	default:
		h.Set("Refresh", "2;url="+p.Next.URL)
		h.Set("Content-Security-Policy", policy+p.ancestors()+"; script-src 'sha256-"+hash(p.Next.Script)+"'")
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(p.Status)
	_, _ = w.Write(b.Bytes())
}

func (p Page) ancestors() string {
	if len(p.Ancestors) == 0 {
		return "'none'"
	}
	return strings.Join(p.Ancestors, " ")
}

type view struct {
	Page
	Style  template.CSS
	Script template.JS
}

// problem is RFC 9457's object, with members of our own.
type problem struct {
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Reason   string `json:"reason,omitempty"`
	LoginURL string `json:"login_url,omitempty"`
	ID       string `json:"request_id,omitempty"`
}

// JSON writes the page as problem+json.
func (p Page) JSON(w http.ResponseWriter) {
	body, err := json.Marshal(problem{p.Title, p.Status, p.Text, p.Reason, p.LoginURL, p.ID})
	if err != nil {
		http.Error(w, p.Title, p.Status)
		return
	}
	h := w.Header()
	Secure(h)
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	_, _ = w.Write(body)
}
