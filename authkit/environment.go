package authkit

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// WebhookEndpoint is where WorkOS sends events to.
type WebhookEndpoint struct {
	ID     string   `json:"id"`
	URL    string   `json:"endpoint_url"`
	Secret Secret   `json:"secret"` // signs the events; empty where WorkOS doesn't say it again
	Status string   `json:"status"` // enabled or disabled
	Events []string `json:"events"`
}

// Disabled reports whether WorkOS sends it nothing.
func (e WebhookEndpoint) Disabled() bool { return e.Status == "disabled" }

// SameEnvironment reports whether the API key and the client ID are of one environment, by exchanging a code
// that is none. An error is a *session.Outage.
func (c *Client) SameEnvironment(ctx context.Context) (bool, error) {
	_, err := c.ExchangeCode(ctx, "no-code", strings.Repeat("v", 43), "", "")
	outage, ok := errors.AsType[*session.Outage](err)
	switch {
	case err == nil:
		return false, &session.Outage{Refused: true, Err: errors.New("a code that is none was exchanged: this is not WorkOS")}
	case !ok: // the code is refused, and the client is not
		return true, nil
	case !outage.Refused:
		return false, outage
	}
	mismatch := outage.Status == http.StatusUnauthorized || outage.Code == "invalid_client" || outage.Code == "unauthorized_client"
	return !mismatch, nil
}

const (
	redirectURIsPath = "/user_management/redirect_uris"
	resourcesPath    = "/user_management/authkit_oauth_resources"
)

// RedirectURIs lists the environment's. An error is a *session.Outage.
func (c *Client) RedirectURIs(ctx context.Context) ([]string, error) {
	return c.uris(ctx, redirectURIsPath)
}

// AddRedirectURI registers one. One that is there already is no error. An error is a *session.Outage.
func (c *Client) AddRedirectURI(ctx context.Context, uri string) error {
	return c.addURI(ctx, redirectURIsPath, uri)
}

// Resources lists the environment's MCP resource indicators: the OAuth resources that AuthKit makes tokens for. Without any it makes
// all of them for the environment's client id. An error is a *session.Outage.
func (c *Client) Resources(ctx context.Context) ([]string, error) { return c.uris(ctx, resourcesPath) }

// AddResource registers one. One that is there already is no error. An error is a *session.Outage.
func (c *Client) AddResource(ctx context.Context, uri string) error {
	return c.addURI(ctx, resourcesPath, uri)
}

func (c *Client) uris(ctx context.Context, path string) ([]string, error) {
	var all []string
	err := c.list(ctx, path, func(item json.RawMessage) error {
		var u struct {
			URI string `json:"uri"`
		}
		err := json.Unmarshal(item, &u)
		all = append(all, u.URI)
		return err
	})
	return all, err
}

func (c *Client) addURI(ctx context.Context, path, uri string) error {
	body, _ := json.Marshal(map[string]string{"uri": uri}) // strings always encode
	_, err := c.call(ctx, http.MethodPost, path, body)
	if outage, ok := errors.AsType[*session.Outage](err); ok && (outage.Status == http.StatusUnprocessableEntity || outage.Status == http.StatusConflict) {
		there, listErr := c.uris(ctx, path)
		if listErr == nil && slices.Contains(there, uri) {
			return nil
		}
	}
	return err
}

// WebhookEndpoints lists the environment's. An error is a *session.Outage.
func (c *Client) WebhookEndpoints(ctx context.Context) ([]WebhookEndpoint, error) {
	var all []WebhookEndpoint
	err := c.list(ctx, "/webhook_endpoints", func(item json.RawMessage) error {
		var e WebhookEndpoint
		err := json.Unmarshal(item, &e)
		all = append(all, e)
		return err
	})
	return all, err
}

// AddWebhookEndpoint registers one for some events. An error is a *session.Outage.
func (c *Client) AddWebhookEndpoint(ctx context.Context, endpoint string, events []string) (WebhookEndpoint, error) {
	return c.webhookEndpoint(ctx, http.MethodPost, "/webhook_endpoints", map[string]any{"endpoint_url": endpoint, "events": events})
}

// SetWebhookEvents has an endpoint get these events. An error is a *session.Outage.
func (c *Client) SetWebhookEvents(ctx context.Context, id string, events []string) (WebhookEndpoint, error) {
	return c.webhookEndpoint(ctx, http.MethodPatch, "/webhook_endpoints/"+url.PathEscape(id), map[string]any{"events": events})
}

func (c *Client) webhookEndpoint(ctx context.Context, method, path string, fields map[string]any) (WebhookEndpoint, error) {
	body, _ := json.Marshal(fields) // strings always encode
	answer, err := c.call(ctx, method, path, body)
	if err != nil {
		return WebhookEndpoint{}, err
	}
	var e WebhookEndpoint
	if json.Unmarshal(answer.body, &e) != nil || e.ID == "" {
		return WebhookEndpoint{}, answer.unreadable()
	}
	return e, nil
}
