// Package extauthz answers Envoy's external authorization over gRPC:
//
//	envoy.service.auth.v3.Authorization/Check   by package verify, as if Envoy had asked it over HTTP
//	grpc.health.v1.Health/Check                 whether the service is ready
//
// A check becomes the request that Envoy's HTTP ext_authz would send (request.go); its answer becomes Envoy's
// CheckResponse (response.go). So there is one decision for all gateways. Over gRPC nothing is lost on the way: every
// Set-Cookie of an allowed request, each header of a denial, and requirements of a route, which stand in its context
// extensions:
//
//	context_extensions: {authkit.require: "role=admin,owner"}
//
// Both are unary calls, which net/http's HTTP/2 and protobuf's wire format are enough for (call.go).
//
// Sources: gRPC over HTTP/2 (grpc/doc/PROTOCOL-HTTP2.md), envoy/service/auth/v3/external_auth.proto and
// attribute_context.proto, envoy/config/core/v3/base.proto.
package extauthz
