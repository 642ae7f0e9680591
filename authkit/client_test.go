package authkit

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestAuthorizeURL(t *testing.T) {
	t.Parallel()
	c := &Client{APIKey: "sk_test_1", ClientID: "client_01", RedirectURI: "https://auth.example.com/_auth/callback"}
	maxAge := func(d time.Duration) *time.Duration { return &d }
	const least = "https://api.workos.com/user_management/authorize?client_id=client_01&code_challenge=E9Melhoa2Ow-_" +
		"&code_challenge_method=S256"
	tests := []struct {
		name string
		o    AuthorizeOptions
		want string
	}{
		{
			"only what is required",
			AuthorizeOptions{State: "Fe26.2*1~2", CodeChallenge: "E9Melhoa2Ow-_"},
			least + "&provider=authkit&redirect_uri=https%3A%2F%2Fauth.example.com%2F_auth%2Fcallback" +
				"&response_type=code&state=Fe26.2%2A1~2",
		},
		{
			"every option, with characters that end a parameter",
			AuthorizeOptions{
				State: "s t", CodeChallenge: "E9Melhoa2Ow-_", ScreenHint: "sign-up", OrganizationID: "org_1&prompt=none",
				LoginHint: "alice+tag@example.com", InvitationToken: "inv#1", Prompt: "consent", MaxAge: maxAge(5 * time.Minute),
			},
			least + "&invitation_token=inv%231&login_hint=alice%2Btag%40example.com&max_age=300" +
				"&organization_id=org_1%26prompt%3Dnone&prompt=consent&provider=authkit" +
				"&redirect_uri=https%3A%2F%2Fauth.example.com%2F_auth%2Fcallback&response_type=code&screen_hint=sign-up&state=s+t",
		},
		{
			"max age of zero asks for a new sign-in",
			AuthorizeOptions{State: "s", CodeChallenge: "E9Melhoa2Ow-_", MaxAge: maxAge(0)},
			least + "&max_age=0&provider=authkit&redirect_uri=https%3A%2F%2Fauth.example.com%2F_auth%2Fcallback" +
				"&response_type=code&state=s",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := c.AuthorizeURL(tt.o)
			if err != nil || got != tt.want {
				t.Errorf("got %s, %v\nwant %s", got, err, tt.want)
			}
		})
	}
}

func TestAuthorizeURLRefuses(t *testing.T) {
	t.Parallel()
	full := Client{ClientID: "client_01", RedirectURI: "https://auth.example.com/callback"}
	tests := []struct {
		name string
		c    Client
		o    AuthorizeOptions
	}{
		{"no state", full, AuthorizeOptions{CodeChallenge: "c"}},
		{"no code challenge", full, AuthorizeOptions{State: "s"}},
		{"no redirect URI", Client{ClientID: "client_01"}, AuthorizeOptions{State: "s", CodeChallenge: "c"}},
		{"no client id", Client{RedirectURI: "https://auth.example.com/callback"}, AuthorizeOptions{State: "s", CodeChallenge: "c"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, err := tt.c.AuthorizeURL(tt.o); err == nil {
				t.Errorf("got %s, want an error", got)
			}
		})
	}
}

func TestLogoutURL(t *testing.T) {
	t.Parallel()
	c := &Client{ClientID: "client_01"}
	tests := []struct{ name, sessionID, returnTo, want string }{
		{"default return", "session_01", "", "https://api.workos.com/user_management/sessions/logout?session_id=session_01"},
		{
			"return URL with a query", "session_01&return_to=x", "https://app.example.com/bye?x=1&y=2",
			"https://api.workos.com/user_management/sessions/logout?return_to=https%3A%2F%2Fapp.example.com%2Fbye%3Fx%3D1%26y%3D2&session_id=session_01%26return_to%3Dx",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := c.LogoutURL(tt.sessionID, tt.returnTo)
			if err != nil || got != tt.want {
				t.Errorf("got %s, %v\nwant %s", got, err, tt.want)
			}
		})
	}
	if got, err := c.LogoutURL("", ""); err == nil {
		t.Errorf("no session id: got %s, want an error", got)
	}
}

func TestBaseURL(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, base, clientID, want string }{
		{"WorkOS", "", "client_01", "https://api.workos.com/sso/jwks/client_01"},
		{"port", "http://localhost:4100", "client_01", "http://localhost:4100/sso/jwks/client_01"},
		{"trailing slash", "https://auth.example.com/", "client_01", "https://auth.example.com/sso/jwks/client_01"},
		{"path", "https://example.com/workos/", "client_01", "https://example.com/workos/sso/jwks/client_01"},
		{"client id that would change the path", "", "../a?b", "https://api.workos.com/sso/jwks/..%2Fa%3Fb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &Client{ClientID: tt.clientID}
			if tt.base != "" {
				c.BaseURL, _ = url.Parse(tt.base)
			}
			if got := c.KeySetURL(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	c := Client{APIKey: "sk_live_secret", ClientID: "client_01"}
	e := &Error{Code: "organization_selection_required", PendingAuthenticationToken: "sk_live_secret"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		got := fmt.Sprintf(strings.Repeat(verb+" ", 4), c, &c, *e, e)
		// 736b5f is "sk_" in hex.
		if strings.Contains(got, "secret") || strings.Contains(got, "736b5f") {
			t.Errorf("%s: got %s, want no secret", verb, got)
		}
	}
	got, err := json.Marshal(c.APIKey)
	if err != nil || string(got) != `"[redacted]"` {
		t.Errorf("JSON: got %s, %v, want \"[redacted]\"", got, err)
	}
}
