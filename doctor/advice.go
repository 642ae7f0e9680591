package doctor

import (
	"slices"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/verify"
)

// change is what would make a finding well. It has a line for each gateway whose configuration it is in.
type change string

const (
	noChange       change = ""
	protect        change = "protect"
	unreachable    change = "unreachable"
	reachService   change = "reach the service"
	validTLS       change = "certificate"
	setClock       change = "clock"
	noStore        change = "no-store"
	leadToSignIn   change = "lead to the sign-in"
	keepURL        change = "keep the URL"
	routeFlow      change = "route the flow"
	redirectURI    change = "redirect URI"
	registerURI    change = "register the redirect URI"
	passCookies    change = "pass cookies of denials"
	keepAttributes change = "keep cookie attributes"
	routeWebhooks  change = "route webhooks"
	answer401      change = "answer scripts with 401"
	passHeaders    change = "pass headers of denials"
	passBody       change = "pass bodies of denials"
	raiseBodySize  change = "raise the body size"
	askWithoutBody change = "ask without the body"
	webSocketsOnly change = "no h2c"
	passWebSockets change = "pass WebSockets"
	checkHost      change = "check the host"
	trustNobody    change = "drop forwarded headers"
	ownQuery       change = "ask with a query of its own"
	everyMethod    change = "protect every method"
	onePath        change = "one reading of a path"
	moreHeaders    change = "more room for headers"
	hideEndpoints  change = "hide endpoints"
	moreAnswer     change = "more room for answers"
	moveToTLS      change = "move to TLS"
	passCookie     change = "hand the cookie on"
	signInAnew     change = "sign in anew"
	passNewCookie  change = "pass the new cookie"
	passIdentity   change = "pass identity headers"
	strip          change = "strip identity headers"
	keepConnection change = "ignore Connection"
	noPlaceholder  change = "remove placeholders"
	closeAround    change = "close the way around"
	failClosed     change = "fail closed"
	serviceAddress change = "service address"
	keySet         change = "key set"
	redisURL       change = "Redis"
	policyFile     change = "policy file"
	narrowRule     change = "narrow the public rule"
	trustedProxies change = "TRUSTED_PROXIES"
	gatewayValue   change = "GATEWAY"
	protectHost    change = "protected hosts"
	seeLog         change = "see the log"
)

// all is the key of a line that is the same whatever the gateway.
const all = ""

