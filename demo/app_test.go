package demo

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func serveApp(t *testing.T, target string, h http.Header) *httptest.ResponseRecorder {
	t.Helper()
	a, err := newApp(nil, flowPrefix)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	r.Header = h
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

func TestAppPage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, target string
		header       http.Header
		want         []string
	}{
		{"greets by name", "/", http.Header{"X-Auth-Request-Name": {"Zo%C3%AB"}, "X-Auth-Request-Email": {"zoe@acme.example"}},
			[]string{"<h1>Hello, Zoë</h1>", "<td>Zo%C3%AB</td>", "<p>zoe@acme.example</p>", `aria-hidden="true">Z<`}},
		{"greets by address", "/", http.Header{"X-Auth-Request-Email": {"new@example.com"}, "X-Auth-Request-Name": {""}},
			[]string{"<h1>Hello, new@example.com</h1>", `<td><span class="soft">empty</span></td>`}},
		{"greets by id", "/", http.Header{"X-Auth-Request-User": {"user_1"}}, []string{"<h1>Hello, user_1</h1>"}},
		{"says who impersonates", "/", http.Header{"X-Auth-Request-Impersonator": {"support@example.com"}},
			[]string{"<b>support@example.com</b> is acting"}},
		{"escapes", "/%3Cb%3E?%22", http.Header{"X-Auth-Request-Name": {"<script>alert(1)</script>"}},
			[]string{"<h1>Hello, &lt;script&gt;alert(1)&lt;/script&gt;</h1>", "/%3Cb%3E?%22</code>"}},
		{"shows the URL as it was", "/reports?year=2026&q=a%26b", http.Header{"X-Auth-Request-User": {"user_1"}}, []string{
			`<code id="asked">/reports?year=2026&amp;q=a%26b</code>`,
			`href="/_auth/login?prompt=login&amp;rd=http%3A%2F%2Fexample.com%2Freports%3Fyear%3D2026%26q%3Da%2526b"`,
			`href="/_auth/logout"`,
		}},
		{"shows a spelling that should not be there", "/", http.Header{"X_auth_request_user": {"spoofed"}},
			[]string{`<th scope="row">X_auth_request_user</th><td>spoofed</td>`}},
		{"says that nobody is signed in", "/public", http.Header{"X-Auth-Request-User": {""}}, []string{
			"<p>You are not signed in.</p>", `href="/_auth/login?rd=http%3A%2F%2Fexample.com%2Fpublic">Sign in</a>`,
		}},
		{"says that there is no identity", "/", nil, []string{"sent around the gateway?"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := serveApp(t, tt.target, tt.header)
			if w.Code != 200 || strings.Contains(w.Body.String(), "<script>alert") {
				t.Errorf("got status %d, want 200 and no script of a header", w.Code)
			}
			if strings.Contains(w.Body.String(), "policy") {
				t.Errorf("the page tells of a policy that is somebody else's: %s", w.Body)
			}
			for _, want := range tt.want {
				if !strings.Contains(w.Body.String(), want) {
					t.Errorf("the page lacks %q: %s", want, w.Body)
				}
			}
		})
	}
}

// The browser runs the script and applies the style only if these are their hashes.
func TestAppPolicy(t *testing.T) {
	t.Parallel()
	w := serveApp(t, "/", nil)
	between := func(begin, end string) string {
		_, rest, _ := strings.Cut(w.Body.String(), begin)
		inside, _, _ := strings.Cut(rest, end)
		sum := sha256.Sum256([]byte(inside))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	want := "default-src 'none'; script-src " + between("<script>", "</script>") + "; style-src " + between("<style>", "</style>") +
		"; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	if got := w.Header().Get("Content-Security-Policy"); got != want {
		t.Errorf("got policy %q, want %q", got, want)
	}
	if got := w.Header().Get("Cache-Control"); got != "private, no-store" {
		t.Errorf("got Cache-Control %q, want private, no-store", got)
	}
}

func TestWhoAmI(t *testing.T) {
	t.Parallel()
	w := serveApp(t, "/api/whoami", http.Header{
		"X-Auth-Request-User": {"user_1"}, "X-Auth-Request-Name": {"Sam 50%25"}, "X-Auth-Request-Email": {"sam@example.com"},
		"X-Auth-Request-Groups": {"a%2Cb,c"}, "X-Auth-Request-Permissions": {""}, "X-Auth-Request-Session": {"session_1"},
	})
	want := `{"user":"user_1","email":"sam@example.com","name":"Sam 50%","organization":"","role":"",` +
		`"groups":["a,b","c"],"permissions":[],"entitlements":[],"session":"session_1","impersonator":""}` + "\n"
	if got := w.Body.String(); got != want || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("got %s, want %s", got, want)
	}
}
