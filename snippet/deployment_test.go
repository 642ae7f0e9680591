package snippet

import (
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// A mistake is an error that names the option to change.
func TestMistakes(t *testing.T) {
	t.Parallel()
	good := func() Options {
		return Options{Apps: []string{"https://app.example.com"}, Upstreams: []string{"app:8080"}, Service: "auth:9000"}
	}
	if _, err := New(good()); err != nil {
		t.Fatal(err)
	}
	two := func(o *Options) {
		o.Apps, o.Upstreams = append(o.Apps, "https://wiki.example.com"), append(o.Upstreams, "wiki:8080")
	}
	for _, tt := range []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"no app", func(o *Options) { o.Apps, o.Upstreams = nil, nil }, "app: which one?"},
		{"no upstream", func(o *Options) { o.Upstreams = nil }, "upstream: 0 for 1 apps"},
		{"an app without a scheme", func(o *Options) { o.Apps[0] = "app.example.com" }, "app: \"app.example.com\" is no URL"},
		{"an app with a path", func(o *Options) { o.Apps[0] += "/wiki" }, "has a path"},
		{"an app with a user", func(o *Options) { o.Apps[0] = "https://me@app.example.com" }, "is no URL"},
		{"a host that breaks out", func(o *Options) { o.Apps[0] = "https://app.example.com`)||Host(`x" }, "is no URL"},
		{"plain http", func(o *Options) { o.Apps[0] = "http://app.example.com" }, "http is for localhost"},
		{"an upstream with a scheme", func(o *Options) { o.Upstreams[0] = "http://app:8080" }, "no host with its port"},
		{"a service without a port", func(o *Options) { o.Service = "auth" }, "service: \"auth\""},
		{"one app twice", func(o *Options) { o.Apps, o.Upstreams = append(o.Apps, o.Apps[0]), append(o.Upstreams, "b:1") }, "is there twice"},
		{"two apps and no host for the flow", two, "auth: several apps"},
		{"two apps and the flow on one", func(o *Options) { two(o); o.Auth = "https://wiki.example.com/_auth" }, "an app has the host"},
		{"the flow at the app's root", func(o *Options) { o.Auth = "https://app.example.com" }, "a path of its own: https://app.example.com/_auth"},
		{"the flow over http", func(o *Options) { o.Auth = "http://localhost" }, "different schemes"},
		{"unrelated domains", func(o *Options) { o.Auth = "https://auth.example.org" }, "docs/domains.md"},
		{"a public suffix", func(o *Options) { o.Apps[0], o.Auth = "https://a.github.io", "https://b.github.io" }, "no cookie can be for"},
		{"a domain that has not the app", func(o *Options) { o.Auth, o.Domain = "https://auth.example.com", "auth.example.com" }, "doesn't reach app.example.com"},
		{"an unknown requirement", func(o *Options) { o.Require = []string{"rolle=admin"} }, "require: \"rolle=admin\""},
		{"a requirement that breaks out", func(o *Options) { o.Require = []string{"role=a;return 200"} }, "write it as role=admin"},
		{"a path that breaks out", func(o *Options) { o.Require = []string{"/a{}?role=a"} }, "no plain path"},
		{"a path of dots", func(o *Options) { o.Require = []string{"/a/../b?role=a"} }, "no plain path"},
		{"a path of nothing", func(o *Options) { o.Require = []string{"/?role=a"} }, "no plain path"},
		{"the same requirement twice", func(o *Options) { o.Require = []string{"role=a", "/b?role=c"} }, "require: "},
		{"a path of the flow's that breaks out", func(o *Options) { o.Auth = "https://app.example.com/a;b" }, "auth: \"/a;b\" is no plain path"},
		{"a flow of its own on this machine", func(o *Options) { o.Apps[0], o.Auth = "http://app.localhost:3000", "http://auth.localhost:3000" }, "leave -auth out"},
		{"another port", func(o *Options) { o.Apps[0] = "https://app.example.com:8443" }, "leave the port out"},
		{"a domain that breaks out", func(o *Options) { o.Auth, o.Domain = "https://auth.example.com", "example.com\nlisten 1" }, "domain"},
		{"a namespace that breaks out", func(o *Options) { o.Namespace = "a: b" }, "namespace"},
		{"everything public", func(o *Options) { o.Public = []string{"/"} }, "no plain path"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := good()
			tt.change(&o)
			if d, err := New(o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v, want an error with %q", d, err, tt.want)
			}
		})
	}
}

