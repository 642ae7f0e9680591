package doctor

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
	"github.com/authkit-forward-auth/authkit-forward-auth/verify"
)

const (
	maxClockSkew = 30 * time.Second
	expiresSoon  = 14 * 24 * time.Hour
)

// page asks for the page without a session. It returns false where nothing else can be examined.
func page(ctx context.Context, e *examination) bool {
	a := e.ask(ctx, request{url: e.page.String(), header: document()})
	if invalid := new(tls.CertificateVerificationError); errors.As(a.err, &invalid) {
		e.fail("certificate", a, "browsers refuse it", validTLS)
		if e.Cookie != "" {
			e.Cookie, e.Echo = "", "" // it isn't sent where anybody may listen
		}
		e.client.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true
		a = e.ask(ctx, request{url: e.page.String(), header: document()})
	}
	if to := a.location(); to != nil && e.page.Scheme == "http" && to.Scheme == "https" && to.Hostname() == e.page.Hostname() {
		e.ok("https", a, "the page moves to https")
		e.page = to
		return page(ctx, e)
	}
	if to := a.location(); to != nil && !e.moved && to.Host == e.page.Host && to.Path != e.page.Path && strings.Trim(to.Path, "/") == strings.Trim(e.page.Path, "/") {
		e.moved, e.page = true, to // a gateway that adds a slash, or takes one away
		return page(ctx, e)
	}
	if e.Gateway == "" {
		e.Gateway = gatewayOf(a.header.Get("Server"))
	}
	if a.err != nil {
		e.fail("page", a, "nothing answers at this URL", unreachable)
		return false
	}
	certificate(e, a)
	clock(e, a)
	to := a.location()
	denied := a.reason() != "" && a.reason() != verify.ReasonNoSession
	switch {
	case a.allowed():
		e.fail("page", a, "everybody gets this page without signing in", protect)
		return false
	case a.reason() == verify.ReasonNoCredential:
		e.warn("page", a, "it takes tokens or API keys and no session: give the URL of a page for people", noChange)
		return false
	case denied && e.page.RawQuery != "" && e.withoutQuery(ctx):
		e.fail("query", a, "without its query the page is asked for sign-in: the client's query gets into the gateway's question", ownQuery)
		e.page.RawQuery = ""
		return page(ctx, e)
	case denied:
		e.fail("page", a, "the service denies the page to everybody", reasonChange(a.reason()))
		return false
	case to != nil && to.Query().Get("client_id") != "" && to.Query().Get("redirect_uri") != "":
		e.fail("page", a, "it leads to the identity provider at once, so after the sign-in nobody comes back to this page: another middleware's, or the flow's own answer in place of a denial's", leadToSignIn)
	case to != nil && !strings.HasSuffix(to.Path, "/login"):
		e.fail("page", a, "it doesn't lead to the sign-in of this service: the app's own sign-in, or another middleware's", protect)
		return false
	case to == nil && a.status == http.StatusUnauthorized:
		e.fail("page", a, "a browser isn't led to the sign-in", leadToSignIn)
	case to == nil && a.status == http.StatusNotFound:
		e.fail("page", a, "the gateway or the app knows no such page; nothing asks for sign-in", protect)
		return false
	case to == nil && a.status >= 500:
		e.fail("page", a, "the gateway gets no answer from the service", reachService)
		return false
	case to == nil:
		e.fail("page", a, "a browser isn't led to the sign-in", leadToSignIn)
	default:
		e.login = &url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path, RawPath: to.RawPath}
		e.ok("page", a, "a browser is led to the sign-in")
	}
	if !strings.Contains(a.header.Get("Cache-Control"), "no-store") {
		e.fail("cache", a, "the answer may be stored (no Cache-Control: no-store), so that a cache asks people to sign in who are", noStore)
	}
	return true
}

// withoutQuery reports whether the page is denied for no other reason than that nobody is signed in, where it is asked for without its query.
func (e *examination) withoutQuery(ctx context.Context) bool {
	a := e.ask(ctx, request{url: e.at(e.page.EscapedPath()), header: document()})
	return a.reason() == verify.ReasonNoSession
}

// certificate looks at how the connection is protected.
func certificate(e *examination, a answer) {
	if e.page.Scheme == "http" {
		if site.IsLocal(e.page.Hostname()) {
			e.skip("certificate", "http on this machine")
		} else {
			e.fail("certificate", a, "without TLS the session cookie can be read on the way", validTLS)
		}
		return
	}
	if a.state == nil || len(a.state.PeerCertificates) == 0 {
		return
	}
	leaf := a.state.PeerCertificates[0]
	if left := leaf.NotAfter.Sub(e.Now()); left < expiresSoon {
		e.warn("certificate", a, fmt.Sprintf("it ends at %s", leaf.NotAfter.UTC().Format(time.DateTime)), validTLS)
		return
	}
	e.ok("certificate", a, "valid until "+leaf.NotAfter.UTC().Format(time.DateOnly)+" for "+names(leaf))
}

