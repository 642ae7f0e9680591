package e2e

import (
	"net/http"
	"testing"
)

// nginx chooses the location by the resolved path and hands on the one that the client has sent. So what stands
// outside of a location with requirements reaches nothing of it: the service denies dot segments.
func TestNginxDotSegmentsPassNoRequirement(t *testing.T) {
	t.Parallel()
	targets := []string{
		"/admin/../x", "/admin/%2e%2e/x", "/admin/%2E%2e/x", "/admin/..%2fx", "/admin/..%2Fx", "/admin/.%2e/x", "/admin/%2e./x", "/admin%2f../x", "/admin%2f%2e%2e%2fx",
		"/admin/x/../../y", "/admin/./../x", "/x/../admin/../y", "/admin/..", "/admin/../", "/admin/../x?y=1", "/admin/../x#y", "/admin/x/%2e%2e/%2e%2e/y",
		"/./admin/../x", "/admin/%2e/../x",
	}
	for _, g := range []gateway{
		{"HTTP 1", "nginx", localhost, startNginx},
		{"HTTP 2", "nginx", publicOrigin, startNginxWithTLS},
	} {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			app := startRecorder(t)
			s := newSite(t, g)
			s.at.app = app.address
			s.startAuthKit(t)
			s.open(t, g)
			cookie := "wos-session=" + s.sealedSession(t, paula) // without any role
			send := func(target string) (status int) {
				status, _ = wire(t, s.at.gateway, "GET "+target+" HTTP/1.1\r\nHost: localhost:"+portOf(t, s.at.gateway)+"\r\nCookie: "+cookie+"\r\nConnection: close\r\n\r\n")
				return status
			}
			if g.name == "HTTP 2" {
				client := http2Client(t, s.at.gateway)
				send = func(target string) int {
					return sendHTTP2(t, client, s.origin, target, http.Header{"Cookie": {cookie}})
				}
			}
			app.taken()
			for _, target := range targets {
				if status := send(target); status != http.StatusForbidden && status != http.StatusBadRequest {
					t.Errorf("%s: got status %d, want 403", target, status)
				}
				for _, got := range app.taken() {
					t.Errorf("%s: the app got %s", target, got.target)
				}
			}
			if status := send("/x/..y/z.css"); status != http.StatusOK {
				t.Errorf("dots that are no segment: got status %d, want 200", status)
			}
		})
	}
}
