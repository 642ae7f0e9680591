package authkit

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"

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

const (
	sessionsPage     = 100
	maxSessionsPages = 10
)

// ActiveSessions lists the ids of a user's sessions that are active, at most 1,000. An error is a *session.Outage.
func (c *Client) ActiveSessions(ctx context.Context, userID string) ([]string, error) {
	var all []string
	after := ""
	for range maxSessionsPages {
		query := url.Values{"limit": {strconv.Itoa(sessionsPage)}}
		if after != "" {
			query.Set("after", after)
		}
		answer, err := c.call(ctx, http.MethodGet, "/user_management/users/"+url.PathEscape(userID)+"/sessions?"+query.Encode(), nil)
		if err != nil {
			return nil, err
		}
		page, next, err := readSessions(answer, userID)
		if err != nil {
			return nil, err
		}
		if all = append(all, page...); next == "" {
			break
		}
		after = next
	}
	return all, nil
}

// readSessions doesn't rely on what was asked for: only the user's own and active ones count.
func readSessions(answer *recorder, userID string) (ids []string, after string, err error) {
	var a struct {
		Data *[]struct {
			ID     string `json:"id"`
			UserID string `json:"user_id"`
			Status string `json:"status"`
		} `json:"data"`
		Metadata struct {
			After string `json:"after"`
		} `json:"list_metadata"`
	}
	if json.Unmarshal(answer.body, &a) != nil || a.Data == nil {
		return nil, "", answer.unreadable()
	}
	for _, s := range *a.Data {
		if s.UserID == userID && s.ID != "" && s.Status == "active" && len(ids) < sessionsPage {
			ids = append(ids, s.ID)
		}
	}
	return ids, a.Metadata.After, nil
}
