package snippet

import (
	"cmp"
	"net"
	"regexp"
	"strings"
	"text/template"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
	"github.com/authkit-forward-auth/authkit-forward-auth/verify"
)

// view is what templates see. What follows are their questions.
type view struct {
	*Deployment
	gateway gateway
}

// GRPC reports whether the gateway asks over gRPC.
func (v view) GRPC() bool { return v.gateway.grpc }

// GatewayNamespace is where the gateway's pods are, in Kubernetes.
func (v view) GatewayNamespace() string { return cmp.Or(v.gateway.namespace, v.Namespace) }

// variable is one of the service's.
type variable struct{ Name, Value string }

// KubernetesEnvironment are the service's variables, beside its secrets.
func (v view) KubernetesEnvironment() []variable {
	var all []variable
	for _, line := range append(v.Environment(), "GATEWAY="+v.gateway.value, "ADMIN_ADDR=:9090", "SHUTDOWN_DELAY=10s") {
		name, value, _ := strings.Cut(line, "=")
		all = append(all, variable{name, value})
	}
	return all
}

// LoginURL is where the sign-in begins.
func (d *Deployment) LoginURL() string { return d.site.Endpoint(site.Login) }

// Local reports whether it is for a developer's machine, without TLS.
func (d *Deployment) Local() bool { return d.site.Scheme() == "http" }

// OwnHost reports whether the flow has a host of its own.
func (d *Deployment) OwnHost() bool { return d.FlowName() != d.Apps[0].HostName() }

// Several reports whether there are several apps.
func (d *Deployment) Several() bool { return len(d.Apps) > 1 }

// FlowName is the flow's host without a port.
func (d *Deployment) FlowName() string { return d.site.FlowHost().Name }

// Origin is where the flow is, without its path.
func (d *Deployment) Origin() string { return d.site.Scheme() + "://" + d.site.FlowHost().String() }

// FlowPaths are those that belong to the service; the last one is the webhooks'.
func (d *Deployment) FlowPaths() []string {
	prefix := d.site.Prefix()
	return []string{prefix + site.Login, prefix + site.SignUp, d.site.Callback(), prefix + site.Switch, prefix + site.Logout, prefix + site.JWKS, d.WebhooksPath()}
}

// WebhooksPath is where WorkOS's events come.
func (d *Deployment) WebhooksPath() string { return d.site.Prefix() + site.Webhooks }

// FlowRegex matches FlowPaths. A dot, which is all that plain paths have of special characters, is a class by itself: quoted strings
// of YAML know no backslash before it.
func (d *Deployment) FlowRegex() string {
	var names []string
	for _, path := range d.FlowPaths() {
		names = append(names, strings.TrimPrefix(path, d.site.Prefix()))
	}
	return strings.ReplaceAll(d.site.Prefix()+"("+strings.Join(names, "|")+")", ".", "[.]")
}

// Verify is the path of a verify endpoint.
func (d *Deployment) Verify(profile string) string { return "/verify/" + profile }

// Identity are the headers that the service sends unless IDENTITY_HEADERS says otherwise, and those of claims.
func (d *Deployment) Identity() []string {
	return append(verify.DefaultHeaders().Names(), d.Claims()...)
}

// Claims are the headers of claims of a JWT template.
func (d *Deployment) Claims() []string {
	var names []string
	for _, c := range d.claims {
		names = append(names, c.Header)
	}
	return names
}

// Remote are those of IDENTITY_HEADERS=remote that aren't among Identity.
func (d *Deployment) Remote() []string {
	var names []string
	for _, name := range verify.RemoteHeaders().Names() {
		if strings.HasPrefix(name, "Remote-") {
			names = append(names, name)
		}
	}
	return names
}

// AllHeaders are Identity and Remote.
func (d *Deployment) AllHeaders() []string { return append(d.Identity(), d.Remote()...) }

// ServiceName is the host of Service.
func (d *Deployment) ServiceName() string { return hostOf(d.Service) }

// ServicePort is the port of Service.
func (d *Deployment) ServicePort() string { return portOf(d.Service) }

// Rules are those of all apps.
func (d *Deployment) Rules() []Rule {
	var all []Rule
	for _, app := range d.Apps {
		all = append(all, app.Rules...)
	}
	return all
}

