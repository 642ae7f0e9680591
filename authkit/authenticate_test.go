package authkit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// newClient returns a client of a server that answers with h until the test ends.
func newClient(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &Client{
		APIKey:   "sk_test_secret",
		ClientID: "client_01",
		BaseURL:  base,
		Now:      func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) },
	}
}

// calls are the three ways to the same endpoint, each with secrets that no error may show.
var calls = map[string]func(*testing.T, *Client) (json.RawMessage, error){
	"exchange": func(t *testing.T, c *Client) (json.RawMessage, error) {
		return c.ExchangeCode(t.Context(), "code_secret", "verifier_secret", "192.0.2.7", "Firefox")
	},
	"select": func(t *testing.T, c *Client) (json.RawMessage, error) {
		return c.SelectOrganization(t.Context(), "pending_secret", "org_1")
	},
	"refresh": func(t *testing.T, c *Client) (json.RawMessage, error) {
		return c.Refresh(t.Context(), "token_secret", "org_1")
	},
}

// checkNoSecret fails if printing err shows a code, a token, the API key or a URL.
func checkNoSecret(t *testing.T, err error) {
	t.Helper()
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v %#v", err, err)} {
		if strings.Contains(text, "secret") || strings.Contains(text, "http://") {
			t.Errorf("got %s, want no secret and no URL", text)
		}
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	wants := map[string]string{
		"exchange": `{"client_id":"client_01","code":"code_secret","code_verifier":"verifier_secret","ip_address":"192.0.2.7",` +
			`"user_agent":"Firefox","client_secret":"sk_test_secret","grant_type":"authorization_code"}`,
		"select": `{"client_id":"client_01","pending_authentication_token":"pending_secret","organization_id":"org_1",` +
			`"client_secret":"sk_test_secret","grant_type":"urn:workos:oauth:grant-type:organization-selection"}`,
		"refresh": `{"client_id":"client_01","refresh_token":"token_secret","organization_id":"org_1",` +
			`"client_secret":"sk_test_secret","grant_type":"refresh_token"}`,
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got string
			c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got = r.Method + " " + r.RequestURI + " " + r.Header.Get("Content-Type") + " " + string(body)
				io.WriteString(w, `{"access_token":"a","refresh_token":"r","user":{"id":"user_1"}}`)
			})
			if _, err := call(t, c); err != nil {
				t.Fatal(err)
			}
			if want := "POST /user_management/authenticate application/json " + wants[name]; got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
}

func TestRefreshLeavesOutNoOrganization(t *testing.T) {
	t.Parallel()
	var got string
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = string(body)
		io.WriteString(w, `{"access_token":"a","refresh_token":"r","user":{"id":"user_1"}}`)
	})
	if _, err := c.Refresh(t.Context(), "token_1", ""); err != nil {
		t.Fatal(err)
	}
	want := `{"client_id":"client_01","refresh_token":"token_1","client_secret":"sk_test_secret","grant_type":"refresh_token"}`
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestAnswerIsKeptByteForByte(t *testing.T) {
	t.Parallel()
	const answer = ` {"user":{"object":"user","id":"user_1","name":null,"first_name":"Ren\u00e9e","last_name":null,"email_verified":true,` +
		`"metadata":{"a<b&c":1.50,"n":9007199254740993},"locale":null,"new_field":{"x":[null,{}]}},
  "organization_id":null,"access_token":"a","refresh_token":"r","impersonator":{"email":"it@example.com","reason":null},"oauth_tokens":null}` + "\n"
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) })
			got, err := call(t, c)
			if err != nil || string(got) != answer {
				t.Errorf("got %s, %v\nwant %s", got, err, answer)
			}
		})
	}
}

