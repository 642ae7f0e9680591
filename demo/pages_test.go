package demo

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy/policyfile"
)

const (
	acme   = "org_01JSSZ5AWSH8VHTPRE95B9EE0Z"
	globex = "org_01JBGJ09TQM83XSSSS6YS3C4DW"
)

// The pages say of the policy what its file says.
func TestPagesAreThoseOfThePolicy(t *testing.T) {
	t.Parallel()
	p, err := policyfile.Parse(policySource, policyfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range allPages("") {
		match := p.Policy.Match(policy.Request{Method: http.MethodGet, Host: "localhost", Path: page.Path})
		if match.Rule == nil || match.Rule.Name != page.rule {
			t.Errorf("%s: got %+v, want rule %q", page.Path, match, page.rule)
		}
	}
}

func TestPageOf(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/": "/", "": "/", "/reports": "/", "/publicly": "/", "/public": "/public", "/public/": "/public",
		"/admin/users": "/admin", "/globex": "/globex", "/settings/": "/settings", "/api/other": "/api/reports",
	} {
		if got := pageOf(allPages(""), path).Path; got != want {
			t.Errorf("%q: got %s, want %s", path, got, want)
		}
	}
}

// One demo, as a new one needs a new key.
func TestPages(t *testing.T) {
	t.Parallel()
	a := start(t, Options{})
	for _, tt := range []struct {
		name string
		run  func(*testing.T, Addresses)
	}{
		{"each page for each user", testEachPageForEachUser},
		{"the switch to another organization", testSwitch},
		{"the public page leads to sign-in and back", testPublicPageLeadsToSignInAndBack},
		{"programs", testPrograms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t, a)
		})
	}
}

func testEachPageForEachUser(t *testing.T, a Addresses) {
	roles, organizations := `Not met: roles (rule "administrators").`, `Not met: organizations (rule "Globex").`
	needsKey := "This needs an access token or an API key"
	type page struct {
		path   string
		status int
		text   string // of the page, or the place to sign in
	}
	tests := []struct {
		name, email, organization string
		pages                     []page
	}{
		{"nobody", "", "", []page{
			{"/", 303, "/_auth/login?rd="}, {"/public", 200, "You are not signed in."}, {"/admin", 303, "/_auth/login?rd="},
			{"/globex", 303, "/_auth/login?rd="}, {"/settings", 303, "/_auth/login?rd="}, {"/api/reports", 401, needsKey},
		}},
		{"a user without an organization", "paula@example.com", "", []page{
			{"/", 200, "The policy's default asks for a session. You have one."},
			{"/public", 200, "Hello, Paula Winter"}, {"/admin", 403, roles}, {"/globex", 403, organizations},
			{"/settings", 200, "asks for your own fresh sign-in. It may be 5 minutes old"}, {"/api/reports", 401, needsKey},
		}},
		{"an admin", "zoe@acme.example", "", []page{
			{"/public", 200, "You are signed in"}, {"/admin/users", 200, "Your roles: admin, billing."},
			{"/globex", 403, organizations}, {"/api/reports", 401, needsKey},
		}},
		{"a member of two, at Acme", "sam@example.com", acme, []page{
			{"/admin", 403, roles}, {"/globex", 403, organizations}, {"/settings", 200, "Hello, Sam"},
		}},
		{"a member of two, at Globex", "sam@example.com", globex, []page{
			{"/admin", 403, roles}, {"/globex", 200, "Your session is for Globex."},
		}},
		{"an impersonated user", "iris@acme.example", "", []page{
			{"/", 200, "support@example.com is acting"}, {"/settings", 403, `Not met: impersonation (rule "settings").`},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBrowser(t)
			if tt.email != "" {
				b.signInTo(a.URL, tt.email, tt.organization)
			}
			for _, p := range tt.pages {
				got := b.open(a.Gateway+p.path, nil)
				text := got.text() + got.header.Get("Location")
				if got.status != p.status || !strings.Contains(text, p.text) {
					t.Errorf("%s: got %d %s, want %d …%s…", p.path, got.status, text, p.status, p.text)
				}
				if offered := strings.Contains(text, "Switch to Globex"); offered != (p.text == organizations && tt.organization == acme) {
					t.Errorf("%s: got switch offered %v: %s", p.path, offered, text)
				}
			}
		})
	}
}

