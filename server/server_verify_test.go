package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/flow"
)

// cookies joins the Cookie header that a browser sends after an answer.
func cookies(answer *httptest.ResponseRecorder) string {
	var pairs []string
	for _, line := range answer.Header()["Set-Cookie"] {
		pair, _, _ := strings.Cut(line, ";")
		pairs = append(pairs, pair)
	}
	return "Cookie: " + strings.Join(pairs, "; ")
}

// Each setting of the environment reaches the verify endpoints.
func TestSettingsOfVerify(t *testing.T) {
	t.Parallel()
	preflight := "X-Forwarded-Method: OPTIONS\nX-Forwarded-Proto: http\nX-Forwarded-Host: localhost:3000\nX-Forwarded-Uri: /api\n" +
		"Origin: http://elsewhere.example\nAccess-Control-Request-Method: PUT\n"
	tests := []struct {
		name     string
		settings []string
		path     string
		header   string
		status   int
		answer   string // a line of the headers
		logged   string
	}{
		{"GATEWAY isn't set", nil, "/verify", "Accept: */*", 401, "X-Auth-Reason: no_session", ""},
		{"GATEWAY=traefik", []string{"GATEWAY", "traefik"}, "/verify", "Accept: */*", 400, "X-Auth-Reason: bad_request", ""},
		{"GATEWAY=caddy", []string{"GATEWAY", "caddy"}, "/verify", forwarded, 401, "X-Auth-Reason: no_session", ""},
		{"GATEWAY=haproxy", []string{"GATEWAY", "haproxy"}, "/verify", original, 400, "X-Auth-Reason: bad_request", ""},
		{"GATEWAY=nginx", []string{"GATEWAY", "nginx"}, "/verify", "Accept: */*", 403, "X-Auth-Reason: bad_request", ""},
		{"GATEWAY=ingress-nginx", []string{"GATEWAY", "ingress-nginx"}, "/verify", original, 401, "X-Auth-Reason: no_session", ""},
		{"GATEWAY=envoy", []string{"GATEWAY", "envoy"}, "/verify", forwarded, 400, "X-Auth-Reason: bad_request", "set path_prefix to /verify/ext-authz"},
		{"GATEWAY=istio", []string{"GATEWAY", "istio"}, "/verify", original, 400, "X-Auth-Reason: bad_request", ""},
		{"GATEWAY=envoy-gateway", []string{"GATEWAY", "envoy-gateway"}, "/verify", original, 400, "X-Auth-Reason: bad_request", "set path_prefix to /verify/ext-authz"},
		{"ext-authz does without GATEWAY", nil, "/verify/ext-authz/verify", "Accept: */*", 403, "X-Auth-Reason: wrong_host", ""},
		{"ext-authz without a path", nil, "/verify/ext-authz", "Accept: */*", 404, "", ""},
		{"TRUSTED_PROXIES has us", []string{"TRUSTED_PROXIES", "127.0.0.1"}, "/verify", "", 401, "X-Auth-Reason: no_session", ""},
		{"TRUSTED_PROXIES has others", []string{"TRUSTED_PROXIES", "10.0.0.0/8"}, "/verify", "", 403, "X-Auth-Reason: untrusted_proxy", "peer 127.0.0.1:50000 is not in TRUSTED_PROXIES"},
		{"ALLOW_PREFLIGHT isn't set", nil, "/verify/forward-auth", preflight, 401, "X-Auth-Reason: no_session", ""},
		{"ALLOW_PREFLIGHT", []string{"ALLOW_PREFLIGHT", "true"}, "/verify/forward-auth", preflight, 200, "X-Auth-Request-User: ", ""},
		{"DECISION_LOG isn't set", nil, "/verify/forward-auth", forwarded + "Cookie: wos-session=SESSION", 200, "X-Auth-Request-Email: paula@example.com", ""},
		{"DECISION_LOG=all", []string{"DECISION_LOG", "all"}, "/verify/forward-auth", forwarded + "Cookie: wos-session=SESSION", 200, "X-Auth-Request-Email: paula@example.com", `"message":"allowed"`},
		{"IDENTITY_HEADERS=remote", []string{"IDENTITY_HEADERS", "remote"}, "/verify/forward-auth", forwarded + "Cookie: wos-session=SESSION", 200, "Remote-User: paula@example.com", ""},
		{"IDENTITY_HEADERS has no access token", nil, "/verify/forward-auth", forwarded + "Cookie: wos-session=SESSION", 200, "X-Auth-Request-Access-Token: \n", ""},
		{"IDENTITY_HEADERS=access-token", []string{"IDENTITY_HEADERS", "access-token"}, "/verify/forward-auth", forwarded + "Cookie: wos-session=SESSION", 200, "X-Auth-Request-Access-Token: eyJ", ""},
		{"HIDE_SESSION_COOKIE", []string{"HIDE_SESSION_COOKIE", "true"}, "/verify/forward-auth", forwarded + "Cookie: a=1; wos-session=SESSION; b=2; authkit-attempts=x", 200, "\nCookie: a=1; b=2\n", ""},
		{"WORKOS_COOKIE_NAME", []string{"WORKOS_COOKIE_NAME", "other"}, "/verify/forward-auth", forwarded + "Cookie: wos-session=SESSION", 401, "X-Auth-Reason: no_session", ""},
		{"WORKOS_ISSUER is another", []string{"WORKOS_ISSUER", "https://api.workos.com"}, "/verify/auth-request", original + document + "Cookie: wos-session=SESSION", 403, "X-Auth-Reason: misconfigured", `"level":"error"`},
		{"WORKOS_COOKIE_DOMAIN isn't set", nil, "/verify/auth-request", "X-Original-Method: GET\nX-Original-URL: http://app.localhost/", 403, "X-Auth-Reason: wrong_host", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.settings...).ready(t)
			session := w.signIn(t, paula, 0)
			got := ask(t, w.Handler(), "GET", tt.path, strings.ReplaceAll(tt.header, "SESSION", session))
			var lines strings.Builder
			lines.WriteByte('\n')
			for name, values := range got.Header() {
				fmt.Fprintf(&lines, "%s: %s\n", name, strings.Join(values, " "))
			}
			if got.Code != tt.status || !strings.Contains(lines.String(), tt.answer) {
				t.Errorf("got %d %s, want %d %s", got.Code, lines.String(), tt.status, tt.answer)
			}
			log := w.log.String()
			if tt.logged == "" && got.Code == 200 && log != "" || !strings.Contains(log, tt.logged) {
				t.Errorf("got log %q, want %q", log, tt.logged)
			}
			if strings.Contains(log, session) || strings.Contains(log, "eyJ") {
				t.Errorf("got log %s, want neither cookie nor token in it", log)
			}
		})
	}
}

