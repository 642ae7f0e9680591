package flow

import (
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// browser has a cookie jar, visits pages as a user does who types an address, and
// follows no redirect unless told to.
type browser struct {
	t       testing.TB
	w       *world
	jar     *cookiejar.Jar
	refuses func(cookie string) bool // cookies that it neither keeps nor sends; nil: none
}

func (w *world) browser(t testing.TB) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, w: w, jar: jar}
}

// answer is what came back for one request, or in the end for several.
type answer struct {
	url    string
	status int
	header http.Header
	body   string
	hops   []string // every URL on the way, the last one included
}

// location is where the answer leads: by a redirect, or by a page that moves on by
// itself.
func (a *answer) location() string {
	if _, next, ok := strings.Cut(a.header.Get("Refresh"), ";url="); ok {
		return next
	}
	return a.header.Get("Location")
}

// cookie returns the one Set-Cookie line of that name or prefix, or "".
func (a *answer) cookie(name string) string {
	for _, line := range a.header["Set-Cookie"] {
		if strings.HasPrefix(line, name) {
			return line
		}
	}
	return ""
}

// get visits a page. Headers are "Name: value", and replace the browser's own.
func (b *browser) get(address string, headers ...string) *answer {
	b.t.Helper()
	return b.must(b.send(http.MethodGet, address, nil, headers...))
}

// post sends a form, as one of the flow's own pages.
func (b *browser) post(address string, form url.Values, headers ...string) *answer {
	b.t.Helper()
	return b.must(b.send(http.MethodPost, address, form, headers...))
}

// visit follows every redirect from an address, and signs in as email whenever
// AuthKit asks.
func (b *browser) visit(address, email string) *answer {
	b.t.Helper()
	return b.must(b.follow(address, email))
}

// begin starts a sign-in and returns the callback URL that AuthKit then sends
// the browser to.
func (b *browser) begin(login, email string) string {
	b.t.Helper()
	a := b.get(login)
	if a.status != http.StatusSeeOther || !b.w.isAuthKit(a.location()) {
		b.t.Fatalf("%s: got status %d to %q, want 303 to AuthKit: %s", login, a.status, a.location(), a.body)
	}
	return b.choose(a.location(), email)
}

// choose signs in on AuthKit's page and returns the callback URL.
func (b *browser) choose(authorize, email string) string {
	b.t.Helper()
	a := b.post(authorize, url.Values{"email": {email}})
	if a.status != http.StatusSeeOther {
		b.t.Fatalf("AuthKit: got status %d: %s", a.status, a.body)
	}
	return a.location()
}

func (b *browser) must(a *answer, err error) *answer {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

func (b *browser) follow(address, email string) (*answer, error) {
	var hops []string
	for range 40 {
		hops = append(hops, address)
		a, err := b.send(http.MethodGet, address, nil)
		if err == nil && a.status == http.StatusOK && b.w.isAuthKit(address) {
			a, err = b.send(http.MethodPost, address, url.Values{"email": {email}})
		}
		if err != nil {
			return nil, err
		}
		a.hops = hops
		if a.location() == "" || strings.HasPrefix(a.location(), "https://www.example.com/") {
			return a, nil
		}
		address = a.location()
	}
	return nil, fmt.Errorf("an endless loop: %s", strings.Join(hops[len(hops)-6:], "\n"))
}

func (w *world) isAuthKit(address string) bool {
	return strings.HasPrefix(address, w.hosted.String()+"/")
}

func (b *browser) send(method, address string, form url.Values, headers ...string) (*answer, error) {
	r, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	own := []string{
		"Accept: text/html,application/xhtml+xml,*/*;q=0.8", "User-Agent: tiny",
		"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: none",
	}
	if method == http.MethodPost {
		own = append(own, "Content-Type: application/x-www-form-urlencoded", "Origin: "+r.URL.Scheme+"://"+r.URL.Host)
	}
	for _, header := range append(own, headers...) {
		name, value, _ := strings.Cut(header, ":")
		if r.Header.Set(name, strings.TrimSpace(value)); r.Header.Get(name) == "" {
			r.Header.Del(name)
		}
		if name == "Host" {
			r.Host = strings.TrimSpace(value)
		}
	}
	client := http.Client{
		Jar: cookieFilter{b}, Transport: b.w,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	a := &answer{url: address, status: response.StatusCode, header: response.Header, body: string(body), hops: []string{address}}
	b.w.noteSecrets(r.URL, a)
	return a, b.w.checkAnswer(r, a)
}

// RoundTrip reaches AuthKit and localhost over the network, and every other host
// of the site right here.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "http" {
		return w.net.RoundTrip(r)
	}
	served := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.RequestURI(), r.Body)
	served.Header, served.Host = r.Header, r.URL.Host
	if r.Host != "" {
		served.Host = r.Host
	}
	recorder := httptest.NewRecorder()
	w.service.ServeHTTP(recorder, served)
	return recorder.Result(), nil
}

// noteSecrets keeps the values that no log may hold.
func (w *world) noteSecrets(u *url.URL, a *answer) {
	for _, address := range []string{u.String(), a.location()} {
		if parsed, err := url.Parse(address); err == nil {
			for _, name := range []string{"code", "state", "attempts", "rd"} {
				if value := parsed.Query().Get(name); len(value) > 20 {
					fmt.Fprintln(w.secrets, value)
				}
			}
		}
	}
	for _, line := range a.header["Set-Cookie"] {
		if c, err := http.ParseSetCookie(line); err == nil && len(c.Value) > 20 {
			fmt.Fprintln(w.secrets, c.Value)
		}
	}
}