func TestLimitsOfGateways(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		gateway string
		options Options
		want    string
	}{
		{"apache", local, "use one of traefik,"},
		{"traefik-labels", twoApps, "use traefik"},
		{"envoy-http", local, "use envoy (gRPC)"},
		{"haproxy", Options{Apps: local.Apps, Upstreams: local.Upstreams, Service: local.Service, Require: []string{"/a?role=x", "/a/b?role=y"}}, "/a and /a/b begin alike"},
		{"envoy", Options{Apps: local.Apps, Upstreams: local.Upstreams, Service: local.Service, Require: []string{"/a?role=x", "/b?role=y"}}, "of one kind"},
	} {
		t.Run(tt.gateway, func(t *testing.T) {
			t.Parallel()
			if _, err := Render(tt.gateway, mustNew(t, tt.options)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// Each template makes something of each deployment, and YAML is YAML.
func TestEveryGateway(t *testing.T) {
	t.Parallel()
	plain := Options{Apps: named.Apps, Upstreams: named.Upstreams, Service: named.Service}
	demanding := plain
	demanding.Require, demanding.Public = []string{"organization=org_01ABC"}, []string{"/favicon.ico", "/robots.txt"}
	for _, o := range []Options{local, named, twoApps, plain, demanding} {
		d := mustNew(t, o)
		for _, gateway := range Gateways() {
			c, err := Render(gateway, d)
			if err != nil {
				if len(o.Require) == 0 && gateway != "traefik-labels" {
					t.Errorf("%s: %v", gateway, err)
				}
				continue
			}
			for _, f := range c.Files {
				if strings.Contains(f.Text, "<no value>") || strings.Contains(f.Text, "%!") {
					t.Errorf("%s, %s: got\n%s", gateway, f.Name, f.Text)
				}
				if !strings.HasSuffix(f.Name, ".yml") && !strings.HasSuffix(f.Name, ".yaml") {
					continue
				}
				var document map[string]any
				if err := yaml.Unmarshal([]byte(f.Text), &document); err != nil || len(document) == 0 {
					t.Errorf("%s, %s: got %v in\n%s", gateway, f.Name, err, f.Text)
				}
			}
		}
	}
}

func TestCookieDomain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ auth, app, want string }{
		{"", "https://app.example.com", ""},
		{"https://auth.example.com", "https://app.example.com", "example.com"},
		{"https://auth.eu.example.com", "https://app.eu.example.com", "eu.example.com"},
		{"https://example.co.uk/_auth", "https://app.example.co.uk", "example.co.uk"},
		{"https://app.example.com/auth", "https://app.example.com", ""},
	} {
		d := mustNew(t, Options{Apps: []string{tt.app}, Upstreams: []string{"app:1"}, Auth: tt.auth, Service: "auth:9000"})
		if d.CookieDomain != tt.want {
			t.Errorf("%s with %s: got %q, want %q", tt.app, tt.auth, d.CookieDomain, tt.want)
		}
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	c, err := Render("caddy", mustNew(t, twoApps))
	got := c.Notes()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\nWORKOS_REDIRECT_URI=https://auth.example.com/callback\n", "\nWORKOS_COOKIE_DOMAIN=example.com\n", "\nGATEWAY=caddy\n",
		"Sign-in endpoint   https://auth.example.com/login\n", "\nLOGOUT_RETURN_URL=https://auth.example.com/logout\n", "'https://app.example.com/'",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got no %q in\n%s", want, got)
		}
	}
	if !slices.Contains(Gateways(), "traefik-labels") {
		t.Errorf("got %v", Gateways())
	}
}
