package snippet

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"text/template"

	"github.com/authkit-forward-auth/authkit-forward-auth/examples"
)

//go:embed templates
var templates embed.FS

// File is one file of a gateway's configuration.
type File struct {
	Name string
	Text string
}

// gateway is what Render knows of one.
type gateway struct {
	name  string
	value string // of GATEWAY
	files []source
	check func(*Deployment) error // what this one can't have; may be nil
	// In Kubernetes:
	namespace string // where the gateway's pods are; empty: with the apps
	grpc      bool   // it asks the service over gRPC
}

// source is where a file's text comes from.
type source struct {
	name     string
	template string // below templates/; empty: it is static
	static   string // below examples/
}

func rendered(name, template string) source { return source{name: name, template: template} }
func static(name, path string) source       { return source{name: name, static: path} }

// gateways are those that Render knows, in the order of its help.
var gateways = []gateway{
	{name: "traefik", value: "traefik", files: []source{static("traefik.yml", "traefik/traefik.yml"), rendered("dynamic.yml", "traefik/dynamic.yml")}},
	{name: "traefik-labels", value: "traefik", files: []source{static("traefik.yml", "traefik/traefik.yml"), rendered("docker-labels.yml", "traefik/docker-labels.yml")}, check: flowBesideApp},
	{name: "traefik-crd", value: "traefik", files: kubernetes("traefik-crd.yaml"), check: public, namespace: "traefik"},
	{name: "nginx", value: "nginx", files: nginxFiles()},
	{name: "caddy", value: "caddy", files: []source{rendered("Caddyfile", "caddy/Caddyfile"), rendered("authkit.caddy", "caddy/authkit.caddy")}},
	{name: "haproxy", value: "haproxy", files: []source{rendered("haproxy.cfg", "haproxy/haproxy.cfg"), rendered("authkit.lua", "haproxy/authkit.lua")}, check: differentWords},
	{name: "envoy", value: "envoy", files: []source{rendered("envoy.yaml", "envoy/envoy.yaml")}, check: oneRequirementEach},
	{name: "envoy-http", value: "envoy", files: []source{rendered("envoy.yaml", "envoy/envoy-http.yaml")}, check: noRequirements},
	{name: "envoy-gateway", value: "envoy-gateway", files: kubernetes("envoy-gateway.yaml"), check: noPaths, namespace: "envoy-gateway-system", grpc: true},
	{name: "gateway-api", value: "envoy", files: kubernetes("gateway-api.yaml"), check: signInAlone, grpc: true},
	{name: "istio", value: "istio", files: kubernetes("istio.yaml", "istio-mesh.yaml"), check: signInAlone, grpc: true},
	{name: "ingress-nginx", value: "ingress-nginx", files: kubernetes("ingress-nginx.yaml"), check: noPaths, namespace: "ingress-nginx"},
}

// kubernetes are manifests, and those of the service.
func kubernetes(names ...string) (files []source) {
	for _, name := range append(names, "service.yaml") {
		files = append(files, rendered(name, "kubernetes/"+name))
	}
	return files
}

func nginxFiles() []source {
	files := []source{rendered("site.conf", "nginx/site.conf"), rendered("app.conf", "nginx/app.conf")}
	for _, name := range []string{"http", "server", "identity"} {
		files = append(files, rendered("authkit/"+name+".conf", "nginx/"+name+".conf"))
	}
	for _, name := range []string{"verify", "protect", "answer", "original-request", "sign-in", "set-cookie", "flow", "proxy", "public", "hide-session-cookie"} {
		files = append(files, static("authkit/"+name+".conf", "nginx/authkit/"+name+".conf"))
	}
	return files
}

// Gateways are the names that Render takes.
func Gateways() []string {
	var names []string
	for _, g := range gateways {
		names = append(names, g.name)
	}
	return names
}

// Render returns the configuration of a gateway. The error says what that gateway can't do, or which there are.
func Render(name string, d *Deployment) (Configuration, error) {
	i := slices.IndexFunc(gateways, func(g gateway) bool { return g.name == name })
	if i < 0 {
		return Configuration{}, fmt.Errorf("no gateway %q: use one of %s", name, strings.Join(Gateways(), ", "))
	}
	g := gateways[i]
	if g.check != nil {
		if err := g.check(d); err != nil {
			return Configuration{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	var files []File
	for _, s := range g.files {
		text, err := s.text(view{d, g})
		if err != nil {
			return Configuration{}, fmt.Errorf("%s: %s: %w", name, s.name, err)
		}
		files = append(files, File{s.name, text})
	}
	return describe(g, d, files), nil
}

func (s source) text(v view) (string, error) {
	if s.static != "" {
		text, err := fs.ReadFile(examples.Files, s.static)
		return string(text), err
	}
	raw, err := templates.ReadFile("templates/" + s.template)
	if err != nil {
		return "", err
	}
	t, err := template.New(s.name).Funcs(functions).Parse(string(raw))
	if err == nil {
		_, err = t.ParseFS(templates, "templates/parts/*")
	}
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, v); err != nil {
		return "", err
	}
	return b.String(), nil
}
