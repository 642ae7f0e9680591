package flow

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

const (
	app   = "https://app.example.com"
	login = app + "/_auth/login"
)

func TestLoginGoesToAuthKit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	tests := []struct {
		name, path string
		want       map[string]string // of the authorize URL's query, "" for absent
	}{
		{"sign in", "login", map[string]string{
			"client_id": "client_01", "redirect_uri": "https://app.example.com/_auth/callback", "response_type": "code",
			"provider": "authkit", "screen_hint": "sign-in", "code_challenge_method": "S256",
			"organization_id": "", "login_hint": "", "invitation_token": "", "prompt": "", "max_age": "", "rd": "", "client_secret": "",
		}},
		{"sign up", "sign-up", map[string]string{
			"client_id": "client_01", "redirect_uri": "https://app.example.com/_auth/callback", "response_type": "code",
			"provider": "authkit", "screen_hint": "sign-up", "code_challenge_method": "S256",
		}},
		{"everything that is passed on", "login?organization_id=org_1&login_hint=a%2Bb%40example.com&invitation_token=inv+1&prompt=login&rd=/x",
			map[string]string{
				"organization_id": "org_1", "login_hint": "a+b@example.com", "invitation_token": "inv 1", "prompt": "login", "rd": "",
			}},
		{"the same at sign-up", "sign-up?organization_id=org_1&login_hint=a&invitation_token=i&prompt=p&max_age=60", map[string]string{
			"organization_id": "org_1", "login_hint": "a", "invitation_token": "i", "prompt": "p", "max_age": "60",
		}},
		{"the longest option", "login?login_hint=" + strings.Repeat("a", 512), map[string]string{"login_hint": strings.Repeat("a", 512)}},
		{"an option that is too long", "login?login_hint=" + strings.Repeat("a", 513), map[string]string{"login_hint": ""}},
		{"what is ours stays ours", "login?redirect_uri=https://evil.example/&state=s&client_id=c&code_challenge=c&response_type=token&provider=p",
			map[string]string{
				"redirect_uri": "https://app.example.com/_auth/callback", "client_id": "client_01", "response_type": "code", "provider": "authkit",
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := w.browser(t).get(app + "/_auth/" + tt.path)
			if a.status != http.StatusSeeOther || !strings.HasPrefix(a.location(), w.hosted.String()+"/user_management/authorize?") {
				t.Fatalf("got status %d to %q, want 303 to AuthKit", a.status, a.location())
			}
			query := parse(t, a.location()).Query()
			for name, want := range tt.want {
				if got := query.Get(name); got != want || len(query[name]) > 1 {
					t.Errorf("%s: got %q, want %q", name, query[name], want)
				}
			}
			if got := query.Get("code_challenge"); !regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`).MatchString(got) {
				t.Errorf("code_challenge: got %q", got)
			}
			if _, opened, fresh := w.openState(query.Get("state")); !opened || !fresh {
				t.Errorf("the state %q does not open", query.Get("state"))
			}
		})
	}
}

// Someone who is signed in may want to sign in as somebody else.
func TestLoginGoesToAuthKitWithASessionToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	b.visit(app+"/", paula)
	if a := b.visit(login+"?rd=/", zoe); a.body != "hello zoe@acme.example" {
		t.Errorf("got %q, want the other user", a.body)
	}
}

func TestCodeChallenge(t *testing.T) {
	t.Parallel()
	s := state{Verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"} // RFC 7636, appendix B
	if got, want := s.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNoTwoSignInsShareAnything(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	seen := map[string]bool{}
	for range 20 {
		query := parse(t, w.browser(t).get(login+"?rd=/same").location()).Query()
		s, _, _ := w.openState(query.Get("state"))
		if len(s.Nonce) < 26 || len(s.Verifier) < 43 || len(s.Verifier) > 128 {
			t.Fatalf("got a nonce of %d and a verifier of %d characters", len(s.Nonce), len(s.Verifier))
		}
		for _, value := range []string{query.Get("state"), query.Get("code_challenge"), s.Nonce, s.Verifier} {
			if seen[value] {
				t.Fatalf("%q came twice", value)
			}
			seen[value] = true
		}
	}
}

func TestFlowCookiesLiterally(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name           string
		settings       settings
		login          string
		state, attempt string
	}{
		{
			"https, under a prefix", settings{}, login,
			`^__Host-authkit-state-[0-9a-f]+-[A-Z2-7]{8}=[A-Za-z0-9_-]{43}; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax$`,
			`^authkit-attempts=[A-Za-z0-9_-]+; Path=/_auth/; Max-Age=60; HttpOnly; Secure; SameSite=Lax$`,
		},
		{
			"https, on a host of its own: the flow's cookies stay on it", ownHost(), "https://auth.example.com/login",
			`^__Host-authkit-state-[0-9a-f]+-[A-Z2-7]{8}=[A-Za-z0-9_-]{43}; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax$`,
			`^authkit-attempts=[A-Za-z0-9_-]+; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax$`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.settings)
			b := w.browser(t)
			began := b.get(tt.login)
			if lines := began.header["Set-Cookie"]; len(lines) != 1 || !regexp.MustCompile(tt.state).MatchString(lines[0]) {
				t.Errorf("got %q, want one like %s", lines, tt.state)
			}
			finished := b.get(b.choose(began.location(), paula))
			if got := finished.cookie("authkit-attempts="); !regexp.MustCompile(tt.attempt).MatchString(got) {
				t.Errorf("got %q, want one like %s", got, tt.attempt)
			}
		})
	}
}

func TestPrefetchActsOnNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	for _, header := range []string{"Sec-Purpose: prefetch", "Sec-Purpose: prefetch;prerender", "Purpose: prefetch"} {
		b := w.browser(t)
		b.visit(app+"/", paula)
		before := w.authkit.Calls()
		callback := b.begin(login+"?rd=/next", zoe)
		for _, address := range []string{
			login + "?rd=/x", app + "/_auth/sign-up", app + "/_auth/logout", app + "/_auth/switch?organization_id=org_1",
			callback, app + "/_auth/callback?error=access_denied",
		} {
			a := b.get(address, header)
			if a.location() != "" || len(a.header["Set-Cookie"]) != 0 {
				t.Errorf("%s, %s: got location %q and cookies %q", header, address, a.location(), a.header["Set-Cookie"])
			}
		}
		if after := w.authkit.Calls(); after["authenticate"] != before["authenticate"] || after["sessions.logout"] != 0 {
			t.Errorf("%s: got calls %v, before %v", header, after, before)
		}
		if a := b.get(app + "/"); a.body != "hello paula@example.com" {
			t.Errorf("%s: the session is gone: %q", header, a.body)
		}
		if a := b.get(callback); a.location() != app+"/next" {
			t.Errorf("%s: the real visit then goes to %q, %d", header, a.location(), a.status)
		}
	}
}

// A form that was sent to a protected page ends here as a GET or not at all:
// neither it nor its body goes on to AuthKit.
func TestMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	b.visit(app+"/", paula)
	callback := b.begin(login, zoe)
	before := w.authkit.Calls()
	tests := []struct {
		address string
		methods []string
	}{
		{login + "?rd=/x", []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"}},
		{app + "/_auth/sign-up", []string{"POST", "PUT", "DELETE", "OPTIONS"}},
		{callback, []string{"PUT", "DELETE", "OPTIONS"}},
		{app + "/_auth/logout", []string{"PUT", "DELETE", "OPTIONS"}},
		{app + "/_auth/switch?organization_id=org_1", []string{"PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"}},
	}
	for _, tt := range tests {
		for _, method := range tt.methods {
			a := b.must(b.send(method, tt.address, url.Values{"password": {"hunter2"}}, "Origin: "+app))
			if a.status != http.StatusMethodNotAllowed || a.location() != "" || len(a.header["Set-Cookie"]) != 0 {
				t.Errorf("%s %s: got status %d, location %q, cookies %q, want 405", method, tt.address, a.status, a.location(), a.header["Set-Cookie"])
			}
		}
	}
	if after := w.authkit.Calls(); after["authenticate"] != before["authenticate"] || after["authorize"] != before["authorize"] {
		t.Errorf("got calls %v, before %v", after, before)
	}
}

// The site's addresses come from the configuration: caddy-security 266, 268, 269.
func TestHostHeadersBuildNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	evil := []string{
		"Host: evil.example", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: http", "X-Forwarded-Port: 81",
		"X-Forwarded-Prefix: /evil", "X-Forwarded-Uri: /evil", "X-Original-URL: https://evil.example/evil",
		"X-Original-Host: evil.example", "Forwarded: host=evil.example;proto=http", "X-Rewrite-Url: /evil",
	}
	b := w.browser(t)
	began := b.get(login+"?rd=/page", evil...)
	if got := parse(t, began.location()).Query().Get("redirect_uri"); got != "https://app.example.com/_auth/callback" {
		t.Errorf("redirect_uri: got %q", got)
	}
	tests := []struct{ name, address, want string }{
		{"callback", b.choose(began.location(), paula), "https://app.example.com/page"},
		{"callback without state", app + "/_auth/callback?code=c", "https://app.example.com/_auth/login?"},
		{"sign-out", app + "/_auth/logout", w.hosted.String() + "/user_management/sessions/logout?"},
		{"a switch", switchTo + globex, login + "?organization_id=" + globex},
	}
	for _, tt := range tests {
		a := b.get(tt.address, evil...)
		if !strings.HasPrefix(a.location(), tt.want) {
			t.Errorf("%s: got status %d to %q, want %q", tt.name, a.status, a.location(), tt.want)
		}
	}
	for _, address := range []string{app + "/_auth/callback?error=access_denied", app + "/_auth/logout"} {
		if a := b.get(address, evil...); strings.Contains(a.body, "evil") {
			t.Errorf("%s: the page names the host: %s", address, a.body)
		}
	}
}
