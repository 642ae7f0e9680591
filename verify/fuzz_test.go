package verify

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

func FuzzForwarded(f *testing.F) {
	f.Add("GET", "https", "app.example.com", "/reports?year=2026&q=a%26b")
	f.Add("PROPFIND", "wss", "APP.example.com.:8443", "/a%2Fb/../c;d//e#f?g")
	f.Add("GET", "http", "evil.example", "/")
	f.Add("GET", "https", "app.example.com@evil.example", "//evil.example")
	f.Add("GET", "https", "app.example.com,evil.example", `/\evil.example`)
	f.Add("GET, POST", "https,http", "[::1]:443", "https://app.example.com/")
	f.Add("get", "https", "bücher.example", "/%zz")
	f.Add("", "", "", "")
	f.Add("GET", "https", "xn--bcher-kva.example.com:443", "/\x00\x7f\x80 \r\n")
	f.Add("OPTIONS", "https", "app.example.com", "/_auth/login")
	f.Fuzz(func(t *testing.T, method, proto, host, uri string) {
		h := http.Header{
			"X-Forwarded-Method": {method}, "X-Forwarded-Proto": {proto}, "X-Forwarded-Host": {host}, "X-Forwarded-Uri": {uri},
		}
		if o, err := readForwarded(h, "https"); err == nil {
			checkCanonical(t, o)
			again, err := readForwarded(http.Header{
				"X-Forwarded-Method": {o.method}, "X-Forwarded-Proto": {"https"},
				"X-Forwarded-Host": {o.host.String()}, "X-Forwarded-Uri": {o.uri},
			}, "https")
			if err != nil || again != o {
				t.Errorf("%+v: read again, got %+v, %v", o, again, err)
			}
		}
		checkLocations(t, "/verify/forward-auth", h)
	})
}

func FuzzExtAuthz(f *testing.F) {
	f.Add("GET", "app.example.com", "/reports?year=2026&q=a%26b")
	f.Add("PROPFIND", "APP.example.com.:8443", "/a%2Fb/../c;d//e#f?g")
	f.Add("GET", "app.example.com", "")
	f.Add("GET", "app.example.com", "?x")
	f.Add("GET", "app.example.com", "//evil.example/")
	f.Add("GET", "evil.example", "/\\@app.example.com/")
	f.Add("GET", "app.example.com, evil.example", "/%zz")
	f.Add("POST", "", "/\x00\x7f\x80 \r\n")
	f.Fuzz(func(t *testing.T, method, host, uri string) {
		asked := func(method, host, uri string) *http.Request {
			return &http.Request{Method: method, Host: host, RequestURI: ExtAuthzPrefix + uri, Header: http.Header{}}
		}
		o, err := readExtAuthz(asked(method, host, uri), "https")
		if err != nil {
			return
		}
		checkCanonical(t, o)
		if again, err := readExtAuthz(asked(o.method, o.host.String(), o.uri), "https"); err != nil || again != o {
			t.Errorf("%+v: read again, got %+v, %v", o, again, err)
		}
	})
}

func FuzzOriginalURL(f *testing.F) {
	f.Add("GET", "https://app.example.com/reports?year=2026&q=a%26b")
	f.Add("PROPFIND", "wss://APP.example.com.:8443/a%2Fb/../c;d//e#f?g")
	f.Add("GET", "https://app.example.com@evil.example/")
	f.Add("GET", "https://evil.example?@app.example.com/")
	f.Add("GET", "https://app.example.com#/")
	f.Add("GET", "https://app.example.com//evil.example/")
	f.Add("GET", "https://app.example.com\\@evil.example/")
	f.Add("GET", "https:///evil.example")
	f.Add("GET", "//app.example.com/")
	f.Add("GET", "https://https://app.example.com/")
	f.Add("GET", "https://app.example.com/%zz")
	f.Add("GET", "https://app.example.com/\x00\x7f\x80 \r\n")
	f.Add("POST", "https://app.example.com/_auth/callback?code=1")
	f.Fuzz(func(t *testing.T, method, original string) {
		h := http.Header{"X-Original-Method": {method}, "X-Original-Url": {original}}
		if o, err := readOriginal(h, "https"); err == nil {
			checkCanonical(t, o)
			again, err := readOriginal(http.Header{
				"X-Original-Method": {o.method}, "X-Original-Url": {"https://" + o.host.String() + o.uri},
			}, "https")
			if err != nil || again != o {
				t.Errorf("%+v: read again, got %+v, %v", o, again, err)
			}
		}
		checkLocations(t, "/verify/sign-in", h)
		checkLocations(t, "/verify/auth-request", h)
	})
}

