package flow

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

const (
	switchTo = app + "/_auth/switch?organization_id="
	acme     = "org_01JSSZ5AWSH8VHTPRE95B9EE0Z" // zoe, iris and sam are members
	globex   = "org_01JBGJ09TQM83XSSSS6YS3C4DW" // sam is
)

// signedIn is a browser with a session in an organization.
func (w *world) signedIn(t *testing.T, email, organization string) *browser {
	t.Helper()
	b := w.browser(t)
	hosted := b.get(w.Site.Endpoint("login")).location()
	callback := b.post(hosted, url.Values{"email": {email}, "organization_id": {organization}}).location()
	if a := b.get(callback); a.cookie("wos-session=") == "" {
		t.Fatalf("got status %d to %q: %s", a.status, a.location(), a.body)
	}
	b.wantIn(email, organization)
	return b
}

// wantIn checks whose session the browser has, and in which organization.
func (b *browser) wantIn(email, organization string) {
	b.t.Helper()
	v, err := b.w.Sessions.Verify(b.t.Context(), b.header(b.w.Site.Endpoint("x")), false)
	if err != nil || v.Identity.Email != email || v.Identity.OrganizationID != organization {
		b.t.Errorf("got %+v, %v, want %s in %s", v, err, email, organization)
	}
}

// refreshes counts the refreshes that AuthKit was asked for.
func (w *world) refreshes() int { return w.authkit.Calls()["authenticate.refresh_token"] }

// refuseRefresh makes AuthKit answer the next refresh with this.
func (w *world) refuseRefresh(t *testing.T, status int, body string) {
	t.Helper()
	if err := w.authkit.AddFault(emulator.Fault{Endpoint: "authenticate.refresh_token", Calls: 1, Status: status, Body: body}); err != nil {
		t.Fatal(err)
	}
}

func TestSwitch(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"none", "same-origin", "same-site"} {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.signedIn(t, sam, acme)
			sid := w.session(t, b)
			a := b.get(switchTo+globex+"&rd=/page%3Fa%3Db", "Sec-Fetch-Site: "+from)
			if a.status != http.StatusSeeOther || a.location() != app+"/page?a=b" {
				t.Fatalf("got status %d to %q: %s", a.status, a.location(), a.body)
			}
			lines := a.header["Set-Cookie"]
			if len(lines) != 1 || !strings.HasPrefix(lines[0], "wos-session=Fe26.2*1*") ||
				!strings.HasSuffix(lines[0], "~2; Path=/; Max-Age=34560000; HttpOnly; Secure; SameSite=Lax") {
				t.Errorf("got cookies %q", lines)
			}
			b.wantIn(sam, globex)
			if got := w.session(t, b); got != sid {
				t.Errorf("got session %s, want the same as before: %s", got, sid)
			}
			var audit string
			for line := range strings.Lines(w.log.String()) {
				if strings.Contains(line, `"event":"switch"`) {
					audit += line
				}
			}
			for _, field := range []string{
				`"subject":"user_01JFBF5KZNWJ47TAN9ZT24MNPZ"`, `"session":"` + sid + `"`, `"session_hash":"`, `"organization":"` + globex + `"`,
			} {
				if strings.Count(audit, field) != 1 {
					t.Errorf("no %s in the audit line: %s", field, audit)
				}
			}
			b.get(switchTo + acme)
			b.wantIn(sam, acme)
		})
	}
}

func TestSwitchOnADomain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ownHost())
	b := w.signedIn(t, sam, acme)
	a := b.get("https://auth.example.com/switch?organization_id=" + globex + "&rd=https://shop.example.com/")
	want := []string{
		"wos-session=Fe26; Path=/; Domain=example.com; Max-Age=34560000",
	}
	if got := a.sessionLines(); a.location() != "https://shop.example.com/" || !slices.Equal(got, want) {
		t.Errorf("got status %d to %q, cookies %q", a.status, a.location(), got)
	}
	b.wantIn(sam, globex)
}

// Another site's link or image, or an old browser: a page asks first, and its
// button works.
func TestSwitchAsks(t *testing.T) {
	t.Parallel()
	for _, tt := range append(notDeliberate(), visit{"a prefetch", []string{"Sec-Purpose: prefetch"}}) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.signedIn(t, sam, acme)
			a := b.get(switchTo+globex+"&rd=/page", tt.headers...)
			if a.status != http.StatusOK || a.location() != "" || len(a.header["Set-Cookie"]) != 0 ||
				!strings.Contains(a.body, "to the organization "+globex) || w.refreshes() != 0 {
				t.Fatalf("got status %d to %q, cookies %q: %s", a.status, a.location(), a.header["Set-Cookie"], a.body)
			}
			b.wantIn(sam, acme)
			if got := b.press(a, "Switch", tt.headers...).location(); got != app+"/page" {
				t.Errorf("the button: got %q", got)
			}
			b.wantIn(sam, globex)
		})
	}
}