func TestWideCookieDomain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "WORKOS_REDIRECT_URI", "https://auth.example.com/callback", "WORKOS_COOKIE_DOMAIN", "example.com").ready(t)
	for host, want := range map[string]int{"app.example.com": 401, "example.com:8443": 401, "example.org": 403, "notexample.com": 403} {
		if got := ask(t, w.Handler(), "GET", "/verify/auth-request", "X-Original-Method: GET\nX-Original-URL: https://"+host+"/"); got.Code != want {
			t.Errorf("%s: got status %d, want %d", host, got.Code, want)
		}
	}
}

// From an expired session to the current cookie, through Traefik: one redirect, then
// 200, and one call to AuthKit whatever the browser keeps.
func TestRefreshAtVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t).ready(t)
	old := "Cookie: wos-session=" + w.signIn(t, paula, time.Hour)
	first := ask(t, w.Handler(), "GET", "/verify/forward-auth", forwarded+document+old)
	if got := first.Header().Get("Location"); first.Code != 303 || got != origin+"/reports" || len(first.Header()["Set-Cookie"]) != 1 {
		t.Fatalf("expired: got %d %q %q, want 303 to the same page with a cookie", first.Code, got, first.Header()["Set-Cookie"])
	}
	again := ask(t, w.Handler(), "GET", "/verify/forward-auth", forwarded+document+old)
	if again.Code != 200 || !strings.Contains(w.log.String(), "cookie_not_stored") {
		t.Errorf("the old cookie again: got %d, log %s, want 200, cookie_not_stored", again.Code, w.log)
	}
	image := ask(t, w.Handler(), "GET", "/verify/forward-auth", forwarded+"Sec-Fetch-Mode: no-cors\nSec-Fetch-Dest: image\n"+old)
	if image.Code != 200 || image.Header()["Set-Cookie"] != nil {
		t.Errorf("an image: got %d %q, want 200 without a cookie", image.Code, image.Header()["Set-Cookie"])
	}
	current := ask(t, w.Handler(), "GET", "/verify/forward-auth", forwarded+document+cookies(first))
	if current.Code != 200 || current.Header()["Set-Cookie"] != nil || current.Header().Get("X-Auth-Request-Email") != paula {
		t.Errorf("the current cookie: got %d %v, want 200, %s", current.Code, current.Header(), paula)
	}
	if got := w.authKit.Calls()["authenticate.refresh_token"]; got != 1 {
		t.Errorf("refreshes: got %d, want 1", got)
	}
}

