package flow

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// HEAD leads where GET does, and does nothing.
func TestHead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.signedIn(t, sam, acme)
	fresh := b.begin(login+"?rd=/page", zoe)
	before, exchanged := b.header(callback).Get("Cookie"), w.exchanges()
	tests := []struct {
		name, address string
		status        int
		location      string // its beginning
	}{
		{"login", login + "?rd=/x", 303, w.hosted.String() + "/user_management/authorize?"},
		{"sign-up", app + "/_auth/sign-up", 303, w.hosted.String() + "/user_management/authorize?"},
		{"callback", fresh, 303, app + "/page"},
		{"callback without a state", callback + "?code=c", 303, login + "?attempts="},
		{"callback with an error", callback + "?error=access_denied", 400, ""},
		{"logout", logout, 200, ""},
		{"switch", switchTo + globex, 200, ""},
	}
	for _, tt := range tests {
		a := b.must(b.send(http.MethodHead, tt.address, nil))
		if a.status != tt.status || !strings.HasPrefix(a.location(), tt.location) || len(a.header["Set-Cookie"]) != 0 {
			t.Errorf("%s: got status %d to %q, cookies %q", tt.name, a.status, a.location(), a.header["Set-Cookie"])
		}
	}
	b.wantIn(sam, acme)
	if w.exchanges() != exchanged || w.refreshes() != 0 || b.header(callback).Get("Cookie") != before {
		t.Errorf("got %d exchanges and %d refreshes", w.exchanges(), w.refreshes())
	}
	if a := b.get(fresh); a.location() != app+"/page" || a.cookie("wos-session=Fe26") == "" {
		t.Errorf("the callback itself: got status %d to %q", a.status, a.location())
	}
}

// An expired session is not refreshed for a HEAD, nor a loop's count begun afresh.
func TestHeadOfALoop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	b.signInOnce("/x")
	b.signInOnce("/x")
	for range 2 {
		if a := b.must(b.send(http.MethodHead, login+"?rd=/x", nil)); a.status != http.StatusForbidden {
			t.Errorf("got status %d to %q, want the loop's 403", a.status, a.location())
		}
	}
	b.wantLoop("/x", true)
}

type sender struct {
	name         string
	origin, site string // "-": no such header
	acts         bool
	needsDomain  bool // acts where a cookie domain is set
}

// senders are the pages and clients that post a form without an Origin that says whose it is.
func senders() []sender {
	return []sender{
		{"a page with no-referrer", "null", "same-origin", true, false},
		{"a page of another host with no-referrer", "null", "same-site", true, true},
		{"no Origin, the same origin", "-", "same-origin", true, false},
		{"no Origin, another host", "-", "same-site", true, true},
		{"another site's page with no-referrer", "null", "cross-site", false, false},
		{"a sandboxed frame", "null", "cross-site", false, false},
		{"typed", "null", "none", false, false},
		{"an old browser", "null", "-", false, false},
		{"neither header", "-", "-", false, false},
		{"nonsense", "null", "same-origin, same-origin", false, false},
		{"upper case", "null", "SAME-ORIGIN", false, false},
		{"another site that claims to be the same", "https://evil.example", "same-origin", false, false},
	}
}

func (s sender) headers() []string {
	headers := []string{"Origin:", "Sec-Fetch-Site:"}
	for i, value := range []string{s.origin, s.site} {
		if value != "-" {
			headers[i] += " " + value
		}
	}
	return headers
}

// F5: Helmet's Referrer-Policy: no-referrer makes a page's Origin null.
func TestFormsWithoutAnOrigin(t *testing.T) {
	t.Parallel()
	for place, settings := range map[string]settings{"one host": {}, "a cookie domain": ownHost()} {
		for _, tt := range senders() {
			t.Run(place+", "+tt.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, settings)
				acts := tt.acts && (!tt.needsDomain || settings.cookieDomain != "")
				b := w.signedIn(t, sam, acme)
				switched := b.post(w.Site.Endpoint("switch"), url.Values{"organization_id": {globex}}, tt.headers()...)
				if got := switched.cookie("wos-session=Fe26") != ""; got != acts {
					t.Errorf("switch: got status %d, want it made: %v", switched.status, acts)
				}
				out := b.post(w.Site.Endpoint("logout"), nil, tt.headers()...)
				if got := w.isAuthKit(out.location()); got != acts {
					t.Errorf("sign-out: got status %d to %q, want it made: %v", out.status, out.location(), acts)
				}
				if _, _, asks := out.form("Sign out"); asks == acts || !acts && (out.status != http.StatusForbidden || len(out.header["Set-Cookie"]) != 0) {
					t.Errorf("sign-out: got status %d: %s", out.status, out.body)
				}
			})
		}
	}
}

