package setup

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
	"github.com/authkit-forward-auth/authkit-forward-auth/webhook"
)

const (
	redirectURI = "https://app.example.com/_auth/callback"
	webhooksURL = "https://app.example.com/_auth/webhooks"
)

// account is a WorkOS environment with things of others in it.
func account(t *testing.T) (*emulator.Emulator, Deployment) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	base := &url.URL{Scheme: "http", Host: server.Listener.Addr().String()}
	e, err := emulator.New(emulator.Config{BaseURL: base, ClientID: "client_01", APIKey: "sk_test_1", RedirectURIs: []string{"https://other.example.com/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = e
	server.Start()
	t.Cleanup(func() { e.Close(); server.Close() })
	d := Deployment{
		Client:      &authkit.Client{APIKey: "sk_test_1", ClientID: "client_01", BaseURL: base},
		RedirectURI: redirectURI, Webhooks: webhooksURL,
		Environment: []Variable{{"WORKOS_REDIRECT_URI", redirectURI}, {"GATEWAY", "nginx"}},
		File:        filepath.Join(t.TempDir(), ".env"),
	}
	if _, err := d.Client.AddWebhookEndpoint(t.Context(), "https://other.example.com/hooks", []string{"user.created"}); err != nil {
		t.Fatal(err)
	}
	return e, d
}

// run prepares and applies, and returns what the steps say.
func run(t *testing.T, d Deployment) []string {
	t.Helper()
	plan, err := Prepare(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	if err := plan.Apply(t.Context(), func(s Step) { said = append(said, s.Name+": "+s.About) }); err != nil {
		t.Fatal(err)
	}
	return said
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSetUp(t *testing.T) {
	t.Parallel()
	e, d := account(t)

	said := run(t, d)

	if len(said) != 4 || said[1] != "redirect URI: register "+redirectURI || said[2] != "webhooks: register "+webhooksURL+" for 17 events" {
		t.Errorf("got %q", said)
	}
	if got, want := e.RedirectURIs(), []string{"https://other.example.com/callback", redirectURI}; !slices.Equal(got, want) {
		t.Errorf("redirect URIs: got %q, want %q", got, want)
	}
	endpoints, err := d.Client.WebhookEndpoints(t.Context())
	if err != nil || len(endpoints) != 2 || endpoints[1].URL != webhooksURL || !slices.Equal(endpoints[1].Events, allEvents()) {
		t.Fatalf("endpoints: got %+v, %v", endpoints, err)
	}
	if !slices.Equal(endpoints[0].Events, []string{"user.created"}) {
		t.Errorf("another one's: got %q, want it unchanged", endpoints[0].Events)
	}
	f, err := readFile(d.File)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"WORKOS_API_KEY": "sk_test_1", "WORKOS_CLIENT_ID": "client_01", "WORKOS_REDIRECT_URI": redirectURI, "GATEWAY": "nginx",
		"WORKOS_WEBHOOK_SECRET": string(endpoints[1].Secret),
	} {
		if got := f.value(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if password := f.value(cookiePassword); len(password) != 64 {
		t.Errorf("got a cookie password of %d characters, want 64", len(password))
	}
	if info, err := os.Stat(d.File); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want mode 600", info, err)
	}

	// Once more there is nothing to do.
	before := read(t, d.File)
	plan, err := Prepare(t.Context(), d)
	if err != nil || plan.Overwrites || slices.ContainsFunc(plan.Steps, func(s Step) bool { return !s.Done }) {
		t.Errorf("again: got %+v, %v, want nothing to do", plan, err)
	}
	run(t, d)
	if got := read(t, d.File); got != before {
		t.Errorf("again: got another file\n%s", got)
	}
	if _, err := os.Stat(d.File + ".bak"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("again: got %v, want no .bak", err)
	}
}

func TestPrepareChangesNothing(t *testing.T) {
	t.Parallel()
	e, d := account(t)
	if _, err := Prepare(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	endpoints, err := d.Client.WebhookEndpoints(t.Context())
	if err != nil || len(endpoints) != 1 || len(e.RedirectURIs()) != 1 {
		t.Errorf("got %+v, %q, %v, want what was there", endpoints, e.RedirectURIs(), err)
	}
	if _, err := os.Stat(d.File); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want no file", err)
	}
}

func TestFileThatIsThere(t *testing.T) {
	t.Parallel()
	_, d := account(t)
	const before = "# ours\nexport GATEWAY=\"traefik\"\nREDIS_URL=redis://redis:6379\nWORKOS_COOKIE_PASSWORD='a password of more than thirty-two bytes'\nGATEWAY=caddy"
	if err := os.WriteFile(d.File, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.File+".bak", []byte("an older one"), 0o600); err != nil {
		t.Fatal(err)
	}
	plan, err := Prepare(t.Context(), d)
	if err != nil || !plan.Overwrites {
		t.Fatalf("got %+v, %v, want it to say that it overwrites", plan, err)
	}
	if about := plan.Steps[3].About; !strings.Contains(about, "GATEWAY") || !strings.HasSuffix(about, d.File+".bak2") || strings.Contains(about, "PASSWORD") {
		t.Errorf("got %q, want what changes and where the old file stays", about)
	}

	run(t, d)

	got := read(t, d.File)
	for _, line := range []string{"# ours\n", "REDIS_URL=redis://redis:6379\n", "WORKOS_COOKIE_PASSWORD='a password of more than thirty-two bytes'\n", "GATEWAY=nginx\n"} {
		if !strings.Contains(got, line) {
			t.Errorf("got no %q in\n%s", line, got)
		}
	}
	if strings.Contains(got, "traefik") || strings.Contains(got, "caddy") {
		t.Errorf("got an old value in\n%s", got)
	}
	if kept := read(t, d.File+".bak2"); kept != before {
		t.Errorf(".bak2: got %q, want the file as it was", kept)
	}
	if kept := read(t, d.File+".bak"); kept != "an older one" {
		t.Errorf(".bak: got %q, want it as it was", kept)
	}
	if info, err := os.Stat(d.File); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want mode 600", info, err)
	}
}

func TestFilesThatAreNone(t *testing.T) {
	t.Parallel()
	_, d := account(t)
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Symlink(elsewhere, d.File); err != nil {
		t.Fatal(err)
	}
	if _, err := Prepare(t.Context(), d); err == nil || !strings.Contains(err.Error(), "is no file of variables") {
		t.Errorf("a link: got %v", err)
	}
	d.File = t.TempDir()
	if _, err := Prepare(t.Context(), d); err == nil || !strings.Contains(err.Error(), "is no file of variables") {
		t.Errorf("a directory: got %v", err)
	}
}

// The endpoint at the deployment's own URL is taken as it is, with its events and those that it lacks.
func TestEndpointThatIsThere(t *testing.T) {
	t.Parallel()
	_, d := account(t)
	there, err := d.Client.AddWebhookEndpoint(t.Context(), webhooksURL, []string{"user.created", "user.deleted"})
	if err != nil {
		t.Fatal(err)
	}
	if said := run(t, d); !strings.Contains(said[2], "is registered already; add its missing events: session.revoked, organization.deleted") {
		t.Errorf("got %q", said[2])
	}
	endpoints, err := d.Client.WebhookEndpoints(t.Context())
	if err != nil || len(endpoints) != 2 || len(endpoints[1].Events) != 18 || !slices.Contains(endpoints[1].Events, "user.created") {
		t.Errorf("got %+v, %v, want the old events and the missing ones", endpoints, err)
	}
	if f, err := readFile(d.File); err != nil || f.value(webhookSecret) != string(there.Secret) {
		t.Errorf("got %v, want the endpoint's secret in the file", err)
	}
}

func allEvents() []string {
	known, later := webhook.Events()
	return slices.Concat(known, later)
}

// An environment that doesn't know the later events refuses the whole list. It gets those that it knows, and the step says which it
// doesn't, whether there is an endpoint or not.
func TestEventsThatWorkOSDoesNotKnow(t *testing.T) {
	t.Parallel()
	for _, there := range []bool{false, true} {
		e, d := account(t)
		server := httptest.NewServer(withoutEvents(e, "agent.registration."))
		t.Cleanup(server.Close)
		d.Client.BaseURL, _ = url.Parse(server.URL)
		if there {
			if _, err := d.Client.AddWebhookEndpoint(t.Context(), webhooksURL, []string{"user.created"}); err != nil {
				t.Fatal(err)
			}
		}
		said := run(t, d)
		if want := "; this environment has no agent.registration.revoked, agent.registration.deleted, agent.registration.expired, agent.registration.organization.switched"; !strings.HasSuffix(said[2], want) {
			t.Errorf("there %t: got %q, want it to end with %q", there, said[2], want)
		}
		endpoints, err := d.Client.WebhookEndpoints(t.Context())
		if err != nil || len(endpoints) != 2 {
			t.Fatalf("there %t: got %+v, %v", there, endpoints, err)
		}
		for _, event := range allEvents() {
			if got, want := slices.Contains(endpoints[1].Events, event), !strings.HasPrefix(event, "agent."); got != want {
				t.Errorf("there %t: %s: got %t, want %t", there, event, got, want)
			}
		}
		if f, err := readFile(d.File); err != nil || f.value(webhookSecret) != string(endpoints[1].Secret) {
			t.Errorf("there %t: got %v, want the endpoint's secret in the file", there, err)
		}
	}
}

// withoutEvents is an API that knows no events whose names begin so.
func withoutEvents(api http.Handler, prefix string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.HasPrefix(r.URL.Path, "/webhook_endpoints") && bytes.Contains(body, []byte(`"`+prefix)) {
			w.WriteHeader(http.StatusUnprocessableEntity)
			io.WriteString(w, `{"code":"invalid_request_parameters","errors":[{"code":"unknown_event_type","message":"Unknown"}]}`)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		api.ServeHTTP(w, r)
	})
}

// The policy's resources are registered, and those of others stay.
func TestResources(t *testing.T) {
	t.Parallel()
	_, d := account(t)
	for _, uri := range []string{"https://other.example.com/mcp", "https://app.example.com/mcp"} {
		if err := d.Client.AddResource(t.Context(), uri); err != nil {
			t.Fatal(err)
		}
	}
	d.Resources = []string{"https://app.example.com/mcp", "https://app.example.com/jobs"}
	said := run(t, d)
	for _, want := range []string{"resource: https://app.example.com/mcp is registered already", "resource: register https://app.example.com/jobs"} {
		if !slices.Contains(said, want) {
			t.Errorf("got %q, want %q in it", said, want)
		}
	}
	got, err := d.Client.Resources(t.Context())
	if want := []string{"https://other.example.com/mcp", "https://app.example.com/mcp", "https://app.example.com/jobs"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestLocalhostHasNoWebhooks(t *testing.T) {
	t.Parallel()
	d := Deployment{Client: &authkit.Client{}, Webhooks: "http://localhost:3000/_auth/webhooks"}
	p := &Plan{deployment: d}
	if err := p.addWebhooks(t.Context()); err != nil || len(p.Steps) != 1 || !p.Steps[0].Done || !strings.HasPrefix(p.Steps[0].About, "none: WorkOS can't reach localhost:3000") {
		t.Errorf("got %+v, %v", p.Steps, err)
	}
}

// WorkOS's refusals in words.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault emulator.Fault
		want  string
	}{
		"a wrong key":        {emulator.Fault{Endpoint: "redirect_uris.list", Status: 401}, "WorkOS doesn't know this API key"},
		"no permission":      {emulator.Fault{Endpoint: "redirect_uris.create", Status: 403}, "this API key may not do that"},
		"no permission here": {emulator.Fault{Endpoint: "webhook_endpoints.create", Status: 403}, "register the webhook endpoint " + webhooksURL + ": this API key may not do that"},
		"limits":             {emulator.Fault{Endpoint: "webhook_endpoints.list", Status: 429, RetryAfter: "7"}, "too many calls; try again in 7s"},
		"no such resources":  {emulator.Fault{Endpoint: "resources.list", Status: 404}, "MCP resource indicators: there is no such thing at this API"},
		"an outage":          {emulator.Fault{Endpoint: "redirect_uris.list", Status: 502}, "out of order; try again later"},
		"another API":        {emulator.Fault{Endpoint: "webhook_endpoints.list", Status: 404}, "is WORKOS_API_HOSTNAME WorkOS's?"},
		"HTML":               {emulator.Fault{Endpoint: "redirect_uris.list", Status: 200, Body: "<html>"}, "answer is not the JSON expected"},
		"another client":     {emulator.Fault{Endpoint: "authenticate", Status: 400, Body: `{"error":"invalid_client"}`}, "are of different environments"},
		"a URL":              {emulator.Fault{Endpoint: "webhook_endpoints.create", Status: 422, Body: `{"code":"invalid_url"}`}, "WorkOS doesn't take this URL"},
		"one that hides":     {emulator.Fault{Endpoint: "webhook_endpoints.create", Status: 409}, "there is one already"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, d := account(t)
			d.Resources = []string{"https://app.example.com/mcp"}
			if err := e.AddFault(test.fault); err != nil {
				t.Fatal(err)
			}
			plan, err := Prepare(t.Context(), d)
			if err == nil {
				err = plan.Apply(t.Context(), func(Step) {})
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
			if strings.Contains(err.Error(), "sk_test_1") {
				t.Errorf("got the key in %v", err)
			}
		})
	}
	_, d := account(t)
	d.Client.BaseURL = &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	if _, err := Prepare(t.Context(), d); err == nil || !strings.Contains(err.Error(), "WorkOS doesn't answer") {
		t.Errorf("nobody there: got %v", err)
	}
}
