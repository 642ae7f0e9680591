package verify

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Where the gateway hands on what isn't a 2xx, the flow answers questions about its endpoints. Elsewhere they are let through.
func TestFlowIsAnswered(t *testing.T) {
	t.Parallel()
	const target = "/_auth/login?rd=%2Fpage&x=a%26b"
	forwardedTo := func(path string) string {
		return "X-Forwarded-Method: POST\nX-Forwarded-Proto: https\nX-Forwarded-Host: APP.example.com\nX-Forwarded-Uri: " + path + "\n"
	}
	for _, tt := range []struct {
		name     string
		gateway  string
		endpoint string
		header   string
		host     string
		grpc     bool
		answered bool
		status   int // where the flow doesn't answer
	}{
		{"forward-auth", "", "/verify/forward-auth", forwardedTo(target), "auth:9000", false, true, 0},
		{"GATEWAY=caddy at /verify", "caddy", "/verify", forwardedTo(target), "auth:9000", false, true, 0},
		{"GATEWAY isn't set at /verify", "", "/verify", forwardedTo(target), "auth:9000", false, false, 403},
		{"webhooks", "caddy", "/verify/forward-auth", forwardedTo("/_auth/webhooks"), "auth:9000", false, false, 200},
		{"the key set, which is a 200", "caddy", "/verify/forward-auth", forwardedTo("/_auth/jwks.json"), "auth:9000", false, false, 200},
		{"another spelling is no endpoint", "caddy", "/verify/forward-auth", forwardedTo("/_auth/./login"), "auth:9000", false, false, 400},
		{"another host's is none", "caddy", "/verify/forward-auth", strings.Replace(forwardedTo(target), "APP", "www", 1), "auth:9000", false, false, 403},
		{"auth-request", "nginx", "/verify/auth-request", "X-Original-Method: POST\nX-Original-URL: https://app.example.com" + target, "auth:9000", false, false, 200},
		{"ext-authz with GATEWAY=envoy", "envoy", "/verify/ext-authz" + target, "", "app.example.com", false, true, 0},
		{"ext-authz without", "", "/verify/ext-authz" + target, "", "app.example.com", false, false, 200},
		{"ext-authz over gRPC", "", "/verify/ext-authz" + target, "", "app.example.com", true, true, 0},
		{"a stranger", "caddy", "/verify/forward-auth", forwardedTo(target) + "peer: x", "auth:9000", false, false, 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, nil)
			s.handler.Gateway = GatewayNamed(tt.gateway)
			s.handler.Sites.First().HasWebhooks, s.handler.Sites.First().HasJWKS = true, true
			var got *http.Request
			s.handler.Flow = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r
				w.Header().Set("Location", "https://authkit.example/")
				w.WriteHeader(http.StatusSeeOther)
			})
			method := http.MethodGet
			if strings.HasPrefix(tt.endpoint, ExtAuthzPrefix) {
				method = http.MethodPost
			}
			r := httptest.NewRequestWithContext(t.Context(), method, tt.endpoint, strings.NewReader("a body"))
			r.Host, r.RemoteAddr = tt.host, s.peer
			header, stranger := strings.CutSuffix(tt.header, "peer: x")
			if stranger {
				r.RemoteAddr = "203.0.113.9:1"
			}
			for line := range strings.Lines(header) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
				r.Header.Add(name, value)
			}
			r.Header.Set("Cookie", "authkit-state-1=x")
			if tt.grpc {
				r = r.WithContext(WithRequirements(r.Context(), ""))
			}
			w := httptest.NewRecorder()

			switch {
			case method == http.MethodPost:
				s.handler.ExtAuthz(w, r)
			case tt.endpoint == "/verify":
				s.handler.Verify(w, r)
			case tt.endpoint == "/verify/forward-auth":
				s.handler.ForwardAuth(w, r)
			default:
				s.handler.AuthRequest(w, r)
			}

			if !tt.answered {
				if got != nil || w.Code != tt.status {
					t.Errorf("got status %d, flow asked %t; want %d, not asked", w.Code, got != nil, tt.status)
				}
				return
			}
			if got == nil || w.Code != http.StatusSeeOther || w.Header().Get("Location") == "" {
				t.Fatalf("got status %d %q, want the flow's answer", w.Code, w.Header())
			}
			body, _ := io.ReadAll(got.Body)
			if got.Method != "POST" || got.URL.String() != target || got.RequestURI != target || got.Host != "app.example.com" ||
				got.Header.Get("Cookie") != "authkit-state-1=x" || len(body) > 0 {
				t.Errorf("the flow got %s %s (%s) at %s with %q and body %q", got.Method, got.URL, got.RequestURI, got.Host, got.Header, body)
			}
			for name := range w.Header() {
				if strings.HasPrefix(name, "X-Auth-Request-") {
					t.Errorf("got the identity header %s", name)
				}
			}
		})
	}
}
