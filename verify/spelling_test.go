package verify

import (
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

// The published attacks on rules about hosts, paths, methods and addresses, against a
// policy whose order invites them (testdata/careless.yaml). Ada is no owner.
func TestSpellings(t *testing.T) {
	t.Parallel()
	const none, ada = "none", "good"
	tests := []struct {
		name, session, host, uri, method string
		status                           int
		reason, rule                     string
	}{
		{"public", none, "app.example.com", "/public/a.css", "GET", 200, "", ""},
		{"public, its root with a slash", none, "app.example.com", "/public/", "GET", 200, "", ""},
		{"public, for one segment", none, "app.example.com", "/foo/x/bar", "GET", 200, "", ""},
		{"admin, signed in", ada, "app.example.com", "/admin/users", "GET", 403, "forbidden", "admin"},
		{"elsewhere, signed in", ada, "app.example.com", "/x", "GET", 200, "", ""},

		// oauth2-proxy CVE-2025-54576: the query is no path.
		{"a public path in the query", none, "app.example.com", "/admin?x=/public", "GET", 303, "no_session", "admin"},
		{"a query that is a public path", ada, "app.example.com", "/admin?/public/foo", "GET", 403, "forbidden", "admin"},
		// oauth2-proxy CVE-2026-41059.
		{"an encoded fragment in a segment", none, "app.example.com", "/foo/secret%23/bar", "GET", 400, "bad_request", ""},
		{"a fragment in a segment", none, "app.example.com", "/foo/secret#/bar", "GET", 400, "bad_request", ""},
		{"a star is not two segments", none, "app.example.com", "/foo/a/b/bar", "GET", 303, "no_session", "the rest of app and git"},
		{"a star is not none", none, "app.example.com", "/foo/bar", "GET", 303, "no_session", "the rest of app and git"},
		{"an empty segment may be one", none, "app.example.com", "/foo//bar", "GET", 400, "bad_request", ""},
		// Path normalisation: oauth2-proxy, oathkeeper GHSA-p224, Envoy CVE-2019-9901, ingress-nginx 8644.
		{"dot segments", none, "app.example.com", "/public/../admin", "GET", 400, "bad_request", ""},
		{"encoded dots", none, "app.example.com", "/public/%2e%2e/admin", "GET", 400, "bad_request", ""},
		{"encoded dots, upper case", none, "app.example.com", "/public/%2E%2E/admin/x", "GET", 400, "bad_request", ""},
		{"one dot encoded", none, "app.example.com", "/public/.%2e/admin/x", "GET", 400, "bad_request", ""},
		{"an encoded slash after dots", none, "app.example.com", "/public/..%2fadmin/x", "GET", 400, "bad_request", ""},
		{"a path parameter behind dots", none, "app.example.com", "/public/..;/admin", "GET", 400, "bad_request", ""},
		{"an encoded parameter behind dots", none, "app.example.com", "/public/..%3b/admin", "GET", 400, "bad_request", ""},
		{"encoded twice", none, "app.example.com", "/public/%252e%252e/admin", "GET", 400, "bad_request", ""},
		{"two slashes in front", none, "app.example.com", "//public/../admin", "GET", 400, "bad_request", ""},
		{"two slashes within one rule", none, "app.example.com", "/public//admin", "GET", 200, "", ""},
		{"two slashes before another rule's", none, "app.example.com", "/public/..//admin", "GET", 400, "bad_request", ""},
		{"what a URL parser takes for a host", none, "app.example.com", "//public/admin", "GET", 400, "bad_request", ""},
		{"backslashes", none, "app.example.com", `/public\..\admin`, "GET", 400, "bad_request", ""},
		{"encoded backslashes", none, "app.example.com", "/public%5c..%5cadmin", "GET", 400, "bad_request", ""},
		{"one dot", none, "app.example.com", "/./admin", "GET", 400, "bad_request", ""},
		{"dots within one rule", none, "app.example.com", "/public/a/..", "GET", 200, "", ""},
		{"dots that lead out of it", none, "app.example.com", "/public/..", "GET", 400, "bad_request", ""},
		{"a NUL", none, "app.example.com", "/public/%00", "GET", 400, "bad_request", ""},
		{"an encoded line end", none, "app.example.com", "/public/%0d%0aX", "GET", 400, "bad_request", ""},
		{"invalid UTF-8", none, "app.example.com", "/public/%ff", "GET", 400, "bad_request", ""},
		{"an overlong slash", none, "app.example.com", "/public/..%c0%afadmin", "GET", 400, "bad_request", ""},
		{"an encoded question mark", none, "app.example.com", "/public%3F/../admin", "GET", 400, "bad_request", ""},
		{"signed in, ambiguous all the same", ada, "app.example.com", "/x/../admin", "GET", 400, "bad_request", ""},
		// Caddy CVE-2026-27587: %xx is the letter.
		{"an encoded letter", ada, "app.example.com", "/%61dmin/users", "GET", 403, "forbidden", "admin"},
		{"all letters encoded", ada, "app.example.com", "/%61%64%6d%69%6E", "GET", 403, "forbidden", "admin"},
		{"a trailing slash", ada, "app.example.com", "/admin/", "GET", 403, "forbidden", "admin"},
		{"case counts", ada, "app.example.com", "/Admin", "GET", 200, "", ""},
		{"methods in lower case", ada, "app.example.com", "/x", "post", 400, "bad_request", ""},
		{"a method of the rule", ada, "app.example.com", "/x", "POST", 403, "forbidden", "writing"},
		{"a method of no rule", ada, "app.example.com", "/x", "PROPFIND", 200, "", ""},

		// A slash that is encoded: as a slash and as a character it must be the same rule's, and that one may deny it.
		{"an encoded slash within one rule", none, "app.example.com", "/public/a%2fb", "GET", 200, "", ""},
		{"a project whose name has a slash: as a slash it is another path", none, "git.example.com", "/api/projects/a%2Fb/files", "GET", 400, "bad_request", ""},
		{"a project without one", none, "git.example.com", "/api/projects/a/files", "GET", 200, "", ""},
		{"a package whose name has a slash: one rule either way", none, "git.example.com", "/packages/@acme%2Fui", "GET", 200, "", ""},
		{"in lower case", none, "git.example.com", "/packages/@acme%2fui", "GET", 200, "", ""},
		{"a private one behind an encoded slash", none, "git.example.com", "/packages/private%2Fui", "GET", 400, "bad_request", ""},
		{"an encoded slash before the rule's own", none, "git.example.com", "/packages%2Fui", "GET", 400, "bad_request", ""},
		{"dots and an encoded slash", none, "git.example.com", "/packages/..%2fprivate/ui", "GET", 400, "bad_request", ""},
		{"two encoded slashes", none, "git.example.com", "/packages/a%2f%2fb", "GET", 200, "", ""},
		{"where the rule denies them", none, "git.example.com", "/sealed/a%2fb", "GET", 400, "bad_request", ""},

		// Authelia CVE-2026-48794, Caddy CVE-2026-27588, tinyauth CVE-2026-77560: one host, many spellings.
		{"host, lower case", none, "secure.admin.example.com", "/", "GET", 403, "forbidden", "admin hosts"},
		{"host, upper case", none, "secure.ADMIN.example.com", "/", "GET", 403, "forbidden", "admin hosts"},
		{"host with a dot", none, "secure.admin.example.com.", "/", "GET", 403, "forbidden", "admin hosts"},
		{"host with the port", none, "secure.admin.example.com:443", "/", "GET", 403, "forbidden", "admin hosts"},
		{"host with another port", none, "secure.admin.example.com:8443", "/", "GET", 403, "forbidden", "admin hosts"},
		{"host deep below", none, "a.b.admin.example.com", "/", "GET", 403, "forbidden", "admin hosts"},
		{"the domain itself is not below it", none, "admin.example.com", "/", "GET", 200, "", ""},
		{"a host with the letters before", none, "secureadmin.example.com", "/", "GET", 200, "", ""},
		{"App", ada, "App.example.com", "/admin", "GET", 403, "forbidden", "admin"},
		{"app.", ada, "app.example.com.", "/admin", "GET", 403, "forbidden", "admin"},
		{"app:443", ada, "app.example.com:443", "/admin", "GET", 403, "forbidden", "admin"},
		// vouch compared substrings.
		{"a host that ends elsewhere", ada, "app.example.com.evil.test", "/public/", "GET", 403, "wrong_host", ""},
		{"a host that begins elsewhere", ada, "evilexample.com", "/public/", "GET", 403, "wrong_host", ""},
	}
	for _, profile := range []string{"forward-auth", "auth-request"} {
		for _, tt := range tests {
			t.Run(profile+": "+tt.name, func(t *testing.T) {
				t.Parallel()
				s := newStage(t, map[string]string{"cookie domain": "example.com", "policy": "careless.yaml"})
				s.sessions.state = tt.session
				want := tt.status
				h := http.Header{
					"X-Forwarded-Method": {tt.method}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {tt.host}, "X-Forwarded-Uri": {tt.uri},
					"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"},
				}
				if profile == "auth-request" { // what a client claims under the other names is nothing to it (tinyauth)
					h.Set("X-Original-Method", tt.method)
					h.Set("X-Original-Url", "http://"+tt.host+tt.uri)
					h.Set("X-Forwarded-Host", "app.example.com")
					h.Set("X-Forwarded-Uri", "/public/ok")
					want = map[int]int{200: 200, 303: 401, 400: 403, 403: 403}[want]
				}
				w := s.ask("GET", "/verify/"+profile, h)
				reason := tt.reason
				if profile == "auth-request" && strings.Contains(tt.uri, "..") && want == 200 { // nginx resolves before it asks
					want, reason = 403, "bad_request"
				}
				if got := w.Header().Get("X-Auth-Reason"); w.Code != want || got != reason {
					t.Errorf("got %d %s, want %d %s (log %s)", w.Code, got, want, reason, s.log)
				}
				if tt.rule != "" && !strings.Contains(s.log.String(), `"rule":"`+tt.rule+`"`) {
					t.Errorf("got log %s, want the rule %q", s.log, tt.rule)
				}
			})
		}
	}
}