// checkAnswer reports what is wrong with an answer, whatever was asked.
func (w *world) checkAnswer(r *http.Request, a *answer) error {
	host, err := site.ParseHost(r.URL.Host, r.URL.Scheme)
	if err != nil || !w.Site.IsFlowEndpoint(host, r.URL.Path) || a.status == http.StatusMethodNotAllowed {
		return nil
	}
	var problems []error
	report := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if a.status == http.StatusInternalServerError || a.header.Get("Location") != "" && a.status != http.StatusSeeOther {
		report("status %d", a.status)
	}
	for name, want := range map[string]string{
		"Cache-Control": "private, no-store", "Vary": "Cookie",
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
	} {
		if got := a.header.Get(name); got != want {
			report("%s: got %q, want %q", name, got, want)
		}
	}
	switch kind := a.header.Get("Content-Type"); {
	case a.status == http.StatusSeeOther && a.body == "":
	case kind == "application/problem+json":
	case kind != "text/html; charset=utf-8":
		report("Content-Type: got %q", kind)
	case !pagePolicy.MatchString(a.header.Get("Content-Security-Policy")):
		report("Content-Security-Policy: got %q", a.header.Get("Content-Security-Policy"))
	}
	id := a.header.Get("X-Request-Id")
	if !requestIDSyntax.MatchString(id) || a.body != "" && !strings.Contains(a.body, id) {
		report("X-Request-Id: got %q, or the page doesn't show it", id)
	}
	if body := a.body; w.KeepFragment {
		a.body = ourScript.ReplaceAllString(body, "")
		defer func() { a.body = body }()
	}
	if active.MatchString(a.body) {
		report("an active page: %s", a.body)
	}
	if code := r.URL.Query().Get("code"); len(code) > 20 && strings.Contains(a.body, code) {
		report("the page shows the code")
	}
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, errors.Join(problems...))
}

var (
	pagePolicy      = regexp.MustCompile(`^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]{44}'; base-uri 'none'; frame-ancestors 'none'(; script-src 'sha256-[A-Za-z0-9+/=]{44}')?$`)
	active          = regexp.MustCompile(`(?i)<script|javascript:|<[a-z][^>]* on[a-z]+=|<iframe|<img|<object`)
	ourScript       = regexp.MustCompile(`(?m)^<script>.*</script>$`)
	requestIDSyntax = regexp.MustCompile(`^[A-Z2-7]{26}$`)

	anchor    = regexp.MustCompile(`<a (?:id="next" )?href="([^"]*)"[^>]*>([^<]*)</a>`)
	formTag   = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)">(.*?)</form>`)
	buttonTag = regexp.MustCompile(`<button>([^<]*)</button>`)
)

// link is where the page's link of that text leads; "" if it has none.
func (a *answer) link(text string) string {
	for _, m := range anchor.FindAllStringSubmatch(a.body, -1) {
		if html.UnescapeString(m[2]) == text {
			return html.UnescapeString(m[1])
		}
	}
	return ""
}

// press sends the page's form whose button has that text.
func (b *browser) press(a *answer, text string, headers ...string) *answer {
	b.t.Helper()
	action, _, ok := a.form(text)
	if !ok {
		b.t.Fatalf("no button %q on the page: %s", text, a.body)
	}
	target, err := parse(b.t, a.url).Parse(action)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.post(target.String(), nil, headers...)
}

// form returns the action of the form whose button has that text, and what it sends: its action's query.
func (a *answer) form(text string) (action string, query url.Values, ok bool) {
	for _, m := range formTag.FindAllStringSubmatch(a.body, -1) {
		button := buttonTag.FindStringSubmatch(m[2])
		if button == nil || html.UnescapeString(button[1]) != text {
			continue
		}
		action = html.UnescapeString(m[1])
		_, raw, _ := strings.Cut(action, "?")
		query, err := url.ParseQuery(raw)
		return action, query, err == nil
	}
	return "", nil, false
}

// cookieFilter is the browser's jar, less what the browser refuses.
type cookieFilter struct{ b *browser }

func (k cookieFilter) SetCookies(u *url.URL, cookies []*http.Cookie) {
	k.b.jar.SetCookies(u, k.wanted(cookies))
}
func (k cookieFilter) Cookies(u *url.URL) []*http.Cookie { return k.wanted(k.b.jar.Cookies(u)) }

func (k cookieFilter) wanted(cookies []*http.Cookie) []*http.Cookie {
	if k.b.refuses == nil {
		return cookies
	}
	var kept []*http.Cookie
	for _, c := range cookies {
		if !k.b.refuses(c.Name) {
			kept = append(kept, c)
		}
	}
	return kept
}

// sends lists the cookies that go to an address by name.
func (b *browser) sends(address string) map[string]string {
	b.t.Helper()
	cookies := map[string]string{}
	for _, c := range (cookieFilter{b}).Cookies(parse(b.t, address)) {
		cookies[c.Name] = c.Value
	}
	return cookies
}

// plant puts a cookie into the jar, for one host and the address's directory.
func (b *browser) plant(address, name, value string) {
	b.t.Helper()
	u := parse(b.t, address)
	directory := u.Path[:strings.LastIndexByte(u.Path, '/')+1]
	b.jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: directory, Secure: true}})
}

// header is the Cookie header for an address.
func (b *browser) header(address string) http.Header {
	b.t.Helper()
	r := &http.Request{Header: http.Header{}}
	for _, c := range (cookieFilter{b}).Cookies(parse(b.t, address)) {
		r.AddCookie(c)
	}
	return r.Header
}

// refuseAll and only are browsers' habits.
func refuseAll(string) bool { return true }

// refuseFlow refuses every cookie of the flow's.
func refuseFlow(name string) bool { return strings.Contains(name, "authkit-") }

func refuse(prefix string) func(string) bool {
	return func(name string) bool { return strings.HasPrefix(name, prefix) }
}
