package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy/policyfile"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/cookie"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// stage is a Handler with what stands around it in a story.
type stage struct {
	t        testing.TB
	handler  *Handler
	sessions *fakeSessions
	keys     *fakeKeys
	log      *bytes.Buffer
	peer     string
	now      time.Time
	ids      map[string]bool // request ids so far
	grpc     bool            // Envoy asks over gRPC
	require  string          // of the check's context extensions
}

func newStage(t testing.TB, settings map[string]string) *stage {
	t.Helper()
	s := &stage{
		t: t, sessions: &fakeSessions{state: "none"}, keys: &fakeKeys{}, log: new(bytes.Buffer), peer: "127.0.0.1:50000",
		now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), ids: map[string]bool{},
	}
	redirectURI, domain := "https://app.example.com/_auth/callback", ""
	config := Config{
		Sessions: s.sessions, Headers: DefaultHeaders(), Log: zerolog.New(s.log), Now: func() time.Time { return s.now },
		Peers: Peers{Prefixes: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Unix: true},
	}
	for name, value := range settings {
		switch name {
		case "peer":
			s.peer = value
		case "redirect uri":
			redirectURI = value
		case "cookie domain":
			domain = value
		case "gateway":
			config.Gateway = GatewayNamed(value)
		case "grpc": // else Envoy asks over HTTP
			s.grpc = true
		case "context extensions":
			s.grpc, s.require = true, value
		case "identity headers":
			config.Headers = RemoteHeaders()
		case "assertion": // one that can be read
			config.Assertion = func(id *identity.Identity, at *site.Site, host site.Host) string {
				return id.Subject + " at " + host.String() + " by " + at.FlowHost().Name
			}
		case "allow preflight":
			config.AllowPreflight = true
		case "hide session cookie":
			config.AppCookies = func(request http.Header) string {
				return config.Cookie.Hide(request, func(name string) bool { return strings.HasPrefix(name, "authkit-") })
			}
		case "decision log":
			config.LogAllowed = true
		case "explain denials":
			config.ExplainDenials = true
		case "policy":
			p := readPolicy(t, value)
			config.Policy = func() *policy.Policy { return p }
		case "organizations":
			config.Organizations = func(context.Context, string) ([]Organization, error) { return organizations(value) }
		default:
			t.Fatalf("no setting %q", name)
		}
	}
	u, err := url.Parse(redirectURI)
	if err != nil {
		t.Fatal(err)
	}
	if config.Sites, err = site.NewSites([]*url.URL{u}, []string{domain}); err != nil {
		t.Fatal(err)
	}
	config.Cookie = cookie.Config{
		Name: "wos-session", Domain: domain, MaxAge: 34_560_000,
		SameSite: http.SameSiteLaxMode, Secure: u.Scheme == "https",
	}
	if config.Policy != nil {
		config.Sites.Narrow(func(name string) bool { return config.Policy().Names(name) })
	}
	config.Bearer, config.APIKeys = fakeBearer{s.sessions}, s.keys
	s.handler = New(config)
	return s
}

