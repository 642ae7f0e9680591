package session

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// Nothing but what is compared with the access token comes out of plain JSON.
func FuzzParseUnsealed(f *testing.F) {
	for _, seed := range []string{
		`{"accessToken":"a.b.c","refreshToken":"r","user":{"id":"user_01","email":"a@example.com","emailVerified":true,"firstName":"A"},"impersonator":{"email":"b@example.com"}}`,
		`{"access_token":"a.b.c","user":{"id":"user_01"},"impersonator":null}`, `{"accessToken":"a","accessToken":"b","user":{"id":"x","id":"y"}}`,
		`{"accessToken":"a","user":{"id":"x"},"impersonator":{}}`, `{"accessToken":7,"user":{"id":["x"]}}`, `{`, `{}`, `{"user":{}}`, "{" + strings.Repeat(`"a":{`, 20_000),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		s, err := parseUnsealed(value)
		if err != nil {
			return
		}
		if len(value) > maxUnsealed || s.AccessToken == "" || s.User.ID == "" {
			t.Errorf("got a session of %d bytes with token %q of %q", len(value), s.AccessToken, s.User.ID)
		}
		if s.RefreshToken != "" || s.fields != nil || s.User != (User{ID: s.User.ID}) {
			t.Errorf("got %+v, want nothing more than token, user id and impersonator", s)
		}
	})
}

// Whoever has an access token can make as many cookies of it as they like: these must not take the place of what is remembered of others.
func TestUnsealedCookiesAreNotRemembered(t *testing.T) {
	t.Parallel()
	b := newBubbleWith(t, slow(0), func(c *Config) {
		c.Unsealed = &token.Verifier{Keys: c.Tokens.Keys, ClientID: c.Tokens.ClientID}
	})
	access := b.mint("session_01PLAIN", "", time.Hour)
	for _, padding := range []string{"", " ", "  "} {
		cookie := http.Header{"Cookie": {"wos-session=" + url.PathEscape(`{"accessToken":"`+access+`","user":{"id":"`+b.user+`"}}`+padding)}}
		for range 2 {
			if _, err := b.Verify(t.Context(), cookie, true); err != nil {
				t.Fatal(err)
			}
			if _, ok := b.Peek(t.Context(), cookie); !ok {
				t.Error("a public page: got no session")
			}
		}
	}
	if got := b.remembered.(interface{ EstimatedSize() int }).EstimatedSize(); got != 0 {
		t.Errorf("got %d sessions remembered, want none", got)
	}
	if _, err := b.open(b.newSealed(`{"accessToken":"` + access + `"}`)); !errors.Is(err, ErrBad) {
		t.Errorf("as a sealed one: got %v, want ErrBad", err)
	}
}