// oauth2-proxy CVE-2026-40574: an address with two @ passed for one of the company's.
// GHSA-652x: a claim that is missing is not met.
func TestSpellingsOfIdentities(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		email string
		want  int
	}{
		{"ada@company.com", 200},
		{"ada@COMPANY.com", 200},
		{"unverified@company.com", 403},
		{"attacker@evil.com@company.com", 403},
		{"a@company.com\n@x", 403},
		{"a@x\n@company.com", 403},
		{"a@company.com ", 403},
		{"a@sub.company.com", 403},
		{"a@evilcompany.com", 403},
		{"a@company.com.evil.test", 403},
		{"@company.com", 403},
		{"company.com", 403},
		{"a@cоmpany.com", 403}, // a Cyrillic letter
		{"", 403},
	} {
		s := newStage(t, map[string]string{"cookie domain": "example.com", "policy": "careless.yaml"})
		s.sessions.identity = &identity.Identity{Subject: "user_01", Email: tt.email, EmailVerified: tt.email != "unverified@company.com"}
		w := s.ask("GET", "/verify/forward-auth", forwardedHeader("mail.example.com", "/"))
		if w.Code != tt.want {
			t.Errorf("%q: got %d, want %d", tt.email, w.Code, tt.want)
		}
	}
	s := newStage(t, map[string]string{"cookie domain": "example.com", "policy": "careless.yaml"})
	s.sessions.identity = &identity.Identity{Subject: "user_01", Roles: []string{"owner"}}
	if w := s.ask("GET", "/verify/forward-auth", forwardedHeader("app.example.com", "/admin")); w.Code != 200 {
		t.Errorf("with the role: got %d, want 200", w.Code)
	}
	for _, roles := range [][]string{nil, {}, {""}, {"Owner"}, {"owner "}, {"owner,admin"}, {"member"}} { // also taken away since
		s.sessions.identity = &identity.Identity{Subject: "user_01", Roles: roles}
		if w := s.ask("GET", "/verify/forward-auth", forwardedHeader("app.example.com", "/admin")); w.Code != 403 {
			t.Errorf("roles %q: got %d, want 403", roles, w.Code)
		}
	}
}

