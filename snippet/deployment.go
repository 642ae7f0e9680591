package snippet

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/authkit-forward-auth/authkit-forward-auth/config"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// Deployment is what a configuration is for. Make it with New.
type Deployment struct {
	Apps    []App
	Service string // where the service listens, with its port
	Require string // that everybody has to meet, as in a verify URL's query
	// ReturnURL is where a sign-in leads to that was for no page in particular.
	ReturnURL    string
	Namespace    string // of everything, in Kubernetes
	CookieDomain string
	site         *site.Site
	claims       config.ClaimHeaders
}

// App is an application behind the gateway.
type App struct {
	Name     string
	URL      *url.URL
	Upstream string // where it listens, with its port
	Public   []string
	Rules    []Rule
}

// Rule asks for more below a path of an app's.
type Rule struct {
	Name    string
	Path    string
	Require string
	About   string // a sentence
}

// Options are what an operator says of a deployment.
type Options struct {
	Apps      []string // URLs, at least one
	Upstreams []string // of each app, with its port
	Auth      string   // URL below which the sign-in flow is; empty: /_auth/ of the first app
	Service   string   // with its port
	Domain    string   // of the session cookie; empty: as narrow as the apps and the flow allow
	Require   []string // role=admin for all, /admin?role=admin below a path of the first app
	Public    []string // paths of the first app
	Namespace string   // in Kubernetes; empty: default
	Claims    []string // claims of a JWT template as headers, each as IDENTITY_CLAIMS has it
}

// New makes a Deployment. The error says which option to change.
func New(o Options) (*Deployment, error) {
	d := &Deployment{Service: o.Service, Namespace: cmp.Or(o.Namespace, "default")}
	if !label.MatchString(d.Namespace) {
		return nil, fmt.Errorf("namespace: %q is no name of Kubernetes's", d.Namespace)
	}
	if err := validAddress("service", o.Service); err != nil {
		return nil, err
	}
	if len(o.Apps) == 0 {
		return nil, errors.New("app: which one? Such as https://app.example.com")
	}
	if len(o.Upstreams) != len(o.Apps) {
		return nil, fmt.Errorf("upstream: %d for %d apps: say where each app listens, such as app:8080", len(o.Upstreams), len(o.Apps))
	}
	for i, raw := range o.Apps {
		if err := d.addApp(raw, o.Upstreams[i]); err != nil {
			return nil, err
		}
	}
	if err := d.placeFlow(o.Auth, o.Domain); err != nil {
		return nil, err
	}
	if err := d.sendClaims(o.Claims); err != nil {
		return nil, err
	}
	return d, d.restrict(o.Require, o.Public)
}

func (d *Deployment) addApp(raw, upstream string) error {
	u, err := baseURL("app", raw)
	if err != nil {
		return err
	}
	if u.Path != "" {
		return fmt.Errorf("app: %s has a path: a whole host is protected; what is public of it goes into --public", raw)
	}
	if err := validAddress("upstream", upstream); err != nil {
		return err
	}
	if len(d.Apps) > 0 && u.Scheme != d.Apps[0].URL.Scheme {
		return errors.New("app: some are http and some are https")
	}
	app := App{Name: appName(u.Hostname()), URL: u, Upstream: upstream}
	for _, other := range d.Apps {
		if other.URL.Hostname() == u.Hostname() {
			return fmt.Errorf("app: %s is there twice", u.Hostname())
		}
		if other.Name == app.Name {
			app.Name = strings.ReplaceAll(u.Hostname(), ".", "-")
		}
	}
	if app.Name == "authkit" || app.Name == "auth" {
		app.Name += "-app"
	}
	d.Apps = append(d.Apps, app)
	return nil
}

var label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

var notInNames = regexp.MustCompile(`[^a-z0-9-]+`)

// appName is what an app is called in a configuration: by the first label of its host.
func appName(host string) string {
	if site.IsLocal(host) {
		return "app"
	}
	label, _, _ := strings.Cut(strings.ToLower(host), ".")
	return cmp.Or(strings.Trim(notInNames.ReplaceAllString(label, "-"), "-"), "app")
}

// baseURL reads a URL of which there are a scheme, a host and maybe a path.
func baseURL(option, raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%s: %q is no URL such as https://app.example.com", option, raw)
	}
	if _, err := site.ParseHost(u.Host, u.Scheme); err != nil {
		return nil, fmt.Errorf("%s: %q: %w", option, raw, err)
	}
	if u.Scheme == "http" && !site.IsLocal(u.Hostname()) {
		return nil, fmt.Errorf("%s: %s: http is for localhost; browsers take the session cookie over https only", option, raw)
	}
	if u.Scheme == "https" && u.Port() != "" {
		return nil, fmt.Errorf("%s: %s: these configurations listen at 443: leave the port out, and change it where the gateway listens elsewhere", option, raw)
	}
	u.Host = strings.ToLower(u.Host)
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

