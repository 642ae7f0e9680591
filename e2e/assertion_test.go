package e2e

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const assertionHeader = "X-Auth-Request-Assertion"

// verifiers are the apps of examples/assertion, which believe nothing but the assertion. Each gives a command for one.
func verifiers() map[string]func(t *testing.T) *exec.Cmd {
	return map[string]func(t *testing.T) *exec.Cmd{
		"jose": func(t *testing.T) *exec.Cmd {
			t.Helper()
			node, dir := program(t, "node"), t.TempDir()
			modules, err := filepath.Abs("node/node_modules")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(modules, "jose")); err != nil {
				missing(t, "jose is not installed")
			}
			text, err := os.ReadFile("../examples/assertion/app.mjs")
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(dir, "app.mjs"), text)
			if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
				t.Fatal(err)
			}
			return exec.Command(node, filepath.Join(dir, "app.mjs"))
		},
		"go": func(t *testing.T) *exec.Cmd {
			t.Helper()
			app := filepath.Join(t.TempDir(), "app")
			if out, err := exec.Command("go", "build", "-o", app, "../examples/assertion").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			return exec.Command(app)
		},
	}
}

// startVerifier starts everything, with an app that verifies by the key set that the gateway leads to.
func startVerifier(t *testing.T, g gateway, cmd *exec.Cmd) *stack {
	t.Helper()
	s := &stack{app: &app{address: freeAddress(t)}}
	s.at = addresses{gateway: freeAddress(t), service: freeAddress(t), app: s.app.address}
	s.origin = g.origin(portOf(t, s.at.gateway))
	s.startAuthKit(t)
	cmd.Env = []string{"ISSUER=" + s.origin + "/_auth", "HOST=" + strings.TrimPrefix(s.origin, "http://"), "PORT=" + portOf(t, s.at.app)}
	start(t, s.at.app, cmd)
	s.open(t, g, "IDENTITY_HEADERS=default,assertion")
	return s
}

// An app verifies who is there by itself: through each gateway, by the key set behind the gateway, whatever a client makes up.
func TestAssertionIsVerified(t *testing.T) {
	t.Parallel()
	for name, command := range verifiers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachGateway(t, func(t *testing.T, g gateway) {
				s := startVerifier(t, g, command(t))
				b := newBrowser(t)
				var said map[string]any
				if a := b.signIn(s.origin+"/", zoe); a.Status != http.StatusOK || json.Unmarshal([]byte(a.Body), &said) != nil {
					t.Fatalf("got %d %s, want what the assertion says", a.Status, a.Body)
				}
				for claim, want := range map[string]any{
					"iss": s.origin + "/_auth", "aud": strings.TrimPrefix(s.origin, "http://"), "sub": zoeID, "email": zoe, "name": "Zoë Ångström", "org": acmeID, "role": "admin",
				} {
					if said[claim] != want {
						t.Errorf("%s: got %v, want %v", claim, said[claim], want)
					}
				}
				forged := fetchHeaders()
				for _, spelling := range spellings(assertionHeader) {
					forged[spelling] = []string{foreignAssertion(t, s.origin)}
				}
				if a := b.send(http.MethodGet, s.origin+"/x", forged, ""); a.Status != http.StatusOK || !strings.Contains(a.Body, zoeID) {
					t.Errorf("with a client's own: got %d %s, want the service's", a.Status, a.Body)
				}
				// Nobody at a public page: the app gets an empty header, or none, and not the client's.
				if a := newBrowser(t).send(http.MethodGet, s.origin+publicPath, forged, ""); a.Status != http.StatusUnauthorized || a.Header.Get("X-Auth-Reason") != "" {
					t.Errorf("a public page with a client's own: got %d %s, want the app's 401", a.Status, a.Body)
				}
				s.wantOnlyItsOwn(t, b)
			})
		})
	}
}

