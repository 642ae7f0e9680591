package doctor

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
	"github.com/authkit-forward-auth/authkit-forward-auth/verify"
)

// signIn goes where the page leads to, up to AuthKit's own page.
func signIn(ctx context.Context, e *examination) {
	const check = "sign-in"
	if e.login == nil {
		e.skip(check, "the page leads nowhere")
		return
	}
	a := e.ask(ctx, request{url: e.login.String() + "?rd=" + url.QueryEscape(e.page.String()), header: document()})
	to := a.location()
	switch {
	case to == nil && a.allowed():
		e.fail(check, a, "something else than the service answers at the sign-in's address", routeFlow)
		return
	case e.toLogin(a):
		e.fail(check, a, "the sign-in itself asks for a sign-in, endlessly", routeFlow)
		return
	case to == nil && a.status == http.StatusServiceUnavailable, to == nil && a.reason() != "":
		e.fail(check, a, "the service doesn't begin a sign-in", reasonChange(a.reason()))
		return
	case to == nil:
		e.fail(check, a, "the sign-in's address isn't led to the service", routeFlow)
		return
	}
	clock(e, a)
	callback, err := url.Parse(to.Query().Get("redirect_uri"))
	if err != nil || callback.Host == "" {
		e.fail(check, a, "it doesn't lead to AuthKit", routeFlow)
		return
	}
	e.callback = callback
	if callback.Scheme != e.login.Scheme || callback.Host != e.login.Host || path.Dir(callback.Path) != path.Dir(e.login.Path) {
		e.fail(check, a, fmt.Sprintf("AuthKit is told to come back to %s, which is not where %s is", callback, e.login), redirectURI)
		return
	}
	if e.page.Scheme == "https" && callback.Scheme != "https" {
		e.fail(check, a, "AuthKit is told to come back to "+callback.String()+", without TLS", redirectURI)
		return
	}
	e.ok(check, a, "AuthKit is told to come back to "+callback.String())
	stateCookies(e, a)
	authKit(ctx, e, to)
}

// stateCookies looks at what the browser keeps during a sign-in.
func stateCookies(e *examination, a answer) {
	const check = "cookies"
	cookies := (&http.Response{Header: a.header}).Cookies()
	if len(cookies) == 0 {
		e.fail(check, a, "the sign-in sets no cookie, so the way back from AuthKit will not be known", passCookies)
		return
	}
	for _, c := range cookies {
		switch {
		case !c.HttpOnly || c.SameSite != http.SameSiteLaxMode:
			e.fail(check, a, fmt.Sprintf("the cookie %s has lost HttpOnly or SameSite=Lax on its way", c.Name), keepAttributes)
			return
		case e.login.Scheme == "https" && !c.Secure:
			e.fail(check, a, fmt.Sprintf("the cookie %s isn't Secure", c.Name), keepAttributes)
			return
		case c.Domain != "":
			e.fail(check, a, fmt.Sprintf("the cookie %s of the sign-in is for all of %s", c.Name, c.Domain), keepAttributes)
			return
		}
	}
	e.ok(check, answer{}, "HttpOnly, SameSite=Lax and of this host alone, as they were sent")
}

// authKit asks AuthKit whether it takes such a sign-in.
func authKit(ctx context.Context, e *examination, authorize *url.URL) {
	const check, hops = "authkit", 5
	at := authorize
	for range hops {
		a := e.ask(ctx, request{url: at.String(), header: document()})
		a.sent = "GET " + at.Scheme + "://" + at.Host + at.Path
		to := a.location()
		switch {
		case a.err != nil:
			e.warn(check, a, "AuthKit can't be reached from here, so whether it knows the redirect URI is open", noChange)
			return
		case to != nil && to.Scheme == e.callback.Scheme && to.Host == e.callback.Host && to.Query().Get("error") != "":
			e.fail(check, a, fmt.Sprintf("AuthKit refuses the sign-in: %s: %s", to.Query().Get("error"), to.Query().Get("error_description")), registerURI)
			return
		case to != nil && strings.HasPrefix(to.Hostname(), "error."):
			e.fail(check, a, "AuthKit refuses the sign-in: is "+e.callback.String()+" one of its redirect URIs?", registerURI)
			return
		case to != nil:
			at = to
			continue
		case a.status >= 500:
			e.warn(check, a, "AuthKit is out of order, so whether it knows the redirect URI is open", noChange)
			return
		case a.status >= 400:
			e.fail(check, a, "AuthKit refuses the sign-in: "+words(a.body), registerURI)
			return
		}
		e.ok(check, a, "AuthKit shows its page for this client and redirect URI")
		return
	}
	e.ok(check, answer{}, "AuthKit leads on to a sign-in")
}

