package doctor

import (
	"context"
	"net/http"
	"strings"
)

// question is how a gateway asks the service about the page.
func (e *examination) question(kind http.Header, cookie string) request {
	h := with(kind, http.Header{
		"X-Forwarded-Method": {"GET"}, "X-Forwarded-Proto": {e.page.Scheme}, "X-Forwarded-Host": {e.page.Host}, "X-Forwarded-Uri": {e.page.RequestURI()},
	})
	if cookie != "" {
		h.Set("Cookie", cookie)
	}
	return request{url: strings.TrimSuffix(e.Service, "/") + "/verify/forward-auth", header: h}
}

// service asks the service itself: whether it is ready, what doesn't work as it should, whom it trusts, and its clock.
func service(ctx context.Context, e *examination) {
	if e.Service == "" {
		e.skip("service", "without -service nothing is asked of the service itself")
		return
	}
	a := e.ask(ctx, request{url: strings.TrimSuffix(e.Service, "/") + "/readyz", header: fetch()})
	if a.err != nil || !strings.Contains(a.body, "ready") && a.status != http.StatusServiceUnavailable {
		e.fail("service", a, "this is not where the service answers", serviceAddress)
		return
	}
	lines := strings.Split(strings.TrimSpace(a.body), "\n")
	if a.status != http.StatusOK {
		e.fail("service", a, lines[0], keySet)
	} else {
		e.ok("service", a, "ready: AuthKit's key set is there")
	}
	for _, line := range lines[min(1, len(lines)):] {
		e.warn("degraded", a, line, degradedChange(line))
	}
	clockSkew(e, a) // the gateway's may be another machine's
	b := e.ask(ctx, e.question(document(), ""))
	switch {
	case b.reason() == "untrusted_proxy":
		e.skip("trusted", "the service doesn't answer this machine, as it isn't one of TRUSTED_PROXIES; whether it answers the gateway shows at the page")
	case b.status == http.StatusNotFound:
		e.skip("trusted", "the verify endpoints aren't at this address (VERIFY_ADDR)")
	case b.reason() == "wrong_host":
		e.fail("trusted", b, "the service doesn't protect "+e.page.Host, reasonChange("wrong_host"))
	case b.allowed():
		e.fail("trusted", b, "the service itself lets everybody see this page: a public rule of the policy", narrowRule)
	default:
		e.ok("trusted", b, "the service asks for sign-in at this page")
	}
}

// upstream asks the app itself, around the gateway.
func upstream(ctx context.Context, e *examination) {
	const check = "around"
	if e.Upstream == "" {
		e.skip(check, "without -upstream whether the app can be reached around the gateway isn't known")
		return
	}
	a := e.ask(ctx, request{url: strings.TrimSuffix(e.Upstream, "/") + e.page.RequestURI(), host: e.page.Host, header: document()})
	if a.err != nil {
		e.ok(check, a, "from this machine the app can't be reached around the gateway")
		return
	}
	e.warn(check, a, "from this machine the app can be reached around the gateway, with any identity headers: nobody but the gateway should", closeAround)
}

// whileDown asks for the page while the service is stopped.
func whileDown(ctx context.Context, e *examination) {
	const check = "down"
	for _, r := range []request{
		{url: e.page.String(), header: document()},
		{url: e.page.String(), header: fetch(), shown: "fetch"},
		{url: e.page.String(), method: http.MethodPost, header: fetch(), body: "x"},
		{url: e.page.String(), header: with(document(), http.Header{"Cookie": {"wos-session=doctor"}}), shown: "a made-up session"},
		{url: e.page.String(), header: document(), session: e.Cookie, shown: "the session"},
	} {
		if r.shown == "the session" && e.Cookie == "" {
			continue
		}
		a := e.ask(ctx, r)
		switch {
		case a.allowed():
			e.fail(check, a, "with the service down everybody gets in", failClosed)
			return
		case a.reason() != "":
			e.fail(check, a, "the service answers: stop it, or its replicas, before -while-down", noChange)
			return
		case a.location() != nil:
			e.warn(check, a, "nobody gets in, but the answer looks as if the service were up; is it stopped?", noChange)
			return
		}
	}
	e.ok(check, answer{}, "with the service down nobody gets in")
}
