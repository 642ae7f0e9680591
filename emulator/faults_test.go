package emulator

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// refreshBody is a refresh as a form.
func refreshBody(token string) string {
	return url.Values{"client_id": {testClient}, "client_secret": {testKey}, "grant_type": {"refresh_token"}, "refresh_token": {token}}.Encode()
}

// postRefresh says what became of a refresh: status 0 is a connection that ended without an answer.
func (e *testServer) postRefresh(t *testing.T, token string) response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.url+"/user_management/authenticate", strings.NewReader(refreshBody(token)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return response{body: err.Error()}
	}
	defer res.Body.Close()
	return response{res.StatusCode, res.Header, readAll(t, res)}
}

func TestFaultAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault string
		want  response
	}{
		{"a status alone", `{"endpoint":"authenticate","status":503}`,
			response{503, http.Header{"Content-Type": {"application/json; charset=utf-8"}}, ""}},
		{"seconds to wait", `{"endpoint":"authenticate","status":429,"retry_after":"7","body":"{\"error\":\"too_many_requests\"}"}`,
			response{429, http.Header{"Retry-After": {"7"}}, `{"error":"too_many_requests"}`}},
		{"a date to wait for", `{"endpoint":"authenticate","status":429,"retry_after":"Sun, 01 Mar 2026 12:00:07 GMT"}`,
			response{429, http.Header{"Retry-After": {"Sun, 01 Mar 2026 12:00:07 GMT"}}, ""}},
		{"HTML for JSON", `{"endpoint":"authenticate.refresh_token","status":200,"body":"<html>","content_type":"text/html"}`,
			response{200, http.Header{"Content-Type": {"text/html"}}, "<html>"}},
		{"every endpoint", `{"endpoint":"*","status":502}`, response{502, nil, ""}},
		{"no answer", `{"endpoint":"authenticate","drop":true}`, response{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := start(t, nil)
			token := e.signIn(t, zoe, "").RefreshToken
			once := strings.TrimSuffix(tt.fault, "}") + `,"calls":1}`
			if got := e.ask(t, "POST", "/_emulator/faults", once); got.status != 200 {
				t.Fatalf("got %d %s, want the fault added", got.status, got.body)
			}
			got := e.postRefresh(t, token)
			if got.status != tt.want.status || got.status != 0 && got.body != tt.want.body {
				t.Errorf("got %d %s, want %d %s", got.status, got.body, tt.want.status, tt.want.body)
			}
			for name, want := range tt.want.header {
				if got := got.header.Get(name); got != want[0] {
					t.Errorf("got %s %q, want %q", name, got, want[0])
				}
			}
			if got := e.postRefresh(t, token); got.status != 200 { // used up, and the token is as it was
				t.Errorf("after the fault: got %d %s, want 200", got.status, got.body)
			}
			if got := e.Calls()["authenticate.refresh_token"]; got != 2 {
				t.Errorf("got %d calls, want both", got)
			}
			if got, want := e.Faulted(), map[string]int{"authenticate.refresh_token": 1}; !maps.Equal(got, want) {
				t.Errorf("got faulted calls %v, want %v", got, want)
			}
		})
	}
}

// The call takes effect, but the client never gets AuthKit's answer.
func TestFaultAfterTheFact(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		fault  Fault
		status int
	}{
		{"dropped", Fault{Endpoint: "authenticate", Calls: 1, Processed: true, Drop: true}, 0},
		{"replaced", Fault{Endpoint: "authenticate", Calls: 1, Processed: true, Status: 502}, 502},
		{"late", Fault{Endpoint: "authenticate", Calls: 1, Processed: true, Delay: time.Nanosecond}, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := start(t, nil)
			token := e.signIn(t, zoe, "").RefreshToken
			if err := e.AddFault(tt.fault); err != nil {
				t.Fatal(err)
			}
			got := e.postRefresh(t, token)
			if got.status != tt.status || strings.Contains(got.body, "access_token") != (tt.status == 200) {
				t.Errorf("got %d %s, want %d", got.status, got.body, tt.status)
			}
			_, err := e.refresh(t, token, "")
			wantRefusal(t, err, 400, "invalid_grant", "Refresh token already exchanged.")
		})
	}
}

func TestFaultsApplyInOrder(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	for _, f := range []Fault{
		{Endpoint: "jwks", Calls: 2, Status: 500},
		{Endpoint: "sessions", Status: 501},
		{Endpoint: "*", Calls: 1, Status: 502},
		{Endpoint: "jwks", Status: 503},
	} {
		if err := e.AddFault(f); err != nil {
			t.Fatal(err)
		}
	}
	jwks := func(want int) {
		t.Helper()
		if got := e.get(t, e.url+"/sso/jwks/"+testClient).status; got != want {
			t.Errorf("jwks: got %d, want %d", got, want)
		}
	}
	jwks(500)
	e.want(t, "GET", "/_emulator/faults", "", 200, `{"faults":[{"endpoint":"jwks","calls":1,"status":500},{"endpoint":"sessions","status":501},`+
		`{"endpoint":"*","calls":1,"status":502},{"endpoint":"jwks","status":503}],"calls":{"jwks":1}}`)
	jwks(500)
	e.want(t, "POST", "/user_management/sessions/revoke", `{}`, 501, "")
	e.want(t, "GET", "/user_management/users/user_01JM9S346Q3D25VT4F5V37E3S3/sessions", "", 501, "")
	jwks(502)
	jwks(503)
	jwks(503)
	if got := e.get(t, e.url+"/health").status; got != 200 {
		t.Errorf("health: got %d, want 200", got)
	}
	e.want(t, "DELETE", "/_emulator/faults?endpoint=jwks", "", 200,
		`{"faults":[{"endpoint":"sessions","status":501}],"calls":{"jwks":5,"sessions.list":1,"sessions.revoke":1}}`)
	jwks(200)
	e.want(t, "DELETE", "/_emulator/faults", "", 200, `{"faults":[],"calls":{"jwks":5,"sessions.list":1,"sessions.revoke":1}}`)
}

