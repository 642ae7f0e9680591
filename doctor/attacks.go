package doctor

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
	"github.com/authkit-forward-auth/authkit-forward-auth/verify"
)

// foreign is a host that nobody has, RFC 6761 6.4.
const foreign = "doctor.invalid"

// forgedHost asks under another name: whoever follows the answer must not come to it.
func forgedHost(ctx context.Context, e *examination) {
	const check = "host"
	for _, r := range []request{
		{url: e.page.String(), header: document(), host: foreign, shown: "Host: " + foreign},
		{url: e.page.String(), header: document(), target: e.page.Scheme + "://" + foreign + e.page.RequestURI(), shown: "Host: " + e.page.Host},
	} {
		a := e.ask(ctx, r)
		to := a.location()
		switch {
		case a.allowed():
			e.warn(check, a, "another site of the gateway's answers under a name that isn't the app's; if it is the app, anybody gets in", checkHost)
			return
		case to != nil && strings.Contains(to.RawQuery, foreign), to != nil && to.Hostname() == foreign && strings.HasSuffix(to.Path, "/login"):
			e.fail(check, a, "a sign-in would lead to a host that isn't the app's", checkHost)
			return
		}
	}
	e.ok(check, answer{}, "under another name nobody is led to a sign-in or into the app")
}

// forgedHeaders sends what only the gateway should say: it must change nothing.
func forgedHeaders(ctx context.Context, e *examination) {
	const check = "forged"
	hooks, other := "/_auth/"+site.Webhooks, "http"
	if e.login != nil {
		hooks = strings.TrimSuffix(e.login.EscapedPath(), site.Login) + site.Webhooks
	}
	if e.page.Scheme == "http" {
		other = "https"
	}
	identity := http.Header{}
	for _, name := range e.identityHeaders() {
		identity.Set(name, "doctor@example.com")
	}
	var refused *answer
	for _, forged := range []struct {
		shown  string
		header http.Header
	}{
		{"X-Forwarded-Host: " + foreign, http.Header{"X-Forwarded-Host": {foreign}}},
		{"X-Forwarded-Uri: " + hooks, http.Header{"X-Forwarded-Uri": {hooks}}},
		{"X-Forwarded-Method: OPTIONS", http.Header{"X-Forwarded-Method": {"OPTIONS"}, "Origin": {e.origin()}, "Access-Control-Request-Method": {"GET"}}},
		{"X-Forwarded-Proto: " + other, http.Header{"X-Forwarded-Proto": {other}}},
		{"X-Forwarded-Port: 1", http.Header{"X-Forwarded-Port": {"1"}}},
		{"Forwarded: host=" + foreign, http.Header{"Forwarded": {"for=127.0.0.1;host=" + foreign + ";proto=" + other}}},
		{"X-Original-URL: " + hooks, http.Header{"X-Original-Url": {e.at(hooks)}}},
		{"X-Original-URI: " + hooks, http.Header{"X-Original-Uri": {hooks}}},
		{"X-Original-Method: OPTIONS", http.Header{"X-Original-Method": {"OPTIONS"}, "Origin": {e.origin()}, "Access-Control-Request-Method": {"GET"}}},
		{"X-Rewrite-URL: " + hooks, http.Header{"X-Rewrite-Url": {hooks}}},
		{"X-Envoy-Original-Path: " + hooks, http.Header{"X-Envoy-Original-Path": {hooks}}},
		{"X-Forwarded-For: 127.0.0.1", http.Header{"X-Forwarded-For": {"127.0.0.1"}, "X-Real-Ip": {"127.0.0.1"}}},
		{"identity headers", identity},
	} {
		a := e.ask(ctx, request{url: e.page.String(), header: with(document(), forged.header), shown: forged.shown})
		switch {
		case a.allowed():
			e.fail(check, a, "whoever sends this gets in without signing in", trustNobody)
			return
		case e.toLogin(a) && a.returns() != e.page.String():
			e.fail(check, a, fmt.Sprintf("the client decides what the service is asked about: after the sign-in it is led to %q", a.returns()), trustNobody)
			return
		case e.login != nil && !e.toLogin(a) && (a.status < http.StatusBadRequest || a.reason() == verify.ReasonWrongHost):
			e.fail(check, a, "the client decides what the service is asked about", trustNobody)
			return
		case e.login != nil && !e.toLogin(a) && refused == nil:
			refused = &a
		}
	}
	if refused != nil {
		e.warn(check, *refused, "such a request is refused; proxies in front of the gateway may send this too", trustNobody)
		return
	}
	e.ok(check, answer{}, "headers by which a gateway says which request it asks about, and identity headers, change nothing where a client sends them")
}

// forgedQuery sends what looks like the service's own parameters.
func forgedQuery(ctx context.Context, e *examination) {
	const check = "query"
	for _, query := range []string{"role=doctor", "organization=doctor&permission=doctor", "rd=https%3A%2F%2F" + foreign + "%2F"} {
		asked := e.at(e.page.EscapedPath() + "?" + query)
		a := e.ask(ctx, request{url: asked, header: document()})
		switch {
		case a.allowed():
			e.fail(check, a, "a query lets everybody in", ownQuery)
			return
		case e.toLogin(a) && a.returns() != asked:
			e.fail(check, a, "the page's query gets mixed up with the service's", ownQuery)
			return
		case a.status == http.StatusForbidden:
			e.fail(check, a, "the client's query is appended to the gateway's question, and read as requirements", ownQuery)
			return
		case e.login != nil && !e.toLogin(a):
			e.fail(check, a, "the page's query changes the answer", ownQuery)
			return
		}
	}
	e.ok(check, answer{}, "the page's query says nothing to the service")
}

