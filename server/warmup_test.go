package server

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The log of a start says which variable is wrong, and no secret.
func TestStartNamesWrongSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, path string // of AuthKit's, which answers with the status
		status     int
		settings   []string
		want       string // "" is no line at level error
	}{
		{"client ID", "/sso/jwks/", 404, nil, "WORKOS_CLIENT_ID is not known at http://"},
		{"API key", "/user_management/organization_memberships", 401, nil, "WORKOS_API_KEY is refused by http://"},
		{"https where there is none", "", 0, []string{"WORKOS_API_HTTPS", "true"}, "doesn't speak https: is WORKOS_API_PORT right? An emulator needs WORKOS_API_HTTPS=false"},
		{"another error of the key", "/user_management/organization_memberships", 403, nil, ""},
		{"an outage", "/user_management/organization_memberships", 500, nil, ""},
		{"nothing", "", 0, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.settings...)
			asked := make(chan struct{}, 100)
			front := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "organization_memberships") {
					defer func() { asked <- struct{}{} }()
				}
				if tt.path != "" && strings.HasPrefix(r.URL.Path, tt.path) {
					http.Error(rw, `{"message":"no"}`, tt.status)
					return
				}
				w.authKit.ServeHTTP(rw, r)
			})
			w.front.Store(&front)
			s := serve(t, w)
			if tt.want == "" {
				<-asked
			} else {
				eventually(t, "a line about it", func() bool { return strings.Contains(w.log.String(), tt.want) })
			}
			s.stop()
			<-s.done
			if log := w.log.String(); tt.want == "" && strings.Contains(log, `"level":"error"`) {
				t.Errorf("got %s, want no error", log)
			} else if strings.Contains(log, goodKey) {
				t.Errorf("got %s, want no secret", log)
			}
		})
	}
}

func TestWrongHostname(t *testing.T) {
	t.Parallel()
	for _, err := range []error{&net.DNSError{IsNotFound: true}, &net.DNSError{IsTimeout: true}} {
		want := ""
		if dns := err.(*net.DNSError); dns.IsNotFound {
			want = "WORKOS_API_HOSTNAME: there is no such host as that of %s"
		}
		if got := wrongSetting(fmt.Errorf("key set: %w", &url.Error{Err: &net.OpError{Err: err}})); got != want {
			t.Errorf("%#v: got %q, want %q", err, got, want)
		}
	}
	if got := wrongSetting(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}); !strings.Contains(got, "WORKOS_API_HOSTNAME") {
		t.Errorf("another host's certificate: got %q", got)
	}
}

// The authorization server of resources calls itself as AUTHKIT_DOMAIN does, or the log says so.
func TestStartComparesTheDomain(t *testing.T) {
	t.Parallel()
	const at = "/.well-known/oauth-authorization-server"
	for name, tt := range map[string]struct {
		answer http.HandlerFunc // nil: the emulator's
		want   string           // "": nothing is said
	}{
		"the same":      {nil, ""},
		"another":       {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"issuer":"https://auth.example.com"}`) }, `"level":"error","event":"start","issuer":"https://auth.example.com"`},
		"with a slash":  {func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, `{"issuer":"http://%s/"}`, r.Host) }, "AUTHKIT_DOMAIN is http://"},
		"none":          {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) }, "names no issuer"},
		"not there":     {http.NotFound, "status 404"},
		"led elsewhere": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/sso/jwks/x", http.StatusFound) }, "status 302"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "AUTHKIT_DOMAIN", "AUTHKIT")
			asked := make(chan struct{}, 10)
			front := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path != at {
					w.authKit.ServeHTTP(rw, r)
					return
				}
				defer func() { asked <- struct{}{} }()
				if tt.answer == nil {
					w.authKit.ServeHTTP(rw, r)
					return
				}
				tt.answer(rw, r)
			})
			w.front.Store(&front)
			s := serve(t, w)
			<-asked
			if tt.want != "" {
				eventually(t, "a line about it", func() bool { return strings.Contains(w.log.String(), tt.want) })
			}
			s.stop()
			<-s.done
			if log := w.log.String(); tt.want == "" && strings.Contains(log, "AUTHKIT_DOMAIN") {
				t.Errorf("got %s, want nothing about it", log)
			}
		})
	}
}

// A resource that WorkOS doesn't know gets no tokens: the log says so before a client finds out.
func TestStartLooksForResources(t *testing.T) {
	t.Parallel()
	const at = "/user_management/authkit_oauth_resources"
	const missing = `"resource":"http://localhost:3000/jobs"`
	for name, tt := range map[string]struct {
		status int
		uris   string
		want   []string
		not    string
	}{
		"all":                   {200, `{"uri":"http://localhost:3000/mcp"},{"uri":"http://localhost:3000/jobs"}`, nil, "localhost:3000/"},
		"one is missing":        {200, `{"uri":"http://localhost:3000/mcp"}`, []string{missing, "setup -resource"}, `"resource":"http://localhost:3000/mcp"`},
		"none":                  {200, ``, []string{missing, `"resource":"http://localhost:3000/mcp"`}, ""},
		"one with another case": {200, `{"uri":"http://localhost:3000/mcp"},{"uri":"http://localhost:3000/Jobs"}`, []string{missing}, `"resource":"http://localhost:3000/mcp"`},
		"WorkOS doesn't say":    {403, ``, []string{`"level":"warn"`, "whether the policy's resources are among them is open"}, missing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newResourceWorld(t)
			asked := make(chan struct{}, 10)
			front := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path != at {
					w.authKit.ServeHTTP(rw, r)
					return
				}
				defer func() { asked <- struct{}{} }()
				rw.WriteHeader(tt.status)
				fmt.Fprintf(rw, `{"data":[%s]}`, tt.uris)
			})
			w.front.Store(&front)
			s := serve(t, w)
			<-asked
			for _, want := range tt.want {
				eventually(t, want, func() bool { return strings.Contains(w.log.String(), want) })
			}
			s.stop()
			<-s.done
			if log := w.log.String(); tt.not != "" && strings.Contains(log, tt.not) {
				t.Errorf("got %s, want nothing of %s", log, tt.not)
			}
		})
	}
}
