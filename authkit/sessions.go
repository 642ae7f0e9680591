package authkit

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

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

// ActiveSessions lists the ids of a user's sessions that are active. It doesn't rely on what was asked for: only the user's own and active
// ones count. With an error, a *session.Outage, come those that were listed until then: there may be more.
func (c *Client) ActiveSessions(ctx context.Context, userID string) ([]string, error) {
	var ids []string
	err := c.list(ctx, "/user_management/users/"+url.PathEscape(userID)+"/sessions", func(item json.RawMessage) error {
		var s struct {
			ID     string `json:"id"`
			UserID string `json:"user_id"`
			Status string `json:"status"`
		}
		if err := json.Unmarshal(item, &s); err != nil {
			return err
		}
		if s.UserID == userID && s.ID != "" && s.Status == "active" {
			ids = append(ids, s.ID)
		}
		return nil
	})
	return ids, err
}
