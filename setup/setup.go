package setup

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
	"github.com/authkit-forward-auth/authkit-forward-auth/webhook"
)

// Deployment is what is set up. All fields but Resources must be set.
type Deployment struct {
	Client      *authkit.Client
	RedirectURI string
	Resources   []string // URLs of the policy's OAuth resources
	Webhooks    string   // URL of the service's webhook endpoint
	Environment []Variable
	File        string // the service's environment, such as .env
}

// Variable is one of the service's.
type Variable struct{ Name, Value string }

// Step is one thing to do.
type Step struct {
	Name  string
	About string // what is there, or what Apply does
	Done  bool   // there is nothing to do
	do    func(ctx context.Context) error
}

// Plan is what a set-up comes to.
type Plan struct {
	Steps []Step
	// Overwrites says that the file is there and would change.
	Overwrites bool

	deployment Deployment
	variables  []Variable
	present    file
}

// Prepare looks at WorkOS and at the file, and changes nothing. The error says what to change.
func Prepare(ctx context.Context, d Deployment) (*Plan, error) {
	p := &Plan{deployment: d}
	registered, err := d.Client.RedirectURIs(ctx)
	if err != nil {
		return nil, explain("redirect URIs", err)
	}
	same, err := d.Client.SameEnvironment(ctx)
	if err != nil {
		return nil, explain("client ID", err)
	}
	if !same {
		return nil, fmt.Errorf("setup: the API key and the client ID %s are of different environments (or the client ID is misspelt): take both from the same one in the WorkOS dashboard; a key that begins with sk_test_ belongs to a staging environment", d.Client.ClientID)
	}
	p.Steps = append(p.Steps, Step{Name: "credentials", About: "the API key and the client ID are of one environment", Done: true})
	p.addRedirectURI(registered)
	if err := p.addResources(ctx); err != nil {
		return nil, err
	}
	if p.present, err = readFile(d.File); err != nil {
		return nil, fmt.Errorf("setup: %w", err)
	}
	if err := p.addWebhooks(ctx); err != nil {
		return nil, err
	}
	p.addFile()
	return p, nil
}

func (p *Plan) addRedirectURI(registered []string) {
	uri := p.deployment.RedirectURI
	if slices.Contains(registered, uri) {
		p.Steps = append(p.Steps, Step{Name: "redirect URI", About: uri + " is registered already", Done: true})
		return
	}
	p.Steps = append(p.Steps, Step{Name: "redirect URI", About: "register " + uri, do: func(ctx context.Context) error {
		return explain("register the redirect URI "+uri, p.deployment.Client.AddRedirectURI(ctx, uri))
	}})
}

// addResources plans the MCP resource indicators: AuthKit makes tokens for those alone that it knows.
func (p *Plan) addResources(ctx context.Context) error {
	const name = "resource"
	if len(p.deployment.Resources) == 0 {
		return nil
	}
	known, err := p.deployment.Client.Resources(ctx)
	if err != nil {
		return explain("MCP resource indicators", err)
	}
	for _, uri := range p.deployment.Resources {
		if slices.Contains(known, uri) {
			p.Steps = append(p.Steps, Step{Name: name, About: uri + " is registered already", Done: true})
			continue
		}
		p.Steps = append(p.Steps, Step{Name: name, About: "register " + uri, do: func(ctx context.Context) error {
			return explain("register the resource "+uri, p.deployment.Client.AddResource(ctx, uri))
		}})
	}
	return nil
}

// addWebhooks plans the endpoint. The one that is there for this URL is this deployment's own: it gets the events that it lacks, and keeps
// those that it has.
func (p *Plan) addWebhooks(ctx context.Context) error {
	const name = "webhooks"
	d := p.deployment
	if u, err := url.Parse(d.Webhooks); err == nil && site.IsLocal(u.Hostname()) && (d.Client.BaseURL == nil || !site.IsLocal(d.Client.BaseURL.Hostname())) {
		p.Steps = append(p.Steps, Step{Name: name, About: "none: WorkOS can't reach " + u.Host + ", so sessions that are revoked there go on until their access token ends", Done: true})
		return nil
	}
	endpoints, err := d.Client.WebhookEndpoints(ctx)
	if err != nil {
		return explain("webhook endpoints", err)
	}
	known, later := webhook.Events()
	i := slices.IndexFunc(endpoints, func(e authkit.WebhookEndpoint) bool { return e.URL == d.Webhooks })
	if i < 0 {
		p.Steps = append(p.Steps, Step{Name: name, About: fmt.Sprintf("register %s for %d events", d.Webhooks, len(known)+len(later)), do: func(ctx context.Context) error {
			made, unknown, err := registerWebhooks(ctx, d.Client, d.Webhooks, known, later)
			p.secret(made)
			p.noteUnknown(name, unknown)
			return explain("register the webhook endpoint "+d.Webhooks, err)
		}})
		return nil
	}
	there := endpoints[i]
	missing := slices.DeleteFunc(slices.Concat(known, later), func(event string) bool { return slices.Contains(there.Events, event) })
	step := Step{Name: name, About: d.Webhooks + " is registered already", Done: true}
	if there.Disabled() {
		step.About += ", and disabled: enable it in the WorkOS dashboard"
	}
	p.secret(there)
	if there.Secret == "" && p.present.value(webhookSecret) == "" {
		step.About += "; WorkOS doesn't say its signing secret again: copy it from the dashboard to " + webhookSecret
	}
	if len(missing) > 0 {
		step.About, step.Done = step.About+"; add its missing events: "+strings.Join(missing, ", "), false
		step.do = func(ctx context.Context) error {
			unknown, err := addEvents(ctx, d.Client, there, missing)
			p.noteUnknown(name, unknown)
			return explain("add events to the webhook endpoint "+d.Webhooks, err)
		}
	}
	p.Steps = append(p.Steps, step)
	return nil
}

