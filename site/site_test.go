package site

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

func newSite(t testing.TB, redirectURI, cookieDomain string) *Site {
	t.Helper()
	u, err := url.Parse(redirectURI)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(u, cookieDomain)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParseHost(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, raw, want string }{
		{"plain", "app.example.com", "app.example.com"},
		{"upper case", "App.EXAMPLE.com", "app.example.com"},
		{"trailing dot", "app.example.com.", "app.example.com"},
		{"default port", "app.example.com:443", "app.example.com"},
		{"dot and default port", "app.example.com.:443", "app.example.com"},
		{"other port", "app.example.com:8443", "app.example.com:8443"},
		{"the port of a gateway behind TLS goes", "app.example.com:80", "app.example.com"},
		{"IPv4", "127.0.0.1:3000", "127.0.0.1:3000"},
		{"IPv6", "[::1]:3000", "[::1]:3000"},
		{"IPv6 long form", "[0:0:0:0:0:0:0:1]", "[::1]"},
		{"unicode", "bücher.example", "xn--bcher-kva.example"},
		{"unicode upper case", "BÜCHER.example", "xn--bcher-kva.example"},
		{"punycode", "XN--bcher-kva.example", "xn--bcher-kva.example"},
		{"underscore", "my_app.internal", "my_app.internal"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseHost(tt.raw, "https")
			if err != nil || got.String() != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestParseHostRefuses(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"", ".", "..", "a..b", ".example.com", "app.example.com..", "a b", "a,b", "a, b", "user@app.example.com", "app.example.com/",
		"app.example.com:", "app.example.com:0", "app.example.com:0443", "app.example.com:65536", "app.example.com:443:443",
		"app.example.com:x", "app\x00.example.com", "app%00.example.com", "::1", "[::1", "[::1]x", "[::1%25lo]", "[127.0.0.1]",
		"xn--\x80.example", "xn--a.example", "\xde.example", "\ufffd.example", "a\\b", "a#b", "a?b", strings.Repeat("a.", 127) + "com",
	} {
		if got, err := ParseHost(raw, "https"); !errors.Is(err, ErrHost) {
			t.Errorf("ParseHost(%q): got %q, %v, want ErrHost", raw, got, err)
		}
	}
}

func TestProtects(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, domain, host string
		want               bool
	}{
		{"own host", "", "auth.example.com", true},
		{"other host", "", "app.example.com", false},
		{"parent", "", "example.com", false},
		{"domain itself", "example.com", "example.com", true},
		{"below", "example.com", "app.example.com", true},
		{"deep below", ".example.com", "a.b.example.com", true},
		{"suffix without dot", "example.com", "evilexample.com", false},
		{"prefix", "example.com", "example.com.evil.io", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "https://auth.example.com/callback", tt.domain)
			if got := s.Protects(tt.host); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// A policy narrows what is protected, but not where the flow's own pages are.
func TestNarrow(t *testing.T) {
	t.Parallel()
	s := newSite(t, "https://auth.example.com/callback", "example.com")
	s.Narrow = func(name string) bool { return name == "app.example.com" }
	for host, want := range map[string]bool{
		"app.example.com": true, "wiki.example.com": false, "auth.example.com": false, "app.example.org": false,
	} {
		if got := s.Protects(host); got != want {
			t.Errorf("Protects(%q): got %v, want %v", host, got, want)
		}
		if _, got := s.ReturnURL("https://" + host + "/x"); got != want {
			t.Errorf("ReturnURL on %q: got %v, want %v", host, got, want)
		}
	}
	for origin, want := range map[string]bool{
		"https://app.example.com": true, "https://auth.example.com": true, "https://wiki.example.com": false,
	} {
		if got := s.ProtectsOrigin(origin); got != want {
			t.Errorf("ProtectsOrigin(%q): got %v, want %v", origin, got, want)
		}
	}
	if !s.IsFlowEndpoint(s.FlowHost(), "/switch") {
		t.Error("the flow's endpoints are not there any more")
	}
}

func TestReaches(t *testing.T) {
	t.Parallel()
	tests := []struct {
		domain, host string
		want         bool
	}{
		{"", "app.example.com", true},
		{"", "wiki.example.com", false},
		{"", "*.example.com", true},
		{"", "*.app.example.com", false},
		{"", "*.com", true},
		{"", "*.example.org", false},
		{"example.com", "wiki.example.com", true},
		{"example.com", "evilexample.com", false},
		{"example.com", "*.example.com", true},
		{"example.com", "*.apps.example.com", true},
		{"example.com", "*.evilexample.com", false},
		{"example.com", "*.com", true},
		{"example.com", "*.example.org", false},
	}
	for _, tt := range tests {
		s := newSite(t, "https://app.example.com/_auth/callback", tt.domain)
		if got := s.Reaches(tt.host); got != tt.want {
			t.Errorf("domain %q: Reaches(%q): got %v, want %v", tt.domain, tt.host, got, tt.want)
		}
	}
}

// The webhooks' path and the key set's are free to pass only where there is such an endpoint: it may be
// the app's own.
func TestEndpointsOfSettings(t *testing.T) {
	t.Parallel()
	for path, has := range map[string]func(s *Site){
		"/_auth/webhooks":  func(s *Site) { s.HasWebhooks = true },
		"/_auth/jwks.json": func(s *Site) { s.HasJWKS = true },
	} {
		s := newSite(t, "https://app.example.com/_auth/callback", "")
		if s.IsFlowEndpoint(s.FlowHost(), path) {
			t.Errorf("%s without it: got an endpoint", path)
		}
		has(s)
		if !s.IsFlowEndpoint(s.FlowHost(), path) || s.IsFlowEndpoint(s.FlowHost(), path+"/") || s.IsFlowEndpoint(Host{Name: "www.example.com"}, path) {
			t.Errorf("%s with it: got no endpoint, or others too", path)
		}
		if _, ok := s.ReturnURL(path); ok {
			t.Errorf("%s: got it as a return URL", path)
		}
	}
}

func TestFlowURL(t *testing.T) {
	t.Parallel()
	s := newSite(t, "https://app.example.com/_auth/callback", "")
	got := s.FlowURL(Switch, "https://app.example.com/a?b=c&d", map[string]string{"organization_id": "org_1", "prompt": ""})
	if want := "https://app.example.com/_auth/switch?rd=https%3A%2F%2Fapp.example.com%2Fa%3Fb%3Dc%26d&organization_id=org_1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := s.FlowURL(Login, "", nil), "https://app.example.com/_auth/login"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProtectsOrigin(t *testing.T) {
	t.Parallel()
	s := newSite(t, "https://app.example.com/_auth/callback", "")
	for origin, want := range map[string]bool{
		"https://app.example.com": true, "https://app.example.com:8443": true, "http://app.example.com": false,
		"https://evil.com": false, "null": false, "": false, "https://app.example.com.evil.io": false, "https://app.example.com/": false,
	} {
		if got := s.ProtectsOrigin(origin); got != want {
			t.Errorf("ProtectsOrigin(%q): got %v, want %v", origin, got, want)
		}
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, redirectURI, login, callback string }{
		{"prefix", "https://app.example.com/_auth/callback", "https://app.example.com/_auth/login", "/_auth/callback"},
		{"own host", "https://Auth.example.com:443/callback", "https://auth.example.com/login", "/callback"},
		{"port", "http://localhost:3000/_auth/cb", "http://localhost:3000/_auth/login", "/_auth/cb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, tt.redirectURI, "")
			if got := s.Endpoint(Login); got != tt.login {
				t.Errorf("login: got %q, want %q", got, tt.login)
			}
			if got := s.Callback(); got != tt.callback {
				t.Errorf("callback: got %q, want %q", got, tt.callback)
			}
		})
	}
	s := newSite(t, "https://app.example.com/_auth/callback", "")
	want := "https://app.example.com/_auth/login?rd=https%3A%2F%2Fapp.example.com%2Fr%3Fa%3D1%26b%3D2"
	if got := s.LoginURL("https://app.example.com/r?a=1&b=2"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestIsFlowEndpoint(t *testing.T) {
	t.Parallel()
	s := newSite(t, "https://app.example.com/_auth/cb", "example.com")
	tests := []struct {
		host, path string
		want       bool
	}{
		{"app.example.com", "/_auth/login", true},
		{"app.example.com", "/_auth/sign-up", true},
		{"app.example.com", "/_auth/logout", true},
		{"app.example.com", "/_auth/cb", true},
		{"app.example.com", "/_auth/callback", false},
		{"other.example.com", "/_auth/login", false},
		{"app.example.com", "/_auth/", false},
		{"app.example.com", "/_auth/login/", false},
		{"app.example.com", "/_auth/login/x", false},
		{"app.example.com", "/_auth//login", false},
		{"app.example.com", "/_auth/%6cogin", false},
		{"app.example.com", "/x/../_auth/login", false},
		{"app.example.com", "/login", false},
	}
	for _, tt := range tests {
		if got := s.IsFlowEndpoint(Host{Name: tt.host}, tt.path); got != tt.want {
			t.Errorf("%s%s: got %v, want %v", tt.host, tt.path, got, tt.want)
		}
	}
}

func TestReturnURL(t *testing.T) {
	t.Parallel()
	long := "https://app.example.com/" + strings.Repeat("p", 4096)
	tests := []struct{ name, raw, want string }{
		{"path", "/reports", "https://app.example.com/reports"},
		{"path and query", "/reports?year=2026&q=a%26b", "https://app.example.com/reports?year=2026&q=a%26b"},
		{"absolute", "https://app.example.com/reports?q=a%26b", "https://app.example.com/reports?q=a%26b"},
		{"host only", "https://app.example.com", "https://app.example.com/"},
		{"host and query", "https://app.example.com?a=1", "https://app.example.com/?a=1"},
		{"other protected host", "https://b.example.com:8443/x", "https://b.example.com:8443/x"},
		{"canonical host", "https://APP.example.com.:443/x", "https://app.example.com/x"},
		{"encoded slash stays", "/a%2Fb", "https://app.example.com/a%2Fb"},
		{"odd characters stay", `/a|b"c;d//e?x=\`, `https://app.example.com/a|b"c;d//e?x=\`},
		{"percent sign", "/100%25", "https://app.example.com/100%25"},
		{"fragment goes", "/a?b#c", "https://app.example.com/a?b"},
		{"long query goes", long + "?" + strings.Repeat("q", 4072), long},
		{"longest query stays", long + "?" + strings.Repeat("q", 4071), long + "?" + strings.Repeat("q", 4071)},
		{"a length is that of what is made of it", long + "?" + strings.Repeat("ä", 1000), long},
		{"bytes from 0x80 on", "/größe?q=\xff", "https://app.example.com/gr%C3%B6%C3%9Fe?q=%FF"},
		{"letters in the host", "https://Bücher.example.com/", "https://xn--bcher-kva.example.com/"},
		{"slashes at the beginning", "https://app.example.com//k8s/vnc", "https://app.example.com//k8s/vnc"},
		{"port 80 of an https site", "https://app.example.com:80/x", "https://app.example.com/x"},
	}
	s := newSite(t, "https://app.example.com/_auth/callback", "example.com")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, ok := s.ReturnURL(tt.raw); got != tt.want || !ok {
				t.Errorf("got %q, %v, want %q", got, ok, tt.want)
			}
		})
	}
}

// The redirects that peers let through: CVE-2020-5233, CVE-2020-11053,
// CVE-2020-4037, CVE-2021-21291, GHSA-36f2-fcrx-fp4j.
func TestReturnURLRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t, "https://app.example.com/_auth/callback", "example.com")
	for _, raw := range []string{
		"", "reports", "?a", "#a", `/\evil.com`, "//evil.com", "///evil.com", "/%09/evil.com", "/\t/evil.com", "/ /evil.com",
		`/../\evil.com`, "/.//evil.com", "/%2e/x", "/a/%2E%2e/b", "/%252e%252e/b", "/a%5cb", "/a%255cb", "/%00", "/%zz", "/ä b",
		"https:evil.com", "https:///evil.com", "https://evil.com", "https://evil.com/", "https://good@evil.com", "https://good%00.evil.com",
		"https://app.example.com@evil.com/", "https://user@app.example.com/", "https://evilexample.com/", "https://example.com.evil.io",
		`https://app.example.com\@evil.com`, `https://evil.com\.example.com`, "http://app.example.com/", "ftp://app.example.com/",
		"HTTPS//app.example.com", "javascript:alert(1)", "data:text/html,x", "https://app.example.com:x/", "https://evil.com?.example.com",
		"https://evil.com#.example.com", "https://[::1]/", "/x\r\nLocation: https://evil.com",
		"/_auth/login", "/_auth/login/", "/_auth/callback?code=1", "/_auth/%6cogin", "/_auth//logout", "https://app.example.com:8443/_auth/sign-up",
		"https://app.example.com/" + strings.Repeat("p", 8192), "/_auth;x/login", "/_auth%2flogin", "/_auth/login;x", "/_auth/%256cogin", "//x/_auth/login",
		"https://app.example.com//x/_auth/login", "/_auth/login%23", "/x%2500", "/x/..%252f",
	} {
		if got, ok := s.ReturnURL(raw); ok {
			t.Errorf("ReturnURL(%q): got %q, want none", raw, got)
		}
	}
}

