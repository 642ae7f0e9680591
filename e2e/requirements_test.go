package e2e

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Further values of the emulator's seed.
const (
	sam      = "sam@example.com" // member at Acme, owner at Globex
	samID    = "user_01JFBF5KZNWJ47TAN9ZT24MNPZ"
	globexID = "org_01JBGJ09TQM83XSSSS6YS3C4DW"
)

// The examples' places with requirements.
const (
	adminPath  = "/admin/users"  // role=admin,owner
	globexPath = "/globex/plans" // organization=Globex
)

// signInTo signs in to one of the user's organizations.
func (b *browser) signInTo(s *stack, organizationID, email string) answer {
	b.t.Helper()
	query := url.Values{"organization_id": {organizationID}, "rd": {s.origin + "/"}}
	return b.signIn(s.origin+"/_auth/login?"+query.Encode(), email)
}

// click follows a link of a page.
func (b *browser) click(page answer, link string) answer {
	b.t.Helper()
	h := documentHeaders()
	h.Set("Sec-Fetch-Site", "same-origin")
	h.Set("Referer", page.URL.String())
	return b.follow(b.send(http.MethodGet, link, h, ""))
}

var linkPattern = regexp.MustCompile(`<a [^>]*href="([^"]*)"[^>]*>([^<]*)</a>`)

// links returns a page's links by their text.
func (a answer) links() map[string]string {
	links := map[string]string{}
	for _, m := range linkPattern.FindAllStringSubmatch(a.Body, -1) {
		links[html.UnescapeString(m[2])] = html.UnescapeString(m[1])
	}
	return links
}

// Two places with different requirements, and a client's own query, which changes nothing.
func TestRequirementsPerRoute(t *testing.T) {
	t.Parallel()
	eachGatewayWithRequirements(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		admin, member, owner, nobody := newBrowser(t), newBrowser(t), newBrowser(t), newBrowser(t)
		admin.signIn(s.origin+"/", zoe)
		member.signInTo(s, acmeID, sam)
		owner.signInTo(s, globexID, sam)

		for _, test := range []struct {
			name    string
			browser *browser
			path    string
			status  int
			reason  string
		}{
			{"an admin where admins may", admin, adminPath, 200, ""},
			{"an owner where owners may", owner, adminPath, 200, ""},
			{"a member where admins may", member, adminPath, 403, "forbidden"},
			{"nobody where admins may", nobody, adminPath, 401, "no_session"},
			{"a member of Globex at Globex", owner, globexPath, 200, ""},
			{"an admin of Acme at Globex", admin, globexPath, 403, "forbidden"},
			{"nobody at Globex", nobody, globexPath, 401, "no_session"},
			{"a member elsewhere", member, "/reports", 200, ""},
			{"the folder itself", member, "/admin", 403, "forbidden"},
			{"an escaped letter", member, "/%61dmin/users", 403, "forbidden"},
			{"a query like the requirement", member, adminPath + "?role=member", 403, "forbidden"},
			{"a query with the requirement's values", admin, globexPath + "?organization=" + acmeID, 403, "forbidden"},
			{"a query behind another question mark", member, adminPath + "??role=member", 403, "forbidden"},
			{"a query that the service would refuse", admin, adminPath + "?role=&x=%zz;", 200, ""},
			{"a query of a place without requirements", member, "/reports?role=owner", 200, ""},
		} {
			t.Run(test.name, func(t *testing.T) {
				before := s.app.requests.Load()

				a := test.browser.fetch(http.MethodGet, s.origin+test.path, "")

				wantReason(t, a, test.status, test.reason)
				if got := s.app.requests.Load() - before; (got == 1) != (test.status == http.StatusOK) {
					t.Errorf("requests at the app: got %d", got)
				}
				if test.status == http.StatusForbidden && a.Header.Get("Content-Type") != "application/problem+json" {
					t.Errorf("Content-Type: got %q, want the service's problem+json", a.Header.Get("Content-Type"))
				}
			})
		}
		page := &url.URL{Scheme: "http", Host: strings.TrimPrefix(s.origin, "http://"), Path: adminPath}
		form := longForm(g)
		if a := member.post(page, page.String(), form); a.Status != http.StatusForbidden || a.links()["Sign in as someone else"] == "" {
			t.Errorf("a member's form: got status %d, want 403 and the service's page: %s", a.Status, a.Body)
		}
	})
}

// Somebody who is signed in to the wrong organization moves the session to the right one, and arrives at
// the page.
func TestSwitchOfOrganization(t *testing.T) {
	t.Parallel()
	eachGatewayWithRequirements(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)
		b.signInTo(s, acmeID, sam)
		target := s.origin + globexPath + "?year=2026&q=a%26b"

		denied := b.open(target)
		wantReason(t, denied, http.StatusForbidden, "forbidden")
		link := denied.links()["Switch to Globex"]
		if link == "" || denied.links()["Sign in as someone else"] == "" {
			t.Fatalf("got links %q, want the switch and another sign-in: %s", denied.links(), denied.Body)
		}
		if got := denied.Header.Values("Set-Cookie"); len(got) > 0 {
			t.Errorf("Set-Cookie on a denial: got %d, want none", len(got))
		}
		before := s.authKit.Calls()

		a := b.click(denied, link)

		if got := a.URL.String(); got != target {
			t.Errorf("after the switch: got %s, want %s (%s)", got, target, trail(a.Before))
		}
		if len(a.Before) != 1 || a.Before[0].Status != http.StatusSeeOther {
			t.Errorf("got %s, want one redirect, 303", trail(a.Before))
		}
		h := b.seen(a).Header
		for name, want := range map[string]string{
			"X-Auth-Request-User": samID, "X-Auth-Request-Organization": globexID, "X-Auth-Request-Role": "owner",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		calls := s.authKit.Calls()
		if refreshes, signIns := calls["authenticate.refresh_token"]-before["authenticate.refresh_token"], calls["authorize"]-before["authorize"]; refreshes != 1 || signIns != 0 {
			t.Errorf("got %d refreshes and %d sign-ins at AuthKit, want one refresh", refreshes, signIns)
		}
	})
}

// A page of another site can't move a session, and who is no member is told so.
func TestSwitchIsRefused(t *testing.T) {
	t.Parallel()
	eachGatewayWithRequirements(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		b := newBrowser(t)
		b.signInTo(s, acmeID, sam)
		toGlobex := s.origin + "/_auth/switch?organization_id=" + globexID
		foreign := documentHeaders()
		foreign.Set("Sec-Fetch-Site", "cross-site")

		b.image(toGlobex)
		page := b.send(http.MethodGet, toGlobex, foreign, "")

		if page.Status != http.StatusOK || !strings.Contains(page.Body, "<form") {
			t.Errorf("from another site: got status %d, want a page with a button: %s", page.Status, page.Body)
		}
		if got := b.seen(b.open(s.origin + "/")).Header.Get("X-Auth-Request-Organization"); got != acmeID {
			t.Errorf("organization: got %s, want %s as before", got, acmeID)
		}
		admin := newBrowser(t)
		admin.signIn(s.origin+"/", zoe)
		denied := admin.open(s.origin + globexPath)
		wantReason(t, denied, http.StatusForbidden, "forbidden")
		if _, offered := denied.links()["Switch to Globex"]; offered {
			t.Error("the switch is offered to somebody who is no member")
		}
		if a := admin.open(toGlobex); a.Status != http.StatusForbidden {
			t.Errorf("who is no member: got status %d, want 403: %s", a.Status, a.Body)
		}
	})
}