// vouch and oathkeeper (CVE-2021-32701) let in where a verified token had been before.
func TestNoDecisionIsRemembered(t *testing.T) {
	t.Parallel()
	s := newStage(t, map[string]string{"cookie domain": "example.com", "policy": "careless.yaml"})
	s.sessions.state = "good"
	for range 2 {
		for _, step := range []struct {
			host, uri string
			want      int
		}{{"app.example.com", "/x", 200}, {"app.example.com", "/admin", 403}, {"x.admin.example.com", "/x", 403}, {"example.com.evil.test", "/x", 403}} {
			if w := s.ask("GET", "/verify/forward-auth", forwardedHeader(step.host, step.uri)); w.Code != step.want {
				t.Errorf("%s%s: got %d, want %d", step.host, step.uri, w.Code, step.want)
			}
		}
	}
}

// The addresses that a client writes left of its own don't count (authelia wrap.go, tinyauth).
func TestClientAddress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"one", "127.0.0.1:5", []string{"203.0.113.7"}, "203.0.113.7"},
		{"a made-up one in front", "127.0.0.1:5", []string{"10.0.0.1, 203.0.113.7"}, "203.0.113.7"},
		{"two lines", "127.0.0.1:5", []string{"10.10.10.10", "203.0.113.7"}, "203.0.113.7"},
		{"proxies behind it", "127.0.0.1:5", []string{"198.51.100.1, 203.0.113.7, 127.0.0.2,127.0.0.3"}, "203.0.113.7"},
		{"rubbish left of a proxy", "127.0.0.1:5", []string{"198.51.100.1, x, 127.0.0.2"}, "127.0.0.2"},
		{"rubbish alone", "127.0.0.1:5", []string{"unknown"}, "127.0.0.1"},
		{"none", "127.0.0.1:5", nil, "127.0.0.1"},
		{"IPv6", "127.0.0.1:5", []string{"2001:db8::1"}, "2001:db8::1"},
		{"with its port", "127.0.0.1:5", []string{"198.51.100.1, 203.0.113.7:51000"}, "203.0.113.7"},
		{"IPv6 with its port", "127.0.0.1:5", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"IPv6 in brackets", "127.0.0.1:5", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"mapped", "127.0.0.1:5", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		{"only proxies", "127.0.0.1:5", []string{"127.0.0.9"}, "127.0.0.9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, map[string]string{"cookie domain": "example.com", "policy": "careless.yaml", "peer": tt.peer})
			h := forwardedHeader("api.example.com", "/")
			h.Set("X-API-Key", "sk_machine")
			h["X-Forwarded-For"] = tt.forwarded
			h.Set("X-Real-Ip", "198.51.100.9")
			h.Set("Forwarded", "for=198.51.100.9")
			if w := s.ask("GET", "/verify/forward-auth", h); w.Code != 200 || s.keys.client != netip.MustParseAddr(tt.want) {
				t.Errorf("got %d, client %s, want %s", w.Code, s.keys.client, tt.want)
			}
		})
	}
}

