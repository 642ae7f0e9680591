package session

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/cookie"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// bubble is a Manager in a bubble. refresh is its AuthKit, as far as refreshes go.
type bubble struct {
	*Manager
	calls   atomic.Int64
	refresh func(context.Context) error                        // nil for success
	answer  func(refreshToken string) (json.RawMessage, error) // where it is set, and returns something, in the place of the usual one
	lasts   time.Duration                                      // access tokens that a refresh brings
	user    string
	mint    func(sessionID, organizationID string, lasts time.Duration) string // makes access tokens
}

// Refresh implements Refresher: another access token of the same session, and a refresh token
// after the one given. Refresh tokens begin with the session's id and a space.
func (b *bubble) Refresh(ctx context.Context, refreshToken, organizationID string) (json.RawMessage, error) {
	b.calls.Add(1)
	if err := b.refresh(ctx); err != nil {
		return nil, err
	}
	if b.answer != nil {
		if response, err := b.answer(refreshToken); response != nil || err != nil {
			return response, err
		}
	}
	sessionID, _, _ := strings.Cut(refreshToken, " ")
	return json.Marshal(map[string]any{
		"access_token": b.mint(sessionID, organizationID, b.lasts), "refresh_token": refreshToken + "'",
	})
}

// inProcess answers requests without a network, which has no place in a bubble.
type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	p.ServeHTTP(recorder, r)
	return recorder.Result(), nil
}

func newBubble(t *testing.T, refresh func(context.Context) error) *bubble {
	t.Helper()
	return newBubbleWith(t, refresh, func(*Config) {})
}

func newBubbleWith(t *testing.T, refresh func(context.Context) error, change func(*Config)) *bubble {
	t.Helper()
	key, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	config := emulator.Config{BaseURL: &url.URL{Scheme: "http", Host: "authkit"}, ClientID: "client_01TEST", APIKey: "sk_test", SigningKey: key}
	authKit, err := emulator.New(config)
	if err != nil {
		t.Fatal(err)
	}
	b := &bubble{refresh: refresh, lasts: 100 * 24 * time.Hour, user: "user_01JE28JT97KB6CQ643DZVMXXQK"}
	b.mint = minter(t, key, authKit, b.user)
	keys := &token.KeySet{URL: "http://authkit/sso/jwks/client_01TEST", Client: &http.Client{Transport: inProcess{authKit}}}
	cookies, err := seal.NewCookie(seal.FormatIron, "0123456789abcdefghijklmnopqrstuv")
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		Cookie:  cookie.Config{Name: "wos-session"},
		Seal:    cookies,
		Tokens:  &token.Verifier{Keys: keys, ClientID: "client_01TEST"},
		AuthKit: b,
	}
	change(&c)
	b.Manager, err = New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Wait)
	return b
}

// minter makes access tokens as AuthKit does.
func minter(t *testing.T, key *rsa.PrivateKey, authKit *emulator.Emulator, user string) func(sessionID, organizationID string, lasts time.Duration) string {
	t.Helper()
	answer, err := authKit.SignIn("zoe@acme.example", "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := FromResponse(answer)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := jose.ParseSignedCompact(s.AccessToken, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: signed.Signatures[0].Protected.KeyID}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var count atomic.Int64
	return func(sessionID, organizationID string, lasts time.Duration) string {
		now := time.Now()
		claims := map[string]any{
			"sub": user, "sid": sessionID, "client_id": "client_01TEST", "iat": now.Unix(), "exp": now.Add(lasts).Unix(), "jti": count.Add(1),
		}
		if organizationID != "" {
			claims["org_id"] = organizationID
		}
		claims["jti"] = fmt.Sprint(claims["jti"])
		raw, err := jwt.Signed(signer).Claims(claims).Serialize()
		if err != nil {
			panic(err)
		}
		return raw
	}
}

// cookie is a request of a session whose access token lasts 5 minutes, with that refresh token.
func (b *bubble) cookie(t *testing.T, refreshToken string) http.Header {
	t.Helper()
	return b.cookieOf(t, refreshToken, "session_01TEST")
}

func (b *bubble) cookieOf(t *testing.T, refreshToken, sessionID string) http.Header {
	t.Helper()
	return b.request(t, b.mint(sessionID, "", 5*time.Minute), sessionID+" "+refreshToken)
}

// request is one with a session of these tokens.
func (b *bubble) request(t *testing.T, accessToken, refreshToken string) http.Header {
	t.Helper()
	plaintext := fmt.Sprintf(`{"accessToken":%q,"refreshToken":%q,"user":{"id":%q}}`, accessToken, refreshToken, b.user)
	sealed, err := b.Seal.Seal([]byte(plaintext))
	if err != nil {
		t.Fatal(err)
	}
	return http.Header{"Cookie": {"wos-session=" + sealed}}
}

func (b *bubble) wantCalls(t *testing.T, want int64) {
	t.Helper()
	if got := b.calls.Load(); got != want {
		t.Errorf("got %d calls to AuthKit, want %d", got, want)
	}
}

// pass lets time pass.
func pass(d time.Duration) { <-time.After(d) }

// took fails the test unless as much time has passed since begin.
func took(t *testing.T, begin time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(begin); got != want {
		t.Errorf("took %s, want %s", got, want)
	}
}

// slow answers after a while, or when the refresh is given up.
func slow(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
