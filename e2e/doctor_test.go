package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/doctor"
)

// editedExample is a gateway's example after changes to its files.
func editedExample(name string, edits []edit) gateway {
	run := map[string]func(t *testing.T, at addresses){
		"nginx": func(t *testing.T, at addresses) { runNginx(t, edited(t, nginxExample(t, at), edits), at.gateway) },
		"traefik": func(t *testing.T, at addresses) {
			runTraefik(t, edited(t, traefikExample(t, at), edits), at.gateway)
		},
		"caddy": func(t *testing.T, at addresses) {
			runCaddy(t, edited(t, caddyExample(t, at), edits), "Caddyfile", at.gateway)
		},
		"haproxy": func(t *testing.T, at addresses) { runHAProxy(t, edited(t, haproxyExample(t, at), edits), at.gateway) },
		"envoy": func(t *testing.T, at addresses) {
			file := envoyExample(t, at, "envoy.yaml")
			edited(t, filepath.Dir(file), edits)
			runEnvoy(t, file, at.gateway)
		},
	}
	return gateway{name, name, localhost, run[name]}
}

// edit is what an operator has changed in a file.
type edit struct{ file, old, replacement string }

func edited(t *testing.T, dir string, edits []edit) string {
	t.Helper()
	for _, e := range edits {
		replace(t, dir, e.file, e.old, e.replacement)
	}
	return dir
}

// examine runs doctor. With a session it has what needs one: the cookie of one that is due to be refreshed, the echo, the service.
func (s *stack) examine(t *testing.T, g gateway, session bool, args ...string) []doctor.Finding {
	t.Helper()
	args = append([]string{"doctor", s.origin + "/reports/2026?week=3", "-gateway", g.profile, "-json"}, args...)
	if session {
		s.clock.Store(int64(-time.Hour))
		cookie := s.sealedSession(t, zoe)
		s.clock.Store(0)
		args = append(args, "-cookie", "wos-session="+cookie, "-echo", "/headers", "-websocket", "/socket", "-service", "http://"+s.at.service)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(service, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var findings []doctor.Finding
	failed := false
	for d := json.NewDecoder(&stdout); d.More(); {
		var f doctor.Finding
		if err := d.Decode(&f); err != nil {
			t.Fatal(err)
		}
		findings = append(findings, f)
		failed = failed || f.Result == doctor.Fail
	}
	if exit := new(exec.ExitError); failed != errors.As(err, &exit) || len(findings) == 0 {
		t.Errorf("got %v, want exit 1 with FAIL and 0 without: %s", err, stderr.String())
	}
	return findings
}

// The examples are well.
func TestDoctorOnExamples(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g)
		for _, session := range []bool{false, true} {
			ok := map[string]bool{}
			for _, f := range s.examine(t, g, session) {
				switch {
				case f.Result == doctor.OK:
					ok[f.Check] = true
				case f.Result == doctor.Fail, f.Result == doctor.Warn && !expectedWarning(g, f):
					t.Errorf("got %s", f)
				}
			}
			want := []string{"page", "clock", "return", "long", "sign-in", "cookies", "authkit", "callback", "flow", "script", "form", "websocket", "host", "forged", "query", "methods", "paths", "large", "endpoints"}
			if session {
				want = append(want, "service", "trusted", "signed-in", "new-cookie", "identity", "spoofed", "connection")
			}
			for _, check := range want {
				if !ok[check] {
					t.Errorf("session %t: got no ok for %s", session, check)
				}
			}
		}
	})
}

// expectedWarning reports whether it is about what the example leaves to the operator, or what the gateway can't do.
func expectedWarning(g gateway, f doctor.Finding) bool {
	switch f.Check {
	case "webhooks": // the tests' service has none
		return true
	case "upload": // nginx's own limit; others close the connection
		return true
	case "new-cookie": // for scripts
		return !g.traits().renewsOn200
	}
	return false
}