func TestConcurrentAnswersAreNotMixed(t *testing.T) {
	t.Parallel()
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			RefreshToken string `json:"refresh_token"`
		}
		_ = json.NewDecoder(r.Body).Decode(&body)
		fmt.Fprintf(w, `{"access_token":"a","refresh_token":"after %s","user":{"id":"user_1"}}`, body.RefreshToken)
	})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			got, err := c.Refresh(t.Context(), fmt.Sprint(i), "")
			want := fmt.Sprintf(`{"access_token":"a","refresh_token":"after %d","user":{"id":"user_1"}}`, i)
			if err != nil || string(got) != want {
				t.Errorf("got %s, %v, want %s", got, err, want)
			}
		})
	}
	wg.Wait()
}

func TestEmptyCredentialsAreNotSent(t *testing.T) {
	t.Parallel()
	c := newClient(t, func(http.ResponseWriter, *http.Request) { t.Error("got a request, want none") })
	tests := []struct {
		name string
		call func() (json.RawMessage, error)
	}{
		{"no code", func() (json.RawMessage, error) { return c.ExchangeCode(t.Context(), "", "v", "", "") }},
		{"no code verifier", func() (json.RawMessage, error) { return c.ExchangeCode(t.Context(), "c", "", "", "") }},
		{"no refresh token", func() (json.RawMessage, error) { return c.Refresh(t.Context(), "", "org_1") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tt.call(); !errors.Is(err, session.ErrInvalidGrant) {
				t.Errorf("got %v, want ErrInvalidGrant", err)
			}
		})
	}
}