func readPolicy(t testing.TB, name string) *policy.Policy {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	p, err := policyfile.Parse(text, policyfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p.Policy
}

// organizations reads "org_1 Acme, org_2 Globex".
func organizations(list string) ([]Organization, error) {
	if list == "unreachable" {
		return nil, errors.New("authkit: status 503")
	}
	var all []Organization
	for item := range strings.SplitSeq(list, ", ") {
		id, name, _ := strings.Cut(item, " ")
		all = append(all, Organization{ID: id, Name: name})
	}
	return all, nil
}

// ask puts a request to the handler and checks what is true of every answer.
func (s *stage) ask(method, endpoint string, header http.Header) *httptest.ResponseRecorder {
	s.t.Helper()
	s.log.Reset()
	s.sessions.asked = 0
	q := httptest.NewRequestWithContext(s.t.Context(), method, endpoint, nil)
	q.Header, q.RemoteAddr = header, s.peer
	w := httptest.NewRecorder()
	switch endpointOf(q) {
	case "/verify/ext-authz":
		q.Host = header.Get("Host")
		header.Del("Host")
		if s.grpc {
			q = q.WithContext(WithRequirements(q.Context(), s.require))
		}
		s.handler.ExtAuthz(w, q)
	case "/verify":
		s.handler.Verify(w, q)
	case "/verify/forward-auth":
		s.handler.ForwardAuth(w, q)
	case "/verify/auth-request":
		s.handler.AuthRequest(w, q)
	case "/verify/sign-in":
		s.handler.SignIn(w, q)
	default:
		s.t.Fatalf("no endpoint %s", q.URL.Path)
	}
	s.checkAlways(q, w)
	s.checkSecrets(q)
	return w
}

// endpointOf returns the path without the original one that Envoy writes behind it.
func endpointOf(q *http.Request) string {
	if strings.HasPrefix(q.URL.Path, ExtAuthzPrefix) {
		return ExtAuthzPrefix
	}
	return q.URL.Path
}

// The statuses of each endpoint; what isn't here makes nginx answer 500, or a
// browser send a form again.
var statuses = map[string][]int{
	"/verify":              {200, 303, 400, 401, 403, 503},
	"/verify/forward-auth": {200, 303, 400, 401, 403, 429, 503},
	"/verify/auth-request": {200, 401, 403, 503},
	"/verify/ext-authz":    {200, 303, 400, 401, 403, 429, 503},
	"/verify/sign-in":      {200, 303, 400, 401, 403, 429, 503},
}

var reasons = []string{
	"no_session", "bad_session", "session_ended", "superseded", "renew_cookie", "step_required",
	"auth_too_old", "no_credential", "bad_credential", "audience_is_client_id", "rate_limited", "forbidden", "email_unverified", "wrong_host", "bad_request", "mcp_version", "untrusted_proxy", "misconfigured", "unavailable",
}

var requestID = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// checkAlways checks the promises of DESIGN 4 that hold whatever is asked.
func (s *stage) checkAlways(q *http.Request, w *httptest.ResponseRecorder) {
	s.t.Helper()
	h := w.Header()
	if !slices.Contains(statuses[endpointOf(q)], w.Code) {
		s.t.Errorf("got status %d at %s", w.Code, q.URL.Path)
	}
	wantCache := []string{"private, no-store"}
	if endpointOf(q) == ExtAuthzPrefix && w.Code == http.StatusOK && !has(h, "Set-Cookie") { // Envoy would add it to the app's answer
		wantCache = nil
	}
	if got := h["Cache-Control"]; !slices.Equal(got, wantCache) {
		s.t.Errorf("Cache-Control: got %q, want %q", got, wantCache)
	}
	if !slices.Contains(h["Vary"], "Cookie") {
		s.t.Errorf("Vary: got %q, want Cookie in it", h["Vary"])
	}
	id := h.Get("X-Request-Id")
	handedOn := q.URL.Path == "/verify/sign-in" && id == q.Header.Get("X-Auth-Request-Id")
	if !requestID.MatchString(id) || s.ids[id] && !handedOn || id == q.Header.Get("X-Request-Id") {
		s.t.Errorf("X-Request-Id: got %q, want a new one of our own", h["X-Request-Id"])
	}
	s.ids[id] = true
	if size := w.Body.Len(); size >= 4096 {
		s.t.Errorf("body: got %d bytes, want less than 4096", size)
	}
	if size := h.Get("Content-Length"); size != "" && size != fmt.Sprint(w.Body.Len()) {
		s.t.Errorf("Content-Length: got %s, want %d", size, w.Body.Len())
	}
	if (w.Code == http.StatusSeeOther) != has(h, "Location") {
		s.t.Errorf("status %d: Location: got %q", w.Code, h["Location"])
	}
	if reason := h.Get("X-Auth-Reason"); reason != "" && !slices.Contains(reasons, reason) {
		s.t.Errorf("X-Auth-Reason: got %q, want one of %q", reason, reasons)
	}
	if w.Code >= 400 && !has(h, "X-Auth-Reason") || w.Code == http.StatusOK && has(h, "X-Auth-Reason") {
		s.t.Errorf("status %d: X-Auth-Reason: got %q", w.Code, h["X-Auth-Reason"])
	}
	for name := range h {
		if w.Code != http.StatusOK && (strings.HasPrefix(name, "X-Auth-Request-") || strings.HasPrefix(name, "Remote-")) {
			s.t.Errorf("status %d: got the identity header %s", w.Code, name)
		}
	}
	if reason := h.Get("X-Auth-Reason"); reason != "" && reason != "session_ended" && s.sessions.state != "conflict" && has(h, "Set-Cookie") {
		s.t.Errorf("status %d, %s: got Set-Cookie %q", w.Code, reason, h["Set-Cookie"])
	}
	webSocket := q.Header.Get("Sec-Fetch-Mode") == "websocket" || has(q.Header, "Sec-Websocket-Key") || has(q.Header, "Sec-Websocket-Version")
	if webSocket && has(h, "Set-Cookie") && q.URL.Path != "/verify/sign-in" {
		s.t.Errorf("a WebSocket: got Set-Cookie %q", h["Set-Cookie"])
	}
	if s.sessions.state == "due" && s.sessions.ahead && !has(h, "Set-Cookie") && h.Get("X-Auth-Reason") != "forbidden" {
		s.t.Error("got a refresh ahead of time, and no new cookie")
	}
	if early := []string{"untrusted_proxy", "bad_request", "wrong_host"}; slices.Contains(early, h.Get("X-Auth-Reason")) && s.sessions.asked > 0 {
		s.t.Errorf("%s: got a look at the session", h.Get("X-Auth-Reason"))
	}
}

func has(h http.Header, name string) bool {
	_, ok := h[name]
	return ok
}

// checkSecrets looks for what may never be in a log: cookies, tokens, queries.
func (s *stage) checkSecrets(q *http.Request) {
	s.t.Helper()
	secrets := []string{currentCookie, accessTokenOf, strings.Repeat("L", 100)}
	for _, line := range q.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, "; ") {
			_, value, _ := strings.Cut(pair, "=")
			secrets = append(secrets, value)
		}
	}
	for _, name := range []string{"X-Forwarded-Uri", "X-Original-Url", "Referer", "Hx-Current-Url"} {
		before, query, _ := strings.Cut(q.Header.Get(name), "?")
		if strings.Contains(query, "=") && !strings.Contains(before, query) { // else the log may have it for another reason
			secrets = append(secrets, query)
		}
	}
	secrets = append(secrets, q.Header.Get("Authorization"), q.URL.RawQuery)
	for _, secret := range secrets {
		if len(secret) > 2 && strings.Contains(s.log.String(), secret) {
			s.t.Errorf("got log %s, want no %q in it", s.log, secret)
		}
	}
}

