// Command envoy is a gateway that reads an Envoy's configuration and asks about every request as Envoy's ext_authz does, over
// gRPC or HTTP, with the protos that Envoy publishes. It is what the end-to-end tests have in the place of Envoy, whose
// binary isn't to be had from the sources that they install from: it shows that the service's answers do what they are to
// do where a gateway keeps to Envoy's documentation, not that Envoy does.
//
//	envoy -c envoy.yaml
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path"
	"strings"
	"time"
)

func main() {
	file := flag.String("c", "", "configuration, YAML")
	flag.Parse()
	c, err := readConfiguration(*file)
	if err != nil {
		log.Fatal(err)
	}
	h, err := newGateway(c)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: c.address, Handler: h, MaxHeaderBytes: int(c.manager.GetMaxRequestHeadersKb().GetValue()) << 10, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

type gateway struct {
	*configuration
	check checker
	proxy *httputil.ReverseProxy
}

func newGateway(c *configuration) (*gateway, error) {
	over := overHTTP
	if c.filter.GetGrpcService() != nil {
		over = overGRPC
	}
	check, err := over(c)
	if err != nil {
		return nil, err
	}
	return &gateway{configuration: c, check: check, proxy: &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite:       rewrite,
		ModifyResponse: func(r *http.Response) error {
			apply(r.Header, forwarding(r.Request.Context()).verdict.response)
			return nil
		},
	}}, nil
}

// forward is where a request goes, and with which verdict.
type forward struct {
	address string
	verdict *verdict
}

type forwardKey struct{}

func forwarding(ctx context.Context) forward { return ctx.Value(forwardKey{}).(forward) }

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status := g.admit(r); status != 0 {
		w.WriteHeader(status)
		return
	}
	target, _, _ := strings.Cut(r.RequestURI, "?")
	for _, route := range g.routes {
		if !route.matches(target) {
			continue
		}
		v := &verdict{allowed: true}
		if !route.disabled {
			ctx, cancel := context.WithTimeout(r.Context(), g.timeout())
			defer cancel()
			var err error
			if v, err = g.check(ctx, r, route.extensions); err != nil {
				log.Printf("ext_authz: %v", err)
				w.WriteHeader(int(g.filter.GetStatusOnError().GetCode()))
				return
			}
		}
		if !v.allowed {
			apply(w.Header(), v.response)
			w.WriteHeader(v.status)
			_, _ = w.Write(v.body) // a client may have gone away
			return
		}
		v.remove = append(v.remove, route.remove...)
		g.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), forwardKey{}, forward{g.clusters[route.cluster], v})))
		return
	}
	w.WriteHeader(http.StatusNotFound)
}

// admit brings a request into the form that filters and the app get, as the connection manager's settings say; a status refuses it.
func (g *gateway) admit(r *http.Request) int {
	if r.Method == http.MethodConnect {
		return http.StatusNotFound
	}
	raw := r.RequestURI
	if rest, absolute := strings.CutPrefix(raw, "http://"); absolute { // its host is in r.Host already
		_, after, _ := strings.Cut(rest, "/")
		raw = "/" + after
	}
	target, query, hasQuery := strings.Cut(raw, "?")
	lower := strings.ToLower(target)
	if strings.Contains(raw, "#") || strings.Contains(lower, "%2f") || strings.Contains(lower, "%5c") || strings.Contains(lower, "%00") {
		return http.StatusBadRequest
	}
	target = normalize(target)
	if hasQuery {
		target += "?" + query
	}
	r.RequestURI = target
	for name := range r.Header {
		gone := strings.Contains(name, "_") // headers_with_underscores_action
		for _, m := range g.headers.GetMutations().GetRequestMutations() {
			gone = gone || matchesOne(m.GetRemoveOnMatch().GetKeyMatcher(), strings.ToLower(name))
		}
		if gone {
			delete(r.Header, name)
		}
	}
	client, _, _ := net.SplitHostPort(r.RemoteAddr) // use_remote_address
	r.Header["X-Forwarded-For"] = []string{strings.Join(append(r.Header["X-Forwarded-For"], client), ", ")}
	r.Header["X-Forwarded-Proto"] = []string{"http"}
	upgrade := r.Header.Get("Upgrade")
	switch {
	case upgrade == "" || strings.EqualFold(upgrade, "websocket") && len(r.Header["Upgrade"]) == 1:
	case strings.EqualFold(upgrade, "h2c"): // Envoy's codec leaves it out
		r.Header.Del("Upgrade")
		r.Header.Del("Http2-Settings")
		r.Header.Del("Connection")
	default:
		return http.StatusForbidden
	}
	return 0
}

// normalize resolves dot segments, also encoded ones, takes \ for /, and merges slashes.
func normalize(target string) string {
	for _, dot := range []string{"%2e", "%2E"} {
		target = strings.ReplaceAll(target, dot, ".")
	}
	target = strings.ReplaceAll(target, "\\", "/")
	clean := path.Clean(target)
	if clean != "/" && (strings.HasSuffix(target, "/") || strings.HasSuffix(target, "/.") || strings.HasSuffix(target, "/..")) {
		clean += "/"
	}
	return clean
}

func rewrite(p *httputil.ProxyRequest) {
	f := forwarding(p.In.Context())
	target, query, _ := strings.Cut(p.In.RequestURI, "?")
	p.Out.URL = &url.URL{Scheme: "http", Host: f.address, Opaque: target, RawQuery: query}
	p.Out.Host = p.In.Host
	apply(p.Out.Header, f.verdict.request)
	for _, name := range f.verdict.remove {
		for spelt := range p.Out.Header {
			if strings.EqualFold(spelt, name) {
				delete(p.Out.Header, spelt)
			}
		}
	}
	p.Out.Header["X-Forwarded-For"], p.Out.Header["X-Forwarded-Proto"] = p.In.Header["X-Forwarded-For"], p.In.Header["X-Forwarded-Proto"]
}

func apply(h http.Header, changes []mutation) {
	for _, m := range changes {
		if m.add {
			h.Add(m.name, m.value)
		} else {
			h.Set(m.name, m.value)
		}
	}
}
