package authkit

import (
	"context"
	"errors"
	"net/http"

	"github.com/workos/workos-go/v4/pkg/usermanagement"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// RevokeSession ends a session at AuthKit. One that AuthKit doesn't know, as it has ended, is
// no error. An error is a *session.Outage.
func (c *Client) RevokeSession(ctx context.Context, sessionID string) error {
	_, err := c.ask(func(hc *http.Client) error {
		return c.api(hc).RevokeSession(ctx, usermanagement.RevokeSessionOpts{SessionID: sessionID})
	})
	if outage, ok := errors.AsType[*session.Outage](err); ok && outage.Status == http.StatusNotFound {
		return nil
	}
	return err
}
