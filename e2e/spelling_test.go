package e2e

import (
	"cmp"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// spellingPolicy has rules in an order that a comparison of prefixes, of raw paths or of hosts as they
// are written would get wrong.
const spellingPolicy = `
default: authenticated
rules:
  - name: public files
    hosts: [app.acme.localhost]
    paths: [/public/**]
    allow: public
  - name: owners' pages
    hosts: [app.acme.localhost]
    paths: [/owners/**]
    require: {roles: [owner]}
  - name: private packages
    hosts: [app.acme.localhost]
    paths: [/packages/private/**]
    require: {roles: [owner]}
  - name: packages
    hosts: [app.acme.localhost]
    paths: [/packages/**]
    encoded_slash: allow
    allow: public
  - name: deletions
    hosts: [app.acme.localhost]
    methods: [DELETE]
    require: {roles: [owner]}
  - name: the rest of the app
    hosts: [app.acme.localhost]
  - name: admin hosts
    hosts: ["*.admin.acme.localhost"]
    require: {roles: [owner]}
  - name: status pages
    hosts: ["*.status.acme.localhost"]
    allow: public
`

// caller is who sends a request, or for whom something is: that one and all before.
type caller int

const (
	owner    caller = iota // nobody in these tests
	member                 // is signed in
	stranger               // isn't
)

func (c caller) String() string { return [...]string{"an owner", "a member", "a stranger"}[c] }

// forWhom is who may see a path of a host, as spellingPolicy is meant.
func forWhom(method, host, path string) caller {
	host, _, _ = strings.Cut(strings.ToLower(host), ":")
	host = strings.TrimSuffix(host, ".")
	switch {
	case strings.HasSuffix(host, ".status.acme.localhost"):
		return stranger
	case host != "app.acme.localhost", under(path, "/owners"), under(path, "/packages/private"):
		return owner
	case under(path, "/public"), under(path, "/packages"):
		return stranger
	case strings.EqualFold(method, "DELETE"):
		return owner
	}
	return member
}

func under(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// spelling is a request as a client may write it. PORT stands for the gateway's port.
type spelling struct {
	method, target string
	host           string // empty: app.acme.localhost:PORT
	header         string // lines, may be empty
	// The least trusted caller who gets to the app with it.
	nginx, traefik, caddy caller
}

// haproxy returns who gets to the app through HAProxy. It hands on what Caddy does, but for what it refuses itself: CONNECT, bytes
// outside of ASCII, a URL with another host than Host, or without a path.
func (s spelling) haproxy() caller {
	rest, absolute := strings.CutPrefix(s.target, "http://")
	host, _, path := strings.Cut(rest, "/")
	switch {
	case s.method == http.MethodConnect,
		strings.ContainsFunc(s.target, func(r rune) bool { return r > unicode.MaxASCII }),
		absolute && (!path || host != cmp.Or(s.host, "app.acme.localhost:PORT")):
		return owner
	}
	return s.caddy
}

var (
	refusedByEnvoy = regexp.MustCompile(`(?i)%(2f|5c|00)|#`)
	// Where the example asks for all that one of its routes asks for.
	oddForEnvoy = regexp.MustCompile(`(?i)%(2[de]|3[0-9b]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae]|25)|;`)
)

// envoy returns who gets to the app through Envoy over gRPC.
func (s spelling) envoy() caller {
	if oddForEnvoy.MatchString(s.target) && !strings.Contains(s.target, "..") && !strings.Contains(strings.ToLower(s.target), "%2e") {
		return owner
	}
	return s.envoyOverHTTP()
}

// envoyOverHTTP returns who gets to the app through Envoy, which cleans paths as Traefik does, takes \ for /, and refuses
// escaped slashes.
func (s spelling) envoyOverHTTP() caller {
	switch {
	case refusedByEnvoy.MatchString(s.target):
		return owner
	case s.target == `/\x\owners`:
		return member
	}
	return s.traefik
}

func (s spelling) request(port, cookie string) string {
	lines := []string{s.method + " " + s.target + " HTTP/1.1", "Host: " + cmp.Or(s.host, "app.acme.localhost:PORT")}
	if s.header != "" {
		lines = append(lines, s.header)
	}
	if cookie != "" {
		lines = append(lines, "Cookie: wos-session="+cookie)
	}
	return strings.ReplaceAll(strings.Join(append(lines, "Connection: close", "", ""), "\r\n"), "PORT", port)
}

// The app gets a path, in whatever spelling, only where the policy lets this caller have it, in each way in
// which an app may read it.
func TestPolicySpellings(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		g.origin = func(port string) string { return "http://app.acme.localhost:" + port }
		app := startRecorder(t)
		s := newSite(t, g)
		s.at.app = app.address
		s.startAuthKit(t)
		s.open(t, g, "WORKOS_COOKIE_DOMAIN=acme.localhost", "POLICY_FILE="+writePolicy(t, spellingPolicy))
		port, zoe := portOf(t, s.at.gateway), s.sealedSession(t, zoe)
		app.taken() // what the gateway's start has sent

		for _, sp := range spellingTable() {
			want := map[string]caller{"nginx": sp.nginx, "traefik": sp.traefik, "caddy": sp.caddy, "haproxy": sp.haproxy(), "envoy": sp.envoy(), "envoy-http": sp.envoyOverHTTP()}[g.name]
			for who, cookie := range map[caller]string{stranger: "", member: zoe} {
				status, reason := wire(t, s.at.gateway, sp.request(port, cookie))
				got := app.taken()
				if in := len(got) > 0; in != (who <= want) {
					t.Errorf("%+v by %s: got to the app: %t (status %d %s), want %t", sp, who, in, status, reason, !in)
				}
				for _, r := range got {
					for _, reading := range readings(r.target) {
						if whose := forWhom(r.method, r.host, reading); who > whose {
							t.Errorf("%+v by %s: the app got %+v, which it may read as %s, for %s", sp, who, r, reading, whose)
						}
					}
					if named := r.user != ""; named != (who == member) {
						t.Errorf("%+v by %s: the app got the user %q", sp, who, r.user)
					}
				}
			}
		}
	})
}

func writePolicy(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
