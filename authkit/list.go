package authkit

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

const (
	listPage     = 100
	maxListPages = 50
)

// list hands each item of a list to add, page by page. Where there are more than it looks at, it is an error. An error is a *session.Outage.
func (c *Client) list(ctx context.Context, path string, add func(item json.RawMessage) error) error {
	after := ""
	for range maxListPages {
		query := url.Values{"limit": {strconv.Itoa(listPage)}}
		if after != "" {
			query.Set("after", after)
		}
		answer, err := c.call(ctx, http.MethodGet, path+"?"+query.Encode(), nil)
		if err != nil {
			return err
		}
		var page struct {
			Data     *[]json.RawMessage `json:"data"`
			Metadata struct {
				After string `json:"after"`
			} `json:"list_metadata"`
		}
		if json.Unmarshal(answer.body, &page) != nil || page.Data == nil {
			return answer.unreadable()
		}
		for _, item := range *page.Data {
			if add(item) != nil {
				return answer.unreadable()
			}
		}
		if page.Metadata.After == "" {
			return nil
		}
		after = page.Metadata.After
	}
	return &session.Outage{Refused: true, Err: errors.New("more than 5,000 are listed")}
}