func forwardedHeader(host, uri string) http.Header {
	return http.Header{
		"X-Forwarded-Method": {"GET"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {host}, "X-Forwarded-Uri": {uri},
	}
}

// FuzzSpelling: where a spelling of a URL is let in, so is each reading that an app or
// a gateway may have of it.
func FuzzSpelling(f *testing.F) {
	for _, uri := range []string{
		"/public/a", "/public/../admin", "/public/%2e%2e/admin", "/public/..%2fadmin", "/public/..;/admin", "/public/%252e%252e/admin",
		"/foo/x/bar", "/foo/a%2Fb/bar", "/%61dmin", "/public/%2561", "/admin/.", "/foo/x;y/bar", "/public#/../admin", "/PUBLIC/", "/foo/é/bar",
		"/api/projects/a/files", "/api/projects/a%2Fb/files", "/packages/a%2Fb", "/packages/private%2Fui", "/packages/%70rivate/ui",
	} {
		f.Add("app.example.com", uri)
		f.Add("git.example.com", uri)
		f.Add("GIT.example.com.:443", uri)
	}
	f.Add("GIT.example.com.:443", "/api/projects/a?ects/") // a query that is a part of the path
	f.Fuzz(func(t *testing.T, host, uri string) {
		for _, state := range []string{"none", "good"} {
			s := newStage(t, map[string]string{"cookie domain": "example.com", "policy": "careless.yaml"})
			s.sessions.state = state
			if s.ask("GET", "/verify/forward-auth", forwardedHeader(host, uri)).Code != http.StatusOK {
				continue
			}
			for _, reading := range readings(uri) {
				h := forwardedHeader(strings.ToLower(host), reading)
				if w := s.ask("GET", "/verify/forward-auth", h); w.Code != http.StatusOK {
					t.Errorf("%s%s is let in (%s), its reading %s gets %d", host, uri, state, reading, w.Code)
				}
			}
		}
	})
}

// readings are the plain paths that somebody may take a URI for.
func readings(uri string) []string {
	raw, _, _ := strings.Cut(uri, "?")
	once, err := url.PathUnescape(raw)
	if err != nil {
		return nil
	}
	var all []string
	add := func(p string) {
		plain := path.Clean("/" + strings.TrimLeft(strings.ReplaceAll(p, `\`, "/"), "/"))
		escaped := (&url.URL{Path: plain}).EscapedPath()
		if len(escaped) < 4096 {
			all = append(all, strings.ReplaceAll(escaped, ";", "%3B"))
		}
	}
	add(once)
	for _, end := range []string{"#", "?", ";"} {
		before, _, _ := strings.Cut(once, end)
		add(before)
	}
	if rest, ok := strings.CutPrefix(strings.ReplaceAll(raw, `\`, "/"), "//"); ok { // a URL without a scheme
		if _, rest, ok = strings.Cut(rest, "/"); ok {
			if decoded, err := url.PathUnescape(rest); err == nil {
				add(decoded)
			}
		}
	}
	if twice, err := url.PathUnescape(once); err == nil {
		add(twice)
	}
	var withoutParameters []string
	for segment := range strings.SplitSeq(once, "/") {
		name, _, _ := strings.Cut(segment, ";")
		withoutParameters = append(withoutParameters, name)
	}
	add(strings.Join(withoutParameters, "/"))
	return all
}
