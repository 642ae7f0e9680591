package server

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const ours = "https://app.example.com" // the audience of workloads' tokens

// issuer is one of workloads' tokens, as GitHub and clusters are. Answers replace its own, by path.
type issuer struct {
	url    string
	key    crypto.Signer
	kid    string
	claims map[string]any // of a usual token

	mu      sync.Mutex
	answers map[string]http.HandlerFunc
	asked   map[string]int
}

func newIssuer(t *testing.T, key crypto.Signer, claims map[string]any) *issuer {
	t.Helper()
	i := &issuer{key: key, kid: "key-1", claims: claims, answers: map[string]http.HandlerFunc{}, asked: map[string]int{}}
	s := httptest.NewServer(i)
	t.Cleanup(s.Close)
	i.url = s.URL
	i.answer("/.well-known/openid-configuration", asJSON(map[string]any{"issuer": i.url, "jwks_uri": i.url + "/keys"}))
	i.answer("/keys", asJSON(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: i.kid, Use: "sig"}}}))
	return i
}

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.asked[r.URL.Path]++
	answer := i.answers[r.URL.Path]
	i.mu.Unlock()
	if answer == nil {
		answer = http.NotFound
	}
	answer(w, r)
}

func (i *issuer) answer(path string, h http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answers[path] = h
}

func (i *issuer) count(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked[path]
}

func asJSON(value any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(value) }
}

// payload are the claims of a usual token, changed; nil takes one away.
func (i *issuer) payload(t *testing.T, change map[string]any) []byte {
	t.Helper()
	now := time.Now().Unix()
	all := map[string]any{"iss": i.url, "aud": ours, "iat": now, "nbf": now, "exp": now + 300}
	maps.Copy(all, i.claims)
	maps.Copy(all, change)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	payload, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func (i *issuer) token(t *testing.T, change map[string]any) string {
	t.Helper()
	return signedBy(t, i.key, i.kid, i.payload(t, change))
}

// signedBy signs with the algorithm that the key is for; bytes are a secret of HS256.
func signedBy(t *testing.T, key any, kid string, payload []byte) string {
	t.Helper()
	algorithm := jose.RS256
	switch key.(type) {
	case *ecdsa.PrivateKey:
		algorithm = jose.ES256
	case []byte:
		algorithm = jose.HS256
	}
	return signedAs(t, algorithm, key, kid, payload)
}

func signedAs(t *testing.T, algorithm jose.SignatureAlgorithm, key any, kid string, payload []byte) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// unsigned is a token with alg none.
func unsigned(kid string, payload []byte) string {
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"` + kid + `"}`))
	return header + "." + base64.RawURLEncoding.EncodeToString(payload) + "."
}

// publicPEM is a public key as a text, which a careless verifier takes for a secret (RFC 8725, 2.1).
func publicPEM(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}
