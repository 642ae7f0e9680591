package e2e

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A server that lacks server.conf lets nobody in, though its app has an answer for every path: nginx would
// take the app's 200 for the service's.
func TestNginxServerWithoutTheQuestion(t *testing.T) {
	t.Parallel()
	pages := t.TempDir()
	if err := os.WriteFile(filepath.Join(pages, "index.html"), []byte("the page"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(pages, 0o755); err != nil {
		t.Fatal(err)
	}
	static := "root " + pages + "; try_files $uri /index.html;"
	tests := []struct{ name, server string }{
		{"protect.conf", "location / { include authkit/protect.conf; include app.conf; }"},
		{"protect.conf, static pages", "location / { include authkit/protect.conf; " + static + " }"},
		{"protect.conf beside a public location", "location /private { include authkit/protect.conf; include app.conf; } location / { include app.conf; }"},
		{"protect.conf beside static pages", "location /private { include authkit/protect.conf; include app.conf; } location / { " + static + " }"},
		{"protect.conf, the app's page for a 404", static + " error_page 404 =200 /index.html; location / { include authkit/protect.conf; include app.conf; }"},
		{"requirements", "location / { auth_request _authkit/verify/role=admin,owner; include authkit/answer.conf; include app.conf; }"},
		{"requirements, static pages", "location / { auth_request _authkit/verify/role=admin,owner; include authkit/answer.conf; " + static + " }"},
		{"requirements beside a public location", "location /private { auth_request _authkit/verify/role=admin; include authkit/answer.conf; include app.conf; } location / { include app.conf; }"},
		{"requirements with a slash before them", "location / { auth_request /_authkit/verify/role=admin,owner; include authkit/answer.conf; include app.conf; }"},
		{"the question with a slash before it", "location / { auth_request /_authkit/verify; include authkit/answer.conf; include app.conf; }"},
		{"for the whole server", "auth_request _authkit/verify; location / { include authkit/answer.conf; include app.conf; }"},
		{"auth_request alone", "location / { auth_request _authkit/verify; include app.conf; }"},
		{"auth_request alone, with requirements", "location / { auth_request _authkit/verify/role=admin; include app.conf; }"},
		{"auth_request alone, static pages", "location / { auth_request _authkit/verify; " + static + " }"},
		{"auth_request alone, for the whole server", "auth_request _authkit/verify; location / { include app.conf; }"},
		{"rewrite before protect.conf", "location / { rewrite ^ /index.html break; include authkit/protect.conf; include app.conf; }"},
		{"rewrite before protect.conf, static pages", "location / { rewrite ^ /index.html break; include authkit/protect.conf; " + static + " }"},
		{"rewrite before protect.conf beside a public location", "location /private { rewrite ^ /x break; include authkit/protect.conf; include app.conf; } location / { include app.conf; }"},
		{"break before requirements", "location / { break; auth_request _authkit/verify/role=admin; include authkit/answer.conf; include app.conf; }"},
	}
	var servers strings.Builder
	listen := make([]string, len(tests))
	for i, test := range tests {
		listen[i] = freeAddress(t)
		servers.WriteString("server { listen " + listen[i] + "; server_name localhost; " + test.server + " }\n")
	}
	complete := freeAddress(t)
	servers.WriteString("server { listen " + complete + "; server_name localhost; include authkit/server.conf; " + tests[0].server + " }\n")
	nginx := gateway{"nginx", "nginx", localhost, func(t *testing.T, at addresses) {
		dir := nginxExample(t, at)
		replace(t, dir, "nginx.conf", "include localhost.conf;", "include localhost.conf;\n"+servers.String())
		runNginx(t, dir, at.gateway)
	}}
	s := newStack(t, nginx)
	nobody, signedIn := newBrowser(t), newBrowser(t)
	signedIn.signIn(s.origin+"/", zoe)
	nobody.client.Timeout = startTimeout // an app that is asked instead of the service waits for a body
	origin := func(address string) string {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		return localhost(port)
	}

	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := s.app.requests.Load()
			for _, path := range []string{"/private", "/private/x?y"} {
				for _, a := range []answer{
					nobody.fetch(http.MethodGet, origin(listen[i])+path, ""),
					nobody.fetch(http.MethodPost, origin(listen[i])+path, "a=b"),
					nobody.open(origin(listen[i]) + path),
					signedIn.fetch(http.MethodGet, origin(listen[i])+path, ""),
				} {
					if a.Status != http.StatusInternalServerError || !strings.Contains(a.Body, "nginx") {
						t.Errorf("%s: got status %d, want nginx's 500: %s", path, a.Status, a.Body)
					}
				}
			}
			if got := s.app.requests.Load() - before; got != 0 {
				t.Errorf("got %d requests at the app, want none", got)
			}
		})
	}
	if a := nobody.fetch(http.MethodGet, origin(complete)+"/private", ""); a.Status != http.StatusUnauthorized {
		t.Errorf("with server.conf: got status %d, want 401", a.Status)
	}
	if a := signedIn.fetch(http.MethodGet, origin(complete)+"/private", ""); a.Status != http.StatusOK {
		t.Errorf("with server.conf and a session: got status %d, want 200", a.Status)
	}
}

