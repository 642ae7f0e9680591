package session_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// What keeps a session: nobody can tell now, and later it works again.
func TestOutageKeepsSession(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		answer     http.HandlerFunc
		status     int
		code       string
		retryAfter time.Duration
		refused    bool          // the operator's mistake
		pause      time.Duration // in which AuthKit isn't asked again
	}{
		{"408", status(408, ""), 408, "", 0, false, time.Second},
		{"rate limit", status(429, `{"error":"too_many_requests"}`, "Retry-After", "7"), 429, "too_many_requests", 7 * time.Second, false, 7 * time.Second},
		{"rate limit, as a date", status(429, "", "Retry-After", "Sun, 01 Mar 2026 13:00:20 GMT"), 429, "", 20 * time.Second, false, 20 * time.Second},
		{"rate limit of an hour", status(429, "", "Retry-After", "3600"), 429, "", time.Hour, false, time.Minute},
		{"rate limit that doesn't say", status(429, ""), 429, "", 0, false, time.Second},
		{"503 with Retry-After", status(503, "", "Retry-After", "30"), 503, "", 30 * time.Second, false, 30 * time.Second},
		{"redirect", status(302, "", "Location", "https://example.com/"), 302, "", 0, true, time.Second},
		{"401", status(401, `{"message":"Unauthorized"}`), 401, "", 0, true, time.Second},
		{"401 that says invalid_grant", status(401, `{"error":"invalid_grant"}`), 401, "invalid_grant", 0, true, time.Second},
		{"invalid_client", status(400, `{"error":"invalid_client"}`), 400, "invalid_client", 0, true, time.Second},
		{"unauthorized_client", status(400, `{"error":"unauthorized_client"}`), 400, "unauthorized_client", 0, true, time.Second},
		{"invalid_request", status(400, `{"error":"invalid_request"}`), 400, "invalid_request", 0, true, time.Second},
		{"403 without a pending token", status(403, `{"code":"forbidden"}`), 403, "forbidden", 0, true, time.Second},
		{"404", status(404, `{"message":"Not Found"}`), 404, "", 0, true, time.Second},
		{"422", status(422, `{"message":"x"}`), 422, "", 0, true, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			sealed := w.signIn(t, zoe, "")
			w.clock.advance(time.Hour)
			w.authKit.answer(authenticate, tt.answer)
			err := w.refused(t, sealed, session.ErrUnavailable)
			var outage *session.Outage
			if !errors.As(err, &outage) || errors.Is(err, session.ErrEnded) {
				t.Fatalf("got %v, want an *Outage that ends nothing", err)
			}
			if outage.Status != tt.status || outage.Code != tt.code || outage.RetryAfter != tt.retryAfter || outage.Refused != tt.refused {
				t.Errorf("got %+v, want status %d, code %q, retry after %s, refused %t", outage, tt.status, tt.code, tt.retryAfter, tt.refused)
			}
			if level := map[bool]string{true: "error", false: "warn"}[tt.refused]; !strings.Contains(w.log.String(), `"level":"`+level+`"`) {
				t.Errorf("got log %s, want level %s", w.log, level)
			}

			w.clock.advance(tt.pause - time.Millisecond)
			err = w.refused(t, sealed, session.ErrUnavailable)
			if !errors.As(err, &outage) || outage.RetryAfter != time.Millisecond {
				t.Errorf("within the pause: got %v, want an *Outage with the rest of it", err)
			}
			w.authKit.wantAsked(t, 1)

			w.authKit.answer(authenticate, nil)
			w.clock.advance(time.Millisecond)
			w.valid(t, w.refreshed(t, sealed))
			w.authKit.wantAsked(t, 2)
		})
	}
}

// The pause is one session's: what AuthKit says about it holds up nobody else.
func TestPauseIsOneSessions(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	one, two := w.signIn(t, zoe, ""), w.signIn(t, sam, acmeID)
	w.clock.advance(time.Hour)
	w.authKit.answer(authenticate, status(429, "", "Retry-After", "60"))
	w.refused(t, one, session.ErrUnavailable)
	w.authKit.answer(authenticate, nil)
	w.refreshed(t, two)
}

// A refusal says something about a session: AuthKit is well.
func TestRefusalsAreNoOutage(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	var sessions []string
	for range 10 {
		sessions = append(sessions, w.signIn(t, zoe, ""))
	}
	w.clock.advance(time.Hour)
	for i, sealed := range sessions[:9] {
		w.authKit.answer(authenticate, status(429, ""))
		if i%2 == 0 {
			w.authKit.answer(authenticate, status(400, `{"error":"invalid_grant"}`))
		}
		_, _ = w.verify(t, sealed)
	}
	w.authKit.wantAsked(t, 9)
	w.authKit.answer(authenticate, nil)
	w.refreshed(t, sessions[9])
}

