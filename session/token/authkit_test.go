package token

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Keys that a test's AuthKit signs with. Generated once: they take a while.
var (
	key1     = sync.OnceValue(func() *rsa.PrivateKey { return generate(2048) })
	key2     = sync.OnceValue(func() *rsa.PrivateKey { return generate(2048) })
	smallKey = sync.OnceValue(func() *rsa.PrivateKey { return generate(2040) })
)

func generate(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

// decode returns the claims of a token that nobody has verified.
func decode(raw string) (*Claims, error) {
	t, err := Parse(raw)
	if err != nil {
		return nil, err
	}
	return t.Unverified(), nil
}

// parseAndVerify does both steps.
func parseAndVerify(ctx context.Context, v *Verifier, raw string) (*Claims, error) {
	t, err := Parse(raw)
	if err != nil {
		return nil, err
	}
	return v.Verify(ctx, t)
}

// clockAt is a clock that tests move by hand.
type clockAt struct{ unix atomic.Int64 }

func newClock(unix int64) *clockAt {
	c := &clockAt{}
	c.unix.Store(unix)
	return c
}

func (c *clockAt) Now() time.Time          { return time.Unix(c.unix.Load(), 0) }
func (c *clockAt) advance(d time.Duration) { c.unix.Add(int64(d / time.Second)) }

// keyServer serves a key set, or whatever handler says, and counts the requests.
type keyServer struct {
	url      string
	requests atomic.Int64
	handler  atomic.Pointer[http.HandlerFunc]
}

func newKeyServer(t testing.TB, handler http.HandlerFunc) *keyServer {
	t.Helper()
	s := &keyServer{}
	s.handler.Store(&handler)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *keyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	(*s.handler.Load())(w, r)
}

func (s *keyServer) serve(handler http.HandlerFunc) { s.handler.Store(&handler) }

func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(text)) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// keySet is a JWKS of those keys.
func keySet(keys ...map[string]any) http.HandlerFunc {
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return body(string(text))
}

func publicKey(id string, key *rsa.PrivateKey, more ...map[string]any) map[string]any {
	members := map[string]any{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": id,
		"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
	}
	for _, m := range more {
		for name, value := range m {
			members[name] = value
		}
	}
	return members
}

// sign signs a payload as AuthKit does.
func sign(t testing.TB, key *rsa.PrivateKey, id, payload string) string {
	t.Helper()
	return signWith(t, jose.RS256, key, map[jose.HeaderKey]any{"kid": id}, payload)
}

func signWith(t testing.TB, alg jose.SignatureAlgorithm, key any, header map[jose.HeaderKey]any, payload string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// fixture is what signs the access tokens inside the cookies that other SDKs sealed.
type fixture struct {
	JWKS    json.RawMessage `json:"jwks"`
	Valid   string          `json:"access_token_valid_until_2100"`
	Expired string          `json:"access_token_expired_2025"`
}

func readFixture(t testing.TB) fixture {
	t.Helper()
	text, err := os.ReadFile("testdata/fixture.json")
	if err != nil {
		t.Fatal(err)
	}
	var f fixture
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	return f
}