// words is a page's text without its markup, cut.
func words(page string) string {
	var b strings.Builder
	if _, body, found := strings.Cut(page, "<body"); found {
		page = "<body" + body
	}
	for rest := page; rest != ""; {
		text, tag, _ := strings.Cut(rest, "<")
		b.WriteString(text + " ")
		if _, rest, _ = strings.Cut(tag, ">"); strings.HasPrefix(tag, "style") || strings.HasPrefix(tag, "script") {
			_, rest, _ = strings.Cut(rest, "</")
			_, rest, _ = strings.Cut(rest, ">")
		}
	}
	text := strings.Join(strings.Fields(html.UnescapeString(b.String())), " ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}

// callback asks whether the way back from AuthKit reaches the service, with a state that isn't one.
func callback(ctx context.Context, e *examination) {
	const check = "callback"
	if e.callback == nil {
		e.skip(check, "the redirect URI isn't known")
		return
	}
	a := e.ask(ctx, request{url: e.callback.String() + "?code=doctor&state=doctor", header: document()})
	to := a.location()
	switch {
	case to != nil && to.Query().Has("attempts"), to == nil && a.reason() == "state":
		e.ok(check, a, "the way back from AuthKit reaches the service")
	case e.toLogin(a), a.reason() == "no_session":
		e.fail(check, a, "the way back from AuthKit asks for a sign-in itself, endlessly", routeFlow)
	default:
		e.fail(check, a, "the way back from AuthKit doesn't reach the service", routeFlow)
	}
}

// otherEndpoints asks for those of the flow that the way in doesn't need.
func otherEndpoints(ctx context.Context, e *examination) {
	const check = "flow"
	if e.callback == nil {
		e.skip(check, "where the flow is isn't known")
		return
	}
	at := func(name string) string {
		u := *e.login
		u.Path, u.RawPath = strings.TrimSuffix(u.Path, site.Login)+name, ""
		return u.String()
	}
	a := e.ask(ctx, request{url: at(site.SignUp), header: document()})
	if to := a.location(); to == nil || to.Query().Get("redirect_uri") != e.callback.String() {
		e.fail(check, a, "the sign-up doesn't reach the service", routeFlow)
		return
	}
	for _, name := range []string{site.Logout, site.Switch} {
		a := e.ask(ctx, request{url: at(name), header: document()})
		if to := a.location(); a.reason() == verify.ReasonNoSession || to == nil && !strings.Contains(a.header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			e.fail(check, a, name+" doesn't reach the service", routeFlow)
			return
		}
	}
	e.ok(check, answer{}, "sign-up, logout and switch reach the service")
}

// webhooks asks whether WorkOS's events reach the service, with one that isn't signed.
func webhooks(ctx context.Context, e *examination) {
	const check = "webhooks"
	if e.login == nil {
		e.skip(check, "where the flow is isn't known")
		return
	}
	at := *e.login
	at.Path, at.RawPath = strings.TrimSuffix(at.Path, site.Login)+site.Webhooks, ""
	a := e.ask(ctx, request{method: http.MethodPost, url: at.String(), header: http.Header{"Content-Type": {"application/json"}}, body: "{}"})
	switch {
	case a.status == http.StatusNotFound:
		e.warn(check, a, "the service takes no webhooks (or the gateway doesn't lead them to it): a session that is revoked at WorkOS goes on until its access token ends", routeWebhooks)
	case a.reason() == "no_session" || a.location() != nil:
		e.fail(check, a, "WorkOS's events are asked to sign in", routeFlow)
	case a.allowed():
		e.warn(check, a, "the app answers here, and not the service: a session that is revoked at WorkOS goes on until its access token ends", routeWebhooks)
	case a.status == http.StatusBadRequest || a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		e.ok(check, a, "WorkOS's events reach the service, which refuses one without signature")
	default:
		e.fail(check, a, "WorkOS's events don't reach the service", routeFlow)
	}
}