// checkCanonical wants what was accepted to be in canonical form, every byte visible.
func checkCanonical(t *testing.T, o original) {
	t.Helper()
	for _, text := range []string{o.method, o.host.Name, o.host.Port, o.url()} {
		for i := range len(text) {
			if text[i] < 0x21 || text[i] > 0x7e {
				t.Errorf("got %q, want no byte outside 0x21-0x7E", text)
			}
		}
	}
	if strings.ContainsAny(o.method+o.host.String(), ",/\\@?#") || o.host.Name != strings.ToLower(o.host.Name) {
		t.Errorf("got method %q, host %q", o.method, o.host)
	}
	if !strings.HasPrefix(o.uri, "/") {
		t.Errorf("got URI %q, want a slash in front", o.uri)
	}
	if host, err := site.ParseHost(o.host.String(), "https"); err != nil || host != o.host {
		t.Errorf("host %q: read again, got %q, %v", o.host, host, err)
	}
}

// checkLocations asks with each kind of session, and wants every Location and login
// URL to stay on the protected hosts, as a browser reads it.
func checkLocations(t *testing.T, endpoint string, h http.Header) {
	t.Helper()
	for _, state := range []string{"none", "stale", "good"} {
		s := newStage(t, map[string]string{"cookie domain": "example.com"})
		s.sessions.state = state
		h := h.Clone()
		h.Set("Sec-Fetch-Mode", "navigate")
		h.Set("Sec-Fetch-Dest", "document")
		w := s.ask("GET", endpoint, h)
		for _, name := range []string{"Location", "X-Auth-Login-Url"} {
			location := w.Header().Get(name)
			if location == "" {
				continue
			}
			u, err := url.Parse(strings.ReplaceAll(location, "%", "%25")) // the app's own query and path may be odd
			if err != nil || u.Scheme != "https" || u.User != nil || u.Path == "" || strings.ContainsAny(u.Host, "\\ ") {
				t.Errorf("%s: got %q, %v", name, location, err)
				continue
			}
			if host := u.Hostname(); host != "example.com" && !strings.HasSuffix(host, ".example.com") {
				t.Errorf("%s: got %q, want a protected host", name, location)
			}
		}
	}
}

func FuzzAccept(f *testing.F) {
	for _, accept := range []string{
		"", "text/html", "text/html;q=0", "*/*", "application/json, text/html;q=0.9", "text/html;level=1;q=0.5,application/json;q=0.5",
		"text/html;q=NaN", "text/html;q=1e999", ",,;;==", "TEXT/HTML;Q=1", "text/html;q", "text/html;q=0x1p-2",
	} {
		f.Add(accept)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		got := prefersHTML(http.Header{"Accept": {accept}})
		if got && !strings.Contains(strings.ToLower(accept), "html") {
			t.Errorf("%q: got a preference for HTML", accept)
		}
		without := "application/json, " + strings.ReplaceAll(strings.ToLower(accept), "html", "xml")
		if prefersHTML(http.Header{"Accept": {without}}) {
			t.Errorf("%q: got a preference for HTML where there is none", accept)
		}
	})
}
