package emulator

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// challenge is RFC 7636's example, of verifier.
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

func TestAuthorizeRefuses(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	tests := []struct {
		name    string
		changes map[string]string
		page    string // text of an error page: the application can't be told
		error   string // what the application is told
	}{
		{"another client", map[string]string{"client_id": "client_other"}, "client_id", ""},
		{"no client", map[string]string{"client_id": ""}, "client_id", ""},
		{"redirect URI not registered", map[string]string{"redirect_uri": "https://evil.example/"}, "https://evil.example/", ""},
		{"redirect URI with more behind", map[string]string{"redirect_uri": testRedirect + "/x"}, "registered", ""},
		{"redirect URI with a query", map[string]string{"redirect_uri": testRedirect + "?x=1"}, "registered", ""},
		{"redirect URI with other host case", map[string]string{"redirect_uri": "http://LOCALHOST:3000/_auth/callback"}, "registered", ""},
		{"no redirect URI", map[string]string{"redirect_uri": ""}, "registered", ""},
		{"token response", map[string]string{"response_type": "token"}, "", "unsupported_response_type"},
		{"no connection selector", map[string]string{"provider": ""}, "", "invalid_request"},
		{"plain challenge", map[string]string{"code_challenge": challenge, "code_challenge_method": "plain"}, "", "invalid_request"},
		{"challenge without method", map[string]string{"code_challenge": challenge}, "", "invalid_request"},
		{"method without challenge", map[string]string{"code_challenge_method": "S256"}, "", "invalid_request"},
		{"challenge that is no sum", map[string]string{"code_challenge": "short", "code_challenge_method": "S256"}, "", "invalid_request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			target := e.authorizeURL(t, tt.changes)
			for _, got := range []response{e.get(t, target), e.choose(t, target, url.Values{"email": {paula}})} {
				if tt.page != "" {
					if got.status != 400 || got.header.Get("Location") != "" || !strings.Contains(got.body, tt.page) {
						t.Errorf("got %d, Location %q, want a 400 page with %q", got.status, got.header.Get("Location"), tt.page)
					}
					continue
				}
				query := callback(t, got)
				if query.Get("error") != tt.error || query.Get("error_description") == "" ||
					query.Get("state") != "the-state" || query.Has("code") {
					t.Errorf("got callback %v, want error %s with the state", query, tt.error)
				}
			}
		})
	}
}

func TestAuthorizeRefusesAmbiguousQueries(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	for name, more := range map[string]string{
		"repeated redirect URI": "&redirect_uri=" + url.QueryEscape(testRedirect),
		"repeated state":        "&state=other",
		"semicolon":             "&a=1;b=2",
		"bad escape":            "&a=%zz",
	} {
		if got := e.get(t, e.authorizeURL(t, nil)+more); got.status != 400 {
			t.Errorf("%s: got status %d, want 400", name, got.status)
		}
	}
}

func TestAuthorizeAccepts(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	tests := []struct {
		name    string
		changes map[string]string
	}{
		{"plain", nil},
		{"everything that SDKs send", map[string]string{
			"code_challenge": challenge, "code_challenge_method": "S256", "screen_hint": "sign-up", "prompt": "login",
			"max_age": "0", "invitation_token": "token", "domain_hint": "example.com", "login_hint": "nobody@example.com",
			"provider_scopes": "a,b", "claim_nonce": "n",
		}},
		{"connection instead of provider", map[string]string{"provider": "", "connection_id": "conn_01"}},
		{"organization instead of provider", map[string]string{"provider": "", "organization_id": acmeID}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			target := e.authorizeURL(t, tt.changes)
			if got := e.get(t, target); got.status != 200 || !strings.Contains(got.body, paula) {
				t.Errorf("got %d, want the page with the users", got.status)
			}
			query := callback(t, e.choose(t, target, url.Values{"email": {paula}}))
			if len(query) != 2 || query.Get("code") == "" || query.Get("state") != "the-state" {
				t.Errorf("got callback %v, want code and state", query)
			}
		})
	}
}