// A row's answer means the same for all three calls; Refresh returns the meaning bare.
func TestRefusals(t *testing.T) {
	t.Parallel()
	step := func(code string) error { return &session.StepRequired{Code: code, OrganizationID: "org_1"} }
	outage := func(status int, code string) error { return &session.Outage{Status: status, Code: code} }
	refused := func(status int, code string) error {
		return &session.Outage{Status: status, Code: code, Refused: true}
	}
	notJSON := errors.New("answer is not the JSON expected")
	tests := []struct {
		name   string
		status int
		body   string
		want   error
	}{
		{"invalid_grant", 400, `{"error":"invalid_grant","error_description":"'code_secret' and 'token_secret' are spent"}`, session.ErrInvalidGrant},
		{"invalid_grant without a description", 400, `{"error":"invalid_grant"}`, session.ErrInvalidGrant},
		{"invalid_grant as a code", 400, `{"code":"invalid_grant","message":"token_secret"}`, session.ErrInvalidGrant},
		{"invalid_grant beside fields of unexpected types", 400, `{"errors":5,"code":400,"organizations":"x","error":"invalid_grant"}`, session.ErrInvalidGrant},
		{"invalid_grant beside a text in the other field", 400, `{"error":"Bad Request","code":"invalid_grant"}`, session.ErrInvalidGrant},
		{"wrong code", 400, `{"code":"invalid_code","message":"Invalid code"}`, session.ErrInvalidGrant},
		{"wrong code verifier", 400, `{"code":"invalid_code_verifier","message":"x"}`, session.ErrInvalidGrant},
		{"code of a sign-in without PKCE", 400, `{"code":"code_challenge_not_found","message":"x"}`, session.ErrInvalidGrant},
		{"spent pending token", 400, `{"code":"invalid_pending_authentication_token","message":"x"}`, session.ErrInvalidGrant},

		{"sso_required", 400, `{"error":"sso_required","connection_ids":["conn_1"],"pending_authentication_token":"pending_secret"}`, step("sso_required")},
		{"mfa_enrollment, OAuth shape", 400, `{"error":"mfa_enrollment","error_description":"x"}`, step("mfa_enrollment")},
		{"mfa_enrollment, code shape", 403, `{"code":"mfa_enrollment","message":"x","user":{"id":"user_1"}}`, step("mfa_enrollment")},
		{"mfa_challenge", 403, `{"code":"mfa_challenge","message":"x"}`, step("mfa_challenge")},
		{"membership removed", 400, `{"error":"organization_membership_not_found","error_description":"x"}`, step("organization_membership_not_found")},
		{"organization's own methods", 400, `{"error":"organization_authentication_methods_required"}`, step("organization_authentication_methods_required")},
		{"email to verify", 403, `{"code":"email_verification_required","pending_authentication_token":"pending_secret"}`, step("email_verification_required")},
		{"pending token and no 403", 400, `{"error":"access_denied","pending_authentication_token":"pending_secret"}`, refused(400, "access_denied")},
		{"pending token without a code", 403, `{"message":"x","pending_authentication_token":"pending_secret"}`, step("")},

		{"our API key, OAuth shape", 400, `{"error":"invalid_client","error_description":"x"}`, refused(400, "invalid_client")},
		{"our client", 400, `{"error":"unauthorized_client","error_description":"x"}`, refused(400, "unauthorized_client")},
		{"our API key, bare", 401, `{"message":"Unauthorized"}`, refused(401, "")},
		{"401 never condemns a token", 401, `{"error":"invalid_grant"}`, refused(401, "invalid_grant")},
		{"invalid_request", 400, `{"error":"invalid_request"}`, refused(400, "invalid_request")},
		{"400 without a code", 400, `{"message":"code_secret"}`, refused(400, "")},
		{"400 without a body", 400, ``, refused(400, "")},
		{"403 without a pending token", 403, `{"code":"radar_challenge","message":"x"}`, refused(403, "radar_challenge")},
		{"403 about an organization without a pending token", 403, `{"code":"organization_x","message":"x"}`, refused(403, "organization_x")},
		{"redirect with a code is no verdict", 302, `{"error":"invalid_grant"}`, refused(302, "invalid_grant")},
		{"403 of a proxy", 403, `<html>code_secret</html>`, refused(403, "")},
		{"another service", 404, `{"message":"Not Found","error":"Not Found","statusCode":404}`, refused(404, "")},
		{"422", 422, `{"code":"invalid_x","errors":[{"field":"code_secret","code":"y"}],"message":"x"}`, refused(422, "invalid_x")},
		{"code that is a sentence", 400, `{"error":"no such code: code_secret"}`, refused(400, "")},
		{"code that is too long", 400, `{"error":"` + strings.Repeat("x", 65) + `"}`, refused(400, "")},

		{"408", 408, ``, outage(408, "")},
		{"rate limit", 429, `{"error":"too_many_requests"}`, outage(429, "too_many_requests")},
		{"daily quota", 429, `{"code":"daily_quota_exceeded","message":"x"}`, outage(429, "daily_quota_exceeded")},
		{"500 with a code is no verdict", 500, `{"error":"invalid_grant"}`, outage(500, "invalid_grant")},
		{"HTML of a proxy", 502, `<html><body>code_secret</body></html>`, outage(502, "")},
		{"503 without a body", 503, ``, outage(503, "")},

		{"200 that is HTML", 200, `<html>code_secret</html>`, &session.Outage{Status: 200, Err: notJSON}},
		{"200 without a body", 200, ``, &session.Outage{Status: 200, Err: notJSON}},
		{"200 with two values", 200, `{"access_token":"a","refresh_token":"r","user":{"id":"u"}}{}`, &session.Outage{Status: 200, Err: notJSON}},
		{"200 with a list", 200, `["token_secret"]`, &session.Outage{Status: 200, Err: notJSON}},
		{"200 with a token of another type", 200, `{"access_token":1,"refresh_token":"r","user":{"id":"u"}}`, &session.Outage{Status: 200, Err: notJSON}},
		{"200 without access token", 200, `{"refresh_token":"token_secret","user":{"id":"u"}}`, &session.Outage{Status: 200, Err: errors.New("answer without access_token")}},
		{"200 without refresh token", 200, `{"access_token":"token_secret","user":{"id":"u"}}`, &session.Outage{Status: 200, Err: errors.New("answer without refresh_token")}},
		{"200 without user", 200, `{"access_token":"a","refresh_token":"r"}`, &session.Outage{Status: 200, Err: errors.New("answer without user.id")}},
		{"200 with a null user", 200, `{"access_token":"a","refresh_token":"r","user":null}`, &session.Outage{Status: 200, Err: errors.New("answer without user.id")}},
		{"204", 204, ``, &session.Outage{Status: 204, Err: notJSON}},
	}
	for _, tt := range tests {
		for _, contentType := range []string{"application/json; charset=utf-8", "text/html"} {
			t.Run(tt.name+"/"+contentType, func(t *testing.T) {
				t.Parallel()
				c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", contentType)
					w.WriteHeader(tt.status)
					io.WriteString(w, tt.body)
				})

				_, err := c.Refresh(t.Context(), "token_secret", "org_1")
				if !reflect.DeepEqual(err, tt.want) {
					t.Fatalf("refresh: got %#v, want %#v", err, tt.want)
				}
				checkNoSecret(t, err)

				_, err = c.SelectOrganization(t.Context(), "pending_secret", "org_1")
				var e *Error
				if !errors.As(err, &e) || e.Status != tt.status || !reflect.DeepEqual(e.Err, tt.want) {
					t.Fatalf("select: got %#v, want an *Error of %#v", err, tt.want)
				}
				checkNoSecret(t, err)
			})
		}
	}
}

