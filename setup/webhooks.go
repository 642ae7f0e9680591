package setup

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// registerWebhooks registers an endpoint for the events, and for as many of the later ones as WorkOS knows. It returns those that it
// doesn't.
func registerWebhooks(ctx context.Context, c *authkit.Client, endpoint string, known, later []string) (made authkit.WebhookEndpoint, unknown []string, err error) {
	made, err = c.AddWebhookEndpoint(ctx, endpoint, slices.Concat(known, later))
	if !isUnknownEvent(err) {
		return made, nil, err
	}
	if made, err = c.AddWebhookEndpoint(ctx, endpoint, known); err != nil {
		return made, nil, err
	}
	made.Events = known
	unknown, err = addEvents(ctx, c, made, later)
	return made, unknown, err
}

// addEvents has an endpoint get more events, as many as WorkOS knows: it refuses all of a list with one that it doesn't know.
func addEvents(ctx context.Context, c *authkit.Client, e authkit.WebhookEndpoint, events []string) (unknown []string, err error) {
	if _, err = c.SetWebhookEvents(ctx, e.ID, slices.Concat(e.Events, events)); !isUnknownEvent(err) {
		return nil, err
	}
	has := e.Events
	for _, event := range events {
		with := slices.Concat(has, []string{event})
		switch _, err := c.SetWebhookEvents(ctx, e.ID, with); {
		case isUnknownEvent(err):
			unknown = append(unknown, event)
		case err != nil:
			return unknown, err
		default:
			has = with
		}
	}
	return unknown, nil
}

func isUnknownEvent(err error) bool {
	outage, ok := errors.AsType[*session.Outage](err)
	return ok && outage.Status == http.StatusUnprocessableEntity && outage.Code == "invalid_request_parameters"
}

// noteUnknown says in a step that was done what WorkOS didn't take.
func (p *Plan) noteUnknown(step string, events []string) {
	if len(events) == 0 {
		return
	}
	i := slices.IndexFunc(p.Steps, func(s Step) bool { return s.Name == step })
	p.Steps[i].About += "; this environment has no " + strings.Join(events, ", ")
}