func TestAuthorizeEchoesState(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	for _, state := range []string{
		"Fe26.2*1*ab*cd-_~2", "a b+c%2B&d=e;f", `"><script>`, "ü\n\x00\xff", strings.Repeat("x", 4000),
	} {
		target := e.authorizeURL(t, map[string]string{"state": state})
		for name, choice := range map[string]url.Values{"sign in": {"email": {paula}}, "cancel": {"cancel": {"1"}}} {
			if got := callback(t, e.choose(t, target, choice)).Get("state"); got != state {
				t.Errorf("%s: got state %q, want %q", name, got, state)
			}
		}
	}
	without := callback(t, e.choose(t, e.authorizeURL(t, map[string]string{"state": ""}), url.Values{"email": {paula}}))
	if without.Has("state") {
		t.Errorf("got callback %v, want no state", without)
	}
}

func TestAuthorizeCancel(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	query := callback(t, e.choose(t, e.authorizeURL(t, nil), url.Values{"cancel": {"1"}}))
	if query.Get("error") != "access_denied" || query.Get("error_description") == "" || query.Has("code") {
		t.Errorf("got callback %v, want access_denied", query)
	}
}

func TestAuthorizeKeepsRedirectQuery(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	target := e.authorizeURL(t, map[string]string{"redirect_uri": "http://localhost:3000/callback?app=1"})
	got := e.choose(t, target, url.Values{"email": {paula}}).header.Get("Location")
	if !strings.HasPrefix(got, "http://localhost:3000/callback?app=1&code=") {
		t.Errorf("got Location %q, want the redirect URI's query kept", got)
	}
}

func TestAuthorizeLoginHint(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	tests := []struct {
		name string
		hint string
		at   bool // signs in at once
	}{
		{"seeded user", paula, true},
		{"seeded user in capitals", " Paula@Example.com", true},
		{"user of two organizations", sam, true},
		{"nobody", "nobody@example.com", false},
		{"not an address", `"><script>alert(1)</script>`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := e.get(t, e.authorizeURL(t, map[string]string{"login_hint": tt.hint}))
			if tt.at {
				if query := callback(t, got); query.Get("code") == "" || query.Get("state") != "the-state" {
					t.Errorf("got callback %v, want code and state", query)
				}
				return
			}
			field := `type="email" name="email" value="` + html.EscapeString(tt.hint) + `"`
			if got.status != 200 || !strings.Contains(got.body, field) {
				t.Errorf("got %d, want the page with the hint in its field", got.status)
			}
		})
	}
}

func TestAuthorizeMakesUsers(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	first := e.exchange(t, e.code(t, " New.Person@Example.com ", nil))
	again := e.exchange(t, e.code(t, "new.person@example.com", nil))
	if first.User.Email != "new.person@example.com" || first.User.ID == "" || first.User.ID != again.User.ID {
		t.Errorf("got users %+v and %+v, want the same new one", first.User, again.User)
	}
	for _, email := range []string{"", "nobody", "a b@example.com", "Name <a@example.com>", "a@example.com,b@example.com",
		strings.Repeat("a", 250) + "@example.com"} {
		got := e.choose(t, e.authorizeURL(t, nil), url.Values{"email": {email}})
		if got.status != 400 || !strings.Contains(got.body, "not an email address") {
			t.Errorf("email %q: got status %d, want 400", email, got.status)
		}
	}
}

