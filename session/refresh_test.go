package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
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
		if v.Current == "" || v.Current != got[0].Current || v.Sent != got[0].Sent || v.Sent == [32]byte{} || v.Identity.Email != zoe {
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
		o.session.Seal = &seal.Iron{Passwords: []string{password}, Now: november}
		o.session.Now = november
	})
	w.authKit.answer(authenticate, status(http.StatusOK, string(f.Response)))
	for _, v := range vectors(t) {
		if v.name != "authkit-nextjs-expired-jwt" {
			continue
		}
		// The answer's refresh token is the old one: what comes back is judged by its own token.
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

// When a token is refreshed before it expires.
func TestRefreshAhead(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name           string
		lifetime, left time.Duration
		ahead          bool
		want           int // refreshes
	}{
		{"an hour: 91 s left", time.Hour, 91 * time.Second, true, 0},
		{"an hour: 90 s left", time.Hour, 90 * time.Second, true, 1},
		{"an hour: 90 s left, the answer can't carry a cookie", time.Hour, 90 * time.Second, false, 0},
		{"an hour: 1 s left, the answer can't carry a cookie", time.Hour, time.Second, false, 0},
		{"an hour: expired, the answer can't carry a cookie", time.Hour, -11 * time.Second, false, 1},
		{"10 minutes: 91 s left", 10 * time.Minute, 91 * time.Second, true, 0},
		{"10 minutes: 90 s left", 10 * time.Minute, 90 * time.Second, true, 1},
		{"6 minutes: 91 s left", 6 * time.Minute, 91 * time.Second, true, 0},
		{"6 minutes: 90 s left, a quarter too", 6 * time.Minute, 90 * time.Second, true, 1},
		{"5 minutes and 4 seconds: 77 s left", 304 * time.Second, 77 * time.Second, true, 0},
		{"5 minutes and 4 seconds: 76 s left, a quarter", 304 * time.Second, 76 * time.Second, true, 1},
		{"5 minutes: 61 s left", 5 * time.Minute, 61 * time.Second, true, 0},
		{"5 minutes: 60 s left", 5 * time.Minute, 60 * time.Second, true, 1},
		{"5 minutes: 60 s left, the answer can't carry a cookie", 5 * time.Minute, 60 * time.Second, false, 0},
		{"4 minutes: 61 s left", 4 * time.Minute, 61 * time.Second, true, 0},
		{"4 minutes: 60 s left, a quarter too", 4 * time.Minute, 60 * time.Second, true, 1},
		{"2 minutes: 31 s left", 2 * time.Minute, 31 * time.Second, true, 0},
		{"2 minutes: 30 s left, a quarter", 2 * time.Minute, 30 * time.Second, true, 1},
		{"1 minute: 16 s left", time.Minute, 16 * time.Second, true, 0},
		{"1 minute: 15 s left, a quarter", time.Minute, 15 * time.Second, true, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, func(o *options) { o.emulator.AccessTokenLifetime = tt.lifetime })
			sealed := w.signIn(t, zoe, "")
			w.valid(t, sealed) // remembered from now on
			w.clock.advance(tt.lifetime - tt.left)
			v, err := w.Verify(t.Context(), cookies(sealed), tt.ahead)
			if err != nil {
				t.Fatal(err)
			}
			if refreshed := v.Current != ""; refreshed != (tt.want == 1) {
				t.Errorf("got a new cookie: %t, want %t", refreshed, tt.want == 1)
			}
			w.wantRefreshes(t, tt.want)
		})
	}
}

// A refresh that nobody needs yet may fail.
func TestRefreshAheadFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		answer http.HandlerFunc
		after  error // once the token has expired
	}{
		{"500", status(500, ""), session.ErrUnavailable},
		{"rate limit", status(429, "", "Retry-After", "90"), session.ErrUnavailable},
		{"our API key", status(401, `{"message":"Unauthorized"}`), session.ErrUnavailable},
		{"no session", status(200, `{"access_token":"opaque","refresh_token":"r","user":{"id":"user_01JE28JT97KB6CQ643DZVMXXQK"}}`), session.ErrUnavailable},
		{"invalid_grant", status(400, `{"error":"invalid_grant"}`), session.ErrEnded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			sealed := w.signIn(t, zoe, "")
			w.clock.advance(4*time.Minute + 30*time.Second)
			w.authKit.answer(authenticate, tt.answer)
			for range 20 {
				v, err := w.Verify(t.Context(), cookies(sealed), true)
				if err != nil || v.Current != "" || v.Identity.Email != zoe {
					t.Fatalf("got %+v, %v, want the session as it is", v, err)
				}
			}
			w.authKit.wantAsked(t, 1)
			w.clock.advance(time.Minute)
			w.refused(t, sealed, tt.after)
		})
	}
}