func TestSwitchNeedsAProtectedOrigin(t *testing.T) {
	t.Parallel()
	form := url.Values{"organization_id": {globex}, "rd": {"https://app.example.com/page"}}
	w := newWorld(t, ownHost())
	for _, tt := range origins() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := w.signedIn(t, sam, acme)
			a := b.post("https://auth.example.com/switch", form, "Origin: "+tt.origin)
			if tt.acts {
				if a.location() != "https://app.example.com/page" {
					t.Errorf("got status %d to %q: %s", a.status, a.location(), a.body)
				}
				b.wantIn(sam, globex)
				return
			}
			_, query, ok := a.form("Switch")
			if a.status != http.StatusForbidden || len(a.header["Set-Cookie"]) != 0 || !ok || query.Encode() != form.Encode() {
				t.Errorf("got status %d, cookies %q, want 403 and the button: %s", a.status, a.header["Set-Cookie"], a.body)
			}
			b.wantIn(sam, acme)
		})
	}
}

// An app's own form counts more than its address.
func TestSwitchByAnAppsForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.signedIn(t, sam, acme)
	if a := b.post(switchTo+globex, url.Values{"organization_id": {acme}, "x": {strings.Repeat("x", maxForm)}}); a.status != http.StatusBadRequest {
		t.Errorf("a large form: got status %d to %q", a.status, a.location())
	}
	b.wantIn(sam, acme)
	if a := b.post(switchTo+acme, url.Values{"organization_id": {globex}}); a.status != http.StatusSeeOther {
		t.Errorf("got status %d to %q", a.status, a.location())
	}
	b.wantIn(sam, globex)
}

func TestSwitchToWhatIsNoOrganization(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.signedIn(t, sam, acme)
	tests := []struct {
		name, id string
		good     bool
	}{
		{"the longest", strings.Repeat("a", 128), true},
		{"every character", "org_AZaz09-", true},
		{"none", "", false}, {"too long", strings.Repeat("a", 129), false}, {"markup", `"><script>`, false},
		{"a line end", globex + "\n", false}, {"a space", " " + globex, false}, {"two", acme + "," + globex, false},
		{"a path", "../" + globex, false}, {"beyond ASCII", "örg", false}, {"a NUL", "org\x00", false}, {"escaped twice", "%6frg", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			form := url.Values{"organization_id": {tt.id}, "rd": {"/page"}}
			for method, a := range map[string]*answer{
				"GET":          b.get(app + "/_auth/switch?" + form.Encode()),
				"GET, asking":  b.get(app+"/_auth/switch?"+form.Encode(), "Sec-Fetch-Site: cross-site"),
				"POST":         b.post(app+"/_auth/switch", form),
				"POST, asking": b.post(app+"/_auth/switch", form, "Origin: https://evil.example"),
			} {
				refused := a.status == http.StatusBadRequest && a.location() == "" && strings.Contains(a.body, "organization_id") && !strings.Contains(a.body, "<form")
				if refused == tt.good {
					t.Errorf("%s: got status %d: %s", method, a.status, a.body)
				}
			}
		})
	}
	b.wantIn(sam, acme)
}

func TestSwitchLeadsOn(t *testing.T) {
	t.Parallel()
	home := ownHost()
	home.defaultReturn = "https://app.example.com/home"
	tests := []struct {
		name     string
		settings settings
		rd, want string
	}{
		{"a page", ownHost(), "https://app.example.com/x?y=%2F", "https://app.example.com/x?y=%2F"},
		{"a path", ownHost(), "/account", "https://auth.example.com/account"},
		{"another host", home, "https://evil.example/", "https://app.example.com/home"},
		{"what browsers read as another host", home, `/\evil.example`, "https://app.example.com/home"},
		{"a switch again", home, "/switch?organization_id=" + acme, "https://app.example.com/home"},
		{"the same spelt otherwise", home, "https://AUTH.example.com:443/x/../%73witch?organization_id=" + acme, "https://app.example.com/home"},
		{"sign-out", home, "/logout", "https://app.example.com/home"},
		{"the default", home, "", "https://app.example.com/home"},
		{"the root of a host that is shared with an app", settings{}, "", "https://app.example.com/"},
		{"the same for another host", settings{}, "https://evil.example/", "https://app.example.com/"},
		{"the signed-in page", ownHost(), "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.settings)
			b := w.signedIn(t, sam, acme)
			address := w.Site.Endpoint("switch") + "?organization_id=" + globex + "&rd=" + url.QueryEscape(tt.rd)
			a := b.get(address)
			if a.location() != tt.want || a.cookie("wos-session=") == "" || tt.want == "" && !strings.Contains(a.body, "You are signed in") {
				t.Errorf("got status %d to %q, want %q: %s", a.status, a.location(), tt.want, a.body)
			}
			b.wantIn(sam, globex)
			// The button of the page that asks leads to the same place.
			asking := b.get(address, "Sec-Fetch-Site: cross-site")
			if got := b.press(asking, "Switch").location(); got != tt.want {
				t.Errorf("the button: got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSwitchOfAnExpiredSession(t *testing.T) {
	t.Parallel()
	for _, age := range []time.Duration{10 * time.Minute, time.Hour, 29 * 24 * time.Hour} {
		t.Run(age.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.signedIn(t, sam, acme)
			w.clock.advance(age)
			if a := b.get(switchTo + globex + "&rd=/page"); a.location() != app+"/page" {
				t.Fatalf("got status %d to %q: %s", a.status, a.location(), a.body)
			}
			b.wantIn(sam, globex)
		})
	}
}
