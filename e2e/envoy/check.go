package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// mutation is a change of a header.
type mutation struct {
	name, value string
	add         bool // beside what is there, not instead of it
}

// verdict is what a check has come to.
type verdict struct {
	allowed  bool
	request  []mutation // of what the app gets
	remove   []string   // after that
	response []mutation // of the app's answer; of a denial, all of it
	status   int        // a denial's
	body     []byte
}

// checker asks the service about a request. An error is one of the call, for which Envoy has status_on_error.
type checker func(ctx context.Context, r *http.Request, extensions map[string]string) (*verdict, error)

// joined returns headers as Envoy's filters see them: names in small letters, values of a name in one.
func joined(h http.Header) map[string]string {
	all := make(map[string]string, len(h))
	for name, values := range h {
		separator := ","
		if name == "Cookie" {
			separator = "; "
		}
		all[strings.ToLower(name)] = strings.Join(values, separator)
	}
	return all
}

// overGRPC asks as grpc_service says.
func overGRPC(c *configuration) (checker, error) {
	address, ok := c.clusters[c.filter.GetGrpcService().GetEnvoyGrpc().GetClusterName()]
	if !ok {
		return nil, fmt.Errorf("grpc_service: no such cluster")
	}
	connection, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	client := authv3.NewAuthorizationClient(connection)
	return func(ctx context.Context, r *http.Request, extensions map[string]string) (*verdict, error) {
		host, port, _ := net.SplitHostPort(r.RemoteAddr)
		headers := joined(r.Header)
		headers[":method"], headers[":path"], headers[":authority"], headers[":scheme"] = r.Method, r.RequestURI, r.Host, "http"
		response, err := client.Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
			Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
				SocketAddress: &corev3.SocketAddress{Address: host, PortSpecifier: &corev3.SocketAddress_NamedPort{NamedPort: port}},
			}}},
			Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
				Id: "1", Method: r.Method, Path: r.RequestURI, Host: r.Host, Scheme: "http", Protocol: r.Proto, Headers: headers,
				Size: r.ContentLength,
			}},
			ContextExtensions: extensions,
		}})
		if err != nil {
			return nil, err
		}
		if err := response.ValidateAll(); err != nil {
			return nil, err
		}
		if response.GetStatus().GetCode() == 0 {
			ok := response.GetOkResponse()
			return &verdict{
				allowed: true, request: mutations(ok.GetHeaders()), remove: ok.GetHeadersToRemove(),
				response: mutations(ok.GetResponseHeadersToAdd()),
			}, nil
		}
		denied := response.GetDeniedResponse()
		return &verdict{
			status: int(denied.GetStatus().GetCode()), response: mutations(denied.GetHeaders()), body: []byte(denied.GetBody()),
		}, nil
	}, nil
}

func mutations(options []*corev3.HeaderValueOption) []mutation {
	var all []mutation
	for _, o := range options {
		all = append(all, mutation{
			o.GetHeader().GetKey(), o.GetHeader().GetValue(), o.GetAppendAction() == corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD,
		})
	}
	return all
}

// overHTTP asks as http_service says.
func overHTTP(c *configuration) (checker, error) {
	service := c.filter.GetHttpService()
	address, ok := c.clusters[service.GetServerUri().GetCluster()]
	if !ok {
		return nil, fmt.Errorf("http_service: no such cluster")
	}
	transport := &http.Transport{IdleConnTimeout: time.Minute}
	return func(ctx context.Context, r *http.Request, _ map[string]string) (*verdict, error) {
		ask, err := http.NewRequestWithContext(ctx, r.Method, "http://"+address, http.NoBody)
		if err != nil {
			return nil, err
		}
		ask.URL.Opaque = service.GetPathPrefix() + r.RequestURI // byte for byte
		ask.Host = r.Host
		ask.Header = http.Header{"Content-Length": {"0"}, "User-Agent": nil}
		for name, value := range joined(r.Header) {
			if name == "authorization" || matches(c.filter.GetAllowedHeaders(), name) {
				ask.Header[http.CanonicalHeaderKey(name)] = []string{value}
			}
		}
		response, err := transport.RoundTrip(ask)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		switch {
		case err != nil:
			return nil, err
		case response.StatusCode >= 500:
			return nil, fmt.Errorf("the service's answer is %s", response.Status)
		case response.StatusCode == http.StatusOK:
			v := &verdict{
				allowed: true,
				request: listed(response.Header, func(name string) bool {
					return matches(service.GetAuthorizationResponse().GetAllowedUpstreamHeaders(), name)
				}, false),
				response: listed(response.Header, func(name string) bool {
					return matches(service.GetAuthorizationResponse().GetAllowedClientHeadersOnSuccess(), name)
				}, true),
			}
			for name := range strings.SplitSeq(response.Header.Get("X-Envoy-Auth-Headers-To-Remove"), ",") {
				v.remove = append(v.remove, strings.TrimSpace(name))
			}
			return v, nil
		}
		return &verdict{status: response.StatusCode, body: bytes.Clone(body), response: listed(response.Header, func(name string) bool {
			return name == "www-authenticate" || name == "location" || matches(service.GetAuthorizationResponse().GetAllowedClientHeaders(), name)
		}, true)}, nil
	}, nil
}

func listed(h http.Header, wanted func(name string) bool, add bool) []mutation {
	var all []mutation
	for name, values := range h {
		for _, value := range values {
			if wanted(strings.ToLower(name)) {
				all = append(all, mutation{name, value, add})
			}
		}
	}
	return all
}