func TestFaultRefusals(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	tests := []struct {
		name string
		body string
		want string
	}{
		{"unknown endpoint", `{"endpoint":"authentication","status":500}`, `unknown endpoint \"authentication\"`},
		{"part of a name", `{"endpoint":"auth","status":500}`, `unknown endpoint`},
		{"no endpoint", `{"status":500}`, `unknown endpoint`},
		{"nothing goes wrong", `{"endpoint":"jwks"}`, `one of status, drop and delay`},
		{"unknown field", `{"endpoint":"jwks","status":500,"times":1}`, `unknown field \"times\"`},
		{"two objects", `{"endpoint":"jwks","status":500}{}`, `more after`},
		{"not JSON", `endpoint=jwks`, `invalid character`},
		{"negative calls", `{"endpoint":"jwks","status":500,"calls":-1}`, `calls`},
		{"a status that ends nothing", `{"endpoint":"jwks","status":100}`, `status: must be`},
		{"delay without a unit", `{"endpoint":"jwks","delay":"5"}`, `missing unit`},
		{"delay of an hour", `{"endpoint":"jwks","delay":"1h"}`, `delay`},
		{"dropped with a status", `{"endpoint":"jwks","drop":true,"status":500}`, `no status`},
		{"body without a status", `{"endpoint":"jwks","drop":true,"body":"x"}`, `need a status`},
		{"large body", `{"endpoint":"jwks","status":500,"body":"` + strings.Repeat("x", 33_000) + `"}`, `32 KB`},
		{"larger than a request may be", `{"endpoint":"jwks","status":500,"body":"` + strings.Repeat("x", 70_000) + `"}`, `too large`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := e.ask(t, "POST", "/_emulator/faults", tt.body)
			if got.status != 400 || !strings.Contains(got.body, tt.want) {
				t.Errorf("got %d %s, want 400 with %s", got.status, got.body, tt.want)
			}
			e.want(t, "GET", "/_emulator/faults", "", 200, `{"faults":[],"calls":{}}`)
		})
	}
}

func TestFaultsAreBounded(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	for range 100 {
		if err := e.AddFault(Fault{Endpoint: "jwks", Status: 500}); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.AddFault(Fault{Endpoint: "jwks", Status: 500}); err == nil {
		t.Error("got a fault past the limit, want an error")
	}
}

// inBubble makes an emulator without a network, for time that a test decides on.
func inBubble(t *testing.T) *Emulator {
	t.Helper()
	return must(New(Config{BaseURL: &url.URL{Scheme: "http", Host: "authkit"}, ClientID: testClient, APIKey: testKey, SigningKey: must(signingKey())}))
}

func TestFaultDelays(t *testing.T) {
	t.Parallel()
	must(signingKey()) // outside of the bubble, for all tests
	synctest.Test(t, func(t *testing.T) {
		e := inBubble(t)
		defer e.Close()
		if err := e.AddFault(Fault{Endpoint: "jwks", Delay: 20 * time.Second}); err != nil {
			t.Fatal(err)
		}
		begun, w := time.Now(), httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest("GET", "/sso/jwks/"+testClient, nil))
		if got := time.Since(begun); got != 20*time.Second || w.Code != 200 || !strings.Contains(w.Body.String(), "RS256") {
			t.Errorf("got %d after %s, want the key set after 20s", w.Code, got)
		}
	})
}

// A delay ends, without an answer, with the client's patience or the emulator.
func TestFaultDelayEndsEarly(t *testing.T) {
	t.Parallel()
	must(signingKey())
	synctest.Test(t, func(t *testing.T) {
		e := inBubble(t)
		if err := e.AddFault(Fault{Endpoint: "jwks", Delay: time.Minute}); err != nil {
			t.Fatal(err)
		}
		ended := func(ctx context.Context) (after time.Duration, how any) {
			begun := time.Now()
			defer func() { after, how = time.Since(begun), recover() }()
			e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/sso/jwks/"+testClient, nil))
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if after, how := ended(ctx); after != 10*time.Second || how != http.ErrAbortHandler {
			t.Errorf("the client left after 10s: got %v after %s", how, after)
		}
		time.AfterFunc(30*time.Second, e.Close)
		if after, how := ended(t.Context()); after != 30*time.Second || how != http.ErrAbortHandler {
			t.Errorf("closed after 30s: got %v after %s", how, after)
		}
	})
}
