package authkit

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"

	"github.com/workos/workos-go/v4/pkg/usermanagement"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// ExchangeCode trades the code of a callback for a session and returns AuthKit's
// answer byte for byte. ip and userAgent are the browser's, for AuthKit's own
// records; they may be empty. An error is an *Error.
func (c *Client) ExchangeCode(ctx context.Context, code, codeVerifier, ip, userAgent string) (json.RawMessage, error) {
	if code == "" || codeVerifier == "" { // workos-go would leave PKCE out
		return nil, &Error{Code: "invalid_grant", Err: session.ErrInvalidGrant}
	}
	return c.authenticate("", func(api *usermanagement.Client) error {
		_, err := api.AuthenticateWithCode(ctx, usermanagement.AuthenticateWithCodeOpts{
			ClientID:     c.ClientID,
			Code:         code,
			CodeVerifier: codeVerifier,
			IPAddress:    ip,
			UserAgent:    userAgent,
		})
		return err
	})
}

// SelectOrganization finishes a sign-in for which ExchangeCode's error listed
// organizations. It returns AuthKit's answer byte for byte; an error is an *Error.
func (c *Client) SelectOrganization(ctx context.Context, pendingToken, organizationID string) (json.RawMessage, error) {
	return c.authenticate(organizationID, func(api *usermanagement.Client) error {
		_, err := api.AuthenticateWithOrganizationSelection(ctx, usermanagement.AuthenticateWithOrganizationSelectionOpts{
			ClientID:                   c.ClientID,
			PendingAuthenticationToken: pendingToken,
			OrganizationID:             organizationID,
		})
		return err
	})
}

// Refresh trades a refresh token for the next one and returns AuthKit's answer
// byte for byte. organizationID is the organization that the session should be
// in, empty to leave that to AuthKit. An error is session.ErrInvalidGrant, a
// *session.StepRequired or a *session.Outage. Without an answer the
// token may be spent.
func (c *Client) Refresh(ctx context.Context, refreshToken, organizationID string) (json.RawMessage, error) {
	if refreshToken == "" {
		return nil, session.ErrInvalidGrant
	}
	answer, err := c.authenticate(organizationID, func(api *usermanagement.Client) error {
		_, err := api.AuthenticateWithRefreshToken(ctx, usermanagement.AuthenticateWithRefreshTokenOpts{
			ClientID:       c.ClientID,
			RefreshToken:   refreshToken,
			OrganizationID: organizationID,
		})
		return err
	})
	return answer, errors.Unwrap(err)
}

// authenticate makes one call and reads its recorded answer, whatever workos-go
// made of it. workos-go's error counts only when there is no answer. An error is
// an *Error.
func (c *Client) authenticate(organizationID string, call func(*usermanagement.Client) error) (json.RawMessage, error) {
	hc, answer := c.record()
	if err := call(c.api(hc)); answer.status == 0 {
		return nil, &Error{Err: &session.Outage{Err: cause(err)}}
	}
	if answer.status/100 != 2 {
		return nil, c.refusal(answer, organizationID)
	}
	if err := complete(answer.body); err != nil {
		return nil, &Error{Status: answer.status, Err: &session.Outage{Status: answer.status, Err: err}}
	}
	return answer.body, nil
}

// complete reports what an answer lacks that a session can't do without.
func complete(answer []byte) error {
	var a struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		User         struct {
			ID string `json:"id"`
		} `json:"user"`
	}
	switch err := json.Unmarshal(answer, &a); {
	case err != nil:
		return errors.New("answer is not the JSON expected") // err may quote the answer
	case a.AccessToken == "":
		return errors.New("answer without access_token")
	case a.RefreshToken == "":
		return errors.New("answer without refresh_token")
	case a.User.ID == "":
		return errors.New("answer without user.id")
	}
	return nil
}

// cause strips the URL that net/http puts around an error.
func cause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
