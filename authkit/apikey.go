package authkit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// APIKey is a customer's API key that WorkOS holds for valid.
type APIKey struct {
	ID             string // never empty
	Name           string
	OrganizationID string // never empty
	UserID         string // the owner, empty where that is the organization
	Permissions    []string
	AgentID        string // of the agent's registration that it was issued for, empty for everybody else's
}

// ValidateAPIKey asks WorkOS whether value is a customer's API key. false is a
// clear no. An answer that is neither is a *session.Outage.
func (c *Client) ValidateAPIKey(ctx context.Context, value string) (APIKey, bool, error) {
	body, _ := json.Marshal(map[string]string{"value": value}) // strings always encode
	answer, err := c.call(ctx, http.MethodPost, "/api_keys/validations", body)
	if err != nil {
		return APIKey{}, false, err
	}
	return readValidation(answer)
}

// call makes one call that workos-go v4 doesn't have, as ask does. body may be nil.
func (c *Client) call(ctx context.Context, method, path string, body []byte) (*recorder, error) {
	return c.ask(func(hc *http.Client) error {
		req, err := http.NewRequestWithContext(ctx, method, c.endpoint()+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+string(c.APIKey))
		if body != nil {
			req.Header.Set("Content-Type", "application/json")
		}
		resp, err := hc.Do(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	})
}

// ask makes one call and returns its recorded 2xx. call's error counts only when
// there is no answer. An error is a *session.Outage.
func (c *Client) ask(call func(*http.Client) error) (*recorder, error) {
	hc, answer := c.record()
	if err := call(hc); answer.status == 0 {
		return nil, &session.Outage{Err: cause(err)}
	}
	if answer.status/100 == 2 {
		return answer, nil
	}
	e := c.refusal(answer, "")
	passing := e.Status == http.StatusRequestTimeout || e.Status == http.StatusTooManyRequests || e.Status >= 500
	return nil, &session.Outage{Status: e.Status, Code: e.Code, RetryAfter: e.RetryAfter, Refused: !passing}
}

// readValidation reports whether the key is valid. An answer that can't be understood
// is an error.
func readValidation(answer *recorder) (APIKey, bool, error) {
	var a struct {
		APIKey  json.RawMessage `json:"api_key"`
		AgentID *string         `json:"agent_registration_id"`
	}
	if json.Unmarshal(answer.body, &a) != nil || a.APIKey == nil {
		return APIKey{}, false, answer.unreadable()
	}
	if string(a.APIKey) == "null" {
		return APIKey{}, false, nil
	}
	var k struct {
		ID    string `json:"id"`
		Name  string `json:"name"`
		Owner struct {
			Type           string `json:"type"`
			ID             string `json:"id"`
			OrganizationID string `json:"organization_id"`
		} `json:"owner"`
		Permissions []string `json:"permissions"`
		AgentID     *string  `json:"agent_registration_id"` // in case it comes to stand here
	}
	if json.Unmarshal(a.APIKey, &k) != nil {
		return APIKey{}, false, answer.unreadable()
	}
	key := APIKey{ID: k.ID, Name: k.Name, Permissions: k.Permissions}
	switch k.Owner.Type {
	case "organization":
		key.OrganizationID = k.Owner.ID
	case "user":
		key.UserID, key.OrganizationID = k.Owner.ID, k.Owner.OrganizationID
		if key.UserID == "" {
			return APIKey{}, false, answer.unclear("API key without its user's id")
		}
	default:
		return APIKey{}, false, answer.unclear("API key with an owner of an unknown type")
	}
	for _, agent := range []*string{a.AgentID, k.AgentID} {
		if agent != nil && *agent == "" {
			return APIKey{}, false, answer.unclear("API key of an agent without its id")
		}
		if agent != nil {
			key.AgentID = *agent
		}
	}
	switch {
	case key.ID == "":
		return APIKey{}, false, answer.unclear("API key without an id")
	case key.OrganizationID == "":
		return APIKey{}, false, answer.unclear("API key without an organization")
	}
	return key, true, nil
}

// unreadable says that an answer isn't AuthKit's, which may pass.
func (r *recorder) unreadable() error {
	return &session.Outage{Status: r.status, Err: errors.New("answer is not the JSON expected")}
}

// unclear says that this version doesn't understand an answer: asking again
// doesn't mend that.
func (r *recorder) unclear(text string) error {
	return &session.Outage{Status: r.status, Refused: true, Err: errors.New(text)}
}
