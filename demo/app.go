package demo

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
	"github.com/authkit-forward-auth/authkit-forward-auth/verify"
)

//go:embed app.html
var appSource string

//go:embed app.css
var appStyle string

//go:embed app.js
var appScript string

// identityPrefix begins the name of every identity header, however it is spelt.
const identityPrefix = "x-auth-request-"

// ServeApp serves the protected page alone, behind a gateway of the caller's,
// until ctx ends. It closes l. The page believes the identity headers, so nobody
// but that gateway may reach l, which need not be on a loopback address. flow is where the
// sign-in flow's endpoints are, with a slash at the end; empty: at /_auth/.
func ServeApp(ctx context.Context, l net.Listener, flow string, log zerolog.Logger) error {
	defer l.Close()
	app, err := newApp(nil, cmp.Or(flow, flowPrefix))
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return serveAll(ctx, []part{{"app", serveHTTP(l, app, log)}})
}

// reportsPath is where programs ask.
const reportsPath = "/api/reports"

// app is the protected application. It knows nothing of sign-in or sessions: it
// believes the identity headers, as it can be reached through the gateway only.
type app struct {
	template *template.Template
	csp      string // Content-Security-Policy
	names    []string
	pages    *pages // nil: the pages around it are somebody else's
	flow     string // where the sign-in flow's endpoints are, with a slash at the end
}

func newApp(p *pages, flow string) (*app, error) {
	page, err := template.New("app").Parse(appSource)
	if err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	return &app{
		template: page,
		csp: "default-src 'none'; script-src " + hash(appScript) + "; style-src " + hash(appStyle) +
			"; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		names: verify.DefaultHeaders().Names(),
		pages: p,
		flow:  flow,
	}, nil
}

func hash(source string) string {
	sum := sha256.Sum256([]byte(source))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// identity is who the gateway says is there.
type identity struct {
	User         string   `json:"user"`
	Email        string   `json:"email"`
	Name         string   `json:"name"`
	Organization string   `json:"organization"`
	Role         string   `json:"role"`
	Groups       []string `json:"groups"`
	Permissions  []string `json:"permissions"`
	Entitlements []string `json:"entitlements"`
	Session      string   `json:"session"`
	Impersonator string   `json:"impersonator"`
}

func readIdentity(h http.Header) identity {
	one := func(name string) string { return decode(h.Get("X-Auth-Request-" + name)) }
	list := func(name string) []string {
		members := []string{}
		for member := range strings.SplitSeq(h.Get("X-Auth-Request-"+name), ",") {
			if member != "" {
				members = append(members, decode(member))
			}
		}
		return members
	}
	return identity{
		User: one("User"), Email: one("Email"), Name: one("Name"),
		Organization: one("Organization"), Role: one("Role"), Groups: list("Groups"),
		Permissions: list("Permissions"), Entitlements: list("Entitlements"),
		Session: one("Session"), Impersonator: one("Impersonator"),
	}
}

// decode undoes the percent-encoding of bytes that headers can't hold.
func decode(value string) string {
	decoded, err := url.PathUnescape(value)
	if err != nil {
		return value
	}
	return decoded
}

// header is a row of the page's table.
type header struct{ Name, Value string }

// received lists every identity header as it came.
func (a *app) received(h http.Header) []header {
	rank := func(name string) int {
		if i := slices.Index(a.names, name); i >= 0 {
			return i
		}
		return len(a.names)
	}
	var rows []header
	for _, name := range slices.SortedFunc(maps.Keys(h), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
	}) {
		if !strings.HasPrefix(plainName(name), identityPrefix) {
			continue
		}
		for _, value := range h[name] {
			rows = append(rows, header{name, value})
		}
	}
	return rows
}

// view is what the page shows.
type view struct {
	Style     template.CSS
	Script    template.JS
	Greeting  string // empty: nobody is signed in
	Initial   string
	Identity  identity
	Method    string
	URI       string // path and query as they were asked for
	Headers   []header
	SignInURL string // as somebody else, where somebody is signed in, and back here
	LogoutURL string

	Pages *pages
	Front bool
	Here  string // path of the page; empty: none of the tiles
	Rule  string // as the sentence about it begins
	Needs string
	Why   string // somebody may open the page
	Now   string // the rule that decides since the policy was edited; empty: it wasn't
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "private, no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // a 401 to fetch tells from it where to come back to
	who := readIdentity(r.Header)
	switch r.URL.Path {
	case "/api/whoami":
		writeJSON(w, who)
		return
	case reportsPath:
		writeJSON(w, reports{who, []string{"January", "February", "March"}})
		return
	}
	var page bytes.Buffer
	if err := a.template.Execute(&page, a.view(r, who)); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", a.csp)
	_, _ = w.Write(page.Bytes())
}

// reports is what programs get.
type reports struct {
	AskedBy identity `json:"asked_by"`
	Reports []string `json:"reports"`
}

func writeJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}

func (a *app) view(r *http.Request, who identity) view {
	uri := r.URL.RequestURI()
	query := url.Values{"rd": {"http://" + r.Host + uri}}
	v := view{
		Style: template.CSS(appStyle), Script: template.JS(appScript),
		Greeting: cmp.Or(who.Name, who.Email, who.User), Identity: who,
		Method: r.Method, URI: uri, Headers: a.received(r.Header),
		LogoutURL: a.flow + site.Logout, Pages: a.pages,
	}
	if v.Greeting != "" {
		first, _ := utf8.DecodeRuneInString(v.Greeting)
		v.Initial = strings.ToUpper(string(first))
		query.Set("prompt", "login")
	}
	v.SignInURL = a.flow + site.Login + "?" + query.Encode()
	if a.pages != nil {
		p := pageOf(a.pages.List, r.URL.Path)
		v.Front = r.URL.Path == "/"
		if p.Path != "/" || v.Front {
			v.Here = p.Path
		}
		v.Rule, v.Needs, v.Why = p.title(), p.Needs, p.reason(who)
		v.Now = a.pages.edited(r)
	}
	return v
}