// AppList names the apps in a sentence.
func (d *Deployment) AppList() string {
	if len(d.Apps) == 1 {
		return "the app at " + d.Apps[0].Origin()
	}
	var origins []string
	for _, app := range d.Apps {
		origins = append(origins, app.Origin())
	}
	last := len(origins) - 1
	return "the apps at " + strings.Join(origins[:last], ", ") + " and " + origins[last]
}

// Names are all hosts.
func (d *Deployment) Names() string {
	var names []string
	if d.OwnHost() {
		names = append(names, d.FlowName())
	}
	for _, app := range d.Apps {
		names = append(names, app.HostName())
	}
	return strings.Join(names, " ")
}

// CertificateName is what the certificate's file of a host is called.
func (d *Deployment) CertificateName(host string) string {
	if d.OwnHost() && d.CookieDomain != "" {
		return d.CookieDomain
	}
	return host
}

// EveryRequirement is what all rules ask for, of each kind all together.
func (a App) EveryRequirement() string {
	var all []string
	for _, rule := range a.Rules {
		all = append(all, rule.Require)
	}
	return strings.Join(all, "&")
}

// Plain reports whether all of the app is for everybody who is signed in, and the flow is elsewhere.
func (d *Deployment) Plain(app App) bool {
	return d.OwnHost() && len(app.Rules) == 0 && len(app.Public) == 0
}

// CaddyRequirements is the argument of Caddy's snippet.
func (d *Deployment) CaddyRequirements() string {
	if d.Require == "" {
		return `""`
	}
	return d.Require
}

// HAProxyOpen is the condition of requests about which nobody is asked.
func (d *Deployment) HAProxyOpen() string {
	condition := "authkit"
	if !d.Local() {
		condition += " authkit_host"
	}
	if len(d.Apps[0].Public) > 0 {
		condition += " || " + d.HAProxyApp() + "public"
	}
	return condition
}

// HAProxyApp is the condition of requests for the first app, if there are others.
func (d *Deployment) HAProxyApp() string {
	if d.Local() || !d.OwnHost() && !d.Several() {
		return ""
	}
	return "host_" + d.Apps[0].Name + " "
}

// Origin is the app's address.
func (a App) Origin() string { return a.URL.Scheme + "://" + a.URL.Host }

// HostName is the app's host without a port.
func (a App) HostName() string { return a.URL.Hostname() }

// Port is the port of the app's address.
func (a App) Port() string {
	if port := a.URL.Port(); port != "" {
		return port
	}
	return map[string]string{"http": "80", "https": "443"}[a.URL.Scheme]
}

// UpstreamName is the host of Upstream.
func (a App) UpstreamName() string { return hostOf(a.Upstream) }

// UpstreamPort is the port of Upstream.
func (a App) UpstreamPort() string { return portOf(a.Upstream) }

func hostOf(address string) string { host, _, _ := net.SplitHostPort(address); return host }
func portOf(address string) string { _, port, _ := net.SplitHostPort(address); return port }

// Word is what stands in every spelling of the rule's path that HAProxy can tell.
func (r Rule) Word() string {
	word, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/")
	return word
}

var functions = template.FuncMap{
	"lower":     strings.ToLower,
	"join":      strings.Join,
	"upper":     strings.ToUpper,
	"snake":     func(name string) string { return strings.ToLower(strings.ReplaceAll(name, "-", "_")) },
	"quoteMeta": regexp.QuoteMeta,
	"sentence":  func(text string) string { return strings.ToUpper(text[:1]) + text[1:] },
	"comment": func(sign string, lines []string) string {
		return sign + "   " + strings.Join(lines, "\n"+sign+"   ")
	},
	"traefikPaths": func(paths []string) string { return "Path(`" + strings.Join(paths, "`) || Path(`") + "`)" },
	"variable":     nginxVariable,
	"pad":          func(text string, width int) string { return text + strings.Repeat(" ", max(0, width-len(text))) },
	"widest":       widest,
	"variables": func(names []string) []string {
		var all []string
		for _, name := range names {
			all = append(all, nginxVariable(name))
		}
		return all
	},
	"first": func(n int, paths []string) []string { return paths[:n] },
}

// nginxVariable is the name of the variable that has an identity header.
func nginxVariable(header string) string {
	name := strings.TrimPrefix(strings.ToLower(header), "x-auth-request-")
	return "$authkit_" + strings.ReplaceAll(name, "-", "_")
}

func widest(texts []string) int {
	width := 0
	for _, text := range texts {
		width = max(width, len(text))
	}
	return width
}