// play sends a step's request and compares the answer.
func (s *stage) play(step *step) {
	if step.session != "" {
		s.sessions.state = step.session
	}
	s.now = s.now.Add(step.later)
	w := s.ask(step.method, step.endpoint, step.header.Clone())
	where := fmt.Sprintf("line %d", step.line)
	if w.Code != step.status {
		s.t.Fatalf("%s: got status %d (%q, log %s), want %d", where, w.Code, w.Header(), s.log, step.status)
	}
	s.compareHeaders(where, step, w.Header())
	for _, want := range step.body {
		if !strings.Contains(w.Body.String(), want) {
			s.t.Errorf("%s: got body %q, want %q in it", where, w.Body, want)
		}
	}
	for _, unwanted := range step.noBody {
		if strings.Contains(w.Body.String(), unwanted) {
			s.t.Errorf("%s: got body %q, want no %q in it", where, w.Body, unwanted)
		}
	}
	if step.kind == "" && w.Body.Len() > 0 {
		s.t.Errorf("%s: got body %q, want none", where, w.Body)
	}
	s.compareLog(where, step, w.Header())
}

// kinds are the headers that come with a body, and with a redirect.
var kinds = map[string]map[string]string{
	"problem": {
		"Content-Type": "application/problem+json", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
	},
	"page": {
		"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
		"Content-Security-Policy": "default-src 'none'; style-src 'sha256-…'; base-uri 'none'; frame-ancestors 'none'",
	},
	"framed page": {
		"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
		"Content-Security-Policy": "default-src 'none'; style-src 'sha256-…'; base-uri 'none'; frame-ancestors 'self' https://…",
	},
	"redirect": {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"},
}

// compareHeaders is strict: a header that the story doesn't name must not be there.
func (s *stage) compareHeaders(where string, step *step, got http.Header) {
	s.t.Helper()
	want := step.answer.Clone()
	kind := step.kind
	if step.status == http.StatusSeeOther {
		kind = "redirect"
	}
	for name, value := range kinds[kind] {
		if !has(want, name) {
			want.Set(name, value)
		}
	}
	for name, value := range identities[step.identity] {
		if !has(want, name) {
			want.Set(name, value)
		}
	}
	if !has(want, "Vary") {
		want.Set("Vary", "Cookie")
	}
	for name, values := range want {
		if !slices.EqualFunc(values, got[name], match) {
			s.t.Errorf("%s: %s: got %q, want %q", where, name, got[name], values)
		}
	}
	for name, values := range got {
		always := name == "X-Request-Id" || name == "Cache-Control" || name == "Content-Length" // see checkAlways
		if !has(want, name) && !always {
			s.t.Errorf("%s: got %s: %q, want no such header", where, name, values)
		}
	}
}

// compareLog wants one line for a denial, and for what is allowed only where the
// story names one.
func (s *stage) compareLog(where string, step *step, got http.Header) {
	s.t.Helper()
	want := step.log
	if reason := step.answer.Get("X-Auth-Reason"); reason != "" {
		message := "denied"
		if reason == "renew_cookie" { // the session is good
			message = "sent to /verify/sign-in for new cookies"
		}
		want = append([]field{{"reason", reason}, {"message", message}}, want...)
	}
	if len(want) == 0 {
		if s.log.Len() > 0 {
			s.t.Errorf("%s: got log %s, want none", where, s.log)
		}
		return
	}
	want = append(want, field{"event", "verify"}, field{"status", fmt.Sprint(step.status)}, field{"request_id", got.Get("X-Request-Id")})
	var line map[string]any
	if err := json.Unmarshal(s.log.Bytes(), &line); err != nil { // fails on a second line, too
		s.t.Errorf("%s: got log %q, want one line of JSON: %v", where, s.log, err)
		return
	}
	for _, name := range []string{"host", "path"} {
		if _, ok := line[name]; !ok {
			s.t.Errorf("%s: got log %s, want a %s in it", where, s.log, name)
		}
	}
	for _, f := range want {
		value := ""
		if line[f.name] != nil {
			value = fmt.Sprint(line[f.name])
		}
		if !match(f.value, value) {
			s.t.Errorf("%s: log: got %s %q, want %q", where, f.name, value, f.value)
		}
	}
}

// identities are the identity headers that a story's answer must have, whole.
var identities = map[string]map[string]string{
	"ada": {
		"X-Auth-Request-User":         "user_01ADA",
		"X-Auth-Request-Email":        "ada@example.com",
		"X-Auth-Request-Name":         "Ada Lovelace",
		"X-Auth-Request-Groups":       "admin,billing",
		"X-Auth-Request-Organization": "org_01ACME",
		"X-Auth-Request-Role":         "admin",
		"X-Auth-Request-Permissions":  "reports:read,reports:write",
		"X-Auth-Request-Entitlements": "sso",
		"X-Auth-Request-Session":      "session_01ADA",
		"X-Auth-Request-Impersonator": "",
		"X-Auth-Request-Scopes":       "",
		"X-Auth-Request-Client":       "",
		"X-Auth-Request-Actor":        "",
		"X-Auth-Request-Access-Token": "",
		"X-Auth-Request-Assertion":    "",
	},
	"nobody": {
		"X-Auth-Request-User":         "",
		"X-Auth-Request-Email":        "",
		"X-Auth-Request-Name":         "",
		"X-Auth-Request-Groups":       "",
		"X-Auth-Request-Organization": "",
		"X-Auth-Request-Role":         "",
		"X-Auth-Request-Permissions":  "",
		"X-Auth-Request-Entitlements": "",
		"X-Auth-Request-Session":      "",
		"X-Auth-Request-Impersonator": "",
		"X-Auth-Request-Scopes":       "",
		"X-Auth-Request-Client":       "",
		"X-Auth-Request-Actor":        "",
		"X-Auth-Request-Access-Token": "",
		"X-Auth-Request-Assertion":    "",
	},
	"machine": {
		"X-Auth-Request-User":         "client_01SYNC",
		"X-Auth-Request-Email":        "",
		"X-Auth-Request-Name":         "",
		"X-Auth-Request-Groups":       "",
		"X-Auth-Request-Organization": "org_01ACME",
		"X-Auth-Request-Role":         "",
		"X-Auth-Request-Permissions":  "reports:read",
		"X-Auth-Request-Entitlements": "",
		"X-Auth-Request-Session":      "",
		"X-Auth-Request-Impersonator": "",
		"X-Auth-Request-Scopes":       "",
		"X-Auth-Request-Client":       "",
		"X-Auth-Request-Actor":        "",
		"X-Auth-Request-Access-Token": "",
		"X-Auth-Request-Assertion":    "",
	},
	"reader": {
		"X-Auth-Request-User":         "user_01ADA",
		"X-Auth-Request-Email":        "",
		"X-Auth-Request-Name":         "",
		"X-Auth-Request-Groups":       "",
		"X-Auth-Request-Organization": "org_01ACME",
		"X-Auth-Request-Role":         "",
		"X-Auth-Request-Permissions":  "",
		"X-Auth-Request-Entitlements": "",
		"X-Auth-Request-Session":      "",
		"X-Auth-Request-Impersonator": "",
		"X-Auth-Request-Scopes":       "files:read",
		"X-Auth-Request-Client":       "https://client.example/metadata.json",
		"X-Auth-Request-Actor":        "agent, x",
		"X-Auth-Request-Access-Token": "",
		"X-Auth-Request-Assertion":    "",
	},
	"agents": {
		"X-Auth-Request-User":         "user_01ADA",
		"X-Auth-Request-Email":        "",
		"X-Auth-Request-Name":         "",
		"X-Auth-Request-Groups":       "",
		"X-Auth-Request-Organization": "org_01ACME",
		"X-Auth-Request-Role":         "",
		"X-Auth-Request-Permissions":  "reports:read",
		"X-Auth-Request-Entitlements": "",
		"X-Auth-Request-Session":      "",
		"X-Auth-Request-Impersonator": "",
		"X-Auth-Request-Scopes":       "",
		"X-Auth-Request-Client":       "",
		"X-Auth-Request-Actor":        "agent_reg_01X",
		"X-Auth-Request-Access-Token": "",
		"X-Auth-Request-Assertion":    "",
	},
	"remote ada": {
		"Remote-User":                 "ada@example.com",
		"Remote-Email":                "ada@example.com",
		"Remote-Name":                 "Ada Lovelace",
		"Remote-Groups":               "admin,billing",
		"X-Auth-Request-Access-Token": "",
		"X-Auth-Request-Assertion":    "",
	},
	"remote nobody": {
		"Remote-User":                 "",
		"Remote-Email":                "",
		"Remote-Name":                 "",
		"Remote-Groups":               "",
		"X-Auth-Request-Access-Token": "",
		"X-Auth-Request-Assertion":    "",
	},
	"workload": {
		"X-Auth-Request-User":         "github:repo:acme/app",
		"X-Auth-Request-Email":        "",
		"X-Auth-Request-Name":         "",
		"X-Auth-Request-Groups":       "",
		"X-Auth-Request-Organization": "",
		"X-Auth-Request-Role":         "",
		"X-Auth-Request-Permissions":  "",
		"X-Auth-Request-Entitlements": "",
		"X-Auth-Request-Session":      "",
		"X-Auth-Request-Impersonator": "",
		"X-Auth-Request-Scopes":       "",
		"X-Auth-Request-Client":       "github",
		"X-Auth-Request-Actor":        "",
		"X-Auth-Request-Access-Token": "",
		"X-Auth-Request-Assertion":    "",
	},
}
