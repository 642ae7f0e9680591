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
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
	refresh func(context.Context) error // nil for success
	tokens  [2]string                   // access tokens of one session: the first expires after 5 minutes, the second after 100 days
	user    string
}

// Refresh implements Refresher: the second access token, and a refresh token after the one given.
func (b *bubble) Refresh(ctx context.Context, refreshToken, _ string) (json.RawMessage, error) {
	b.calls.Add(1)
	if err := b.refresh(ctx); err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"access_token": b.tokens[1], "refresh_token": "after " + refreshToken})
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
	key, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	config := emulator.Config{BaseURL: &url.URL{Scheme: "http", Host: "authkit"}, ClientID: "client_01TEST", APIKey: "sk_test", SigningKey: key}
	b := &bubble{refresh: refresh}
	var authKit *emulator.Emulator
	for i, lifetime := range []time.Duration{5 * time.Minute, 100 * 24 * time.Hour} {
		config.AccessTokenLifetime = lifetime
		if authKit, err = emulator.New(config); err != nil {
			t.Fatal(err)
		}
		answer, err := authKit.SignIn("zoe@acme.example", "")
		if err != nil {
			t.Fatal(err)
		}
		s, err := FromResponse(answer)
		if err != nil {
			t.Fatal(err)
		}
		b.tokens[i], b.user = s.AccessToken, s.User.ID
	}
	keys := &token.KeySet{URL: "http://authkit/sso/jwks/client_01TEST", Client: &http.Client{Transport: inProcess{authKit}}}
	cookies, err := seal.NewCookie(seal.FormatIron, "0123456789abcdefghijklmnopqrstuv")
	if err != nil {
		t.Fatal(err)
	}
	b.Manager, err = New(Config{
		Cookie:  cookie.Config{Name: "wos-session"},
		Seal:    cookies,
		Tokens:  &token.Verifier{Keys: keys, ClientID: "client_01TEST"},
		AuthKit: b,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // otter's goroutines would keep the bubble open
		b.Wait()
		b.rotations.turns.StopAllGoroutines()
		b.rotations.lines.StopAllGoroutines()
		b.marks.byKey.StopAllGoroutines()
	})
	return b
}

// cookie is a request of the session that expires after 5 minutes, with that refresh token.
func (b *bubble) cookie(t *testing.T, refreshToken string) http.Header {
	t.Helper()
	plaintext := fmt.Sprintf(`{"accessToken":%q,"refreshToken":%q,"user":{"id":%q}}`, b.tokens[0], refreshToken, b.user)
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
