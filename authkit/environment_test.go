package authkit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

func TestSameEnvironment(t *testing.T) {
	t.Parallel()
	c := emulated(t)
	if same, err := c.SameEnvironment(t.Context()); !same || err != nil {
		t.Errorf("got %t, %v, want true", same, err)
	}
	other := *c
	other.ClientID = "client_02"
	if same, err := other.SameEnvironment(t.Context()); same || err != nil {
		t.Errorf("another client: got %t, %v, want false", same, err)
	}
	other = *c
	other.APIKey = "sk_test_2"
	if same, err := other.SameEnvironment(t.Context()); same || err != nil {
		t.Errorf("another key: got %t, %v, want false", same, err)
	}
	down := newClient(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	if same, err := down.SameEnvironment(t.Context()); same || !isOutage(err, http.StatusBadGateway) {
		t.Errorf("an outage: got %t, %v, want it", same, err)
	}
}

func isOutage(err error, status int) bool {
	outage, ok := errors.AsType[*session.Outage](err)
	return ok && outage.Status == status
}

func TestRedirectURIs(t *testing.T) {
	t.Parallel()
	c := emulated(t)
	const added = "https://app.example.com/_auth/callback"
	for range 2 { // the second one is there already
		if err := c.AddRedirectURI(t.Context(), added); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 150 { // more than a page
		if err := c.AddRedirectURI(t.Context(), fmt.Sprintf("https://app.example.com/%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.RedirectURIs(t.Context())
	if err != nil || len(got) != 152 || !slices.Contains(got, added) || got[151] != "https://app.example.com/149" {
		t.Errorf("got %d, %v, want 152", len(got), err)
	}
	if err := c.AddRedirectURI(t.Context(), "nothing"); !isOutage(err, http.StatusBadRequest) {
		t.Errorf("a bad one: got %v, want status 400", err)
	}
}

func TestResources(t *testing.T) {
	t.Parallel()
	var known []string
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/user_management/authkit_oauth_resources" {
			t.Errorf("got a call for %s", r.URL.Path)
		}
		if r.Method == http.MethodGet {
			items, _ := json.Marshal(known)
			fmt.Fprintf(w, `{"data":%s}`, strings.NewReplacer(`["`, `[{"uri":"`, `","`, `"},{"uri":"`, `"]`, `"}]`).Replace(string(items)))
			return
		}
		body, _ := io.ReadAll(r.Body)
		uri := strings.TrimSuffix(strings.TrimPrefix(string(body), `{"uri":"`), `"}`)
		if slices.Contains(known, uri) || uri == "refused" {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		known = append(known, uri)
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"object":"authkit_oauth_resource"}`)
	})
	for _, uri := range []string{"https://a.example.com/mcp", "https://b.example.com/mcp", "https://a.example.com/mcp"} {
		if err := c.AddResource(t.Context(), uri); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.Resources(t.Context())
	if want := []string{"https://a.example.com/mcp", "https://b.example.com/mcp"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if err := c.AddResource(t.Context(), "refused"); !isOutage(err, http.StatusUnprocessableEntity) {
		t.Errorf("a refused one: got %v, want status 422", err)
	}
}

func TestWebhookEndpoints(t *testing.T) {
	t.Parallel()
	c := emulated(t)
	made, err := c.AddWebhookEndpoint(t.Context(), "https://app.example.com/_auth/webhooks", []string{"user.deleted"})
	if err != nil || made.ID == "" || made.Secret == "" || made.Disabled() {
		t.Fatalf("got %+v, %v, want an endpoint with its secret", made, err)
	}
	if _, err := c.AddWebhookEndpoint(t.Context(), made.URL, []string{"user.deleted"}); !isOutage(err, http.StatusConflict) {
		t.Errorf("the same again: got %v, want status 409", err)
	}
	if _, err := c.SetWebhookEvents(t.Context(), made.ID, []string{"user.deleted", "session.revoked"}); err != nil {
		t.Error(err)
	}
	list, err := c.WebhookEndpoints(t.Context())
	if err != nil || len(list) != 1 || list[0].URL != made.URL || list[0].Secret != made.Secret || !slices.Equal(list[0].Events, []string{"user.deleted", "session.revoked"}) {
		t.Errorf("got %+v, %v, want the endpoint with both events", list, err)
	}
	if text := fmt.Sprintf("%v %+v", made, made); strings.Contains(text, string(made.Secret)) {
		t.Errorf("got the secret in %s", text)
	}
}

func TestRegistrationsUnclear(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "<html>", "{}", `{"data":null}`, `{"data":[1]}`, `{"data":{}}`} {
		c := newClient(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		if got, err := c.RedirectURIs(t.Context()); !isOutage(err, http.StatusOK) {
			t.Errorf("%q: got %v, %v, want an outage", body, got, err)
		}
		if got, err := c.AddWebhookEndpoint(t.Context(), "https://app.example.com/", nil); !isOutage(err, http.StatusOK) {
			t.Errorf("%q: got %v, %v, want an outage", body, got, err)
		}
	}
	endless := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":[],"list_metadata":{"after":"x"}}`)
	})
	if _, err := endless.RedirectURIs(t.Context()); err == nil {
		t.Error("pages without end: got no error")
	}
}
