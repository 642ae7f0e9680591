package doctor

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// session examines what somebody who is signed in gets, and what the app gets of them.
func session(ctx context.Context, e *examination) {
	const check = "signed-in"
	if e.Cookie == "" {
		e.skip(check, "without -cookie nothing is examined that needs a session")
		return
	}
	old := e.Cookie
	first := e.ask(ctx, request{url: e.page.String(), header: document(), session: old, shown: "the session"})
	a := first
	if e.newSession(first) != nil {
		e.takeCookies(first)
	}
	if to := first.location(); to != nil && to.String() == e.page.String() { // with a new cookie
		a = e.ask(ctx, request{url: to.String(), header: document(), session: e.Cookie, shown: "the new session cookie"})
	}
	switch {
	case (e.toLogin(a) || a.status == http.StatusUnauthorized) && e.goodAtService(ctx, old):
		e.fail(check, a, "the session is good at the service, and isn't let in: the gateway doesn't hand its cookie on", passCookie)
		return
	case e.toLogin(a), a.status == http.StatusUnauthorized:
		e.fail(check, a, "the session isn't known: has it ended, was the cookie copied whole, and is it of this deployment? Sign in anew and copy the Cookie header", signInAnew)
		return
	case a.reason() != "":
		e.fail(check, a, "the session is good, and isn't let in", reasonChange(a.reason()))
		return
	case !a.allowed() && a.location() == nil && a.status >= 500:
		e.warn(check, a, "the app, or the gateway on its way to the app, is out of order", noChange)
	default:
		e.ok(check, a, "the session is let in")
	}
	newCookie(ctx, e, first, old)
	signedInWebSocket(ctx, e)
	if e.Echo == "" {
		e.skip("identity", "without -echo (a path of the app that answers with the headers that it got) nothing is known of the identity headers")
		return
	}
	identity(ctx, e)
}

// newSession are the cookies with which an answer renews the session; the app may set cookies of its own.
func (e *examination) newSession(a answer) []*http.Cookie {
	var renewed []*http.Cookie
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.MaxAge >= 0 && c.Value != "" && e.isSession(c.Name) {
			renewed = append(renewed, c)
		}
	}
	return renewed
}

// isSession reports whether a cookie is one of the session's: by its usual name, or because the operator's of this name, or the first
// of its chunks, is as long as a sealed session.
func (e *examination) isSession(name string) bool {
	const leastSealed = 512 // bytes
	base, _, _ := strings.Cut(name, ".")
	if strings.HasPrefix(name, "wos-session") {
		return true
	}
	return slices.ContainsFunc((&http.Request{Header: http.Header{"Cookie": {e.given}}}).Cookies(), func(c *http.Cookie) bool {
		own, _, _ := strings.Cut(c.Name, ".")
		return own == base && len(c.Value) >= leastSealed
	})
}

// takeCookies puts the cookies that an answer sets in place of the operator's.
func (e *examination) takeCookies(a answer) {
	cookies := http.Header{"Cookie": {e.Cookie}}
	kept := (&http.Request{Header: cookies}).Cookies()
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		kept = slices.DeleteFunc(kept, func(k *http.Cookie) bool { return k.Name == c.Name })
		if c.MaxAge >= 0 && c.Value != "" {
			kept = append(kept, c)
		}
	}
	var parts []string
	for _, c := range kept {
		parts = append(parts, c.Name+"="+c.Value)
	}
	e.Cookie = strings.Join(parts, "; ")
}

// newCookie looks at whether a refreshed session reaches the browser. old is the operator's cookie, first the answer to it.
func newCookie(ctx context.Context, e *examination, first answer, old string) {
	const check = "new-cookie"
	if e.newSession(first) == nil {
		switch due := e.dueAtService(ctx, old); {
		case due == nil:
			e.skip(check, "the session is fresh, or its new cookie is lost: give the same cookie again after its access token's lifetime (5 minutes, unless changed at WorkOS), and -service")
		case e.newSession(*due) != nil:
			e.fail(check, first, "the service sends a new session cookie, and it is lost on its way to the browser", passNewCookie)
		default:
			e.skip(check, "the session is fresh: give the same cookie again after its access token's lifetime (5 minutes, unless changed at WorkOS)")
		}
		return
	}
	for _, c := range e.newSession(first) {
		sameSite := c.SameSite == http.SameSiteLaxMode || c.SameSite == http.SameSiteNoneMode // WORKOS_COOKIE_SAMESITE
		if !c.HttpOnly || !sameSite || !c.Secure && e.page.Scheme == "https" {
			e.fail(check, first, fmt.Sprintf("the cookie %s has lost HttpOnly, Secure or SameSite on its way", c.Name), keepAttributes)
			return
		}
	}
	e.ok(check, first, "a page gets the new session cookie")
	if a := e.ask(ctx, request{url: e.page.String(), header: fetch(), session: old, shown: "fetch and the old session"}); e.newSession(a) == nil {
		e.warn(check, a, "a script's answer doesn't carry it: the next page does, and until then the old cookie counts", passNewCookie)
	}
}

// dueAtService asks the service itself about the page with the operator's cookie; nil: it isn't known, or doesn't answer this machine.
func (e *examination) dueAtService(ctx context.Context, cookie string) *answer {
	if e.Service == "" {
		return nil
	}
	a := e.ask(ctx, e.question(fetch(), cookie))
	if a.err != nil || a.reason() == "untrusted_proxy" {
		return nil
	}
	return &a
}