func names(c *x509.Certificate) string { return strings.Join(c.DNSNames, ", ") }

// clock compares the deployment's clock with this machine's, once an answer tells it: some gateways' own have no Date.
func clock(e *examination, a answer) {
	if e.clocked {
		return
	}
	skew, told := clockSkew(e, a)
	if e.clocked = told; told && skew <= maxClockSkew {
		e.ok("clock", a, fmt.Sprintf("within %s of this machine's", max(skew, time.Second)))
	}
}

// clockSkew is by how much the clock that an answer tells and this machine's differ. It warns where that is too much.
func clockSkew(e *examination, a answer) (skew time.Duration, told bool) {
	theirs, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		return 0, false
	}
	ahead := theirs.Sub(e.Now()).Round(time.Second)
	if ahead.Abs() > maxClockSkew {
		e.warn("clock", a, fmt.Sprintf("its clock and this machine's differ by %s; sessions are judged by the service's clock", ahead), setClock)
	}
	return ahead.Abs(), true
}

// plainHTTP asks for the page without TLS, where it has TLS.
func plainHTTP(ctx context.Context, e *examination) {
	const check = "http"
	if e.page.Scheme != "https" || e.page.Port() != "" {
		return
	}
	plain := *e.page
	plain.Scheme = "http"
	a := e.ask(ctx, request{url: plain.String(), header: document()})
	to := a.location()
	switch {
	case a.allowed():
		e.fail(check, a, "without TLS everybody gets this page without signing in", protect)
	case a.err == nil && to == nil && a.reason() != "":
		e.warn(check, a, "without TLS people are asked to sign in and can't, since the session cookie needs it", moveToTLS)
	case to != nil && to.Scheme != "https":
		e.warn(check, a, "without TLS people aren't led to https", moveToTLS)
	default:
		e.ok(check, a, "without TLS nobody gets the page")
	}
}

// longURL asks for a page with a query of 6 KB: the question, its answer and the sign-in's cookies are long then.
func longURL(ctx context.Context, e *examination) {
	const check = "long"
	if e.login == nil {
		return
	}
	long := "" // as it is random, no compression makes it shorter
	for len(long) < 6<<10 {
		long += rand.Text()
	}
	asked := e.at(e.page.EscapedPath() + "?doctor=" + long)
	a := e.ask(ctx, request{url: asked, header: document()})
	if !e.toLogin(a) || a.returns() != asked {
		e.fail(check, a, "with a URL of 6 KB nobody is led to the sign-in", moreHeaders)
		return
	}
	b := e.ask(ctx, request{url: a.location().String(), header: document()})
	if to := b.location(); to == nil || to.Query().Get("redirect_uri") == "" {
		e.fail(check, b, "the sign-in's answer, whose cookies hold a long URL, is lost: so will be that to a session in several cookies", moreAnswer)
		return
	}
	e.ok(check, answer{}, "a URL of 6 KB is led through the sign-in")
}

// returnURL asks for a page whose URL is easily damaged on its way through the sign-in.
func returnURL(ctx context.Context, e *examination) {
	const check = "return"
	if e.login == nil {
		e.skip(check, "the page leads nowhere")
		return
	}
	for _, more := range []string{"?a=1&b=%2Fx%26y+z&c=%C3%A4%25&rd=https%3A%2F%2Fexample.com%2F&a=2", "/doctor%20a+b%C3%A4?x"} {
		asked := e.at(strings.TrimSuffix(e.page.EscapedPath(), "/") + more)
		if strings.HasPrefix(more, "?") {
			asked = e.at(e.page.EscapedPath() + more)
		}
		a := e.ask(ctx, request{url: asked, header: document()})
		switch {
		case a.allowed():
			e.fail(check, a, "everybody gets this page without signing in", protect)
			return
		case !e.toLogin(a):
			e.fail(check, a, "it doesn't lead to the sign-in as "+e.page.EscapedPath()+" does", leadToSignIn)
			return
		case a.returns() != asked:
			e.fail(check, a, fmt.Sprintf("after the sign-in a browser comes to %q and not to the page that it asked for", a.returns()), keepURL)
			return
		}
	}
	e.ok(check, answer{}, "after the sign-in a browser comes back to its URL, byte for byte")
}