// Two Origin lines are no browser's.
func TestFormWithTwoOrigins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, logout, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Origin"] = []string{app, "https://evil.example"}
	response, err := w.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("got status %d, want 403", response.StatusCode)
	}
}

// F5: a page with form-action 'self' stops a redirect that leaves its origin, so a
// POST that leads elsewhere is answered with a page that moves on by itself.
func TestPostLeavesByAPage(t *testing.T) {
	t.Parallel()
	form := func(rd string) url.Values { return url.Values{"organization_id": {globex}, "rd": {rd}} }
	tests := []struct {
		name     string
		post     func(b *browser) *answer
		byPage   bool
		location string // its beginning
	}{
		{"sign-out", func(b *browser) *answer { return b.post(b.w.Site.Endpoint("logout"), nil) }, true, "http://127.0.0.1:"},
		{"a switch to another host", func(b *browser) *answer {
			return b.post(b.w.Site.Endpoint("switch"), form("https://shop.example.com/x?y=%2F&z=a;b"))
		}, true, "https://shop.example.com/x?y=%2F&z=a;b"},
		{"a switch to another port", func(b *browser) *answer {
			return b.post(b.w.Site.Endpoint("switch"), form("https://auth.example.com:8443/x"))
		}, true, "https://auth.example.com:8443/x"},
		{"a switch on the flow's host", func(b *browser) *answer {
			return b.post(b.w.Site.Endpoint("switch"), form("https://auth.example.com/x"))
		}, false, "https://auth.example.com/x"},
		{"a switch without a session", func(b *browser) *answer {
			return b.w.browser(b.t).post(b.w.Site.Endpoint("switch"), form("https://auth.example.com/x"))
		}, true, "https://auth.example.com/login?rd="},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newWorld(t, ownHost()).signedIn(t, sam, acme)
			a := tt.post(b)
			refresh, redirect := a.header.Get("Refresh"), a.header.Get("Location")
			if tt.byPage && (a.status != http.StatusOK || redirect != "" || !strings.HasPrefix(refresh, "0;url="+tt.location) || a.link("Continue") != a.location()) {
				t.Errorf("got status %d, Location %q, Refresh %q, link %q: %s", a.status, redirect, refresh, a.link("Continue"), a.body)
			}
			if !tt.byPage && (a.status != http.StatusSeeOther || redirect != tt.location || refresh != "") {
				t.Errorf("got status %d, Location %q, Refresh %q", a.status, redirect, refresh)
			}
		})
	}
}

// A script is stopped by no form-action policy, and reads the address in the redirect.
func TestScriptsPostIsRedirected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.signedIn(t, sam, acme)
	if a := b.post(logout, nil, "Accept: application/json"); a.status != http.StatusSeeOther || !w.isAuthKit(a.header.Get("Location")) {
		t.Errorf("got status %d to %q", a.status, a.header.Get("Location"))
	}
}

func TestLogLinesHaveTheRequestID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	for _, visit := range []func() *answer{
		func() *answer { return b.get(callback+"?error=access_denied", "X-Request-Id: the-gateways") },
		func() *answer { return b.get(b.begin(login, paula), "X-Request-Id: the-gateways") },
		func() *answer { return b.get(logout, "X-Request-Id: "+strings.Repeat("g", 1000)) },
	} {
		before := len(w.log.String())
		a := visit()
		id := a.header.Get("X-Request-Id")
		lines := w.log.String()[before:]
		if lines == "" || !strings.Contains(lines, `"request_id":"`+id+`"`) || len(lines) > 2000 {
			t.Errorf("got %s, want the id %s", lines, id)
		}
		if !strings.Contains(lines, `"gateway_request_id":"the-gateways"`) && !strings.Contains(lines, `"gateway_request_id":"`+strings.Repeat("g", 128)+`"`) {
			t.Errorf("got %s, want the gateway's id", lines)
		}
	}
}

// Cookies of neighbours, whatever their bytes, don't hide ours.
func TestNeighboursCookies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	for _, neighbour := range []string{
		"a=\x80\xff", "größe=größe", `q="unbalanced`, `q="a b, c"`, "novalue", "=", "", " = ; ;", "a=b=c", "a,b=c", "{\"a\":1}", "__Host-authkit-state-=x", "a=" + strings.Repeat("x", 4000),
	} {
		b := w.browser(t)
		callback := b.begin(login+"?rd=/page", paula)
		own := b.header(callback).Get("Cookie")
		for _, line := range []string{neighbour + "; " + own, own + "; " + neighbour} {
			if s := w.readSignIn(&http.Request{Header: http.Header{"Cookie": {line}}}, parse(t, callback).Query().Get("state")); !s.trusted() {
				t.Errorf("%q: the state's cookie is not found", line)
			}
		}
	}
}