// invalid_grant ends the session, and AuthKit isn't asked about that token again.
func TestInvalidGrant(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, zoe, "")
	w.clock.advance(time.Hour)
	w.authKit.answer(authenticate, status(400, `{"error":"invalid_grant"}`))
	for range 3 {
		if err := w.refused(t, sealed, session.ErrEnded); errors.Is(err, session.ErrUnavailable) {
			t.Errorf("got %v, want ErrEnded alone", err)
		}
		w.clock.advance(24 * time.Hour)
	}
	w.authKit.answer(authenticate, nil)
	w.refused(t, sealed, session.ErrEnded)
	w.authKit.wantAsked(t, 1)
}

// A session revoked at AuthKit ends with its access token at the latest.
func TestRevokedAtAuthKit(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, zoe, "")
	id := w.valid(t, sealed).Identity
	w.revoke(t, id.SessionID)
	w.valid(t, sealed)
	w.clock.advance(5*time.Minute + 11*time.Second)
	w.refused(t, sealed, session.ErrEnded)
}

// revoke ends a session at AuthKit, as an operator does in the dashboard.
func (w *world) revoke(t *testing.T, sessionID string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.client.BaseURL.String()+"/user_management/sessions/revoke",
		strings.NewReader(`{"session_id":"`+sessionID+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+apiKey)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("got status %d, want 200", response.StatusCode)
	}
}

// invalid_grant condemns that refresh token, never the session: an app's own SDK may
// have refreshed it.
func TestInvalidGrantCondemnsTheToken(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	old := w.signIn(t, zoe, "")
	app := w.refreshOutside(t, old) // without a grace window, old's token is refused now
	w.clock.advance(time.Hour)
	w.refused(t, old, session.ErrEnded)
	w.valid(t, w.refreshed(t, app))
	w.refused(t, old, session.ErrEnded)
	w.authKit.wantAsked(t, 3) // the app's, old's, app's
}

// An app's own SDK has refreshed the shared cookie while other requests were under
// way with the old one: these go on with the app's session, for a minute after it
// was first seen. Who has kept the old cookie for longer is out.
// A cookie that was spent elsewhere long ago doesn't come back to life by what its
// owner does now.
func TestOldCookieOfAnAppsRefreshStaysOut(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	old := w.signIn(t, zoe, "")
	w.clock.advance(time.Hour)
	app := w.refreshOutside(t, old)
	w.valid(t, app)
	w.clock.advance(time.Hour)
	w.valid(t, w.refreshed(t, app)) // a later session, made here just now
	w.refused(t, old, session.ErrEnded)
}

// What asks for a step of the user's: back through AuthKit, to the same organization.
func TestStepRequired(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		status     int
		code       string
	}{
		{"single sign-on", `{"error":"sso_required","connection_ids":["conn_1"]}`, 400, "sso_required"},
		{"second factor to enroll", `{"error":"mfa_enrollment"}`, 400, "mfa_enrollment"},
		{"second factor", `{"code":"mfa_challenge","pending_authentication_token":"secret"}`, 403, "mfa_challenge"},
		{"membership removed", `{"error":"organization_membership_not_found"}`, 400, "organization_membership_not_found"},
		{"organization's own methods", `{"error":"organization_authentication_methods_required"}`, 400, "organization_authentication_methods_required"},
		{"choice of an organization", `{"code":"organization_selection_required","pending_authentication_token":"secret"}`, 403, "organization_selection_required"},
		{"email to verify", `{"code":"email_verification_required","pending_authentication_token":"secret"}`, 403, "email_verification_required"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			sealed := w.signIn(t, sam, globexID)
			w.clock.advance(time.Hour)
			w.authKit.answer(authenticate, status(tt.status, tt.body))
			_, err := w.verify(t, sealed)
			var step *session.StepRequired
			if !errors.As(err, &step) || step.Code != tt.code || step.OrganizationID != globexID {
				t.Fatalf("got %v, want a *StepRequired with code %s and organization %s", err, tt.code, globexID)
			}
			if errors.Is(err, session.ErrEnded) || errors.Is(err, session.ErrUnavailable) || errors.Is(err, session.ErrBad) {
				t.Errorf("got %v, want no other meaning", err)
			}
			w.authKit.answer(authenticate, nil)
			w.clock.advance(10*time.Second - time.Millisecond)
			if _, err := w.verify(t, sealed); !errors.As(err, &step) || step.Code != tt.code || step.OrganizationID != globexID {
				t.Errorf("got %v a moment later, want the same", err)
			}
			w.authKit.wantAsked(t, 1)
			w.clock.advance(time.Millisecond)
			w.valid(t, w.refreshed(t, sealed)) // an operator may have changed the organization's rules
		})
	}
}