func TestAuthorizeOrganizations(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	tests := []struct {
		name   string
		asked  string // organization_id of the request
		choice url.Values
		step   bool   // second step
		want   string // organization of the session
	}{
		{"two, none named", "", url.Values{"email": {sam}}, true, ""},
		{"two, chosen in the second step", "", url.Values{"email": {sam}, "organization_id": {globexID}}, false, globexID},
		{"two, the request names one", acmeID, url.Values{"email": {sam}}, false, acmeID},
		{"two, chosen over the request's", acmeID, url.Values{"email": {sam}, "organization_id": {globexID}}, false, globexID},
		{"two, the request names a strange one", "org_01STRANGE", url.Values{"email": {sam}}, true, ""},
		{"two, a strange one chosen", "", url.Values{"email": {sam}, "organization_id": {"org_01STRANGE"}}, true, ""},
		{"one", "", url.Values{"email": {zoe}}, false, acmeID},
		{"one, the request names another", globexID, url.Values{"email": {zoe}}, false, acmeID},
		{"none, the request names one", acmeID, url.Values{"email": {paula}}, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res := e.choose(t, e.authorizeURL(t, map[string]string{"organization_id": tt.asked}), tt.choice)
			if tt.step {
				want := `<button name="organization_id" value="` + globexID + `">`
				if res.status != 200 || !strings.Contains(res.body, want) || !strings.Contains(res.body, "Acme, Inc.") {
					t.Errorf("got %d %s, want the second step", res.status, res.body)
				}
				return
			}
			if got := e.exchange(t, callback(t, res).Get("code")).OrganizationID; got != tt.want {
				t.Errorf("got organization %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPageIsSafe(t *testing.T) {
	t.Parallel()
	const bad = `"><script>alert(1)</script>`
	e := start(t, func(c *Config) {
		c.Organizations = []Organization{{ID: "org_1", Name: bad}, {ID: "org_2", Name: "Two"}}
		member := func(id string) Membership { return Membership{OrganizationID: id, Roles: []string{bad}} }
		c.Users = []User{{ID: "user_1", Email: "a@b.example", FirstName: bad,
			Memberships: []Membership{member("org_1"), member("org_2")}, Impersonator: &Impersonator{Email: bad}}}
	})
	target := e.authorizeURL(t, map[string]string{"login_hint": bad, "state": bad, "screen_hint": bad})
	pages := map[string]response{
		"users":         e.get(t, target),
		"organizations": e.choose(t, target, url.Values{"email": {"a@b.example"}}),
		"bad address":   e.choose(t, target, url.Values{"email": {bad}}),
		"redirect URI":  e.get(t, e.authorizeURL(t, map[string]string{"redirect_uri": bad})),
		"return URL":    e.get(t, e.url+"/user_management/sessions/logout?session_id=s&return_to="+url.QueryEscape(bad)),
	}
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`)
	for name, got := range pages {
		if strings.Contains(got.body, "<script") || !strings.Contains(got.body, html.EscapeString("<script")) && name != "organizations" {
			t.Errorf("%s: got a page that does not escape: %s", name, got.body)
		}
		sum := sha256.Sum256([]byte(style.FindStringSubmatch(got.body)[1]))
		want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; base-uri 'none'; frame-ancestors 'none'"
		if csp := got.header.Get("Content-Security-Policy"); csp != want {
			t.Errorf("%s: got policy %q, want %q", name, csp, want)
		}
		if got.header.Get("Cache-Control") != "no-store" || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: got headers %v, want no-store and nosniff", name, got.header)
		}
	}
}

func TestPageListsUsers(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	got := e.get(t, e.authorizeURL(t, nil)).body
	last := -1
	for _, want := range []string{
		`<button name="email" value="paula@example.com">`, "no organization",
		`<button name="email" value="zoe@acme.example">`, "Zoë Ångström", "Acme, Inc.: admin, billing",
		`<button name="email" value="sam@example.com">`, "Sam Rivera, Jr.", "2 organizations",
		`<button name="email" value="iris@acme.example">`, "impersonated by support@example.com",
	} {
		at := strings.Index(got, want)
		if at <= last && strings.HasPrefix(want, "<") || at < 0 {
			t.Errorf("got %q at %d, want it after %d", want, at, last)
		}
		if strings.HasPrefix(want, "<") {
			last = at
		}
	}
	if !strings.Contains(got, "AuthKit emulator") || !strings.Contains(got, "to continue to http://localhost:3000") {
		t.Error("got a page that says neither what it is nor who asks")
	}
}

// The forms' action works as it stands in the page: a browser gets back the state that the application sent.
func TestPageActionKeepsTheRequest(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	const state = `Fe26.2*1*"><&amp;+ %7E~2`
	page := e.get(t, e.authorizeURL(t, map[string]string{"state": state})).body
	action := regexp.MustCompile(`action="([^"]*)"`).FindStringSubmatch(page)
	if action == nil {
		t.Fatalf("got no form in %s", page)
	}
	got := callback(t, e.choose(t, e.url+html.UnescapeString(action[1]), url.Values{"email": {paula}})).Get("state")
	if got != state {
		t.Errorf("got state %q, want %q", got, state)
	}
}
