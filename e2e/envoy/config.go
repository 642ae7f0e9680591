package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	extauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

const filterName = "envoy.filters.http.ext_authz"

// configuration is what of an Envoy's this program acts by. What it doesn't know of is an error.
type configuration struct {
	address  string
	manager  *hcmv3.HttpConnectionManager
	filter   *extauthzv3.ExtAuthz
	headers  *mutationv3.HeaderMutation // stands before the check
	routes   []route
	clusters map[string]string // name to address
}

type route struct {
	matches    func(path string) bool
	cluster    string
	disabled   bool     // no check
	remove     []string // of the request, after the check
	extensions map[string]string
}

// readConfiguration reads Envoy's YAML as Envoy does: into its protos, where a field that isn't known is an error, with
// their rules for values.
func readConfiguration(file string) (*configuration, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return parseConfiguration(text)
}

func parseConfiguration(text []byte) (*configuration, error) {
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	asJSON, err := json.Marshal(tree)
	if err != nil {
		return nil, err
	}
	var bootstrap bootstrapv3.Bootstrap
	if err := protojson.Unmarshal(asJSON, &bootstrap); err != nil {
		return nil, err
	}
	if err := bootstrap.ValidateAll(); err != nil {
		return nil, err
	}
	c := &configuration{manager: &hcmv3.HttpConnectionManager{}, filter: &extauthzv3.ExtAuthz{}, headers: &mutationv3.HeaderMutation{}, clusters: map[string]string{}}
	for _, cluster := range bootstrap.GetStaticResources().GetClusters() {
		endpoint := cluster.GetLoadAssignment().GetEndpoints()[0].GetLbEndpoints()[0].GetEndpoint()
		c.clusters[cluster.GetName()] = socket(endpoint.GetAddress().GetSocketAddress())
		for _, options := range cluster.GetTypedExtensionProtocolOptions() {
			if err := unpack(options, nil); err != nil {
				return nil, err
			}
		}
	}
	listener := bootstrap.GetStaticResources().GetListeners()[0]
	c.address = socket(listener.GetAddress().GetSocketAddress())
	if err := unpack(listener.GetFilterChains()[0].GetFilters()[0].GetTypedConfig(), c.manager); err != nil {
		return nil, err
	}
	for _, filter := range c.manager.GetHttpFilters() {
		var into proto.Message
		switch filter.GetName() {
		case filterName:
			into = c.filter
		case "envoy.filters.http.header_mutation":
			into = c.headers
		}
		if err := unpack(filter.GetTypedConfig(), into); err != nil {
			return nil, err
		}
	}
	for _, r := range c.manager.GetRouteConfig().GetVirtualHosts()[0].GetRoutes() {
		one, err := readRoute(r)
		if err != nil {
			return nil, err
		}
		c.routes = append(c.routes, one)
	}
	return c, nil
}

type socketAddress interface {
	GetAddress() string
	GetPortValue() uint32
}

func socket(a socketAddress) string { return fmt.Sprintf("%s:%d", a.GetAddress(), a.GetPortValue()) }

// unpack reads a message of whatever type, and checks it. into may be nil.
func unpack(packed *anypb.Any, into proto.Message) error {
	message, err := packed.UnmarshalNew()
	if err != nil {
		return err
	}
	if err := message.(interface{ ValidateAll() error }).ValidateAll(); err != nil {
		return err
	}
	if into == nil {
		return nil
	}
	return packed.UnmarshalTo(into)
}

func readRoute(r *routev3.Route) (route, error) {
	result := route{cluster: r.GetRoute().GetCluster(), remove: r.GetRequestHeadersToRemove()}
	switch match := r.GetMatch().GetPathSpecifier().(type) {
	case *routev3.RouteMatch_SafeRegex:
		whole, err := regexp.Compile("^(?:" + match.SafeRegex.GetRegex() + ")$")
		if err != nil {
			return route{}, err
		}
		result.matches = whole.MatchString
	case *routev3.RouteMatch_Path:
		result.matches = func(path string) bool { return path == match.Path }
	case *routev3.RouteMatch_PathSeparatedPrefix:
		prefix := match.PathSeparatedPrefix
		result.matches = func(path string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }
	case *routev3.RouteMatch_Prefix:
		result.matches = func(path string) bool { return strings.HasPrefix(path, match.Prefix) }
	default:
		return route{}, fmt.Errorf("route %v: this program knows no such match", r.GetMatch())
	}
	if packed := r.GetTypedPerFilterConfig()[filterName]; packed != nil {
		var perRoute extauthzv3.ExtAuthzPerRoute
		if err := unpack(packed, &perRoute); err != nil {
			return route{}, err
		}
		result.disabled = perRoute.GetDisabled()
		result.extensions = perRoute.GetCheckSettings().GetContextExtensions()
	}
	return result, nil
}

// timeout is the check's.
func (c *configuration) timeout() time.Duration {
	if grpc := c.filter.GetGrpcService(); grpc != nil {
		return grpc.GetTimeout().AsDuration()
	}
	return c.filter.GetHttpService().GetServerUri().GetTimeout().AsDuration()
}

// matches reports whether one of a list's patterns takes a header's name, which is in small letters.
func matches(list *matcherv3.ListStringMatcher, name string) bool {
	return slices.ContainsFunc(list.GetPatterns(), func(pattern *matcherv3.StringMatcher) bool { return matchesOne(pattern, name) })
}

func matchesOne(pattern *matcherv3.StringMatcher, name string) bool {
	switch p := pattern.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		return name == p.Exact || pattern.GetIgnoreCase() && strings.EqualFold(name, p.Exact)
	case *matcherv3.StringMatcher_Prefix:
		return strings.HasPrefix(name, p.Prefix)
	case *matcherv3.StringMatcher_SafeRegex:
		return regexp.MustCompile("^(?:" + p.SafeRegex.GetRegex() + ")$").MatchString(name)
	}
	return false
}
