package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// between stands between a gateway and the service and keeps what each says.
type between struct {
	address string
	mu      sync.Mutex
	asked   []exchange
}

// exchange is a request of the gateway's and the id of the service's answer.
type exchange struct {
	path   string
	header http.Header
	id     string
}

func startBetween(t *testing.T, service string) *between {
	t.Helper()
	p := &between{}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: service})
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(r *http.Response) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.asked = append(p.asked, exchange{r.Request.URL.Path, r.Request.Header, r.Header.Get("X-Request-Id")})
			return nil
		},
	})
	t.Cleanup(server.Close)
	p.address = server.Listener.Addr().String()
	return p
}

func (p *between) taken() []exchange {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := p.asked
	p.asked = nil
	return asked
}

// nginx tells the service under which id it has answered a request before, and nobody else can.
func TestNginxHandsTheRequestIDOn(t *testing.T) {
	t.Parallel()
	var p *between
	nginx := gateway{"nginx", "nginx", localhost, func(t *testing.T, at addresses) {
		p = startBetween(t, at.service)
		at.service = p.address
		startNginx(t, at)
	}}
	s := newStack(t, nginx)
	nobody, member := newBrowser(t), newBrowser(t)
	member.signInTo(s, acmeID, sam)
	p.taken()
	claims := func(h http.Header) http.Header {
		h.Set("X-Auth-Request-Id", "MALLORY")
		h.Set("X-Auth-Request-ID", "MALLORY")
		return h
	}
	for _, test := range []struct {
		name   string
		b      *browser
		path   string
		header http.Header
		status int
	}{
		{"a page without session", nobody, "/", claims(documentHeaders()), http.StatusSeeOther},
		{"a fetch without session", nobody, "/", claims(fetchHeaders()), http.StatusUnauthorized},
		{"a page that isn't for this user", member, adminPath, claims(documentHeaders()), http.StatusForbidden},
		{"a page", member, "/", claims(documentHeaders()), http.StatusOK},
		{"the sign-in", nobody, "/_auth/login", claims(documentHeaders()), http.StatusSeeOther},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := test.b.send(http.MethodGet, s.origin+test.path, test.header, "")
			if a.Status != test.status {
				t.Fatalf("got status %d, want %d", a.Status, test.status)
			}
			asked := p.taken()
			if got := asked[0].header.Values("X-Auth-Request-Id"); len(got) > 0 {
				t.Errorf("the first question has X-Auth-Request-Id: %q, want none", got)
			}
			for _, second := range asked[1:] {
				if got := second.header.Values("X-Auth-Request-Id"); second.path != "/verify/sign-in" || !slices.Equal(got, []string{asked[0].id}) || asked[0].id == "" {
					t.Errorf("%s: got X-Auth-Request-Id: %q, want the first answer's, %q", second.path, got, asked[0].id)
				}
			}
		})
	}
}

// A control character in what a client sends, be it another site's cookie, doesn't turn every page into a 500.
func TestControlCharacters(t *testing.T) {
	t.Parallel()
	nginx := gateway{"nginx", "nginx", localhost, func(t *testing.T, at addresses) {
		startNginxWith(t, at, "location = /static { include authkit/protect.conf; default_type text/plain; alias "+filepath.Join(staticDir(t), "page")+"; }\n")
	}}
	s := newStack(t, nginx)
	session := "wos-session=" + s.sealedSession(t, zoe)
	for _, test := range []struct {
		name, lines string
		status      int
	}{
		{"a cookie before the session", "Cookie: x=a\x01b; " + session, 200},
		{"a cookie behind the session", "Cookie: " + session + "; x=a\x7fb", 200},
		{"a cookie's name", "Cookie: a=1; x\x1by=1; " + session + "; b=2", 200},
		{"without spaces", "Cookie: a=1;x=\x02;" + session + ";b=2", 200},
		{"several cookies before the session", "Cookie: x=\x01; y=\x02\x03; z=\x1f; " + session, 200},
		{"several cookies behind the session", "Cookie: " + session + "; x=\x01; y=\x02\x03; z=\x1f", 200},
		{"several lines", "Cookie: x=\x01\r\nCookie: " + session, 200},
		{"the session between two", "Cookie: x=\x01; " + session + "; y=\x01", 401},
		{"the session itself", "Cookie: " + session + "\x01", 401},
		{"a tab", "Cookie: x=a\tb; " + session, 200},
		{"bytes from 0x80 on", "Cookie: x=\xc3\xa4\xff; " + session, 200},
		{"the User-Agent", "User-Agent: a\x01b\r\nCookie: " + session, 200},
		{"Accept-Language", "Accept-Language: \x7f\r\nCookie: " + session, 200},
		{"no session", "Cookie: x=\x01\r\nUser-Agent: \x01", 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			send := func(path string) *http.Response {
				return raw(t, s.at.gateway, "GET "+path+" HTTP/1.1\r\nHost: localhost:"+portOf(t, s.at.gateway)+"\r\nConnection: close\r\n"+test.lines+"\r\n\r\n")
			}
			// A static page: the app of these tests is a server of net/http, which refuses such requests as well.
			if got := send("/static").StatusCode; got != test.status {
				t.Errorf("got status %d, want %d", got, test.status)
			}
			if got := send("/_auth/login").StatusCode; got != http.StatusSeeOther {
				t.Errorf("the sign-in: got status %d, want 303", got)
			}
		})
	}
}

func staticDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "page"), []byte("the page"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}
