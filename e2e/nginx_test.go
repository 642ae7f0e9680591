package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// A location's requirements count beside whatever else is in it.
func TestNginxRequirementsHold(t *testing.T) {
	t.Parallel()
	const locations = `
    location /nested {
        auth_request /_authkit/verify/role=admin,owner;
        include authkit/answer.conf;
        include app.conf;
        location /nested/inner {
            include authkit/answer.conf;
            include app.conf;
        }
        location ~ ^/nested/bare { proxy_pass http://app; }
    }
    location = /exact {
        auth_request /_authkit/verify/role=admin,owner;
        include authkit/answer.conf;
        include app.conf;
    }
    location /stripped {
        rewrite ^/stripped/(.*)$ /$1 break;
        auth_request /_authkit/verify/role=admin,owner;
        include authkit/answer.conf;
        include app.conf;
    }
    location /conditional {
        if ($arg_break) { break; }
        if ($arg_set) { set $authkit_require ""; }
        auth_request /_authkit/verify/role=admin,owner;
        include authkit/answer.conf;
        include app.conf;
    }
    location /moved  { rewrite ^ /exact last; }
    location /tried  { root /nowhere; try_files $uri /exact; }
    location /failed { error_page 418 = /exact; return 418; }
    location /both {
        auth_request "/_authkit/verify/role=admin,owner&permission=reports%3Aread,reports:write";
        include authkit/answer.conf;
        include app.conf;
    }
    location /empty   { auth_request /_authkit/verify/; include authkit/answer.conf; include app.conf; }
    location /unknown { auth_request /_authkit/verify/rolle=admin; include authkit/answer.conf; include app.conf; }
    location /own {
        deny all;
        auth_request /_authkit/verify/role=admin,owner;
        include authkit/answer.conf;
        include app.conf;
    }
    location /page {
        error_page 403 /denied.txt;
        auth_request /_authkit/verify/role=admin,owner;
        include authkit/answer.conf;
        include app.conf;
    }
    location = /denied.txt { internal; return 200 "The operator's page."; }
    location ~ role { include app.conf; }
`
	var gatewayLog *process
	nginx := gateway{"nginx", "nginx", localhost, func(t *testing.T, at addresses) {
		gatewayLog = startNginxWith(t, at, locations)
	}}
	s := newStack(t, nginx)
	admin, member := newBrowser(t), newBrowser(t)
	admin.signIn(s.origin+"/", zoe)
	member.signInTo(s, acmeID, sam)

	for _, test := range []struct {
		path          string
		admin, member int
	}{
		{"/nested", 200, 403},
		{"/nested/inner", 200, 403},
		{"/nested/bare", 200, 403},
		{"/exact", 200, 403},
		{"/stripped/x", 200, 403},
		{"/conditional", 200, 403},
		{"/conditional?break=1", 200, 403},
		{"/conditional?set=1", 200, 403},
		{"/moved", 200, 403},
		{"/tried", 200, 403},
		{"/failed", 200, 403},
		{"/both", 200, 403},
		{"/empty", 500, 500},
		{"/unknown", 403, 403},
		{"/own", 403, 403},
		{"/page", 200, 403},
		{"/", 200, 200},
	} {
		t.Run(test.path, func(t *testing.T) {
			for who, want := range map[*browser]int{admin: test.admin, member: test.member} {
				before := s.app.requests.Load()
				for _, a := range []answer{who.fetch(http.MethodGet, s.origin+test.path, ""), who.open(s.origin + test.path)} {
					if a.Status != want {
						t.Errorf("got status %d, want %d: %s", a.Status, want, a.Body)
					}
				}
				if got := s.app.requests.Load() - before; (got > 0) != (want == http.StatusOK) {
					t.Errorf("got %d requests at the app", got)
				}
			}
		})
	}
	if a := member.open(s.origin + "/own"); a.Header.Get("X-Request-Id") != "" || !strings.Contains(a.Body, "nginx") {
		t.Errorf("deny: got %s, want nginx's own page", a.Body)
	}
	if a := member.open(s.origin + "/page"); a.Body != "The operator's page." {
		t.Errorf("error_page before the include: got %s, want that page", a.Body)
	}
	for _, path := range []string{"/_authkit/verify/role=admin", "/_authkit/verify/"} {
		if a := admin.fetch(http.MethodGet, s.origin+path, ""); a.Status != http.StatusNotFound {
			t.Errorf("%s: got status %d, want 404", path, a.Status)
		}
	}
	if got := gatewayLog.output.String(); strings.Contains(got, "uninitialized") {
		t.Errorf("nginx's log: got %s", got)
	}
}

// startNginxWith runs the example with more locations.
func startNginxWith(t *testing.T, at addresses, locations string) *process {
	t.Helper()
	dir := nginxExample(t, at)
	const before = "    # Public, and exactly this path."
	replace(t, dir, "localhost.conf", before, locations+before)
	return runNginx(t, dir, at.gateway)
}