// Doctor names what is broken, and the line to change.
func TestDoctorNamesWhatIsBroken(t *testing.T) {
	t.Parallel()
	const (
		protect = "        include authkit/protect.conf;\n        include app.conf;\n    }\n\n    # For admins"
		setUser = "          - X-Auth-Request-User\n"
	)
	for _, test := range []struct {
		gateway, name string
		edits         []edit
		environment   []string
		session       bool
		check         string
		change        string        // in the finding's
		result        doctor.Result // empty: FAIL
	}{
		{gateway: "nginx", name: "a location without the question", check: "page", change: "include authkit/protect.conf;",
			edits: []edit{{"localhost.conf", protect, "        include app.conf;\n    }\n\n    # For admins"}}},
		{gateway: "nginx", name: "a 401 that leads nowhere", check: "page", change: "error_page 401 = @authkit_sign_in;",
			edits: []edit{{"authkit/answer.conf", "error_page 401 = @authkit_sign_in;", ""}}},
		{gateway: "nginx", name: "a redirect for scripts", check: "script", change: "error_page 401 = @authkit_sign_in;",
			edits: []edit{{"authkit/answer.conf", "error_page 401 = @authkit_sign_in;", "error_page 401 =302 /_auth/login;"}}},
		{gateway: "nginx", name: "the decoded path", check: "page", change: "X-Original-URL",
			edits: []edit{{"authkit/original-request.conf", "$host$authkit_port$request_uri", "$host$authkit_port$uri"}}},
		{gateway: "nginx", name: "a URL without its query", check: "return", change: "$request_uri",
			edits: []edit{{"authkit/original-request.conf", "$host$authkit_port$request_uri", "$host$authkit_port$authkit_path"},
				{"authkit/http.conf", "map $http_host $authkit_port {", "map $request_uri $authkit_path { \"~^(?<authkit_p>[^?]*)\" $authkit_p; }\nmap $http_host $authkit_port {"}}},
		{gateway: "nginx", name: "no port", check: "page", change: "WORKOS_REDIRECT_URI",
			edits: []edit{{"authkit/original-request.conf", "$scheme://$host$authkit_port$request_uri", "$scheme://app.example.com$request_uri"}}},
		{gateway: "nginx", name: "no login", check: "sign-in", change: "include authkit/server.conf;",
			edits: []edit{{"authkit/server.conf", "location = /_auth/login     { include authkit/flow.conf; }", ""}}},
		{gateway: "nginx", name: "no callback", check: "callback", change: "include authkit/server.conf;",
			edits: []edit{{"authkit/server.conf", "location = /_auth/callback  { include authkit/flow.conf; }", ""}}},
		{gateway: "nginx", name: "no logout", check: "flow", change: "include authkit/server.conf;",
			edits: []edit{{"authkit/server.conf", "location = /_auth/logout    { include authkit/flow.conf; }", ""}}},
		{gateway: "nginx", name: "no room for answers", check: "long", change: "proxy_buffer_size 64k;",
			edits: []edit{{"authkit/flow.conf", "proxy_buffer_size 64k;\nproxy_buffers 4 64k;", ""}}},
		{gateway: "nginx", name: "no cookies for the service", check: "signed-in", change: "proxy_set_header Cookie $authkit_request_cookie;", session: true,
			edits: []edit{{"authkit/original-request.conf", "proxy_set_header Cookie $authkit_request_cookie;", "proxy_set_header Cookie \"\";"}}},
		{gateway: "nginx", name: "no upgrade", check: "websocket", change: "include authkit/proxy.conf;", session: true,
			edits: []edit{{"authkit/proxy.conf", "proxy_set_header Upgrade    $authkit_upgrade;", ""}}},
		{gateway: "nginx", name: "no room for cookies", check: "large", change: "large_client_header_buffers 4 32k;",
			edits: []edit{{"authkit/http.conf", "large_client_header_buffers 4 32k;", ""}}},
		{gateway: "nginx", name: "underscores", check: "spoofed", change: "underscores_in_headers off", session: true,
			edits: []edit{{"localhost.conf", "server_name localhost;", "server_name localhost;\n    underscores_in_headers on;"}}},
		{gateway: "nginx", name: "no identity headers", check: "identity", change: "include authkit/identity.conf;", session: true,
			edits: []edit{{"authkit/answer.conf", "include authkit/identity.conf;", ""}}},
		{gateway: "nginx", name: "a new cookie that is lost", check: "new-cookie", change: "include authkit/verify.conf;", session: true,
			edits: []edit{{"authkit/verify.conf", "include authkit/set-cookie.conf;", ""}}},
		{gateway: "nginx", name: "a public prefix", check: "paths", change: "location = /favicon.ico",
			edits: []edit{{"localhost.conf", "location = /favicon.ico {\n        include authkit/public.conf;", "location /favicon.ico {"}}},
		{gateway: "nginx", name: "the whole service", check: "endpoints", change: "location = /_auth/login",
			edits: []edit{{"authkit/server.conf", "location = /_auth/login ", "location /verify { include authkit/flow.conf; }\nlocation = /_auth/login "}}},
		{gateway: "nginx", name: "one method alone", check: "methods", change: "no limit_except",
			edits: []edit{{"localhost.conf", "    location / {\n", "    if ($request_method = PUT) { rewrite ^(.*)$ /open$1 last; }\n    location /open/ { include app.conf; }\n    location / {\n"}}},
		{gateway: "nginx", name: "a client's word for the URL", check: "forged", change: "include authkit/original-request.conf;",
			edits: []edit{{"authkit/original-request.conf", "$scheme://$host$authkit_port$request_uri;", "$scheme://$host$authkit_port$authkit_uri;"},
				{"authkit/http.conf", "map $http_host $authkit_port {", "map $http_x_original_uri $authkit_uri { default $http_x_original_uri; \"\" $request_uri; }\nmap $http_host $authkit_port {"}}},
		{gateway: "nginx", name: "a gateway that isn't trusted", check: "page", change: "TRUSTED_PROXIES", environment: []string{"TRUSTED_PROXIES=10.0.0.0/8"}},
		{gateway: "nginx", name: "another host", check: "page", change: "WORKOS_REDIRECT_URI", environment: []string{"WORKOS_REDIRECT_URI=https://auth.example.com/_auth/callback", "LOGOUT_RETURN_URL="}},
		{gateway: "nginx", name: "another client", check: "authkit", change: "WORKOS_CLIENT_ID", environment: []string{"WORKOS_CLIENT_ID=client_01K0E2EOTHERS"}},
		{gateway: "nginx", name: "another redirect URI", check: "authkit", change: "add exactly this redirect URI", environment: []string{"redirect URI"}},

		{gateway: "traefik", name: "a router without the middleware", check: "page", change: "the middleware authkit on the router",
			edits: []edit{{"dynamic.yml", "      rule: PathPrefix(`/`)\n      middlewares:\n        - authkit\n", "      rule: PathPrefix(`/`)\n"}}},
		{gateway: "traefik", name: "forwarded headers of anybody", check: "forged", change: "trustForwardHeader: false",
			edits: []edit{{"dynamic.yml", "trustForwardHeader: false", "trustForwardHeader: true"}, {"traefik.yml", "    http:\n      # Many", "    forwardedHeaders:\n      insecure: true\n    http:\n      # Many"}}},
		{gateway: "traefik", name: "no cookies for the service", check: "signed-in", change: "Cookie in authRequestHeaders", session: true,
			edits: []edit{{"dynamic.yml", "        maxResponseBodySize: 8192\n", "        maxResponseBodySize: 8192\n        authRequestHeaders: [Accept, Sec-Fetch-Mode, Sec-Fetch-Dest]\n"}}},
		{gateway: "traefik", name: "few headers for the service", check: "page", change: "no authRequestHeaders (or with Accept",
			edits: []edit{{"dynamic.yml", "        maxResponseBodySize: 8192\n", "        maxResponseBodySize: 8192\n        authRequestHeaders: [Cookie]\n"}}},
		{gateway: "traefik", name: "no identity headers", check: "identity", change: "authResponseHeaders", session: true,
			edits: []edit{{"dynamic.yml", setUser, ""}}},
		{gateway: "traefik", name: "aliases of headers", check: "spoofed", change: "aliasHeadersStrategy: delete", session: true,
			edits: []edit{{"traefik.yml", "      aliasHeadersStrategy: delete\n", ""}}},
		{gateway: "traefik", name: "a public prefix", check: "paths", change: "Path(`/favicon.ico`)",
			edits: []edit{{"dynamic.yml", "rule: Path(`/favicon.ico`)", "rule: PathPrefix(`/favicon.ico`)"}}},
		{gateway: "traefik", name: "one method without the middleware", check: "methods", change: "no Method(…)",
			edits: []edit{{"dynamic.yml", "    # Public, and", "    put:\n      rule: Method(`PUT`)\n      priority: 3000\n      service: app\n    # Public, and"}}},
		{gateway: "traefik", name: "the whole service", check: "endpoints", change: "Path(…) of each flow endpoint",
			edits: []edit{{"dynamic.yml", "rule: Path(`/_auth/login`) ||", "rule: PathPrefix(`/verify`) || Path(`/_auth/login`) ||"}}},
		{gateway: "traefik", name: "error pages", check: "script", change: "no errors middleware",
			edits: []edit{
				{"dynamic.yml", "      rule: PathPrefix(`/`)\n      middlewares:\n", "      rule: PathPrefix(`/`)\n      middlewares:\n        - pages\n"},
				{"dynamic.yml", "    # Put this on every", "    pages:\n      errors:\n        status: [\"401\"]\n        service: app\n        query: /favicon.ico\n    # Put this on every"}}},
		{gateway: "traefik", name: "a gateway that isn't trusted", check: "page", change: "TRUSTED_PROXIES", environment: []string{"TRUSTED_PROXIES=10.0.0.0/8"}},

		{gateway: "caddy", name: "a handle without the question", check: "page", change: `import authkit ""`,
			edits: []edit{{"Caddyfile", "\t\timport authkit \"\"\n", ""}}},
		{gateway: "caddy", name: "no room for cookies", check: "large", change: "max_header_size 64KB",
			edits: []edit{{"Caddyfile", "max_header_size 64KB", "max_header_size 4KB"}}},
		{gateway: "caddy", name: "nothing stripped", check: "spoofed", change: "import authkit_strip", session: true,
			edits: []edit{{"authkit.caddy", "\troute {\n\t\timport authkit_strip\n", "\troute {\n"}, {"authkit.caddy", "\trequest_header X-Auth-Request-Role {rp.header.X-Auth-Request-Role}\n", ""}}},
		{gateway: "caddy", name: "placeholders", check: "placeholder", change: "request_header * *", session: true,
			edits: []edit{{"authkit.caddy", "\trequest_header * * ", "\t# request_header * * "}}},
		{gateway: "caddy", name: "Connection", check: "connection", change: "request_header Connection", session: true,
			edits: []edit{{"authkit.caddy", "\trequest_header Connection ", "\t# request_header Connection "}}},
		{gateway: "caddy", name: "the client's query", check: "query", change: "rewrite /verify/forward-auth?",
			edits: []edit{{"authkit.caddy", "rewrite /verify/forward-auth?{args[0]}", "rewrite /verify/forward-auth"}}},
		{gateway: "caddy", name: "the decoded path", check: "return", change: "header_up X-Forwarded-Uri {uri}",
			edits: []edit{{"authkit.caddy", "header_up X-Forwarded-Uri {uri}", "header_up X-Forwarded-Uri {path}"}}},
		{gateway: "caddy", name: "a public prefix", check: "paths", change: "vars_regexp",
			edits: []edit{{"Caddyfile", `@public vars_regexp {uri} ^/favicon\.ico(\?.*)?$`, "@public path /favicon.ico*"}}},
		{gateway: "caddy", name: "a new cookie that scripts don't get", check: "new-cookie", result: doctor.Warn, change: "handle_response @renewed", session: true,
			edits: []edit{{"authkit.caddy", "\t\t\t\tcopy_response_headers {\n\t\t\t\t\tinclude Set-Cookie\n\t\t\t\t}\n", ""}}},
		{gateway: "caddy", name: "a denial of its own", check: "script", change: "handle_response",
			edits: []edit{{"authkit.caddy", "\t\t\t# Every other answer", "\t\t\t@denied status 401\n\t\t\thandle_response @denied {\n\t\t\t\trespond \"no\" 401\n\t\t\t}\n\t\t\t# Every other answer"}}},
		{gateway: "caddy", name: "a client's word for the host", check: "forged", change: "header_up X-Forwarded-Method",
			edits: []edit{{"authkit.caddy", "header_up X-Forwarded-Uri {uri}", "header_up X-Forwarded-Uri {header.X-Forwarded-Uri}{uri}"}}},

		{gateway: "haproxy", name: "no question", check: "page", change: "http-request lua.authkit",
			edits: []edit{{"haproxy.cfg", "    http-request lua.authkit unless", "    # "}, {"haproxy.cfg", "    http-request deny deny_status 503 unless authkit", "    # "}}},
		{gateway: "haproxy", name: "no room for cookies", check: "large", change: "tune.bufsize 65536",
			edits: []edit{{"haproxy.cfg", "tune.bufsize 65536", "tune.bufsize 16384"}}},
		{gateway: "haproxy", name: "aliases of headers", check: "spoofed", change: "http-restrict-req-hdr-names", session: true,
			edits: []edit{{"haproxy.cfg", "option http-restrict-req-hdr-names delete", "option http-restrict-req-hdr-names preserve"}}},
		{gateway: "haproxy", name: "a public prefix", check: "paths", change: "acl public path",
			edits: []edit{{"haproxy.cfg", "acl public path /favicon.ico", "acl public path_beg /favicon.ico"}}},
		{gateway: "haproxy", name: "the whole service", check: "endpoints", change: "acl authkit path",
			edits: []edit{{"haproxy.cfg", "acl authkit path ", "acl authkit path_beg /verify "}}},
		{gateway: "haproxy", name: "a new cookie that scripts don't get", check: "new-cookie", result: doctor.Warn, change: "lua.authkit_cookies", session: true,
			edits: []edit{{"haproxy.cfg", "    http-response lua.authkit_cookies", "    # "}}},
		{gateway: "haproxy", name: "one method alone", check: "methods", change: "no method in the conditions",
			edits: []edit{{"haproxy.cfg", "acl public path /favicon.ico", "acl public path /favicon.ico\n    acl public method PUT"}}},

		{gateway: "envoy", name: "a route without the question", check: "page", change: "no disabled: true",
			edits: []edit{{"envoy.yaml", "match: {path: /favicon.ico}", "match: {prefix: /reports}"}}},
		{gateway: "envoy", name: "a public prefix", check: "paths", change: "match: {path: /favicon.ico}",
			edits: []edit{{"envoy.yaml", "match: {path: /favicon.ico}", "match: {prefix: /favicon.ico}"}}},
		{gateway: "envoy", name: "no room for cookies", check: "large", change: "max_request_headers_kb: 96",
			edits: []edit{{"envoy.yaml", "max_request_headers_kb: 96", "max_request_headers_kb: 8"}}},
	} {
		t.Run(test.gateway+"/"+test.name, func(t *testing.T) {
			t.Parallel()
			g := editedExample(test.gateway, test.edits)
			s := newSite(t, g)
			if len(test.environment) == 1 && test.environment[0] == "redirect URI" {
				s.flow, test.environment = "http://localhost:1/_auth", nil // what AuthKit knows
			}
			s.startAuthKit(t)
			s.flow = ""
			s.open(t, g, test.environment...)

			findings := s.examine(t, g, test.session)

			for _, f := range findings {
				if f.Check == test.check && f.Result == cmp.Or(test.result, doctor.Fail) && strings.Contains(f.Change, test.change) {
					return
				}
			}
			t.Errorf("got no %s for %s with %q", cmp.Or(test.result, doctor.Fail), test.check, test.change)
			for _, f := range findings {
				t.Log(f)
			}
		})
	}
}

