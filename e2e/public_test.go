package e2e

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// publicSpellings are paths that nginx takes for a public one. An app that routes by the path as it is, or as it
// decodes it, takes them for its admin pages or for whatever it has under any other path.
var publicSpellings = []string{
	"/admin/../favicon.ico",
	"/admin/users/..%2f..%2ffavicon.ico",
	"/admin/%2e%2e/favicon.ico",
	"/admin/%2E%2E/favicon.ico",
	"/admin/.%2e/favicon.ico",
	"/admin/%2e./favicon.ico",
	"/admin/..%2Ffavicon.ico",
	"/admin%2f../favicon.ico",
	"/admin%2F..%2Ffavicon.ico",
	"/admin/x/../../favicon.ico#x",
	"/admin/x/../../favicon.ico?x=/favicon.ico",
	"/admin/..//favicon.ico",
	"//favicon.ico",
	"///favicon.ico",
	"/./favicon.ico",
	"/admin/./../favicon.ico",
	"/%66avicon.ico",
	"/favicon%2eico",
	"/favicon.ico#/../admin",
	"/favicon.ico%3F/../admin",
	"/favicon.ico/../admin/../favicon.ico",
	"/favicon.ico/.",
	"/favicon.ico/..",
	"/favicon.ico/../favicon.ico",
	"/%2e/favicon.ico",
	"/admin/..;/favicon.ico",
	"/admin;/../favicon.ico",
	`/admin\..\favicon.ico`,
	"/admin/%5c../favicon.ico",
	"/admin/%252e%252e/favicon.ico",
	"/favicon.ico%00",
	"/favicon.ico%20",
	"/favicon.ico;x=1",
	"/favicon.ico\x7f",
	"/FAVICON.ICO",
}

// A public location is exact: without a session the app gets the public path and no other spelling of it.
func TestPublicPathIsExact(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		app := startRecorder(t)
		s := newSite(t, g)
		s.at.app = app.address
		s.startAuthKit(t)
		s.open(t, g)
		app.taken()
		host := "localhost:" + portOf(t, s.at.gateway)
		send := func(target string) (int, []received) {
			status, _ := wire(t, s.at.gateway, "GET "+target+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
			return status, app.taken()
		}
		for _, target := range publicSpellings {
			for _, target := range []string{target, "http://" + host + target} {
				if status, got := send(target); len(got) > 0 && pathOf(got[0].target) != publicPath {
					t.Errorf("%s: got status %d, and %s at the app", target, status, got[0].target)
				}
			}
		}
		for _, target := range []string{publicPath, publicPath + "?v=1", publicPath + "?x=/../admin", "http://" + host + publicPath} {
			if status, got := send(target); status != http.StatusOK || len(got) != 1 {
				t.Errorf("%s: got status %d and %d requests at the app, want 200 and one", target, status, len(got))
			}
		}
	})
}

// The same of a public location that is a folder.
func TestNginxPublicFolder(t *testing.T) {
	t.Parallel()
	app := startRecorder(t)
	nginx := gateway{"nginx", "nginx", localhost, func(t *testing.T, at addresses) {
		startNginxWith(t, at, "location /assets/ { include authkit/public.conf; include app.conf; }\n")
	}}
	s := newSite(t, nginx)
	s.at.app = app.address
	s.startAuthKit(t)
	s.open(t, nginx)
	send := func(target string) (int, []received) {
		status, _ := wire(t, s.at.gateway, "GET "+target+" HTTP/1.1\r\nHost: localhost:"+portOf(t, s.at.gateway)+"\r\nConnection: close\r\n\r\n")
		return status, app.taken()
	}
	for _, spelling := range append(publicSpellings,
		"/assets/..;/favicon.ico", "/assets/..;x=1/admin", `/assets/..\admin`, `/assets/x\..\..\favicon.ico`, "/assets/x;/../../favicon.ico",
		"/assets/%2e%2e%2ffavicon.ico", "/assets/%252e%252e%252ffavicon.ico", "/assets/..%5cadmin", "/assets/..%00/favicon.ico",
		"/assets//../favicon.ico", "/assets/x#/../../admin", "/assets/x?/../../admin", "/%61ssets/x", "//assets/x", "/assets") {
		target := strings.ReplaceAll(spelling, "favicon.ico", "assets/x")
		_, got := send(target)
		for _, r := range got {
			for _, reading := range readings(r.target) {
				if !under(reading, "/assets") {
					t.Errorf("%s: the app got %s, which is %s to some", target, r.target, reading)
				}
			}
		}
	}
	for _, target := range []string{"/assets/", "/assets/app.4f2a_b-c~1.min.js", "/assets/@scope/a+b,c=(1)!.css?v=1;2#", "/assets/a&b$'c:d*"} {
		if status, got := send(target); status != http.StatusOK || len(got) != 1 {
			t.Errorf("%s: got status %d and %d requests at the app, want 200 and one", target, status, len(got))
		}
	}
}

// The same over HTTP/2.
func TestNginxPublicPathOverHTTP2(t *testing.T) {
	t.Parallel()
	app := startRecorder(t)
	nginx := gateway{"nginx", "nginx", publicOrigin, func(t *testing.T, at addresses) {
		startNginxWithTLSEdited(t, at, func(dir string) {
			const before = "    # For admins and owners."
			replace(t, dir, "app.example.com.conf", before, "    location = /favicon.ico { include authkit/public.conf; include app.conf; }\n"+before)
		})
	}}
	s := newSite(t, nginx)
	s.at.app = app.address
	s.startAuthKit(t)
	s.open(t, nginx)
	client := http2Client(t, s.at.gateway)
	send := func(target string) (int, []received) {
		status := sendHTTP2(t, client, s.origin, target, nil)
		return status, app.taken()
	}
	for _, target := range publicSpellings {
		if status, got := send(target); len(got) > 0 && pathOf(got[0].target) != publicPath {
			t.Errorf("%q: got status %d, and %s at the app", target, status, got[0].target)
		}
	}
	if status, got := send(publicPath + "?v=1"); status != http.StatusOK || len(got) != 1 {
		t.Errorf("%s: got status %d and %d requests at the app, want 200 and one", publicPath, status, len(got))
	}
}

// pathOf is a request target without its query.
func pathOf(target string) string {
	p, _, _ := strings.Cut(target, "?")
	return p
}

// http2Client speaks HTTP/2 to a gateway with any certificate.
func http2Client(t *testing.T, address string) *http.Client {
	t.Helper()
	b := newBrowser(t)
	trustGateway(b, address)
	transport := b.client.Transport.(*http.Transport)
	transport.ForceAttemptHTTP2 = true
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}
	return &b.client
}

// sendHTTP2 sends a GET for a path as it is and returns the status, 0 where there is no answer.
func sendHTTP2(t *testing.T, client *http.Client, origin, target string, header http.Header) int {
	t.Helper()
	request := httpGet(t, origin)
	request.URL = &url.URL{Scheme: "https", Host: strings.TrimPrefix(origin, "https://"), Opaque: target}
	if strings.HasPrefix(target, "//") { // url.URL would make a whole URL of it
		request.URL.Opaque, request.URL.Path, request.URL.RawPath = "", target, target
	}
	if header != nil {
		request.Header = header
	}
	response, err := client.Do(request)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	if response.ProtoMajor != 2 {
		t.Fatalf("%s: got %s, want HTTP/2", target, response.Proto)
	}
	return response.StatusCode
}