// lines are what to write where, by gateway. The names are those of examples/ and of snippet.
func (c change) lines() map[string]string {
	switch c {
	case protect:
		return map[string]string{
			"nginx":         "include authkit/protect.conf; in the location that answers this path, beside its proxy_pass",
			"traefik":       "the middleware authkit on the router that answers this path, and on no wider router a higher priority",
			"caddy":         `import authkit "" in the handle that answers this path, before its reverse_proxy`,
			"haproxy":       "http-request lua.authkit and the deny after it in this frontend, and no acl public that has this path",
			"envoy":         "the ext_authz filter in this listener, and no disabled: true on the route that answers this path",
			"ingress-nginx": "nginx.ingress.kubernetes.io/auth-url on the Ingress that has this path",
		}
	case unreachable:
		return map[string]string{all: "the URL, DNS, or start the gateway: nothing of the service's is asked yet"}
	case reachService:
		return map[string]string{
			all:       "the address of the service at the gateway, and whether the service runs (its /healthz)",
			"nginx":   "server auth:9000; in upstream authkit (authkit/http.conf), and whether the service runs; nginx's error log says which",
			"traefik": "address: http://auth:9000/verify/forward-auth in forwardAuth, and whether the service runs and is on the same network",
			"caddy":   "reverse_proxy auth:9000 in authkit.caddy, and whether the service runs",
			"haproxy": "setenv AUTHKIT_VERIFY http://auth:9000/verify/forward-auth in global, before lua-load-per-thread, and whether the service runs",
			"envoy":   "the address in the clusters authkit and authkit_grpc (http2_protocol_options), and whether the service runs",
		}
	case validTLS:
		return map[string]string{all: "the certificate at the gateway, or whatever ends TLS before it"}
	case setClock:
		return map[string]string{all: "the clock of one of the two machines (NTP)"}
	case noStore:
		return map[string]string{
			all:     "nothing between service and browser may remove or replace Cache-Control on a denial",
			"nginx": "error_page 401 = @authkit_sign_in; (authkit/answer.conf), so that the service answers, and no add_header Cache-Control or expires of your own there",
		}
	case leadToSignIn:
		return map[string]string{
			all:             "the service's answers that are no 200 have to reach the browser whole",
			"nginx":         "error_page 401 = @authkit_sign_in; and error_page 403 = @authkit_denied; (include authkit/answer.conf) beside auth_request, and no error_page 401 of your own",
			"traefik":       "address: …/verify/forward-auth, no authRequestHeaders (or with Accept and Sec-Fetch-*), and no errors middleware for 401 before the middleware authkit",
			"caddy":         "no handle_errors or handle_response for these answers in or around authkit.caddy",
			"haproxy":       "authkit.lua as it is: it answers with the service's status, headers and body",
			"envoy":         "with HTTP: headers_to_add and allowed_client_headers must have location; simpler is gRPC (examples/envoy/envoy.yaml)",
			"ingress-nginx": "nginx.ingress.kubernetes.io/auth-signin",
		}
	case keepURL:
		return map[string]string{
			"nginx":         "proxy_set_header X-Original-URL $scheme://$host$authkit_port$request_uri; (authkit/original-request.conf): $uri is decoded, and error_page 401 leads to @authkit_sign_in, not to a URL with $request_uri in it",
			"traefik":       "the middleware authkit before every one that changes the path (stripPrefix, addPrefix, replacePath) or redirects",
			"caddy":         "header_up X-Forwarded-Uri {uri} in authkit.caddy, and import authkit before rewrite, uri and handle_path",
			"haproxy":       "http-request lua.authkit before every set-path, replace-path and set-query",
			"envoy":         "no rewrite before the ext_authz filter; normalize_path and merge_slashes as in the example",
			"ingress-nginx": "auth-signin: https://…/_auth/login?rd=$scheme://$http_host$escaped_request_uri",
		}
	case routeFlow:
		return map[string]string{
			all:             "exactly these paths go to the service, without a middleware that asks for sign-in: login, sign-up, callback, switch, logout, jwks.json, webhooks below the redirect URI's directory",
			"nginx":         "include authkit/server.conf; in the server of the redirect URI's host (location = /_auth/login { include authkit/flow.conf; } and so on), before regular expressions that take these paths",
			"traefik":       "the router authkit: its rule has exactly the flow's paths, a priority above the apps', service: authkit and no middleware",
			"caddy":         "import authkit_flow in the site of the redirect URI's host, before its other handles",
			"haproxy":       "acl authkit path /_auth/login … and use_backend authkit if authkit, and unless authkit behind lua.authkit",
			"envoy":         "the first route: the flow's paths to the cluster authkit, with ext_authz disabled there",
			"ingress-nginx": "an Ingress of its own for /_auth/, without auth-url, to the service",
		}
	case redirectURI:
		return map[string]string{all: "WORKOS_REDIRECT_URI is https://HOST/PREFIX/callback of the host at which the gateway leads the flow to the service; check the scheme too"}
	case registerURI:
		return map[string]string{all: "in the WorkOS dashboard, at Redirects, add exactly this redirect URI; WORKOS_CLIENT_ID is of the same environment"}
	case passCookies:
		return map[string]string{
			all:       "nothing between service and browser may remove Set-Cookie from the flow's answers",
			"nginx":   "no proxy_hide_header Set-Cookie and no proxy_ignore_headers in the flow's locations (authkit/flow.conf)",
			"haproxy": "no http-response del-header Set-Cookie for the backend authkit",
			"envoy":   "with HTTP: allowed_client_headers must have set-cookie",
		}
	case keepAttributes:
		return map[string]string{
			all:       "nothing between service and browser may rewrite Set-Cookie; Secure follows the scheme of WORKOS_REDIRECT_URI",
			"nginx":   "no proxy_cookie_domain, proxy_cookie_path or proxy_cookie_flags in the flow's locations",
			"haproxy": "no http-response replace-header Set-Cookie for the backend authkit",
		}
	case routeWebhooks:
		return map[string]string{all: "WORKOS_WEBHOOK_SECRET at the service, and POST to the flow's path webhooks leads to it; setup registers the endpoint at WorkOS"}
	case answer401:
		return map[string]string{
			all:             "scripts get the service's 401 as it is",
			"nginx":         "error_page 401 = @authkit_sign_in; (authkit/answer.conf): a redirect for everything (error_page 401 =302 …) is what scripts can't follow",
			"traefik":       "no errors middleware, and Sec-Fetch-* and Accept reach the service (no authRequestHeaders, or with them)",
			"caddy":         "no handle_response or handle_errors with a redir for 401, and Sec-Fetch-* and Accept reach the service",
			"haproxy":       "authkit.lua as it is, and no http-request redirect of your own for those who aren't signed in",
			"envoy":         "gRPC, or with HTTP allowed_headers that have sec-fetch-mode, sec-fetch-dest and accept",
			"ingress-nginx": "auth-signin redirects everything, scripts too: what it can't do",
		}
	case passHeaders:
		return map[string]string{
			all:       "X-Auth-Reason and X-Auth-Login-URL of a denial reach the browser",
			"nginx":   "error_page 401 = @authkit_sign_in; and include authkit/verify.conf; in this server",
			"traefik": "no errors middleware for 401 and 403 on this router, and no customResponseHeaders that remove them",
			"caddy":   "no handle_errors or handle_response for 401 and 403, and no header directive that removes them",
			"haproxy": "no errorfile or http-error for 401 and 403, and no http-response del-header that has them",
			"envoy":   "with HTTP: allowed_client_headers must have x-auth-reason and x-auth-login-url; simpler is gRPC",
		}
	case passBody:
		return map[string]string{
			all:       "the service's body of a denial reaches the browser: no error pages of the gateway's or a CDN's for 401 and 403",
			"nginx":   "error_page 401 = @authkit_sign_in; (authkit/answer.conf) and proxy_intercept_errors off",
			"traefik": "no errors middleware for 401 and 403 on this router",
			"caddy":   "no handle_errors or handle_response for 401 and 403",
			"haproxy": "no errorfile or http-error for 401 and 403",
			"envoy":   "no local_reply_config that rewrites 401 and 403; with HTTP allowed_client_headers must have content-type",
		}
	case raiseBodySize:
		return map[string]string{
			all:       "the gateway's limit of a body, if the app takes larger ones",
			"nginx":   "client_max_body_size 100m; in the app's location, if it takes uploads (without it: 1 MB)",
			"traefik": "maxRequestBodyBytes of a buffering middleware, if the app takes uploads",
			"caddy":   "request_body max_size, if the app takes uploads",
		}
	case askWithoutBody:
		return map[string]string{
			all:       "the service is asked without the request's body",
			"nginx":   `proxy_pass_request_body off; proxy_set_header Content-Length ""; client_max_body_size 0; where the service is asked (authkit/verify.conf)`,
			"traefik": "no forwardBody in forwardAuth",
			"caddy":   "method GET in authkit_question (authkit.caddy)",
			"envoy":   "no with_request_body in the ext_authz filter",
		}
	case webSocketsOnly:
		return map[string]string{
			all:       "no Upgrade but to websocket reaches the app",
			"nginx":   "include authkit/proxy.conf; in place of proxy_set_header Upgrade $http_upgrade",
			"caddy":   "import authkit_strip (authkit.caddy): it removes other upgrades",
			"haproxy": "http-request del-header Upgrade unless { req.fhdr(Upgrade) -i websocket } { req.fhdr_cnt(Upgrade) 1 }",
			"envoy":   "upgrade_configs: [{upgrade_type: websocket}] alone",
		}
	case passWebSockets:
		return map[string]string{
			all:     "Cookie and Sec-WebSocket-Key of the handshake reach the service",
			"nginx": "include authkit/proxy.conf; beside the app's proxy_pass",
		}
	case checkHost:
		return map[string]string{
			all:       "the gateway answers for the app's names alone, and tells the service the name that it has chosen the app by",
			"nginx":   "proxy_set_header X-Original-URL $scheme://$host$authkit_port$request_uri; and a server with server_name of its own, another one as default_server",
			"traefik": "Host(`app.example.com`) in the rule, trustForwardHeader: false",
			"caddy":   "the app's name as the site's address in place of :443",
			"haproxy": "use_backend by req.hdr(host), and a deny for other names",
			"envoy":   "domains: [app.example.com] in place of [\"*\"]",
		}
	case trustNobody:
		return map[string]string{
			all:             "the gateway overwrites what a client sends under these names",
			"nginx":         "include authkit/original-request.conf; where the service is asked: its lines overwrite X-Original-Method, X-Original-URL and X-Forwarded-For, from $request_method, $scheme, $host and $request_uri",
			"traefik":       "trustForwardHeader: false in forwardAuth, and no entryPoints.…forwardedHeaders.insecure or trustedIPs that has this machine",
			"caddy":         "header_up X-Forwarded-Method, -Host, -Proto and -Uri in authkit_question (authkit.caddy), and no trusted_proxies that has this machine",
			"haproxy":       "authkit.lua as it is: it makes the question's headers itself",
			"envoy":         "use_remote_address: true, and no trusted hops for this machine",
			"ingress-nginx": `use-forwarded-headers: "false" in the ConfigMap`,
		}
	case ownQuery:
		return map[string]string{
			all:       "the gateway asks with the requirements as query and nothing of the client's",
			"nginx":   "auth_request _authkit/verify; (include authkit/verify.conf), whose rewrite ends in a question mark",
			"traefik": "no query of the client's in forwardAuth's address: Traefik itself adds none, another proxy between it and the service may",
			"caddy":   `rewrite /verify/forward-auth?{args[0]} with import authkit "": without the question mark Caddy appends the client's query`,
			"envoy":   "path_prefix: /verify/ext-authz, GATEWAY=envoy",
		}
	case everyMethod:
		return map[string]string{
			all:       "every method is asked about",
			"nginx":   "no limit_except or if ($request_method …) around auth_request",
			"traefik": "no Method(…) in the rule of a router without the middleware authkit",
			"caddy":   "no method matcher on the handle that asks",
			"haproxy": "no method in the conditions of lua.authkit and deny",
			"envoy":   "no route without ext_authz that is chosen by :method",
		}
	case onePath:
		return map[string]string{
			all:       "public paths are exact, as the client wrote them",
			"nginx":   "location = /favicon.ico { include authkit/public.conf; … } in place of a prefix or a regular expression, and no path after proxy_pass's upstream",
			"traefik": "Path(`/favicon.ico`) in place of PathPrefix in the rule of a router without the middleware authkit",
			"caddy":   `@public vars_regexp {uri} ^/favicon\.ico(\?.*)?$ in place of path or handle /favicon.ico`,
			"haproxy": "acl public path /favicon.ico in place of path_beg, path_dir, path_end or path_reg",
			"envoy":   "match: {path: /favicon.ico} in place of prefix, with normalize_path, merge_slashes and path_with_escaped_slashes_action",
		}
	case moreHeaders:
		return map[string]string{
			all:             "room for 64 KB of request headers at everything before the service",
			"nginx":         "large_client_header_buffers 4 32k; in http (authkit/http.conf)",
			"traefik":       "no maxHeaderBytes below 1 MB (Traefik's own) at the entry point; else what is before Traefik",
			"caddy":         "max_header_size 64KB in servers (Caddyfile, global options)",
			"haproxy":       "tune.bufsize 65536 in global",
			"envoy":         "max_request_headers_kb: 96 in the HTTP connection manager",
			"ingress-nginx": "large-client-header-buffers: 4 32k in the ConfigMap",
		}
	case moreAnswer:
		return map[string]string{
			all:             "room for 64 KB of headers in the service's answers",
			"nginx":         "proxy_buffer_size 64k; proxy_buffers 4 64k; where the service is asked and in the flow's locations (authkit/flow.conf)",
			"traefik":       "nothing at Traefik itself, which takes 1 MB: what is between it and the service",
			"caddy":         "transport http { max_response_header 64KB } where it asks the service (authkit.caddy)",
			"haproxy":       "tune.bufsize 65536 in global",
			"envoy":         "max_response_headers_kb in the cluster's http_protocol_options",
			"ingress-nginx": "nginx.ingress.kubernetes.io/proxy-buffer-size: 64k on the flow's Ingress",
		}
	case moveToTLS:
		return map[string]string{all: "a permanent redirect from http to https at the gateway"}
	case passCookie:
		return map[string]string{
			all:       "the Cookie header of the request goes to the service",
			"nginx":   "proxy_set_header Cookie $authkit_request_cookie; where the service is asked (authkit/original-request.conf)",
			"traefik": "Cookie in authRequestHeaders of forwardAuth, or no authRequestHeaders at all, and no middleware before it that removes Cookie",
			"caddy":   "no header_up -Cookie in authkit_question (authkit.caddy), and no request_header -Cookie before it",
			"haproxy": "no http-request del-header Cookie before lua.authkit",
			"envoy":   "gRPC, or with HTTP allowed_headers that have cookie",
		}
	case hideEndpoints:
		return map[string]string{
			all:       "only the flow's own paths lead to the service; ADMIN_ADDR and VERIFY_ADDR give the others a port of their own",
			"nginx":   "location = /_auth/login and so on (authkit/server.conf) in place of a prefix, and internal; where the service is asked",
			"traefik": "Path(…) of each flow endpoint in the router authkit's rule, in place of PathPrefix or Host alone",
			"caddy":   "@authkit path … of each flow endpoint (authkit_flow), in place of handle /_auth/* or a whole site",
			"haproxy": "acl authkit path … of each flow endpoint, in place of path_beg",
			"envoy":   "the flow's paths as a whole regular expression, in place of a prefix, to the cluster authkit",
		}
	case signInAnew:
		return map[string]string{all: "sign in anew, and copy the whole value of the Cookie header"}
	case passNewCookie:
		return map[string]string{
			all:             "the gateway passes Set-Cookie of the service's 200 on to the browser",
			"nginx":         "include authkit/verify.conf; in this server, and include authkit/set-cookie.conf; in each location that has add_header lines of its own",
			"traefik":       "addAuthCookiesToResponse: [wos-session] where scripts alone keep a session going; pages get it by a redirect anyway",
			"caddy":         "handle_response @renewed with copy_response_headers (authkit.caddy)",
			"haproxy":       "http-response lua.authkit_cookies if { var(txn.authkit_renewed) -m bool }",
			"envoy":         "gRPC, or with HTTP allowed_client_headers_on_success that has set-cookie",
			"ingress-nginx": "what it can't do for several cookies: see docs/gateways.md",
		}
	case passIdentity:
		return map[string]string{
			all:             "the identity headers of the service's 200 go on to the app; IDENTITY_HEADERS says which names they have",
			"nginx":         "include authkit/identity.conf; in the location (authkit/answer.conf does); a location with proxy_set_header lines of its own inherits none",
			"traefik":       "authResponseHeaders in forwardAuth names each of them",
			"caddy":         "import authkit_identity in handle_response @allowed (authkit.caddy)",
			"haproxy":       "authkit.lua as it is, and no http-request del-header after lua.authkit",
			"envoy":         "gRPC, or with HTTP allowed_upstream_headers that has them; the filter that removes them stands before ext_authz",
			"ingress-nginx": "auth-response-headers names each of them",
		}
	case strip:
		return map[string]string{
			all:             "what a client sends as an identity header is removed, in every spelling, on every router, before the service's are added",
			"nginx":         "include authkit/identity.conf; in each location with a proxy_pass to the app, and underscores_in_headers off",
			"traefik":       "authResponseHeaders with every name, the middleware strip-identity on the entry point, and aliasHeadersStrategy: delete there",
			"caddy":         "import authkit_strip in each handle with a reverse_proxy to the app",
			"haproxy":       "option http-restrict-req-hdr-names delete, http-request del-header X-Auth-Request- -m beg and the Remote- ones in the frontend, before lua.authkit",
			"envoy":         "headers_with_underscores_action: DROP_HEADER and the header_mutation filter before ext_authz",
			"ingress-nginx": "auth-response-headers with every name, enable-underscores-in-headers: \"false\"",
		}
	case keepConnection:
		return map[string]string{
			all:     "names in Connection don't remove what the gateway adds",
			"caddy": `request_header Connection "(?i)(x-auth-request|remote)-[a-z-]*" "" (authkit_strip in authkit.caddy)`,
			"nginx": "include authkit/proxy.conf; (proxy_set_header Connection $authkit_connection;) in place of $http_connection",
		}
	case noPlaceholder:
		return map[string]string{
			all:     "an identity header that the service's answer has not, or has empty, is none at the app",
			"caddy": `request_header * * "^.http.reverse_proxy.header.[A-Za-z-]+.$" "" after the identity's lines (authkit.caddy)`,
			"nginx": "auth_request_set for every variable that a proxy_set_header sends (authkit/identity.conf)",
		}
	case closeAround:
		return map[string]string{all: "the app listens where only the gateway reaches it: loopback, a network of the two, a NetworkPolicy"}
	case failClosed:
		return map[string]string{
			all:             "without an answer of the service's nobody gets in",
			"nginx":         "auth_request in this location, no proxy_intercept_errors, error_page 500 or proxy_cache that makes its failure a page, and no `satisfy any`",
			"traefik":       "no errors middleware that turns 5xx into the app, no fallback service, the middleware authkit on every router of the app",
			"caddy":         "no handle_errors that leads to the app",
			"haproxy":       "http-request deny deny_status 503 unless … { var(txn.authkit) -m str allowed } after lua.authkit",
			"envoy":         "failure_mode_allow: false in the ext_authz filter",
			"ingress-nginx": "auth-url without auth-cache-key",
		}
	case serviceAddress:
		return map[string]string{all: "-service is the service's own address (LISTEN_ADDR), such as http://127.0.0.1:9000"}
	case keySet:
		return map[string]string{all: "WORKOS_CLIENT_ID and WORKOS_API_HOSTNAME, and that the service reaches this URL (DNS, proxy, firewall)"}
	case redisURL:
		return map[string]string{all: "REDIS_URL, and Redis itself; the service's log says what it answers"}
	case policyFile:
		return map[string]string{all: "POLICY_FILE: policy check says what is wrong with it"}
	case narrowRule:
		return map[string]string{all: "the public rule of POLICY_FILE that has this path: policy check says which"}
	case trustedProxies:
		return map[string]string{all: "TRUSTED_PROXIES at the service has the gateway's address; the service's log line names the one that came"}
	case gatewayValue:
		return map[string]string{
			all:             "GATEWAY at the service says which gateway asks, and the gateway asks at the endpoint of that name (/verify/forward-auth, /verify/auth-request, /verify/ext-authz); the service's log names the header that it misses",
			"nginx":         "GATEWAY=nginx at the service, /verify/auth-request at nginx, with X-Original-Method and X-Original-URL (authkit/original-request.conf)",
			"traefik":       "GATEWAY=traefik at the service, address: …/verify/forward-auth at Traefik, no other proxy between the two",
			"caddy":         "GATEWAY=caddy at the service, /verify/forward-auth and the four header_up lines (authkit.caddy) at Caddy",
			"haproxy":       "GATEWAY=haproxy at the service, AUTHKIT_VERIFY ends in /verify/forward-auth",
			"envoy":         "GATEWAY=envoy at the service, gRPC, or path_prefix: /verify/ext-authz with HTTP",
			"ingress-nginx": "GATEWAY=ingress-nginx at the service, auth-url: http://…/verify/auth-request",
		}
	case protectHost:
		return map[string]string{all: "this host has to be the one of WORKOS_REDIRECT_URI, or below WORKOS_COOKIE_DOMAIN, and not left out by POLICY_FILE"}
	case seeLog:
		return map[string]string{all: "the service's log has the cause, under the request id that the page shows"}
	}
	return nil
}