// startNginxEdited runs the example after changes to its files.
func startNginxEdited(t *testing.T, at addresses, edit func(dir string)) *process {
	t.Helper()
	dir := nginxExample(t, at)
	edit(dir)
	return runNginx(t, dir, at.gateway)
}

// The add_header lines of a server and those of a location reach the browser, and so does a refreshed session.
func TestNginxOwnHeaders(t *testing.T) {
	t.Parallel()
	nginx := gateway{"nginx", "nginx", localhost, func(t *testing.T, at addresses) {
		startNginxEdited(t, at, func(dir string) {
			replace(t, dir, "localhost.conf", "    include authkit/server.conf;",
				"    add_header Strict-Transport-Security max-age=63072000 always;\n    include authkit/server.conf;")
			const before = "    # Public, and exactly this path."
			replace(t, dir, "localhost.conf", before, snippet(t, "nginx", `(?s)    location /embed \{.*?\n    \}\n`)+before)
		})
	}}
	s := newStack(t, nginx)
	nobody, member := newBrowser(t), newBrowser(t)
	member.signInTo(s, acmeID, sam)

	for _, test := range []struct {
		name   string
		answer answer
		status int
	}{
		{"a page", member.open(s.origin + "/"), http.StatusOK},
		{"a public one", nobody.open(s.origin + publicPath), http.StatusOK},
		{"a page without session", nobody.send(http.MethodGet, s.origin+"/", documentHeaders(), ""), http.StatusSeeOther},
		{"a fetch without session", nobody.fetch(http.MethodGet, s.origin+"/", ""), http.StatusUnauthorized},
		{"a page that isn't for this user", member.open(s.origin + adminPath), http.StatusForbidden},
		{"the sign-in", nobody.send(http.MethodGet, s.origin+"/_auth/login", documentHeaders(), ""), http.StatusSeeOther},
	} {
		if test.answer.Status != test.status {
			t.Errorf("%s: got status %d, want %d", test.name, test.answer.Status, test.status)
		}
		if got := test.answer.Header.Values("Strict-Transport-Security"); len(got) != 1 || got[0] != "max-age=63072000" {
			t.Errorf("%s: the server's header: got %q, want it once", test.name, got)
		}
		if got := test.answer.Header.Values("X-Auth-Reason"); len(got) > 1 {
			t.Errorf("%s: X-Auth-Reason: got %q, want it once", test.name, got)
		}
	}
	if got := member.open(s.origin + "/embed").Header.Get("X-Frame-Options"); got != "SAMEORIGIN" {
		t.Errorf("the location's header: got %q, want SAMEORIGIN", got)
	}
	for _, path := range []string{"/", "/embed"} {
		b := newBrowser(t)
		b.setSession(s.origin, s.expiredSession(t, zoe))
		a := b.open(s.origin + path)
		if a.Status != http.StatusOK || !setsSession(a) {
			t.Errorf("%s with an expired access token: got status %d and cookies %d, want 200 and the new session", path, a.Status, len(a.Header.Values("Set-Cookie")))
		}
		wantNotCached(t, a)
	}
}