// methods asks with methods that a gateway's rule may have forgotten.
func methods(ctx context.Context, e *examination) {
	const check = "methods"
	preflight := http.Header{"Origin": {"https://" + foreign}, "Access-Control-Request-Method": {"DELETE"}}
	for _, r := range []request{
		{method: http.MethodHead, header: fetch()},
		{method: http.MethodPut, header: fetch(), body: "x"},
		{method: http.MethodPatch, header: fetch(), body: "x"},
		{method: http.MethodDelete, header: fetch()},
		{method: "PROPFIND", header: fetch()},
		{method: http.MethodOptions, header: fetch()},
		{method: http.MethodOptions, header: with(fetch(), preflight), shown: "a preflight's headers"},
	} {
		r.url = e.page.String()
		a := e.ask(ctx, r)
		switch {
		case a.allowed() && r.method == http.MethodOptions:
			e.warn(check, a, "it gets through without a session: meant so with ALLOW_PREFLIGHT=true, else the app or the gateway answers it", everyMethod)
			return
		case a.allowed():
			e.fail(check, a, "this method gets through without a session", everyMethod)
			return
		}
	}
	e.ok(check, answer{}, "HEAD, PUT, PATCH, DELETE, PROPFIND and OPTIONS are denied too")
}

// paths asks for the page by paths that some server reads as its own.
func paths(ctx context.Context, e *examination) {
	const check = "paths"
	page := e.page.EscapedPath()
	flow := "/_auth/"
	if e.login != nil && e.login.Host == e.page.Host {
		flow = strings.TrimSuffix(e.login.EscapedPath(), site.Login)
	}
	last := page[strings.LastIndex(page, "/")+1:]
	escaped := page + "%2e"
	if last != "" {
		escaped = strings.TrimSuffix(page, last) + fmt.Sprintf("%%%02x", last[0]) + last[1:]
	}
	for _, target := range []string{
		"/" + page, "/." + page, "/doctor/.." + page, "/doctor/%2e%2e" + page, "/doctor/..%2f" + strings.TrimPrefix(page, "/"), "/doctor%5c.." + page,
		"/doctor/..;" + page, page + ";doctor=1", page + "%23doctor", page + "%3fdoctor", escaped,
		"/favicon.ico/.." + page, "/favicon.ico/%2e%2e" + page, "/favicon.ico/..;" + page, "/robots.txt/%2e%2e" + page,
		flow + site.Login + "/.." + strings.Repeat("/..", strings.Count(flow, "/")-1) + page,
		flow + site.Webhooks + "/%2e%2e" + strings.Repeat("/%2e%2e", strings.Count(flow, "/")-1) + page,
		flow + site.Logout + ";/.." + strings.Repeat("/..", strings.Count(flow, "/")-1) + page,
	} {
		a := e.ask(ctx, request{url: e.origin() + "/", target: target, header: document()})
		if a.allowed() {
			e.fail(check, a, "without a session this path reaches the app", onePath)
			return
		}
	}
	e.ok(check, answer{}, "no spelling of the path gets in without a session")
}

// manyCookies sends 24 KB of them, as a browser does with a session in several and those of the app.
func manyCookies(ctx context.Context, e *examination) {
	const check = "large"
	var cookies []string
	for i := range 6 {
		cookies = append(cookies, fmt.Sprintf("doctor%d=%s", i, strings.Repeat("c", 4000)))
	}
	a := e.ask(ctx, request{url: e.page.String(), header: with(document(), http.Header{"Cookie": {strings.Join(cookies, "; ")}}), shown: "24 KB of cookies"})
	switch {
	case a.allowed():
		e.fail(check, a, "with many cookies everybody gets in", protect)
	case e.login != nil && !e.toLogin(a), !e.denies(a), a.reason() == "" && a.status >= http.StatusBadRequest && a.status != http.StatusUnauthorized:
		e.fail(check, a, "with many cookies people can't get in: a session takes up to eight of 4 KB", moreHeaders)
	default:
		e.ok(check, a, "")
	}
}

// endpoints asks for the service's own, which only the gateway and the operator need.
func endpoints(ctx context.Context, e *examination) {
	const check = "endpoints"
	origins := []string{e.origin()}
	if e.login != nil && e.login.Host != e.page.Host {
		origins = append(origins, e.login.Scheme+"://"+e.login.Host)
	}
	question := http.Header{
		"X-Forwarded-Method": {"GET"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {foreign}, "X-Forwarded-Uri": {"/"},
		"X-Original-Method": {"GET"}, "X-Original-Url": {"https://" + foreign + "/"},
	}
	found := false
	for _, origin := range origins {
		for _, path := range []string{"/verify", "/verify/forward-auth", "/verify/auth-request", "/verify/sign-in", "/verify/ext-authz/", "/_authkit/verify", "/_authkit/verify/role=x"} {
			a := e.ask(ctx, request{url: origin + path, header: with(fetch(), question)})
			// no_session and misconfigured are about these paths as an app's.
			if slices.Contains([]string{verify.ReasonWrongHost, verify.ReasonBadRequest, verify.ReasonUntrustedProxy}, a.reason()) {
				found = true
				e.fail(check, a, "anybody can ask the service what only the gateway should", hideEndpoints)
				break
			}
		}
		for path, text := range map[string]string{"/metrics": "go_goroutines", "/healthz": "ok\n", "/readyz": "ready"} {
			if a := e.ask(ctx, request{url: origin + path, header: fetch()}); a.allowed() && strings.Contains(a.body, text) && !strings.Contains(a.body, "<html") {
				found = true
				e.warn(check, a, "everybody can read it", hideEndpoints)
			}
		}
	}
	if !found {
		e.ok(check, answer{}, "the service's own endpoints can't be reached")
	}
}
