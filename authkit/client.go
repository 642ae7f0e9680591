package authkit

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/workos/workos-go/v4/pkg/usermanagement"
)

// Client calls AuthKit for one WorkOS environment. It is safe for concurrent use
// and must not be changed once in use.
type Client struct {
	APIKey      Secret           // sent as client_secret
	ClientID    string           // required
	BaseURL     *url.URL         // nil means https://api.workos.com
	RedirectURI string           // where AuthKit sends the browser back to; required for AuthorizeURL
	HTTPClient  *http.Client     // nil means one with a limit of 10 s; redirects are never followed
	Now         func() time.Time // nil means time.Now
}

// AuthorizeOptions says how a sign-in begins. State and CodeChallenge are
// required; an empty option is left out of the URL.
type AuthorizeOptions struct {
	RedirectURI     string // empty: the client's
	State           string
	CodeChallenge   string // S256 of the code verifier
	ScreenHint      string // sign-in or sign-up
	OrganizationID  string
	LoginHint       string // email address to fill in
	InvitationToken string
	Prompt          string
	MaxAge          *time.Duration // how old the sign-in may be, in whole seconds; 0 asks for a new one, nil doesn't ask
}

// AuthorizeURL returns the address of the hosted sign-in. It fails without a
// state or a code challenge: a sign-in that isn't bound to its browser must not
// begin.
func (c *Client) AuthorizeURL(o AuthorizeOptions) (string, error) {
	if o.State == "" || o.CodeChallenge == "" {
		return "", errors.New("authkit: authorize URL: no state or no code challenge")
	}
	u, err := c.api(nil).GetAuthorizationURL(usermanagement.GetAuthorizationURLOpts{
		ClientID:            c.ClientID,
		RedirectURI:         cmp.Or(o.RedirectURI, c.RedirectURI),
		Provider:            "authkit",
		State:               o.State,
		CodeChallenge:       o.CodeChallenge,
		CodeChallengeMethod: "S256",
		ScreenHint:          usermanagement.ScreenHint(o.ScreenHint),
		OrganizationID:      o.OrganizationID,
		LoginHint:           o.LoginHint,
	})
	if err != nil {
		return "", fmt.Errorf("authkit: authorize URL: %w", err)
	}

	q := u.Query() // workos-go v4 knows none of these
	if o.InvitationToken != "" {
		q.Set("invitation_token", o.InvitationToken)
	}
	if o.Prompt != "" {
		q.Set("prompt", o.Prompt)
	}
	if o.MaxAge != nil {
		q.Set("max_age", strconv.FormatInt(int64(*o.MaxAge/time.Second), 10))
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// LogoutURL returns the address that ends the session at AuthKit and in its
// hosted pages, for the browser to visit. returnTo must be one of the
// environment's sign-out redirects; where it is empty, AuthKit takes its default.
func (c *Client) LogoutURL(sessionID, returnTo string) (string, error) {
	u, err := c.api(nil).GetLogoutURL(usermanagement.GetLogoutURLOpts{SessionID: sessionID, ReturnTo: returnTo})
	if err != nil {
		return "", fmt.Errorf("authkit: logout URL: %w", err)
	}
	return u.String(), nil
}

// KeySetURL returns the address of the keys that sign this client's access tokens.
func (c *Client) KeySetURL() string {
	return c.endpoint() + "/sso/jwks/" + url.PathEscape(c.ClientID) // workos-go doesn't escape it
}

// api is workos-go's client. hc is nil where it only builds a URL.
func (c *Client) api(hc *http.Client) *usermanagement.Client {
	return &usermanagement.Client{APIKey: string(c.APIKey), HTTPClient: hc, Endpoint: c.endpoint()}
}

func (c *Client) endpoint() string {
	if c.BaseURL == nil {
		return "https://api.workos.com"
	}
	return strings.TrimRight(c.BaseURL.String(), "/")
}

func (c *Client) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

// Secret is a string that prints as [redacted], whatever the verb, and in JSON.
// string(s) is its value.
type Secret string

// Format implements fmt.Formatter.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }
