package emulator

import (
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workos/workos-go/v4/pkg/usermanagement"
	"github.com/workos/workos-go/v4/pkg/workos_errors"
)

// exchange exchanges a code with WorkOS's client.
func (e *testServer) exchange(t *testing.T, code string) usermanagement.AuthenticateResponse {
	t.Helper()
	got, err := e.sdk.AuthenticateWithCode(t.Context(), usermanagement.AuthenticateWithCodeOpts{ClientID: testClient, Code: code})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (e *testServer) refresh(t *testing.T, token, organizationID string) (usermanagement.RefreshAuthenticationResponse, error) {
	t.Helper()
	return e.sdk.AuthenticateWithRefreshToken(t.Context(), usermanagement.AuthenticateWithRefreshTokenOpts{
		ClientID: testClient, RefreshToken: token, OrganizationID: organizationID,
	})
}

// signIn makes a session and gives the answer.
func (e *testServer) signIn(t *testing.T, email, organizationID string) authenticated {
	t.Helper()
	raw, err := e.SignIn(email, organizationID)
	if err != nil {
		t.Fatal(err)
	}
	var got authenticated
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// wantRefusal checks an error of WorkOS's client.
func wantRefusal(t *testing.T, err error, status int, code, message string) {
	t.Helper()
	var got workos_errors.HTTPError
	if !errors.As(err, &got) || got.Code != status || got.ErrorCode != code || !strings.Contains(got.Message, message) {
		t.Errorf("got error %v, want %d %s with %q", err, status, code, message)
	}
}

func TestCodeExchange(t *testing.T) {
	t.Parallel()
	pkce := map[string]string{"code_challenge": challenge, "code_challenge_method": "S256"}
	tests := []struct {
		name     string
		changes  map[string]string // of the authorize URL
		wait     time.Duration
		verifier string
		client   string
		secret   string
		code     string // refusal; empty: signed in
		message  string
	}{
		{name: "without PKCE"},
		{name: "with PKCE", changes: pkce, verifier: verifier},
		{name: "just in time", wait: 10*time.Minute - time.Second},
		{name: "too late", wait: 10 * time.Minute, code: "invalid_grant", message: "has expired or is invalid."},
		{name: "wrong verifier", changes: pkce, verifier: verifier + "x", code: "invalid_grant", message: "Invalid code verifier."},
		{name: "no verifier", changes: pkce, code: "invalid_grant", message: "Invalid code verifier."},
		{name: "challenge as verifier", changes: pkce, verifier: challenge, code: "invalid_grant", message: "Invalid code verifier."},
		{name: "verifier without challenge", verifier: verifier, code: "code_challenge_not_found"},
		{name: "another client", client: "client_other", code: "invalid_client", message: "Invalid client ID."},
		{name: "wrong secret", secret: "sk_wrong", code: "invalid_client", message: "Invalid client secret."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := start(t, nil)
			if tt.client == "" {
				tt.client = testClient
			}
			if tt.secret != "" {
				e.sdk.APIKey = tt.secret
			}
			code := e.code(t, zoe, tt.changes)
			e.clock.Advance(tt.wait)
			got, err := e.sdk.AuthenticateWithCode(t.Context(), usermanagement.AuthenticateWithCodeOpts{
				ClientID: tt.client, Code: code, CodeVerifier: tt.verifier,
			})
			if tt.code != "" {
				wantRefusal(t, err, 400, tt.code, tt.message)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.User.Email != zoe || got.OrganizationID != acmeID || got.AccessToken == "" || got.RefreshToken == "" ||
				got.AuthenticationMethod != "Password" {
				t.Errorf("got %+v, want Zoë's session", got)
			}
		})
	}
}

func TestCodeWorksOnce(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	opts := usermanagement.AuthenticateWithCodeOpts{ClientID: testClient, Code: e.code(t, paula, nil)}
	if _, err := e.sdk.AuthenticateWithCode(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	_, err := e.sdk.AuthenticateWithCode(t.Context(), opts)
	wantRefusal(t, err, 400, "invalid_grant", "The code '"+opts.Code+"' has expired or is invalid.")
}

func TestCodeIsSpentByAWrongVerifier(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	opts := usermanagement.AuthenticateWithCodeOpts{ClientID: testClient, CodeVerifier: "guess",
		Code: e.code(t, paula, map[string]string{"code_challenge": challenge, "code_challenge_method": "S256"})}
	_, err := e.sdk.AuthenticateWithCode(t.Context(), opts)
	wantRefusal(t, err, 400, "invalid_grant", "Invalid code verifier.")
	opts.CodeVerifier = verifier
	_, err = e.sdk.AuthenticateWithCode(t.Context(), opts)
	wantRefusal(t, err, 400, "invalid_grant", "has expired or is invalid.")
}

func TestParallelSignIns(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	codes := []string{e.code(t, zoe, nil), e.code(t, zoe, nil)}
	got, errs := make([]usermanagement.AuthenticateResponse, len(codes)), make([]error, len(codes))
	var wg sync.WaitGroup
	for i, code := range codes {
		wg.Go(func() {
			got[i], errs[i] = e.sdk.AuthenticateWithCode(t.Context(), usermanagement.AuthenticateWithCodeOpts{ClientID: testClient, Code: code})
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if got[0].RefreshToken == got[1].RefreshToken || e.claims(t, got[0].AccessToken)["sid"] == e.claims(t, got[1].AccessToken)["sid"] {
		t.Error("got one session, want two")
	}
	for _, g := range got {
		if _, err := e.refresh(t, g.RefreshToken, ""); err != nil {
			t.Error(err)
		}
	}
}

// One code in many hands signs in once.
func TestParallelExchangeOfOneCode(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	opts := usermanagement.AuthenticateWithCodeOpts{ClientID: testClient, Code: e.code(t, paula, nil)}
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = e.sdk.AuthenticateWithCode(t.Context(), opts) })
	}
	wg.Wait()
	if failed := len(slices.DeleteFunc(errs, func(err error) bool { return err == nil })); failed != 7 {
		t.Errorf("got %d refusals, want 7", failed)
	}
}

func TestAnswerHasEveryKey(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	keys := []string{"access_token", "authentication_method", "organization_id", "refresh_token", "user"}
	tests := []struct {
		email, organization string
		keys                []string
		user                string // as JSON
		organizationID      any
		method              string
	}{
		{paula, "", keys, `{"object":"user","id":"user_01JM9S346Q3D25VT4F5V37E3S3","email":"paula@example.com","email_verified":true,
			"first_name":"Paula","last_name":"Winter","name":"Paula Winter","profile_picture_url":null,
			"last_sign_in_at":"2026-03-01T12:00:00.000Z","locale":"en-US","created_at":"2026-03-01T12:00:00.000Z",
			"updated_at":"2026-03-01T12:00:00.000Z","external_id":null,"metadata":{}}`, nil, "Password"},
		{zoe, "", keys, `{"object":"user","id":"user_01JE28JT97KB6CQ643DZVMXXQK","email":"zoe@acme.example","email_verified":true,
			"first_name":"Zoë","last_name":"Ångström","name":"Zoë Ångström","profile_picture_url":"https://images.example.com/zoe.png",
			"last_sign_in_at":"2026-03-01T12:00:00.000Z","locale":"sv-SE","created_at":"2026-03-01T12:00:00.000Z",
			"updated_at":"2026-03-01T12:00:00.000Z","external_id":"employee-7","metadata":{"department":"Research, Lund"}}`, acmeID, "Password"},
		{iris, "", append(slices.Clone(keys), "impersonator"), `{"object":"user","id":"user_01JX45HY43KWJRP1XPA7Z3DJ8F","email":"iris@acme.example",
			"email_verified":true,"first_name":"Iris","last_name":"Okafor","name":"Iris Okafor","profile_picture_url":null,
			"last_sign_in_at":"2026-03-01T12:00:00.000Z","locale":null,"created_at":"2026-03-01T12:00:00.000Z",
			"updated_at":"2026-03-01T12:00:00.000Z","external_id":null,"metadata":{}}`, acmeID, "Impersonation"},
	}
	for _, tt := range tests {
		t.Run(tt.email, func(t *testing.T) {
			t.Parallel()
			signedIn := decode(t, string(must(e.SignIn(tt.email, tt.organization))))
			body := url.Values{"client_id": {testClient}, "client_secret": {testKey}, "grant_type": {"refresh_token"},
				"refresh_token": {signedIn["refresh_token"].(string)}}
			refreshed := decode(t, e.post(t, e.url+"/user_management/authenticate", "application/x-www-form-urlencoded", body.Encode()).body)
			for name, got := range map[string]map[string]any{"sign-in": signedIn, "refresh": refreshed} {
				if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, slices.Sorted(slices.Values(tt.keys))) {
					t.Errorf("%s: got keys %v, want %v", name, keys, tt.keys)
				}
				if want := decode(t, tt.user); !reflect.DeepEqual(got["user"], any(want)) {
					t.Errorf("%s: got user %v, want %v", name, got["user"], want)
				}
				if got["organization_id"] != tt.organizationID || got["authentication_method"] != tt.method {
					t.Errorf("%s: got %v, want organization %v, method %s", name, got, tt.organizationID, tt.method)
				}
			}
		})
	}
	impersonator := decode(t, string(must(e.SignIn(iris, ""))))["impersonator"]
	want := map[string]any{"email": "support@example.com", "reason": `Ticket 4711: "export is empty"`}
	if !reflect.DeepEqual(impersonator, any(want)) {
		t.Errorf("got impersonator %v, want %v", impersonator, want)
	}
}

// must is for calls that don't fail.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestAuthenticateBodies(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	const client = `"client_id":"client_01TEST","client_secret":"sk_test_key"`
	tests := []struct {
		name, contentType, body string
		status                  int
		want                    string
	}{
		{"not JSON", "application/json", `grant_type=refresh_token`, 400, `{"error":"invalid_request","error_description":"The body is not a valid JSON object."}`},
		{"JSON array", "application/json", `[]`, 400, `{"error":"invalid_request","error_description":"The body is not a valid JSON object."}`},
		{"empty", "application/json", ``, 400, `{"error":"invalid_request","error_description":"The body is not a valid JSON object."}`},
		{"bad form", "application/x-www-form-urlencoded", `%zz`, 400, `{"error":"invalid_request","error_description":"The body is not a valid form."}`},
		{"too large", "application/json", `{"code":"` + strings.Repeat("x", 70_000) + `"}`, 400, `{"error":"invalid_request","error_description":"The body is not a valid JSON object."}`},
		{"too large a form", "application/x-www-form-urlencoded", "code=" + strings.Repeat("x", 70_000), 400, `{"error":"invalid_request","error_description":"The body is not a valid form."}`},
		{"numbers for strings", "application/json", `{"client_id":1}`, 400, `{"error":"invalid_client","error_description":"Invalid client ID."}`},
		{"no secret", "application/json", `{"client_id":"client_01TEST","grant_type":"refresh_token"}`, 400, `{"error":"invalid_client","error_description":"Invalid client secret."}`},
		{"unknown grant", "application/json", `{` + client + `,"grant_type":"password"}`, 400, `{"error":"invalid_request","error_description":"The grant_type is not supported."}`},
		{"no refresh token", "application/json", `{` + client + `,"grant_type":"refresh_token"}`, 400, `{"error":"invalid_grant","error_description":"Invalid refresh token."}`},
		{"no code", "application/json", `{` + client + `,"grant_type":"authorization_code","code":null}`, 400, `{"error":"invalid_grant","error_description":"The code '' has expired or is invalid."}`},
		{"no pending token", "application/json", `{` + client + `,"grant_type":"urn:workos:oauth:grant-type:organization-selection"}`, 400,
			`{"code":"invalid_pending_authentication_token","message":"The pending authentication token has expired or is invalid."}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := e.post(t, e.url+"/user_management/authenticate", tt.contentType, tt.body)
			if got.status != tt.status || got.body != tt.want || got.header.Get("Content-Type") != "application/json; charset=utf-8" {
				t.Errorf("got %d %s, want %d %s", got.status, got.body, tt.status, tt.want)
			}
		})
	}
}

func TestOrganizationSelection(t *testing.T) {
	t.Parallel()
	e := start(t, func(c *Config) {
		c.Users, c.Organizations = Seed()
		c.Organizations = append(c.Organizations, Organization{ID: "org_01OTHERS", Name: "Others"})
	})
	code := callback(t, e.get(t, e.authorizeURL(t, map[string]string{"login_hint": sam}))).Get("code")
	_, err := e.sdk.AuthenticateWithCode(t.Context(), usermanagement.AuthenticateWithCodeOpts{ClientID: testClient, Code: code})
	var required *workos_errors.OrganizationSelectionRequiredError
	if !errors.As(err, &required) {
		t.Fatalf("got error %v, want organization_selection_required", err)
	}
	want := []workos_errors.PendingAuthenticationOrganizationInfo{{ID: acmeID, Name: "Acme, Inc."}, {ID: globexID, Name: "Globex"}}
	if required.HTTPError.Code != 403 || !slices.Equal(required.Organizations, want) || required.User.Email != sam {
		t.Errorf("got %+v, want 403 with Sam's organizations", required)
	}
	opts := usermanagement.AuthenticateWithOrganizationSelectionOpts{
		ClientID: testClient, PendingAuthenticationToken: required.PendingAuthenticationToken,
	}
	for organization, code := range map[string]string{
		"": "organization_not_found", "org_01STRANGE": "organization_not_found", "org_01OTHERS": "organization_membership_not_found",
	} { // refusals leave the pending token as it is
		opts.OrganizationID = organization
		_, err = e.sdk.AuthenticateWithOrganizationSelection(t.Context(), opts)
		wantRefusal(t, err, 400, code, "")
	}
	opts.OrganizationID = globexID
	got, err := e.sdk.AuthenticateWithOrganizationSelection(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if got.User.Email != sam || got.OrganizationID != globexID {
		t.Errorf("got %+v, want Sam at Globex", got)
	}
	_, err = e.sdk.AuthenticateWithOrganizationSelection(t.Context(), opts)
	wantRefusal(t, err, 400, "invalid_pending_authentication_token", "")
}

func TestPendingTokenExpires(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	code := callback(t, e.get(t, e.authorizeURL(t, map[string]string{"login_hint": sam}))).Get("code")
	_, err := e.sdk.AuthenticateWithCode(t.Context(), usermanagement.AuthenticateWithCodeOpts{ClientID: testClient, Code: code})
	var required *workos_errors.OrganizationSelectionRequiredError
	if !errors.As(err, &required) {
		t.Fatalf("got error %v, want organization_selection_required", err)
	}
	e.clock.Advance(10 * time.Minute)
	_, err = e.sdk.AuthenticateWithOrganizationSelection(t.Context(), usermanagement.AuthenticateWithOrganizationSelectionOpts{
		ClientID: testClient, PendingAuthenticationToken: required.PendingAuthenticationToken, OrganizationID: acmeID,
	})
	wantRefusal(t, err, 400, "invalid_pending_authentication_token", "")
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	tests := []struct {
		name, email, organization string
		want                      string // organization
		err                       string
	}{
		{"none", paula, "", "", ""},
		{"the only one", zoe, "", acmeID, ""},
		{"one of two", sam, globexID, globexID, ""},
		{"two, none named", sam, "", "", "several organizations"},
		{"not a member", paula, acmeID, "", "not a member"},
		{"a new user", "new@example.com", "", "", ""},
		{"not an address", "nobody", "", "", "not an email address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.err != "" {
				if _, err := e.SignIn(tt.email, tt.organization); err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got error %v, want one with %q", err, tt.err)
				}
				return
			}
			got := e.signIn(t, tt.email, tt.organization)
			if organization := got.OrganizationID; got.User.Email != tt.email || (organization == nil) != (tt.want == "") ||
				organization != nil && *organization != tt.want {
				t.Errorf("got %+v, want a session of %s at %q", got, tt.email, tt.want)
			}
			if _, err := e.refresh(t, got.RefreshToken, ""); err != nil {
				t.Errorf("the session is not a real one: %v", err)
			}
		})
	}
}