// wantOnlyItsOwn goes past the gateway to the app.
func (s *stack) wantOnlyItsOwn(t *testing.T, b *browser) {
	t.Helper()
	assertion := func(host string) string {
		t.Helper()
		a := b.send(http.MethodGet, localhost(portOf(t, s.at.service))+"/verify/forward-auth", http.Header{
			"X-Forwarded-Method": {"GET"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {host}, "X-Forwarded-Uri": {"/"},
		}, "")
		return a.Header.Get(assertionHeader)
	}
	own := assertion(strings.TrimPrefix(s.origin, "http://"))
	head, _, _ := strings.Cut(own, ".")
	for _, tt := range []struct {
		name, assertion string
		status          int
	}{
		{"its own", own, http.StatusOK},
		{"another host's", assertion("localhost:1"), http.StatusUnauthorized},
		{"changed", own[:len(own)-8] + "AAAAAAAA", http.StatusUnauthorized},
		{"without a signature", head + own[len(head):strings.LastIndexByte(own, '.')+1], http.StatusUnauthorized},
		{"signed by somebody else", foreignAssertion(t, s.origin), http.StatusUnauthorized},
		{"none", "", http.StatusUnauthorized},
	} {
		h := http.Header{}
		if tt.assertion != "" {
			h[assertionHeader] = []string{tt.assertion}
		}
		if a := b.send(http.MethodGet, localhost(portOf(t, s.at.app))+"/", h, ""); a.Status != tt.status {
			t.Errorf("%s: got %d %s, want %d", tt.name, a.Status, a.Body, tt.status)
		}
	}
}

// foreignAssertion says what a good one would, and is signed by a key of its own.
func foreignAssertion(t *testing.T, origin string) string {
	t.Helper()
	key, err := os.ReadFile("../assertion/testdata/pkcs8.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(key)
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	text, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: origin + "/_auth", Audience: jwt.Audience{strings.TrimPrefix(origin, "http://")}, Subject: "mallory", IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Minute)),
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// grafana does what Grafana's documentation says of [auth.jwt]. Grafana itself isn't run here.
type grafana map[string]string

// grafanaSettings are those of examples/assertion/grafana.ini, at another origin.
func grafanaSettings(t *testing.T, origin string) grafana {
	t.Helper()
	file, err := os.Open("../examples/assertion/grafana.ini")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	settings, section := grafana{}, ""
	host := strings.TrimPrefix(origin, "http://")
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := strings.NewReplacer("https://grafana.example.com", origin, "grafana.example.com", host).Replace(lines.Text())
		if strings.HasPrefix(line, "[") {
			section = line
		}
		if name, value, ok := strings.Cut(line, " = "); ok && section == "[auth.jwt]" {
			settings[name] = value
		}
	}
	return settings
}

// login is the user that the header of a request stands for: signed by a key of the set, exp, nbf and iat, each expected claim exactly
// (an audience among the token's), and the claims for login and address.
func (g grafana) login(t *testing.T, b *browser, header http.Header) (user, email string) {
	t.Helper()
	a := b.send(http.MethodGet, g["jwk_set_url"], http.Header{"Accept": {"*/*"}}, "")
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(a.Body), &set); err != nil {
		t.Fatalf("%s: got %d %s: %v", g["jwk_set_url"], a.Status, a.Body, err)
	}
	token, err := jwt.ParseSigned(header.Get(g["header_name"]), []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	var standard jwt.Claims
	var all, expected map[string]any
	if err := token.Claims(set.Key(token.Headers[0].KeyID)[0].Key, &standard, &all); err != nil {
		t.Fatal(err)
	}
	if err := standard.Validate(jwt.Expected{Time: time.Now()}); err != nil {
		t.Error(err)
	}
	if err := json.Unmarshal([]byte(g["expect_claims"]), &expected); err != nil || len(expected) != 2 {
		t.Fatalf("expect_claims: got %s, want iss and aud", g["expect_claims"])
	}
	for name, want := range expected {
		if name == "aud" && slices.Contains(standard.Audience, want.(string)) {
			continue
		}
		if !reflect.DeepEqual(all[name], want) {
			t.Errorf("%s: got %v, want %v", name, all[name], want)
		}
	}
	user, _ = all[g["username_claim"]].(string)
	email, _ = all[g["email_claim"]].(string)
	return user, email
}

func TestGrafanasSettings(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g, "IDENTITY_HEADERS=default,assertion")
		b := newBrowser(t)
		settings := grafanaSettings(t, s.origin)
		user, email := settings.login(t, newBrowser(t), b.seen(b.signIn(s.origin+"/", zoe)).Header)
		if user != zoeID || email != zoe {
			t.Errorf("got %q with %q, want %q with %q", user, email, zoeID, zoe)
		}
	})
}
