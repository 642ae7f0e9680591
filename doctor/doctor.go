package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/verify"
)

// Options say what is examined. URL must be set; the rest may be empty.
type Options struct {
	URL      string   // of a page of a protected app
	Gateway  string   // one of Gateways: whose configuration the findings name; empty: as its answers tell, else all
	Cookie   string   // of a browser that is signed in, as a Cookie header has it: wos-session=…
	Echo     string   // path of the app that answers with the headers that it got
	Identity []string // identity headers beside the service's own: those of IDENTITY_CLAIMS
	Socket   string   // path of the app where it takes WebSockets
	Service  string   // the service's address, as this machine reaches it
	Upstream string   // the app's address behind the gateway, as this machine would reach it
	Down     bool     // the service is stopped on purpose: examine only that nobody gets in

	Now func() time.Time // nil: time.Now
}

// Result is how a check ended.
type Result string

// The results. Of these only Fail is the deployment's fault for certain.
const (
	OK   Result = "ok"
	Warn Result = "warn"
	Fail Result = "FAIL"
	Skip Result = "skip" // the check needs what isn't there
)

// Finding is a check's result.
type Finding struct {
	Check  string `json:"check"`
	Result Result `json:"result"`
	Sent   string `json:"sent,omitempty"`   // the request
	Got    string `json:"got,omitempty"`    // its answer
	About  string `json:"about,omitempty"`  // how the answer is to be read
	Change string `json:"change,omitempty"` // where what, to make it well
}

// String is the finding as one line.
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-4s  %-12s  ", f.Result, f.Check)
	parts := []string{}
	if f.Sent != "" {
		parts = append(parts, f.Sent+" -> "+f.Got)
	}
	if f.About != "" {
		parts = append(parts, f.About)
	}
	b.WriteString(strings.Join(parts, ": "))
	if f.Change != "" {
		b.WriteString(". Change: " + f.Change)
	}
	return b.String()
}

// Run examines the deployment. report is called with each finding as soon as it is there. failed reports
// whether one of them is Fail; the error is about the options.
func Run(ctx context.Context, o Options, report func(Finding)) (failed bool, err error) {
	e, err := newExamination(o)
	if err != nil {
		return false, err
	}
	e.report = func(f Finding) {
		failed = failed || f.Result == Fail
		report(f)
	}
	if o.Down {
		whileDown(ctx, e)
		return failed, nil
	}
	service(ctx, e)
	upstream(ctx, e)
	if !page(ctx, e) {
		return failed, nil
	}
	for _, check := range []func(context.Context, *examination){
		plainHTTP, returnURL, longURL, signIn, callback, otherEndpoints, webhooks,
		script, form, upload, webSocket,
		forgedHost, forgedHeaders, forgedQuery, methods, paths, manyCookies, endpoints,
		session,
	} {
		check(ctx, e)
	}
	return failed, nil
}

// examination is one deployment under examination, and what earlier checks have learned of it.
type examination struct {
	Options
	page   *url.URL
	given  string // the operator's cookies; Cookie are those of now
	client http.Client
	report func(Finding)

	login    *url.URL // where a denied page leads to, without its query; nil: not known
	callback *url.URL // the redirect URI that AuthKit is told; nil: not known
	clocked  bool     // the deployment's clock was compared
	moved    bool     // the page's slash at the end was put right
}

func newExamination(o Options) (*examination, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil {
		return nil, fmt.Errorf("doctor: %q is no page's URL: write https://app.example.com/ with the path of a protected page", o.URL)
	}
	u.Fragment, u.RawFragment = "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	for flag, value := range map[string]string{"service": o.Service, "upstream": o.Upstream} {
		if v, err := url.Parse(value); value != "" && (err != nil || v.Host == "" || (v.Scheme != "http" && v.Scheme != "https")) {
			return nil, fmt.Errorf("doctor: -%s %q is no address: write http://127.0.0.1:9000", flag, value)
		}
	}
	switch {
	case o.Gateway != "" && !knownGateway(o.Gateway):
		return nil, fmt.Errorf("doctor: -gateway %q is none of %s", o.Gateway, strings.Join(Gateways(), ", "))
	case (o.Echo != "" || o.Socket != "") && o.Cookie == "":
		return nil, errors.New("doctor: -echo and -websocket are only reached by somebody who is signed in: give -cookie too")
	case o.Echo != "" && !strings.HasPrefix(o.Echo, "/"), o.Socket != "" && !strings.HasPrefix(o.Socket, "/"):
		return nil, errors.New("doctor: -echo and -websocket are paths of the app: write /headers")
	case slices.ContainsFunc(o.Identity, func(name string) bool { return !headerName.MatchString(name) }):
		return nil, errors.New("doctor: -identity is a header's name, such as X-Auth-Request-Department")
	case strings.ContainsFunc(o.Cookie, func(c rune) bool { return c < ' ' || c > '~' }):
		return nil, errors.New("doctor: -cookie holds what no Cookie header can: copy the header's value from the browser's developer tools")
	case o.Cookie != "" && !strings.Contains(o.Cookie, "="):
		return nil, errors.New("doctor: -cookie is a name and a value: write 'wos-session=…'")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &examination{Options: o, page: u, given: o.Cookie, client: newClient()}, nil
}

var headerName = regexp.MustCompile(`^[A-Za-z0-9]+(-[A-Za-z0-9]+)+$`)

// identityHeaders are all that the service may send.
func (e *examination) identityHeaders() []string {
	return slices.Concat(verify.DefaultHeaders().Names(), verify.RemoteHeaders().Names(), e.Identity)
}

// origin is the app's.
func (e *examination) origin() string { return e.page.Scheme + "://" + e.page.Host }

// at is a URL of the app's.
func (e *examination) at(pathAndQuery string) string { return e.origin() + pathAndQuery }

func (e *examination) ok(check string, a answer, about string) {
	f := Finding{Check: check, Result: OK, Sent: a.sent, About: about}
	if a.sent != "" {
		f.Got = a.String()
	}
	e.report(f)
}

func (e *examination) skip(check, about string) {
	e.report(Finding{Check: check, Result: Skip, About: about})
}

// warn is for what may be meant so.
func (e *examination) warn(check string, a answer, about string, c change) {
	e.report(Finding{Check: check, Result: Warn, Sent: a.sent, Got: a.String(), About: about, Change: e.advice(c)})
}

func (e *examination) fail(check string, a answer, about string, c change) {
	e.report(Finding{Check: check, Result: Fail, Sent: a.sent, Got: a.String(), About: about, Change: e.advice(c)})
}
