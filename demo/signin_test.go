package demo

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestTheWholePath(t *testing.T) {
	t.Parallel()
	a := start(t, Options{})
	b := newBrowser(t)
	asked := a.Gateway + "/reports?year=2026&q=a%26b"

	denied := b.open(asked, nil)
	login := a.Gateway + "/_auth/login?rd=" + url.QueryEscape(a.Gateway) + "%2Freports%3Fyear%3D2026%26q%3Da%2526b"
	if got := b.redirect(denied); got != login {
		t.Fatalf("without a session: got 303 to %s, want %s", got, login)
	}
	atLogin := b.follow(denied)
	if got, want := b.redirect(atLogin), a.Emulator+"/user_management/authorize?"; !strings.HasPrefix(got, want) {
		t.Fatalf("login: got 303 to %s, want %s…", got, want)
	}
	hosted := b.follow(atLogin)
	if hosted.status != 200 || !strings.Contains(hosted.text(), "Zoë Ångström") {
		t.Fatalf("hosted page: got status %d, want a page with the users: %s", hosted.status, hosted.body)
	}
	chosen := b.submit(hosted, url.Values{"email": {"zoe@acme.example"}})
	if got, want := b.redirect(chosen), a.Gateway+"/_auth/callback?"; !strings.HasPrefix(got, want) {
		t.Fatalf("hosted page's form: got 303 to %s, want %s…", got, want)
	}
	back := b.follow(chosen)
	if got := b.redirect(back); got != asked {
		t.Fatalf("callback: got 303 to %s, want %s", got, asked)
	}
	page := b.follow(back)
	for _, want := range []string{
		"Hello, Zoë Ångström", "/reports?year=2026&q=a%26b",
		"X-Auth-Request-Useruser_01JE28JT97KB6CQ643DZVMXXQK\n", "X-Auth-Request-Emailzoe@acme.example\n",
		"X-Auth-Request-Groupsadmin,billing\n", "X-Auth-Request-Access-Tokenempty\n",
	} {
		if page.status != 200 || !strings.Contains(page.text(), want) {
			t.Errorf("page: got status %d, want 200 and %q: %s", page.status, want, page.text())
		}
	}
}

func TestFetchWithoutASession(t *testing.T) {
	t.Parallel()
	a := start(t, Options{})
	page := a.Gateway + "/reports?year=2026&q=a%26b"
	got := newBrowser(t).fetch(page, a.Gateway+"/api/whoami")
	var problem struct {
		Status   int    `json:"status"`
		LoginURL string `json:"login_url"`
	}
	if err := json.Unmarshal([]byte(got.body), &problem); err != nil {
		t.Fatalf("got %q: %v", got.body, err)
	}
	login := a.Gateway + "/_auth/login?rd=" + url.QueryEscape(a.Gateway) + "%2Freports%3Fyear%3D2026%26q%3Da%2526b"
	if got.status != 401 || got.header.Get("Content-Type") != "application/problem+json" ||
		problem.Status != 401 || problem.LoginURL != login {
		t.Errorf("got status %d, %s, want 401 problem+json with login_url %s", got.status, got.body, login)
	}
}

func TestFetchWithASession(t *testing.T) {
	t.Parallel()
	a := start(t, Options{})
	b := newBrowser(t)
	b.signIn(a.URL, "iris@acme.example")
	got := b.fetch(a.URL, a.Gateway+"/api/whoami")
	var who identity
	if err := json.Unmarshal([]byte(got.body), &who); err != nil || got.status != 200 {
		t.Fatalf("got status %d, %s, want 200 and an identity", got.status, got.body)
	}
	if who.Email != "iris@acme.example" || who.Name != "Iris Okafor" || who.Impersonator != "support@example.com" {
		t.Errorf("got %+v, want Iris, impersonated by support@example.com", who)
	}
}

func TestSpoofedHeadersDontReachTheApp(t *testing.T) {
	t.Parallel()
	a := start(t, Options{})
	b := newBrowser(t)
	b.signIn(a.URL, "paula@example.com")
	page := b.open(a.URL, http.Header{
		"X-Auth-Request-User":  {"spoofed"},
		"X_Auth_Request_User":  {"spoofed"},
		"X.Auth.Request.Email": {"spoofed"},
		"X-Auth-Request-Role":  {"spoofed"},
		"Connection":           {"X-Auth-Request-User"},
	})
	if page.status != 200 || strings.Contains(page.body, "spoofed") ||
		!strings.Contains(page.text(), "X-Auth-Request-Useruser_01JM9S346Q3D25VT4F5V37E3S3\n") {
		t.Errorf("got status %d, want Paula's page without the spoofed values: %s", page.status, page.text())
	}
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	a := start(t, Options{})
	b := newBrowser(t)
	page := b.signIn(a.URL, "paula@example.com")
	if !strings.Contains(page.body, `href="/_auth/logout"`) {
		t.Fatalf("the page has no link to sign out: %s", page.body)
	}
	out := b.send(http.MethodGet, a.Gateway+"/_auth/logout", documentHeaders("same-origin"), "")
	if got, want := b.redirect(out), a.Emulator+"/user_management/sessions/logout?"; !strings.HasPrefix(got, want) {
		t.Fatalf("got 303 to %s, want %s…", got, want)
	}
	returned := b.follow(out)
	if got, want := b.redirect(returned), a.Gateway+"/_auth/logout"; got != want {
		t.Fatalf("got 303 to %s, want %s", got, want)
	}
	if signedOut := b.follow(returned); !strings.Contains(signedOut.text(), "You are signed out") {
		t.Errorf("got %s, want the signed-out page", signedOut.text())
	}
	if after := b.open(a.URL, nil); !strings.HasPrefix(b.redirect(after), a.Gateway+"/_auth/login?") {
		t.Errorf("got %d to %s, want sign-in again", after.status, after.header.Get("Location"))
	}
}

// Signing in as somebody else, and back to the page, as often as one likes.
func TestSignInAsSomebodyElse(t *testing.T) {
	t.Parallel()
	a := start(t, Options{})
	b := newBrowser(t)
	asked := a.Gateway + "/reports?year=2026&q=a%26b"
	page := b.signIn(asked, "paula@example.com")
	link := "/_auth/login?prompt=login&rd=" + url.QueryEscape(asked)
	if !strings.Contains(page.body, `href="`+strings.ReplaceAll(link, "&", "&amp;")+`"`) {
		t.Fatalf("the page has no link to %s: %s", link, page.body)
	}
	for _, email := range []string{"zoe@acme.example", "iris@acme.example", "new@example.com"} {
		hosted := b.follow(b.send(http.MethodGet, a.Gateway+link, documentHeaders("same-origin"), ""))
		back := b.follow(b.submit(hosted, url.Values{"email": {email}}))
		if got := b.redirect(back); got != asked {
			t.Fatalf("%s: got back to %s, want %s", email, got, asked)
		}
		if page := b.follow(back); !strings.Contains(page.text(), "X-Auth-Request-Email"+email+"\n") {
			t.Errorf("%s: got the page %s", email, page.text())
		}
	}
}

// A restart has another cookie password: the old cookie leads to sign-in, not to an error.
func TestCookieOfAnEarlierDemo(t *testing.T) {
	t.Parallel()
	first, second := start(t, Options{}), start(t, Options{})
	b := newBrowser(t) // cookies don't know ports
	b.signIn(first.URL, "paula@example.com")
	if got, want := b.redirect(b.open(second.URL, nil)), second.Gateway+"/_auth/login?"; !strings.HasPrefix(got, want) {
		t.Errorf("got 303 to %s, want %s…", got, want)
	}
}