// reasonChange is what to change where the service denies everybody for this reason.
func reasonChange(reason string) change {
	switch reason {
	case verify.ReasonUntrustedProxy:
		return trustedProxies
	case verify.ReasonBadRequest, verify.ReasonMisconfigured:
		return gatewayValue
	case verify.ReasonWrongHost:
		return protectHost
	case verify.ReasonUnavailable:
		return keySet
	}
	return seeLog
}

// degradedChange is what to change for a line of /readyz.
func degradedChange(line string) change {
	switch {
	case strings.Contains(line, "Redis"):
		return redisURL
	case strings.Contains(line, "policy file"):
		return policyFile
	case strings.Contains(line, "key set"):
		return keySet
	}
	return seeLog
}

// Gateways are the values of -gateway, one for each kind of configuration.
func Gateways() []string {
	return []string{"traefik", "nginx", "caddy", "haproxy", "envoy", "ingress-nginx"}
}

func knownGateway(name string) bool { return slices.Contains(Gateways(), name) }

// gatewayOf guesses by an answer's Server header.
func gatewayOf(server string) string {
	switch product, _, _ := strings.Cut(strings.ToLower(server), "/"); product {
	case "nginx", "openresty":
		return "nginx"
	case "caddy":
		return "caddy"
	case "envoy", "istio-envoy":
		return "envoy"
	}
	return ""
}

// advice is the line for the gateway; where none is known, for every one.
func (e *examination) advice(c change) string {
	lines := c.lines()
	if line := lines[e.Gateway]; line != "" && e.Gateway != "" {
		return e.Gateway + ": " + line
	}
	var parts []string
	if lines[all] != "" {
		parts = append(parts, lines[all])
	}
	if e.Gateway == "" {
		for _, name := range Gateways() {
			if lines[name] != "" {
				parts = append(parts, name+": "+lines[name])
			}
		}
	}
	return strings.Join(parts, "; ")
}