// While the service is down nobody gets in, or doctor says so.
func TestDoctorWhileDown(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		gateway string
		edits   []edit
		want    doctor.Result
	}{
		{"nginx", nil, doctor.OK},
		{"traefik", nil, doctor.OK},
		{"caddy", nil, doctor.OK},
		{"haproxy", nil, doctor.OK},
		{"envoy", nil, doctor.OK},
		{"nginx", []edit{{"localhost.conf", "    location / {\n", "    location / {\n        error_page 500 = @open;\n"}, {"localhost.conf", "    # Public, and", "    location @open { include app.conf; }\n    # Public, and"}}, doctor.Fail},
		{"caddy", []edit{{"Caddyfile", "\timport authkit_flow\n", "\timport authkit_flow\n\thandle_errors {\n\t\treverse_proxy " + "{$APP}" + "\n\t}\n"}}, doctor.Fail},
	} {
		t.Run(test.gateway+"/"+string(test.want), func(t *testing.T) {
			t.Parallel()
			g := editedExample(test.gateway, test.edits)
			s := newSite(t, g)
			for i := range test.edits {
				test.edits[i].replacement = strings.ReplaceAll(test.edits[i].replacement, "{$APP}", s.at.app)
			}
			s.startAuthKit(t)
			s.open(t, g)
			s.service.stop(t)

			findings := s.examine(t, g, false, "-while-down")

			if len(findings) != 1 || findings[0].Check != "down" || findings[0].Result != test.want {
				t.Errorf("got %v, want down: %s", findings, test.want)
			}
		})
	}
}