func testSwitch(t *testing.T, a Addresses) {
	b := newBrowser(t)
	denied := b.signInTo(a.Gateway+"/globex/plans?year=2026&q=a%26b", "sam@example.com", acme)
	if denied.status != 403 {
		t.Fatalf("at Acme: got status %d, want 403: %s", denied.status, denied.body)
	}
	switched := b.click(denied, "Switch to Globex")
	if got, want := b.redirect(switched), a.Gateway+"/globex/plans?year=2026&q=a%26b"; got != want {
		t.Fatalf("switch: got 303 to %s, want %s", got, want)
	}
	page := b.follow(switched)
	for _, want := range []string{"Your session is for Globex.", "X-Auth-Request-Organization" + globex + "\n", "X-Auth-Request-Roleowner\n"} {
		if page.status != 200 || !strings.Contains(page.text(), want) {
			t.Errorf("at Globex: got status %d, %s, want 200 and %q", page.status, page.text(), want)
		}
	}
}

func testPublicPageLeadsToSignInAndBack(t *testing.T, a Addresses) {
	b := newBrowser(t)
	hosted := b.follow(b.click(b.open(a.Gateway+"/public?a=1", nil), "Sign in"))
	back := b.follow(b.submit(hosted, url.Values{"email": {"zoe@acme.example"}}))
	if got, want := b.redirect(back), a.Gateway+"/public?a=1"; got != want {
		t.Fatalf("got 303 to %s, want %s", got, want)
	}
	page := b.follow(back)
	if page.status != 200 || !strings.Contains(page.text(), "Hello, Zoë Ångström") || !strings.Contains(page.body, ">Sign out</a>") {
		t.Errorf("got status %d, want Zoë's page with a way to sign out: %s", page.status, page.body)
	}
}

func TestSettingsWantAFreshSignIn(t *testing.T) {
	t.Parallel()
	a := start(t, Options{AccessTokenLifetime: time.Hour})
	b := newBrowser(t)
	clock := func(skew string) {
		t.Helper()
		got := b.send(http.MethodPatch, a.Emulator+"/_emulator/settings", emulatorKey(), `{"clock_skew":"`+skew+`"}`)
		if got.status != 200 {
			t.Fatalf("clock: got status %d, want 200: %s", got.status, got.body)
		}
	}
	clock("-6m") // a sign-in of six minutes ago
	b.signIn(a.URL, "zoe@acme.example")
	clock("0s")
	if page := b.open(a.URL, nil); page.status != 200 {
		t.Fatalf("got status %d, want a good session: %s", page.status, page.body)
	}
	asked := b.open(a.Gateway+"/settings", nil)
	login, err := url.Parse(b.redirect(asked))
	if err != nil || login.Path != "/_auth/login" || login.Query().Get("max_age") != "300" {
		t.Fatalf("got 303 to %s, %v, want the sign-in with max_age=300", login, err)
	}
	atLogin := b.follow(asked)
	if got := b.redirect(atLogin); !strings.HasPrefix(got, a.Emulator) || !strings.Contains(got, "max_age=300") {
		t.Errorf("got 303 to %s, want AuthKit with max_age=300", got)
	}
	back := b.follow(b.submit(b.follow(atLogin), url.Values{"email": {"zoe@acme.example"}}))
	if page := b.follow(back); page.status != 200 || page.url.Path != "/settings" {
		t.Errorf("after it: got status %d at %s, want the settings", page.status, page.url)
	}
}