func TestOrganizationSelection(t *testing.T) {
	t.Parallel()
	c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `{"code":"organization_selection_required","message":"x","pending_authentication_token":"pending_secret",`+
			`"organizations":[{"id":"org_1","name":"Foo & Sons"},{"id":"org_2","name":""}],"user":{"id":"user_1"}}`)
	})
	_, err := calls["exchange"](t, c)
	want := &Error{
		Status:                     403,
		Code:                       "organization_selection_required",
		PendingAuthenticationToken: "pending_secret",
		Organizations:              []Organization{{ID: "org_1", Name: "Foo & Sons"}, {ID: "org_2"}},
		Err:                        &session.StepRequired{Code: "organization_selection_required"},
	}
	if !reflect.DeepEqual(err, error(want)) {
		t.Errorf("got %#v, want %#v", err, want)
	}
	if got, want := err.Error(), `authkit: status 403 code "organization_selection_required"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	checkNoSecret(t, err)
}

func TestStepNamesTheOrganization(t *testing.T) {
	t.Parallel()
	c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"error":"sso_required","organization_id":"org_of_answer"}`)
	})
	tests := []struct {
		name string
		call func(*testing.T) error
		want string
	}{
		{"the one asked for", func(t *testing.T) error { _, err := c.Refresh(t.Context(), "r", "org_1"); return err }, "org_1"},
		{"the answer's", func(t *testing.T) error { _, err := c.Refresh(t.Context(), "r", ""); return err }, "org_of_answer"},
		{"a code exchange's", func(t *testing.T) error { _, err := calls["exchange"](t, c); return err }, "org_of_answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var step *session.StepRequired
			if err := tt.call(t); !errors.As(err, &step) || step.OrganizationID != tt.want {
				t.Errorf("got %v, want a step for %s", err, tt.want)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, header string
		want         time.Duration
	}{
		{"none", "", 0},
		{"seconds", "7", 7 * time.Second},
		{"zero", "0", 0},
		{"negative", "-5", 0},
		{"over an hour", "3601", time.Hour},
		{"too large for a duration", "9223372036854775807", time.Hour},
		{"too many digits", "99999999999999999999", time.Hour},
		{"too many negative digits", "-99999999999999999999", 0},
		{"date", "Sun, 01 Mar 2026 12:01:30 GMT", 90 * time.Second},
		{"date in the past", "Sun, 01 Mar 2026 11:59:59 GMT", 0},
		{"date next year", "Mon, 01 Mar 2027 12:00:00 GMT", time.Hour},
		{"not a number", "soon", 0},
		{"a fraction", "1.5", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
				if tt.header != "" {
					w.Header().Set("Retry-After", tt.header)
				}
				w.WriteHeader(http.StatusTooManyRequests)
			})
			_, err := calls["exchange"](t, c)
			var e *Error
			var outage *session.Outage
			if !errors.As(err, &e) || !errors.As(err, &outage) || e.RetryAfter != tt.want || outage.RetryAfter != tt.want {
				t.Errorf("got %#v, want %v", err, tt.want)
			}
		})
	}
}
