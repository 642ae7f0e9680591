package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// script asks as a page's script does: it gets a 401 that it can read.
func script(ctx context.Context, e *examination) {
	const check = "script"
	a := e.ask(ctx, request{url: e.page.String(), header: with(fetch(), http.Header{"Origin": {e.origin()}}), shown: "fetch"})
	var problem struct {
		Reason   string `json:"reason"`
		LoginURL string `json:"login_url"`
	}
	unreadable := json.Unmarshal([]byte(a.body), &problem) != nil
	switch {
	case a.allowed():
		e.fail(check, a, "everybody gets this page without signing in", protect)
	case a.location() != nil:
		e.fail(check, a, "a script is led to the sign-in page, which it can't read, instead of a 401", answer401)
	case a.status != http.StatusUnauthorized:
		e.fail(check, a, "a script gets no 401 where it has to sign in", answer401)
	case a.reason() == "":
		e.fail(check, a, "the answer's X-Auth-Reason is lost on the way", passHeaders)
	case unreadable || problem.Reason == "" || problem.LoginURL == "":
		e.fail(check, a, "the service's body (reason, login_url) is lost on the way", passBody)
	default:
		if e.login != nil && problem.LoginURL != e.login.String() {
			e.warn(check, a, fmt.Sprintf("a script is told to sign in at %s, and a browser is led to %s", problem.LoginURL, e.login), trustNobody)
			return
		}
		e.ok(check, a, "with reason and login_url")
	}
}

// form sends what a form would: nobody loses what they typed by a redirect.
func form(ctx context.Context, e *examination) {
	const check = "form"
	h := with(document(), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"}, "Origin": {e.origin()}, "Referer": {e.page.String()},
	})
	a := e.ask(ctx, request{method: http.MethodPost, url: e.page.String(), header: h, body: "text=doctor", shown: "a form"})
	switch {
	case a.allowed():
		e.fail(check, a, "a form reaches the app without a session", protect)
	case a.location() != nil:
		e.fail(check, a, "a form is led away, and what was typed is lost; it should be a page that says so", answer401)
	case a.status != http.StatusUnauthorized || !strings.Contains(a.header.Get("Content-Type"), "html"):
		e.fail(check, a, "a form gets no page that says what happened to it", passBody)
	default:
		e.ok(check, a, "with a page that says what to do")
	}
}

// upload sends 2 MB.
func upload(ctx context.Context, e *examination) {
	const check, size = "upload", 2 << 20
	h := with(fetch(), http.Header{"Content-Type": {"application/octet-stream"}})
	a := e.ask(ctx, request{method: http.MethodPost, url: e.page.String(), header: h, body: strings.Repeat("x", size), shown: "2 MB"})
	switch {
	case a.allowed():
		e.fail(check, a, "an upload reaches the app without a session", protect)
	case a.err != nil:
		e.warn(check, a, "the gateway ended the connection while the upload went on, as some do; those who are signed in aren't concerned", noChange)
	case a.status == http.StatusRequestEntityTooLarge:
		e.warn(check, a, "the gateway takes no upload of 2 MB, from nobody", raiseBodySize)
	case a.status != http.StatusUnauthorized:
		e.fail(check, a, "an upload gets no 401 where it has to sign in", askWithoutBody)
	default:
		e.ok(check, a, "")
	}
}

// handshake is a WebSocket's, RFC 6455 4.1.
func (e *examination) handshake() http.Header {
	return http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Origin": {e.origin()},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"ZG9jdG9yIGRvY3RvciEhIQ=="},
	}
}

// webSocket asks for a WebSocket, and for an upgrade that would get around the gateway.
func webSocket(ctx context.Context, e *examination) {
	const check = "websocket"
	a := e.ask(ctx, request{url: e.page.String(), header: e.handshake(), shown: "Upgrade: websocket"})
	switch {
	case a.allowed():
		e.fail(check, a, "a WebSocket reaches the app without a session", protect)
		return
	case a.location() != nil:
		e.fail(check, a, "a WebSocket is led to the sign-in page instead of a 401", answer401)
		return
	case !e.denies(a):
		e.warn(check, a, "a WebSocket gets no 401 where it has to sign in", answer401)
		return
	}
	h2c := http.Header{"Connection": {"Upgrade, HTTP2-Settings"}, "Upgrade": {"h2c"}, "Http2-Settings": {"AAMAAABkAAQCAAAAAAIAAAAA"}}
	if b := e.ask(ctx, request{url: e.page.String(), header: with(document(), h2c), shown: "Upgrade: h2c"}); b.allowed() {
		e.fail(check, b, "a connection of HTTP/2 gets through, in which nobody is asked", webSocketsOnly)
		return
	}
	e.ok(check, a, "")
}