func testPrograms(t *testing.T, a Addresses) {
	b := newBrowser(t)
	b.signIn(a.URL, "zoe@acme.example")
	for _, tt := range []struct {
		name   string
		header http.Header
		status int
		want   string
	}{
		{"a session", http.Header{}, 401, `"reason":"no_credential"`},
		{"a key that nobody has", http.Header{"X-Api-Key": {"sk_emulator_nobody_T4Q9ZX7M2KWB"}}, 401, `"reason":"bad_credential"`},
		{"a key as a bearer token", http.Header{"Authorization": {"Bearer sk_emulator_globex_reports_H8N3VD5R6YCJ"}}, 200,
			`"name":"Globex's dashboard","organization":"` + globex + `"`},
		{"an access token", http.Header{"Authorization": {"Bearer " + accessToken(t, a, "zoe@acme.example")}}, 200,
			`"user":"user_01JE28JT97KB6CQ643DZVMXXQK"`},
		{"an access token without the permission", http.Header{"Authorization": {"Bearer " + accessToken(t, a, "paula@example.com")}}, 403,
			`"reason":"forbidden"`},
	} {
		got := b.send(http.MethodGet, a.Gateway+"/api/reports", tt.header, "")
		if got.status != tt.status || !strings.Contains(got.body, tt.want) || got.header.Get("X-Auth-Login-URL") != "" {
			t.Errorf("%s: got %d %s, want %d …%s…, and no place to sign in", tt.name, got.status, got.body, tt.status, tt.want)
		}
	}
}

// The lines for a shell do what is said of them.
func TestCommands(t *testing.T) {
	t.Parallel()
	a := start(t, Options{})
	if len(a.Commands) != 3 {
		t.Fatalf("got %v, want three commands", a.Commands)
	}
	b := newBrowser(t)
	if got := b.curl(a.Commands[0]); got.status != 401 {
		t.Errorf("without a key: got status %d, want 401: %s", got.status, got.body)
	}
	if got := b.curl(a.Commands[1]); got.status != 200 ||
		!strings.Contains(got.body, `"asked_by":{"user":"api_key_01JY2M5RT7WX3Z6B8D0F4H9K1N"`) ||
		!strings.Contains(got.body, `"reports":["January","February","March"]`) {
		t.Errorf("with the key: got %d %s, want 200, who asks, and the reports", got.status, got.body)
	}
	if got := b.curl(a.Commands[2]); got.status != 204 {
		t.Fatalf("revocation: got status %d, want 204: %s", got.status, got.body)
	}
	eventually(t, "the revoked key is refused", func() bool { return b.curl(a.Commands[1]).status == 401 })
	page := b.signIn(a.URL, "paula@example.com")
	for _, c := range a.Commands {
		if !strings.Contains(page.text(), c.Line) || !strings.Contains(page.text(), c.Answer) {
			t.Errorf("the page lacks %q, %q: %s", c.Line, c.Answer, page.text())
		}
	}
}

var commandLine = regexp.MustCompile(`^curl (?:-X ([A-Z]+) )?(?:-H '([A-Za-z-]+): ([^']+)' )?(http://localhost:\S+)$`)

// curl does what a command's line says.
func (b *browser) curl(c Command) answer {
	b.t.Helper()
	parts := commandLine.FindStringSubmatch(c.Line)
	if parts == nil {
		b.t.Fatalf("%q is not a line of curl's that this test understands", c.Line)
	}
	method, h := parts[1], http.Header{"Accept": {"*/*"}}
	if method == "" {
		method = http.MethodGet
	}
	if parts[2] != "" {
		h.Set(parts[2], parts[3])
	}
	return b.send(method, parts[4], h, "")
}

func emulatorKey() http.Header { return http.Header{"Authorization": {"Bearer sk_test_demo"}} }

// eventually waits until something is so, which has to happen within ten seconds.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(10 * time.Second)
	for !is() {
		select {
		case <-limit:
			t.Fatalf("it never comes that %s", what)
		case <-tick.C:
		}
	}
}
