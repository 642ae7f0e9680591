package assertion

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

func place(t testing.TB, redirectURI string) *site.Site {
	t.Helper()
	u, err := url.Parse(redirectURI)
	if err != nil {
		t.Fatal(err)
	}
	s, err := site.New(u, "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func minter(t testing.TB, files ...string) *Minter {
	t.Helper()
	k, err := DeriveKeys([]string{password}, apiKey)
	if len(files) > 0 {
		k, err = ParseKeys(pemOf(t, files...))
	}
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{Keys: k})
}

// verified is what an assertion says, once an app has verified it by the key set.
func verified(t testing.TB, k *Keys, text string) map[string]any {
	t.Helper()
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(k.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	var said map[string]any
	if err := token.Claims(set, &said); err != nil {
		t.Fatal(err)
	}
	if h := token.Headers[0]; h.KeyID != k.ID() || h.ExtraHeaders["typ"] != "JWT" {
		t.Errorf("got the key %s and %v, want %s and JWT", h.KeyID, h.ExtraHeaders, k.ID())
	}
	return said
}

func app(name string) site.Host { return site.Host{Name: name} }

func zoe() *identity.Identity {
	return &identity.Identity{Subject: "user_zoe", SessionID: "session_1", Role: "member", Roles: []string{"member"}}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, redirectURI string
		host              site.Host
		id                identity.Identity
		want              string // but for iat and exp
	}{
		{"all that a session says", "https://auth.example.com/callback", app("app.example.com"), identity.Identity{
			Subject: "user_1", Email: "zoe@acme.example", EmailVerified: true, Name: "Zoë Å", SessionID: "session_1", OrganizationID: "org_1", Role: "admin",
			Roles: []string{"admin", "billing"}, Permissions: []string{"reports:read"}, Entitlements: []string{"sso"}, FeatureFlags: []string{"beta"}, AccessToken: "secret",
			Extra: identity.NewExtra(map[string][]string{"department": {"sales"}}),
		}, `{"iss":"https://auth.example.com","aud":"app.example.com","sub":"user_1","sid":"session_1","email":"zoe@acme.example","email_verified":true,
			"name":"Zoë Å","org":"org_1","role":"admin","roles":["admin","billing"],"permissions":["reports:read"],"entitlements":["sso"]}`},
		{"an address that isn't verified", "https://app.example.com/_auth/callback", app("app.example.com"),
			identity.Identity{Subject: "user_1", Email: "ceo@acme.example"}, `{"iss":"https://app.example.com/_auth","aud":"app.example.com","sub":"user_1"}`},
		{"a port that isn't the scheme's", "http://localhost:3000/_auth/callback", site.Host{Name: "localhost", Port: "3000"},
			identity.Identity{Subject: "user_1"}, `{"iss":"http://localhost:3000/_auth","aud":"localhost:3000","sub":"user_1"}`},
		{"an impersonator", "https://auth.example.com/callback", app("app.example.com"),
			identity.Identity{Subject: "user_1", SessionID: "session_1", Impersonator: "support@acme.example"},
			`{"iss":"https://auth.example.com","aud":"app.example.com","sub":"user_1","sid":"session_1","act":{"sub":"support@acme.example"},"impersonator":"support@acme.example"}`},
		{"an agent to whom the user has delegated", "https://auth.example.com/callback", app("app.example.com"),
			identity.Identity{Subject: "user_1", Extra: &identity.Extra{Actor: "agent_reg_1", Client: "client_1", Scopes: []string{"openid", "files:read"}}},
			`{"iss":"https://auth.example.com","aud":"app.example.com","sub":"user_1","act":{"sub":"agent_reg_1"},"client":"client_1","scope":"openid files:read"}`},
		{"an API key", "https://auth.example.com/callback", app("app.example.com"),
			identity.Identity{Subject: "api_key_1", Name: "CI", OrganizationID: "org_1", Permissions: []string{"posts:read"}},
			`{"iss":"https://auth.example.com","aud":"app.example.com","sub":"api_key_1","name":"CI","org":"org_1","permissions":["posts:read"]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := minter(t)
			before := time.Now().Unix()
			said := verified(t, m.Keys, m.Assertion(&tt.id, place(t, tt.redirectURI), tt.host))
			issued, expires := int64(said["iat"].(float64)), int64(said["exp"].(float64))
			if issued < before || issued > time.Now().Unix() || expires-issued != 300 {
				t.Errorf("got iat %d and exp %d, want now and 5 minutes later", issued, expires)
			}
			delete(said, "iat")
			delete(said, "exp")
			var want map[string]any
			if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(said, want) {
				t.Errorf("got %v, want %v", said, want)
			}
		})
	}
}

func TestAlgorithms(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{"pkcs8": "ES256", "sec1": "ES256", "rsa": "RS256"} {
		m := minter(t, file)
		text := m.Assertion(zoe(), place(t, "https://auth.example.com/callback"), app("app.example.com"))
		token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(want)})
		if err != nil {
			t.Fatalf("%s: got %v, want %s", file, err, want)
		}
		if verified(t, m.Keys, text)["sub"] != "user_zoe" || token.Headers[0].Algorithm != want {
			t.Errorf("%s: got %s, want %s", file, token.Headers[0].Algorithm, want)
		}
	}
}

// An assertion is kept for half of its life, and an app never gets one that is good for less than the other half.
func TestKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, id, auth := minter(t), zoe(), place(t, "https://auth.example.com/callback")
		first := m.Assertion(id, auth, app("app.example.com"))
		for _, tt := range []struct {
			name  string
			after time.Duration
			kept  bool
		}{
			{"at once", 0, true},
			{"just before half of its life", 150*time.Second - time.Nanosecond, true},
			{"at half of its life", time.Nanosecond, false},
		} {
			time.Sleep(tt.after)
			got := m.Assertion(id, auth, app("app.example.com"))
			if (got == first) != tt.kept {
				t.Errorf("%s: got the same %t, want %t", tt.name, got == first, tt.kept)
			}
			if exp := int64(verified(t, m.Keys, got)["exp"].(float64)); exp < time.Now().Unix()+150 {
				t.Errorf("%s: got one that is good for %d s, want half of its life", tt.name, exp-time.Now().Unix())
			}
		}
		again := m.Assertion(id, auth, app("app.example.com"))
		m.Now = func() time.Time { return time.Now().Add(-time.Hour) }
		if got := m.Assertion(id, auth, app("app.example.com")); got == again {
			t.Error("with the clock set back: got the one of the future, want a new one")
		}
	})
}

// A session that was refreshed is another identity: with the same claims the assertion stays, with others it never does.
func TestWhatItSaysChanges(t *testing.T) {
	t.Parallel()
	auth, host := place(t, "https://auth.example.com/callback"), app("app.example.com")
	for _, tt := range []struct {
		name   string
		change func(id *identity.Identity)
		kept   bool
	}{
		{"nothing", func(*identity.Identity) {}, true},
		{"what no assertion says", func(id *identity.Identity) { id.AccessToken = "refreshed" }, true},
		{"the role", func(id *identity.Identity) { id.Role, id.Roles = "admin", []string{"admin"} }, false},
		{"a permission fewer", func(id *identity.Identity) { id.Permissions = []string{"reports:read"} }, false},
		{"the organization", func(id *identity.Identity) { id.OrganizationID = "org_2" }, false},
		{"the address", func(id *identity.Identity) { id.Email = "new@acme.example" }, false},
		{"the address isn't verified any more", func(id *identity.Identity) { id.EmailVerified = false }, false},
		{"an impersonator", func(id *identity.Identity) { id.Impersonator = "support@acme.example" }, false},
		{"scopes", func(id *identity.Identity) { id.Extra = &identity.Extra{Scopes: []string{"files:read"}} }, false},
		{"to whom it is delegated", func(id *identity.Identity) { id.Extra = &identity.Extra{Actor: "agent_reg_1"} }, false},
		{"the client", func(id *identity.Identity) { id.Extra = &identity.Extra{Client: "client_1"} }, false},
		{"the session", func(id *identity.Identity) { id.SessionID = "session_2" }, false},
		{"the user", func(id *identity.Identity) { id.Subject = "user_eve" }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := minter(t)
			id := zoe()
			id.Email, id.EmailVerified, id.Permissions = "zoe@acme.example", true, []string{"reports:read", "reports:write"}
			first := m.Assertion(id, auth, host)
			refreshed := *id
			tt.change(&refreshed)
			if got := m.Assertion(&refreshed, auth, host); (got == first) != tt.kept {
				t.Errorf("got the same %t, want %t", got == first, tt.kept)
			}
			if !tt.kept {
				if was, is := verified(t, m.Keys, first), verified(t, m.Keys, m.Assertion(&refreshed, auth, host)); reflect.DeepEqual(was, is) {
					t.Error("got the same claims, want others")
				}
			}
			if back := verified(t, m.Keys, m.Assertion(id, auth, host)); back["sub"] != "user_zoe" || back["role"] != "member" || back["act"] != nil {
				t.Errorf("the identity of before: got %v, want its own", back)
			}
		})
	}
}

func TestEachHostHasItsOwn(t *testing.T) {
	t.Parallel()
	m, id, auth := minter(t), zoe(), place(t, "https://auth.example.com/callback")
	for _, host := range []site.Host{app("a.example.com"), app("b.example.com"), {Name: "a.example.com", Port: "8443"}, app("a.example.com")} {
		if got := verified(t, m.Keys, m.Assertion(id, auth, host))["aud"]; got != host.String() {
			t.Errorf("%s: got an assertion for %v, want for it", host, got)
		}
	}
}

func TestNobody(t *testing.T) {
	t.Parallel()
	m, auth := minter(t), place(t, "https://auth.example.com/callback")
	for name, got := range map[string]string{
		"nobody":              m.Assertion(nil, auth, app("app.example.com")),
		"without a subject":   m.Assertion(&identity.Identity{Role: "admin"}, auth, app("app.example.com")),
		"for no host at all":  m.Assertion(zoe(), auth, site.Host{}),
		"for a port and host": m.Assertion(zoe(), auth, site.Host{Port: "443"}),
	} {
		if got != "" {
			t.Errorf("%s: got %q, want none", name, got)
		}
	}
}

// Many that ask at once get one assertion.
func TestMintedOnce(t *testing.T) {
	t.Parallel()
	m, id, auth := minter(t), zoe(), place(t, "https://auth.example.com/callback")
	all := make([]string, 50)
	var asking sync.WaitGroup
	for i := range all {
		asking.Go(func() { all[i] = m.Assertion(id, auth, app("app.example.com")) })
	}
	asking.Wait()
	for i, got := range all {
		if got == "" || got != all[0] {
			t.Fatalf("%d: got another than the first, want one", i)
		}
	}
}

// However many ask, no more is kept than there is room for, and everybody gets an assertion.
func TestBounded(t *testing.T) {
	t.Parallel()
	m, auth := minter(t), place(t, "https://auth.example.com/callback")
	long := zoe()
	long.Permissions = []string{strings.Repeat("x", 200<<10)}
	kept := 0 // bytes, if all were
	for i := range 300 {
		id := *long
		id.SessionID = fmt.Sprintf("session_%d", i)
		text := m.Assertion(&id, auth, app("app.example.com"))
		if text == "" {
			t.Fatalf("%d: got none", i)
		}
		kept += len(text)
	}
	memory := m.kept.(interface {
		CleanUp()
		WeightedSize() uint64
	})
	memory.CleanUp()
	if got, want := memory.WeightedSize(), uint64(64<<20); got > want || kept < 64<<20 {
		t.Errorf("got %d bytes kept of %d, want at most %d", got, kept, want)
	}
}

func BenchmarkKept(b *testing.B) {
	m, id, auth := minter(b), zoe(), place(b, "https://auth.example.com/callback")
	b.ReportAllocs()
	for b.Loop() {
		m.Assertion(id, auth, app("app.example.com"))
	}
}

func BenchmarkMinted(b *testing.B) {
	for _, file := range []string{"pkcs8", "rsa"} {
		b.Run(file, func(b *testing.B) {
			m, auth := minter(b, file), place(b, "https://auth.example.com/callback")
			now := time.Now()
			m.Now = func() time.Time { now = now.Add(life); return now }
			id := zoe()
			b.ReportAllocs()
			for b.Loop() {
				m.Assertion(id, auth, app("app.example.com"))
			}
		})
	}
}