// goodAtService reports whether the service itself takes the session.
func (e *examination) goodAtService(ctx context.Context, cookie string) bool {
	a := e.dueAtService(ctx, cookie)
	return a != nil && a.allowed()
}

// signedInWebSocket asks whether a WebSocket gets through to the app.
func signedInWebSocket(ctx context.Context, e *examination) {
	const check = "websocket"
	if e.Socket == "" {
		e.skip(check, "without -websocket (a path where the app takes them) whether they get through to the app isn't known")
		return
	}
	a := e.ask(ctx, request{url: e.at(e.Socket), header: e.handshake(), session: e.Cookie, shown: "the session and Upgrade: websocket"})
	if a.status != http.StatusSwitchingProtocols {
		e.fail(check, a, "a WebSocket with a good session doesn't get through", passWebSockets)
		return
	}
	e.ok(check, a, "a WebSocket gets through")
}

// identity looks at what the app gets of a request, by its echo.
func identity(ctx context.Context, e *examination) {
	names := e.identityHeaders()
	url := e.at(e.Echo)
	a := e.ask(ctx, request{url: url, header: fetch(), session: e.Cookie, shown: "the session"})
	if !a.allowed() {
		e.skip("identity", "the echo answers "+a.String()+": give -echo the path of a page that shows the headers that the app gets")
		return
	}
	user := valueOf(a.body, "X-Auth-Request-User")
	remote := valueOf(a.body, "Remote-User")
	switch {
	case user == "" && remote == "":
		e.fail("identity", a, "the app gets neither X-Auth-Request-User nor Remote-User", passIdentity)
	default:
		e.ok("identity", a, "the app is told who it is")
	}
	placeholders(e, a, names)
	spoofed(ctx, e, names)
	hopByHop(ctx, e, user, remote)
}

// spoofed sends identity headers of an attacker's in the spellings that apps and gateways confuse.
func spoofed(ctx context.Context, e *examination, names []string) {
	const check, mark = "spoofed", "doctor-forged"
	spellings := map[string]func(name string) []string{
		"as they are":      func(name string) []string { return []string{name} },
		"in lower case":    func(name string) []string { return []string{strings.ToLower(name)} },
		"with underscores": func(name string) []string { return []string{strings.ReplaceAll(name, "-", "_")} },
		"with dots":        func(name string) []string { return []string{strings.ReplaceAll(name, "-", ".")} },
		"with one underscore": func(name string) []string {
			i := strings.LastIndex(name, "-")
			return []string{name[:i] + "_" + name[i+1:]}
		},
		"twice": func(name string) []string { return []string{name, strings.ToUpper(name)} },
	}
	order := []string{"as they are", "in lower case", "with underscores", "with dots", "with one underscore", "twice"}
	for _, cookie := range []string{e.Cookie, ""} {
		for _, spelling := range order {
			h := fetch()
			for _, name := range names {
				for _, spelt := range spellings[spelling](name) {
					h[spelt] = append(h[spelt], mark)
				}
			}
			a := e.ask(ctx, request{url: e.at(e.Echo), header: h, session: cookie, shown: "identity headers " + spelling})
			if strings.Contains(a.body, mark) {
				e.fail(check, a, "the app gets identity headers that a client made up", strip)
				return
			}
			if cookie != "" && !a.allowed() {
				e.warn(check, a, "such a request is refused altogether", noChange)
				return
			}
		}
	}
	e.ok(check, answer{}, "identity headers of a client's don't reach the app: "+strings.Join(order, ", "))
}

// hopByHop asks the gateway to take the service's headers away again: Connection names those that aren't passed on.
func hopByHop(ctx context.Context, e *examination, user, remote string) {
	const check = "connection"
	if user == "" && remote == "" {
		e.skip(check, "the app isn't told who it is")
		return
	}
	h := with(fetch(), http.Header{"Connection": {"X-Auth-Request-User, Remote-User, X-Auth-Request-Role, X-Auth-Request-Groups"}})
	a := e.ask(ctx, request{url: e.at(e.Echo), header: h, session: e.Cookie, shown: "Connection: X-Auth-Request-User"})
	if a.allowed() && (valueOf(a.body, "X-Auth-Request-User") != user || valueOf(a.body, "Remote-User") != remote) {
		e.fail(check, a, "a client can have identity headers removed, and some apps take nobody for somebody", keepConnection)
		return
	}
	e.ok(check, answer{}, "a client can't have identity headers removed")
}

// placeholders looks for what a gateway sends where the service's answer has no such header.
func placeholders(e *examination, a answer, names []string) {
	for _, name := range names {
		if v := valueOf(a.body, name); strings.HasPrefix(v, "{") || strings.HasPrefix(v, "$") || strings.HasPrefix(v, "%[") || v == "<no value>" || v == "nil" {
			e.fail("placeholder", a, fmt.Sprintf("the app gets %s: %s, a name of the gateway's and no value", name, v), noPlaceholder)
			return
		}
	}
}

// valueOf is the first value of a header in an echo, whatever its form: "Name: value" in lines, or JSON.
func valueOf(echo, name string) string {
	spelt := strings.ReplaceAll(regexp.QuoteMeta(name), "-", "[-_]")
	m := regexp.MustCompile(`(?im)(?:^|["'\s_])` + spelt + `["']?[ \t]*[:=][ \t]*(?:\[\s*)?["']?([^"'\]\r\n<,]*)`).FindStringSubmatch(echo)
	if m == nil {
		return ""
	}
	return strings.TrimSpace(m[1])
}