// AuthKit's answers about an expired session, and what becomes of it.
func TestRefreshRefusedAtVerify(t *testing.T) {
	t.Parallel()
	say := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	tests := []struct {
		name   string
		answer http.HandlerFunc
		status int
		reason string
		logged string
	}{
		{"invalid_grant", say(400, `{"error":"invalid_grant"}`), 303, "session_ended", `"level":"info"`},
		{"our own credentials are refused", say(401, `{"error":"invalid_client"}`), 503, "unavailable", `"level":"error"`},
		{"our own request is refused", say(401, `{"message":"Unauthorized"}`), 503, "unavailable", `"level":"error"`},
		{"too many requests", say(429, `{}`), 503, "unavailable", `"level":"warn"`},
		{"AuthKit is down", say(500, `{}`), 503, "unavailable", `"level":"warn"`},
		{"AuthKit's answer is no session", say(200, `{}`), 503, "unavailable", `"level":"warn"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).ready(t)
			old := "Cookie: wos-session=" + w.signIn(t, paula, time.Hour)
			w.front.Store(&tt.answer)
			got := ask(t, w.Handler(), "GET", "/verify/forward-auth", forwarded+document+old)
			if reason := got.Header().Get("X-Auth-Reason"); got.Code != tt.status || reason != tt.reason {
				t.Errorf("got %d %s, want %d %s", got.Code, reason, tt.status, tt.reason)
			}
			if lines := got.Header()["Set-Cookie"]; lines != nil { // a later cookie may be there
				t.Errorf("got Set-Cookie %q, want none", lines)
			}
			if !strings.Contains(w.log.String(), tt.logged) || strings.Contains(w.log.String(), old[20:]) {
				t.Errorf("got log %s, want %s in it and no cookie", w.log, tt.logged)
			}
		})
	}
}

func TestKeySetUnreachableAtVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	session := "Cookie: wos-session=" + w.signIn(t, paula, 0)
	down := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	w.front.Store(&down)
	for path, header := range map[string]string{"/verify": "", "/verify/forward-auth": forwarded, "/verify/auth-request": original, "/verify/sign-in": original} {
		got := ask(t, w.Handler(), "GET", path, header+document+session)
		if got.Code != 503 || got.Header().Get("Retry-After") == "" || got.Header()["Set-Cookie"] != nil {
			t.Errorf("%s: got %d %v, want 503 with Retry-After, and the cookie kept", path, got.Code, got.Header())
		}
	}
}

// O2P's stale chunks and others' mixed ones (E17): one whole session or none, never two
// halves; and what isn't a chunk harms nobody (E6).
func TestChunksAtVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t).ready(t)
	chunks := func(email string) []string {
		response, err := w.authKit.SignIn(email, "")
		if err != nil {
			t.Fatal(err)
		}
		large := strings.Replace(string(response), `"user":{`, `"user":{"padding":"`+strings.Repeat("x", 9000)+`",`, 1)
		sealed, _, err := w.sessions.SignIn([]byte(large))
		if err != nil {
			t.Fatal(err)
		}
		lines, err := w.sessions.Cookie.SetLines(sealed, nil)
		if err != nil || len(lines) < 3 {
			t.Fatalf("got %d chunks, %v, want three or more", len(lines), err)
		}
		for i := range lines {
			lines[i], _, _ = strings.Cut(lines[i], ";")
		}
		return lines
	}
	mine, other := chunks(paula), chunks("zoe@acme.example")
	small := "wos-session=" + w.signIn(t, paula, 0)
	count := len(mine)
	tests := []struct {
		name   string
		pairs  []string
		status int
		reason string
	}{
		{"all chunks", mine, 200, ""},
		{"in another order", []string{strings.Join(mine[1:], "; "), mine[0]}, 200, ""},
		{"one is missing", mine[:count-1], 401, "bad_session"},
		{"the first is missing", mine[1:], 401, "bad_session"},
		{"one is another session's", append([]string{other[0]}, mine[1:]...), 401, "bad_session"},
		{"the last is another session's", append(append([]string{}, mine[:count-1]...), other[count-1]), 401, "bad_session"},
		{"two sessions of different users, both whole", append(append([]string{}, mine...), other...), 401, "bad_session"},
		{"a whole session and one planted chunk of another", append([]string{other[1]}, mine...), 200, ""},
		{"the session has shrunk, and old chunks are left", append([]string{small}, mine[1:]...), 200, ""},
		{"an old whole beside rubbish", append([]string{"wos-session.7=k1.9.aaaaaaaaaaaaaaaa.x"}, mine...), 200, ""},
		{"rubbish alone", []string{"wos-session=k1.9", "wos-session.1=k1..", "wos-session.9=x", "wos-session.-1=x"}, 401, "bad_session"},
		{"vouch's panic", []string{"wos-session_x=1", "wos-session_9of1=1"}, 401, "no_session"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := ask(t, w.Handler(), "GET", "/verify/forward-auth", forwarded+"Cookie: "+strings.Join(tt.pairs, "; "))
			if reason := got.Header().Get("X-Auth-Reason"); got.Code != tt.status || reason != tt.reason {
				t.Errorf("got %d %s, want %d %s", got.Code, reason, tt.status, tt.reason)
			}
			if email := got.Header().Get("X-Auth-Request-Email"); got.Code == 200 && email != paula {
				t.Errorf("got the session of %s", email)
			}
		})
	}
}

// Every cookie that the flow sets is one that HIDE_SESSION_COOKIE keeps from the apps.
func TestFlowOwnsItsCookies(t *testing.T) {
	t.Parallel()
	w := newWorld(t).ready(t)
	answer := ask(t, w.Handler(), "GET", "/_auth/login?rd=/reports", document)
	answer = ask(t, w.Handler(), "GET", "/_auth/callback?code=c&state=x", document+cookies(answer))
	names := 0
	for _, from := range []*httptest.ResponseRecorder{ask(t, w.Handler(), "GET", "/_auth/login", document), answer} {
		for _, c := range from.Result().Cookies() {
			names++
			if !flow.OwnsCookie(c.Name) {
				t.Errorf("got cookie %s, want flow.OwnsCookie to know it", c.Name)
			}
		}
	}
	if names == 0 || flow.OwnsCookie("theme") || flow.OwnsCookie("wos-session") {
		t.Error("got no cookie of the flow's, or another's taken for one")
	}
}

// A session cookie in plain JSON lets in where that is on, without what its user can have put there; the way back from its end is a sign-in.
func TestUnsealedCookie(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		set    []string
		status int
		reason string
	}{
		{"off", nil, 401, "bad_session"},
		{"on", []string{"INSECURE_UNSEALED_COOKIES", "true"}, 200, ""},
		{"on, where the address is the login", []string{"INSECURE_UNSEALED_COOKIES", "true", "IDENTITY_HEADERS", "remote"}, 403, "email_unverified"},
	} {
		w := newWorld(t, append([]string{"GATEWAY", "traefik"}, tt.set...)...).ready(t)
		access := w.accessToken(t, zoe, "")
		cookie := url.PathEscape(`{"accessToken":"` + access + `","refreshToken":"x","user":{"id":"user_01JE28JT97KB6CQ643DZVMXXQK","email":"boss@acme.example","emailVerified":true}}`)
		for range 2 {
			status, reason, header := w.request(t, "/reports", "Cookie: wos-session="+cookie)
			if status != tt.status || reason != tt.reason {
				t.Errorf("%s: got %d %s, want %d %s", tt.name, status, reason, tt.status, tt.reason)
			}
			if status == 200 && (header.Get("X-Auth-Request-User") != "user_01JE28JT97KB6CQ643DZVMXXQK" || header.Get("X-Auth-Request-Email") != "" || header.Get("Set-Cookie") != "") {
				t.Errorf("%s: got %v, want the token's user without an email", tt.name, header)
			}
		}
		if log := w.log.String(); strings.Contains(log, access) || strings.Contains(log, "boss@") {
			t.Errorf("%s: got log %s, want nothing of the cookie in it", tt.name, log)
		}
	}
}