func TestRefreshAheadNeedsStep(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, zoe, "")
	w.clock.advance(4*time.Minute + 30*time.Second)
	w.authKit.answer(authenticate, status(400, `{"error":"sso_required"}`))
	if v, err := w.Verify(t.Context(), cookies(sealed), true); err != nil || v.Current != "" {
		t.Errorf("got %+v, %v, want the session as it is", v, err)
	}
}

// A machine whose clock is an hour ahead of AuthKit's: every token has expired when
// it comes. It works for 30 s, which is how often AuthKit is asked.
func TestRefreshedJustNowIsValid(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *options) {
		now := o.emulator.Now
		o.emulator.Now = func() time.Time { return now().Add(-time.Hour) }
	})
	sealed := w.signIn(t, zoe, "")
	next := w.refreshed(t, sealed)
	w.wantRefreshes(t, 1)
	if got := w.log.String(); !strings.Contains(got, `"level":"warn"`) || !strings.Contains(got, "check the clock") {
		t.Errorf("got log %s, want a warning about the clock", got)
	}
	for range 29 {
		w.clock.advance(time.Second)
		for _, value := range []string{sealed, next} {
			for _, ahead := range []bool{false, true} {
				v, err := w.Verify(t.Context(), cookies(value), ahead)
				if err != nil || v.Current != map[bool]string{true: next}[value == sealed] {
					t.Fatalf("got %+v, %v, want the session that was refreshed just now", v, err)
				}
			}
		}
	}
	w.wantRefreshes(t, 1)
	w.clock.advance(time.Second)
	if w.refreshed(t, next) == next {
		t.Error("got the same session after 30 s, want another refresh")
	}
	w.wantRefreshes(t, 2)
}

// A token of 20 s is due for a refresh 5 s before its end, but not before 30 s are over.
func TestRefreshNotTwiceIn30Seconds(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *options) { o.emulator.AccessTokenLifetime = 20 * time.Second })
	sealed := w.signIn(t, zoe, "")
	w.clock.advance(15 * time.Second)
	v, err := w.Verify(t.Context(), cookies(sealed), true)
	if err != nil || v.Current == "" {
		t.Fatalf("got %+v, %v, want a refresh ahead of expiry", v, err)
	}
	next := v.Current
	for range 29 {
		w.clock.advance(time.Second)
		for _, value := range []string{sealed, next} {
			if _, err := w.Verify(t.Context(), cookies(value), true); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.wantRefreshes(t, 1)
	w.clock.advance(time.Second)
	if v, err := w.Verify(t.Context(), cookies(next), true); err != nil || v.Current == "" {
		t.Errorf("got %+v, %v, want the next refresh after 30 s", v, err)
	}
	w.wantRefreshes(t, 2)
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

// sticky is an AuthKit that leaves refresh tokens as they are.
func sticky(e http.Handler) http.HandlerFunc {
	var mu sync.Mutex
	current := map[string]string{} // the emulator's token by the one that the client has
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		var request, answer map[string]any
		_ = json.NewDecoder(r.Body).Decode(&request)
		known, _ := request["refresh_token"].(string)
		if token, ok := current[known]; ok {
			request["refresh_token"] = token
		}
		body, _ := json.Marshal(request)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		recorder := httptest.NewRecorder()
		e.ServeHTTP(recorder, r)
		_ = json.Unmarshal(recorder.Body.Bytes(), &answer)
		if next, ok := answer["refresh_token"].(string); ok {
			current[known], answer["refresh_token"] = next, known
		}
		w.WriteHeader(recorder.Code)
		_ = json.NewEncoder(w).Encode(answer)
	}
}

// Where AuthKit doesn't rotate, an old cookie follows all the same.
func TestRefreshTokenThatStays(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.authKit.answer(authenticate, sticky(w.authKit.Emulator))
	sealed := w.signIn(t, zoe, "")
	w.valid(t, sealed)
	current := sealed
	for i := range 5 {
		w.clock.advance(time.Hour)
		next := w.refreshed(t, current)
		if got, want := w.open(t, next).RefreshToken, w.open(t, sealed).RefreshToken; got != want {
			t.Fatalf("got refresh token %q, want %q: this AuthKit leaves it", got, want)
		}
		for range 3 {
			for _, old := range []string{sealed, current} {
				if got := w.refreshed(t, old); got != next {
					t.Errorf("got another session for an old cookie, want the new one")
				}
			}
			if v := w.valid(t, next); v.Current != "" {
				t.Errorf("got a successor for the new cookie, want none")
			}
			w.clock.advance(time.Minute)
		}
		w.authKit.wantAsked(t, i+1)
		current = next
	}
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