var address = regexp.MustCompile(`^[A-Za-z0-9._-]+:[0-9]{1,5}$`)

func validAddress(option, raw string) error {
	if !address.MatchString(raw) {
		return fmt.Errorf("%s: %q is no host with its port, such as app:8080", option, raw)
	}
	return nil
}

// placeFlow says where the sign-in flow is.
func (d *Deployment) placeFlow(auth, domain string) error {
	first := d.Apps[0].URL
	if auth == "" && len(d.Apps) > 1 {
		return errors.New("auth: several apps need a host of its own for the sign-in, such as https://auth.example.com")
	}
	flow, err := baseURL("auth", cmp.Or(auth, first.String()+"/_auth"))
	if err != nil {
		return err
	}
	own := flow.Hostname() != first.Hostname()
	switch {
	case flow.Path != "" && !plainPath.MatchString(flow.Path):
		return fmt.Errorf("auth: %q is no plain path such as /_auth", flow.Path)
	case flow.Scheme != first.Scheme:
		return fmt.Errorf("auth: %s and %s have different schemes", flow, first)
	case own && flow.Scheme == "http":
		return fmt.Errorf("auth: on a developer's machine the sign-in is below the app: leave -auth out, or write %s/_auth", first)
	case !own && flow.Path == "":
		return fmt.Errorf("auth: the app has this host, so the sign-in needs a path of its own: %s/_auth", first)
	case !own && len(d.Apps) > 1:
		return errors.New("auth: several apps need a host of its own for the sign-in, such as https://auth.example.com")
	case slices.ContainsFunc(d.Apps[1:], func(a App) bool { return a.URL.Hostname() == flow.Hostname() }):
		return fmt.Errorf("auth: an app has the host %s, too", flow.Hostname())
	}
	if own {
		d.ReturnURL = first.String() + "/"
		if domain == "" {
			if domain, err = d.commonDomain(flow.Hostname()); err != nil {
				return err
			}
		}
	}
	d.CookieDomain = domain
	flow.Path += "/callback"
	if d.site, err = site.New(flow, domain); err != nil {
		return fmt.Errorf("auth, domain: %w", err)
	}
	for _, app := range d.Apps {
		if !d.site.Reaches(app.URL.Hostname()) {
			return fmt.Errorf("domain: a session cookie of %s doesn't reach %s; for unrelated domains see docs/domains.md", cmp.Or(domain, flow.Hostname()), app.URL.Hostname())
		}
	}
	return nil
}

// commonDomain is the narrowest domain that has all hosts.
func (d *Deployment) commonDomain(flow string) (string, error) {
	registrable, err := publicsuffix.EffectiveTLDPlusOne(flow)
	if err != nil {
		return "", fmt.Errorf("domain: no cookie can be for %s and %s: give the sign-in a path of the app's host, --auth %s/_auth", flow, d.Apps[0].URL.Hostname(), d.Apps[0].URL)
	}
	domain := flow
	for !d.allBelow(domain) {
		if domain == registrable {
			return "", fmt.Errorf("domain: no cookie can be for %s and all apps; for unrelated domains see docs/domains.md", flow)
		}
		_, domain, _ = strings.Cut(domain, ".")
	}
	return domain, nil
}

func (d *Deployment) allBelow(domain string) bool {
	return !slices.ContainsFunc(d.Apps, func(a App) bool { return !site.Covers(domain, a.URL.Hostname()) })
}

// plainPath is a path that every gateway and app reads alike, and that means only itself in each configuration's syntax.
var plainPath = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$`)

// RedirectURI is where AuthKit sends the browser back to.
func (d *Deployment) RedirectURI() string { return d.site.RedirectURI() }

// WebhooksURL is where the service takes WorkOS's events.
func (d *Deployment) WebhooksURL() string { return d.site.Endpoint(site.Webhooks) }

// Environment is the service's variables, beside the credentials.
func (d *Deployment) Environment() []string {
	lines := []string{"WORKOS_REDIRECT_URI=" + d.site.RedirectURI()}
	if d.CookieDomain != "" {
		lines = append(lines, "WORKOS_COOKIE_DOMAIN="+d.CookieDomain)
	}
	if d.ReturnURL != "" {
		lines = append(lines, "DEFAULT_RETURN_URL="+d.ReturnURL)
	}
	if len(d.claims) > 0 {
		lines = append(lines, "IDENTITY_CLAIMS="+d.claims.String())
	}
	return lines
}