const (
	webhookSecret  = "WORKOS_WEBHOOK_SECRET"
	cookiePassword = "WORKOS_COOKIE_PASSWORD"
)

// secret puts an endpoint's signing secret into the environment.
func (p *Plan) secret(e authkit.WebhookEndpoint) {
	if e.Secret != "" {
		p.variables = append(p.variables, Variable{webhookSecret, string(e.Secret)})
	}
}

// addFile plans the service's environment. A cookie password that is there stays: sessions are sealed with it.
func (p *Plan) addFile() {
	d := p.deployment
	variables := []Variable{{"WORKOS_API_KEY", string(d.Client.APIKey)}, {"WORKOS_CLIENT_ID", d.Client.ClientID}}
	if p.present.value(cookiePassword) == "" {
		variables = append(variables, Variable{cookiePassword, newPassword()})
	}
	p.variables = append(append(variables, d.Environment...), p.variables...)
	step := Step{Name: d.File, do: func(context.Context) error {
		if err := p.present.write(p.variables); err != nil {
			return fmt.Errorf("setup: %w", err)
		}
		return nil
	}}
	switch {
	case !p.present.there:
		step.About = "write it, readable for its owner alone"
	case !p.present.changes(p.variables):
		step.About, step.Done = "says all of it already", true
	default:
		p.Overwrites = true
		step.About = "change " + strings.Join(p.present.changed(p.variables), ", ") + "; the file as it is stays as " + p.present.backup()
	}
	p.Steps = append(p.Steps, step)
}

// Apply does what is to be done. done is called after each step. What is done when an error ends it stays; Prepare finds it there.
func (p *Plan) Apply(ctx context.Context, done func(Step)) error {
	for i := range p.Steps {
		step := &p.Steps[i]
		if step.do != nil {
			if err := step.do(ctx); err != nil {
				return err
			}
		}
		done(*step)
	}
	return nil
}

func newPassword() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// explain says in words why WorkOS didn't do something.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	outage, ok := errors.AsType[*session.Outage](err)
	if !ok {
		return fmt.Errorf("setup: %s: %w", doing, err)
	}
	why := fmt.Sprintf("WorkOS answers with status %d", outage.Status)
	switch {
	case outage.Status == 0:
		return fmt.Errorf("setup: %s: WorkOS doesn't answer: %w: check the network, a proxy, and WORKOS_API_HOSTNAME", doing, outage.Err)
	case outage.Status == http.StatusUnauthorized:
		why = "WorkOS doesn't know this API key: copy it from the dashboard, API Keys (a key is shown once, and a revoked one is none)"
	case outage.Status == http.StatusForbidden:
		why = "this API key may not do that: make one with the permissions for redirect URIs and webhooks, or do it in the dashboard"
	case outage.Status == http.StatusNotFound:
		why = "there is no such thing at this API: is WORKOS_API_HOSTNAME WorkOS's?"
	case outage.Status == http.StatusConflict:
		why = "there is one already, that this API key doesn't list"
	case outage.Code == "invalid_url", outage.Status == http.StatusBadRequest:
		why = "WorkOS doesn't take this URL; a production environment takes https alone"
	case outage.Status == http.StatusUnprocessableEntity:
		why = fmt.Sprintf("WorkOS doesn't take it (%s)", outage.Code)
	case outage.Status == http.StatusTooManyRequests:
		why = "too many calls; try again"
		if outage.RetryAfter > 0 {
			why += fmt.Sprintf(" in %s", outage.RetryAfter)
		}
	case outage.Status >= http.StatusInternalServerError:
		why += ": it is out of order; try again later"
	case outage.Err != nil:
		why += ": " + outage.Err.Error()
	}
	return fmt.Errorf("setup: %s: %s", doing, why)
}