// Of any input the result leads to a protected host and nowhere else.
func FuzzReturnURL(f *testing.F) {
	for _, seed := range []string{"/a?b", `/\evil.com`, "https://app.example.com/x", "https://good@evil.com", "/%2e%2e//x", "https://b.example.com:1/?#"} {
		f.Add(seed)
	}
	s := newSite(f, "https://app.example.com/_auth/callback", "example.com")
	f.Fuzz(func(t *testing.T, raw string) {
		got, ok := s.ReturnURL(raw)
		if !ok {
			return
		}
		u, err := url.Parse(got)
		if err != nil || u.Scheme != "https" || u.User != nil || !strings.HasSuffix("."+u.Hostname(), ".example.com") {
			t.Fatalf("ReturnURL(%q) = %q leads elsewhere", raw, got)
		}
		if again, ok := s.ReturnURL(got); !ok || again != got {
			t.Fatalf("ReturnURL(%q) = %q, which becomes %q, %v", raw, got, again, ok)
		}
	})
}

func TestStateReturnURL(t *testing.T) {
	t.Parallel()
	page := "https://app.example.com/" + strings.Repeat("p", 1000)
	for _, tt := range []struct{ name, url, want string }{
		{"all of it", page + "?" + strings.Repeat("q", 1023), page + "?" + strings.Repeat("q", 1023)},
		{"origin and path", page + "?" + strings.Repeat("q", 1024), page},
		{"nothing", page + strings.Repeat("p", 1025), ""},
	} {
		if got := StateReturnURL(tt.url); got != tt.want {
			t.Errorf("%s: got %d bytes, want %d", tt.name, len(got), len(tt.want))
		}
	}
}
