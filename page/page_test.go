package page

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

func sample() Page {
	return Page{
		Status:  403,
		Title:   `No <b>entry</b>`,
		Text:    `You are "ada"`,
		Details: []string{`<script>alert(1)</script>`},
		Links:   []Link{{Text: "Again", URL: "https://app.example.com/_auth/login?rd=%22"}, {Text: "Bad", URL: "javascript:alert(1)"}},
		Buttons: []Button{{"Sign out", `/_auth/logout?org="><x`}},
		Reason:  "forbidden", LoginURL: "https://app.example.com/_auth/login", ID: "abc",
	}
}

func TestHTMLEscapes(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	sample().HTML(w)
	body := w.Body.String()
	for _, want := range []string{
		`No &lt;b&gt;entry&lt;/b&gt;`, `&lt;script&gt;alert(1)&lt;/script&gt;`,
		`href="#ZgotmplZ"`, `action="/_auth/logout?org=%22%3e%3cx"`, "Request abc",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("body lacks %q", want)
		}
	}
	if strings.Contains(body, "<script") {
		t.Error("body has a script")
	}
	if w.Code != 403 || len(body) >= 4096 {
		t.Errorf("got status %d and %d bytes, want 403 and less than 4096", w.Code, len(body))
	}
}

func TestHTMLHeaders(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	sample().HTML(w)
	for name, want := range map[string]string{
		"Cache-Control":          "private, no-store",
		"Vary":                   "Cookie",
		"X-Content-Type-Options": "nosniff",
		"Referrer-Policy":        "same-origin",
		"Content-Type":           "text/html; charset=utf-8",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// The browser applies the style only if its hash is the one in the policy.
func TestPolicyAllowsTheStyleOnly(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	sample().HTML(w)
	_, rest, _ := strings.Cut(w.Body.String(), "<style>")
	css, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(css))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; frame-ancestors 'none'"
	if got := w.Header().Get("Content-Security-Policy"); got != want {
		t.Errorf("got policy %q, want %q", got, want)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	sample().JSON(w)
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"title": `No <b>entry</b>`, "status": 403.0, "detail": `You are "ada"`, "reason": "forbidden",
		"login_url": "https://app.example.com/_auth/login", "request_id": "abc",
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s: got %v, want %v", name, got[name], value)
		}
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("got content type %q, want application/problem+json", ct)
	}
}

func TestNextMovesOn(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	Page{Status: 200, Title: "One more step", Next: &Next{URL: "https://auth.example.com/login?rd=%2Fx&y=z;b"}}.HTML(w)
	if got, want := w.Header().Get("Refresh"), "0;url=https://auth.example.com/login?rd=%2Fx&y=z;b"; got != want {
		t.Errorf("got Refresh %q, want %q", got, want)
	}
	if want := `href="https://auth.example.com/login?rd=%2Fx&amp;y=z;b" data-to=`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("body lacks %q: %s", want, w.Body)
	}
}

// A page that may be framed says by whom, and a link can lead out of the frame.
func TestFramedPage(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	Page{
		Status: 401, Title: "Sign in", Ancestors: []string{"'self'", "https://*.example.com:*"}, User: "ada@example.com <admin>",
		Links: []Link{{Text: "Out", URL: "/a", Target: Top}, {Text: "Beside", URL: "/b", Target: NewTab}, {Text: "Here", URL: "/c"}},
	}.HTML(w)
	if got := w.Header().Get("Content-Security-Policy"); !strings.HasSuffix(got, "; frame-ancestors 'self' https://*.example.com:*") {
		t.Errorf("got policy %q, want the ancestors at its end", got)
	}
	for _, want := range []string{
		`<a href="/a" target="_top">Out</a>`, `<a href="/b" target="_blank">Beside</a>`, `<a href="/c">Here</a>`,
		"Signed in as <b>ada@example.com &lt;admin&gt;</b>",
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("body lacks %q", want)
		}
	}
}
