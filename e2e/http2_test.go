package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// withTLS are the gateways with a certificate, as browsers speak HTTP/2 over TLS alone.
func withTLS() []gateway {
	return []gateway{
		{"nginx", "nginx", publicOrigin, startNginxWithTLS},
		{"traefik", "traefik", publicOrigin, func(t *testing.T, at addresses) {
			dir := traefikExample(t, at)
			replace(t, dir, "traefik.yml", "      # Many an app", "      tls: {}\n      # Many an app")
			traefik := program(t, append(cachedTraefik(t), "traefik")...)
			p := start(t, at.gateway, exec.Command(traefik, "--configFile="+filepath.Join(dir, "traefik.yml")))
			client := http2Client(t, at.gateway)
			p.await(t, "its routers", func() bool {
				return sendHTTP2(t, client, publicOrigin(portOf(t, at.gateway)), publicPath, nil) == http.StatusOK
			})
		}},
		{"caddy", "caddy", publicOrigin, func(t *testing.T, at addresses) {
			dir := caddyExample(t, at)
			certificate, key := selfSigned(t)
			port := portOf(t, at.gateway)
			replace(t, dir, "Caddyfile", "admin off", "admin off\n\tauto_https off")
			replace(t, dir, "Caddyfile", "http://:"+port+" {", "https://"+publicHost+":"+port+" {\n\ttls "+certificate+" "+key)
			runCaddy(t, dir, "Caddyfile", at.gateway)
		}},
		{"haproxy", "haproxy", publicOrigin, func(t *testing.T, at addresses) {
			dir := haproxyExample(t, at)
			certificate, key := selfSigned(t)
			var both []byte
			for _, file := range []string{certificate, key} {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				both = append(both, text...)
			}
			if err := os.WriteFile(filepath.Join(dir, "both.pem"), both, 0o600); err != nil {
				t.Fatal(err)
			}
			replace(t, dir, "haproxy.cfg", "bind "+at.gateway, "bind "+at.gateway+" ssl crt "+filepath.Join(dir, "both.pem")+" alpn h2,http/1.1")
			runHAProxy(t, dir, at.gateway)
		}},
	}
}

// Over HTTP/2, where a cookie header may come in pieces and every name in small letters.
func TestOverHTTP2(t *testing.T) {
	t.Parallel()
	each(t, withTLS(), func(t *testing.T, g gateway) {
		s := newStack(t, g)
		for _, email := range []string{zoe, "large@example.com"} { // a session of one cookie, and one of several
			b := newBrowser(t)
			trustGateway(b, s.at.gateway)
			over := http2Client(t, s.at.gateway).Transport
			b.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Hostname(), ".example.com") {
					response, err := over.RoundTrip(r)
					if err == nil && response.ProtoMajor != 2 {
						t.Errorf("%s: got %s, want HTTP/2", r.URL, response.Proto)
					}
					return response, err
				}
				return http.DefaultTransport.RoundTrip(r) // AuthKit
			})

			if got := b.seen(b.signIn(s.origin+deepLink, email)); got.URI != deepLink || got.Header.Get("X-Auth-Request-Email") != email {
				t.Errorf("%s: after sign-in the app got %s with %q", email, got.URI, got.Header)
			}
			h := fetchHeaders()
			for _, name := range []string{"x-auth-request-email", "x_auth_request_email", "x.auth.request.email", "remote-user"} {
				h[name] = []string{"mallory"}
			}
			for name, values := range b.seen(b.send(http.MethodGet, s.origin+"/", h, "")).Header {
				if slices.Contains(values, "mallory") {
					t.Errorf("%s: the app got %s: %q", email, name, values)
				}
			}
			if got := b.seen(b.send(http.MethodPost, s.origin+"/", fetchHeaders(), "a=1")); got.Method != http.MethodPost || got.Body != "a=1" {
				t.Errorf("%s: the app got %s %q", email, got.Method, got.Body)
			}
			b.client.Jar = nil
			wantReason(t, b.send(http.MethodGet, s.origin+"/", fetchHeaders(), ""), http.StatusUnauthorized, "no_session")
		}
	})
}

type roundTrip func(r *http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
