package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// A page fires its requests with one expired cookie.
func TestRefreshOnceForAll(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, zoe, "")
	w.valid(t, sealed)
	w.clock.advance(time.Hour)
	asked, release := w.authKit.hang(t)
	got := make([]*session.Verified, 200)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			v, err := w.Verify(t.Context(), cookies(sealed), i%2 == 0)
			if err != nil {
				t.Error(err)
				return
			}
			got[i] = v
		})
	}
	<-asked
	release()
	wg.Wait()
	if t.Failed() {
		return
	}
	for _, v := range got {
		if v.Current == "" || v.Current != got[0].Current || v.Sent != got[0].Sent || v.Sent == [16]byte{} || v.Identity.Email != zoe {
			t.Fatalf("got %+v and %+v, want the same new session for all", v, got[0])
		}
	}
	w.authKit.wantAsked(t, 1)

	// The new cookie is current, and is the session that it was, one token on.
	if v := w.valid(t, got[0].Current); v.Current != "" {
		t.Errorf("got Current %.20q for the new cookie, want none", v.Current)
	}
	before, after := w.open(t, sealed), w.open(t, got[0].Current)
	if was, is := claims(t, before.AccessToken), claims(t, after.AccessToken); was["sid"] != is["sid"] || is["iat"] != 1772370000.0 {
		t.Errorf("got claims %v after %v, want the same session at 13:00", is, was)
	}
	if after.RefreshToken == before.RefreshToken {
		t.Error("got the old refresh token in the new cookie")
	}
	w.authKit.wantAsked(t, 1)
}

// Many users at the same time get their own sessions.
func TestRefreshOfManySessions(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := map[string]string{}
	for i := range 20 {
		email := fmt.Sprintf("user%d@example.com", i)
		sealed[email] = w.signIn(t, email, "")
	}
	w.clock.advance(time.Hour)
	var wg sync.WaitGroup
	for email, value := range sealed {
		for range 5 {
			wg.Go(func() {
				v, err := w.verify(t, value)
				if err != nil || v.Identity.Email != email {
					t.Errorf("got %+v, %v, want %s", v, err, email)
				}
			})
		}
	}
	wg.Wait()
	w.authKit.wantAsked(t, 20)
}

// A cookie that one of the SDKs sealed, its access token expired, is refreshed.
func TestExpiredVectorIsRefreshed(t *testing.T) {
	t.Parallel()
	f := readFixture(t)
	keys := httptest.NewServer(status(http.StatusOK, string(f.JWKS)))
	t.Cleanup(keys.Close)
	w := start(t, func(o *options) {
		o.session.Tokens = &token.Verifier{Keys: &token.KeySet{URL: keys.URL}, ClientID: "client_01VECTORS", Now: november}
		o.session.Seal = iron(t, november, password)
		o.session.Now = november
	})
	w.authKit.answer(authenticate, status(http.StatusOK, string(f.Response)))
	for _, v := range vectors(t) {
		if v.name != "authkit-nextjs-expired-jwt" {
			continue
		}
		// The answer's refresh token is the old one: what comes back is checked by its own token.
		got := w.valid(t, v.Sealed)
		next := w.open(t, got.Current)
		if next.AccessToken != f.Valid || next.Impersonator != "admin@foocorp.com" || got.Identity.SessionID != "session_01VECTORS" {
			t.Errorf("got %+v, want the answer's session", got.Identity)
		}
		return
	}
	t.Fatal("got no such vector")
}

// The refresh goes on when who asked for it has gone, and is stored.
func TestRefreshSurvivesItsAsker(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, zoe, "")
	w.clock.advance(time.Hour)
	asked, release := w.authKit.hang(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	v, err := w.Verify(ctx, cookies(sealed), false)
	if v != nil || !errors.Is(err, session.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, %v, want ErrUnavailable and context.Canceled", v, err)
	}
	release()
	w.Wait()
	w.authKit.answer(authenticate, status(http.StatusInternalServerError, "")) // no second call would succeed
	w.refreshed(t, sealed)
	w.authKit.wantAsked(t, 1)
}

func TestRefreshPassesOrganization(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, email, organization string
		want                      any
	}{
		{"none", paula, "", nil},
		{"one", zoe, "", acmeID},
		{"one of two", sam, globexID, globexID},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			sealed := w.signIn(t, tt.email, tt.organization)
			w.clock.advance(time.Hour)
			v := w.valid(t, sealed)
			var body map[string]any
			if err := json.Unmarshal([]byte(w.authKit.bodies[0]), &body); err != nil {
				t.Fatal(err)
			}
			if body["organization_id"] != tt.want || body["refresh_token"] != w.open(t, sealed).RefreshToken {
				t.Errorf("got request %v, want organization %v and the cookie's refresh token", body, tt.want)
			}
			if want, _ := tt.want.(string); v.Identity.OrganizationID != want {
				t.Errorf("got organization %q, want %q", v.Identity.OrganizationID, want)
			}
		})
	}
}

// What an SDK put into the cookie is still there after a refresh here.
func TestRefreshKeepsFields(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	s := w.open(t, w.signIn(t, paula, ""))
	sealed := w.seal(t, map[string]any{"accessToken": s.AccessToken, "refreshToken": s.RefreshToken, "headers": map[string]any{},
		"custom": map[string]any{"a_b": nil}, "user": map[string]any{"id": s.User.ID, "old_key": 1}})
	w.clock.advance(time.Hour)
	plaintext, err := w.Seal.Unseal(w.refreshed(t, sealed))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(plaintext, &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "accessToken")
	delete(got, "refreshToken")
	encoded, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, encoded, []byte(`{"headers":{},"custom":{"a_b":null},"organizationId":null,"authenticationMethod":"Password",
		"user":{"object":"user","id":"user_01JM9S346Q3D25VT4F5V37E3S3","email":"paula@example.com","emailVerified":true,
			"firstName":"Paula","lastName":"Winter","name":"Paula Winter","profilePictureUrl":null,"lastSignInAt":"2026-03-01T12:00:00.000Z",
			"locale":"en-US","createdAt":"2026-03-01T12:00:00.000Z","updatedAt":"2026-03-01T12:00:00.000Z","externalId":null,"metadata":{}}}`))
}

func TestRefreshLogsNoSecret(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, zoe, "")
	secrets := []string{sealed, w.open(t, sealed).RefreshToken, w.open(t, sealed).AccessToken, apiKey, password, zoe}
	w.clock.advance(time.Hour)
	w.authKit.answer(authenticate, status(500, `{"message":"`+url.QueryEscape(w.open(t, sealed).RefreshToken)+`"}`))
	err := w.refused(t, sealed, session.ErrUnavailable)
	w.clock.advance(time.Minute)
	w.authKit.answer(authenticate, nil)
	next := w.refreshed(t, sealed)
	secrets = append(secrets, next, w.open(t, next).RefreshToken, w.open(t, next).AccessToken)
	for _, secret := range secrets {
		if strings.Contains(w.log.String()+err.Error(), secret) {
			t.Errorf("got log %s and error %v, want no secret in them", w.log, err)
		}
	}
	for _, want := range []string{`"event":"refresh"`, `"subject":"user_01JE28JT97KB6CQ643DZVMXXQK"`, `"session":"session_01`} {
		if !strings.Contains(w.log.String(), want) {
			t.Errorf("got log %s, want %s in it", w.log, want)
		}
	}
}
