package demo

import (
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// browser keeps cookies, sends what Chrome sends, and follows no redirect by itself.
type browser struct {
	t      *testing.T
	client http.Client
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t: t, client: http.Client{
		Jar: jar, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is a response that has been read.
type answer struct {
	url    *url.URL // of the request
	status int
	header http.Header
	body   string
}

func documentHeaders(site string) http.Header {
	return http.Header{
		"Accept":         {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
		"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Site": {site}, "Sec-Fetch-User": {"?1"},
	}
}

// open is what typing a URL does; extra headers can be added.
func (b *browser) open(target string, extra http.Header) answer {
	b.t.Helper()
	h := documentHeaders("none")
	maps.Copy(h, extra)
	return b.send(http.MethodGet, target, h, "")
}

// follow goes where a redirect points to, as a browser does on the site.
func (b *browser) follow(a answer) answer {
	b.t.Helper()
	return b.send(http.MethodGet, b.redirect(a), documentHeaders("same-site"), "")
}

// redirect is where a 303 of ours or AuthKit's 302 points to.
func (b *browser) redirect(a answer) string {
	b.t.Helper()
	to, err := a.url.Parse(a.header.Get("Location"))
	if a.status != http.StatusSeeOther && a.status != http.StatusFound || err != nil {
		b.t.Fatalf("%s: got status %d to %q, want a redirect: %s", a.url, a.status, a.header.Get("Location"), a.body)
	}
	return to.String()
}

// submit posts a page's form to the page's URL.
func (b *browser) submit(page answer, form url.Values) answer {
	b.t.Helper()
	h := documentHeaders("same-origin")
	h.Set("Content-Type", "application/x-www-form-urlencoded")
	h.Set("Origin", page.url.Scheme+"://"+page.url.Host)
	return b.send(http.MethodPost, page.url.String(), h, form.Encode())
}

// fetch is what a script's fetch on a page does.
func (b *browser) fetch(page, target string) answer {
	b.t.Helper()
	return b.send(http.MethodGet, target, http.Header{
		"Accept":         {"application/json"},
		"Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Site": {"same-origin"}, "Referer": {page},
	}, "")
}

func (b *browser) send(method, target string, h http.Header, body string) answer {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header = h
	response, err := b.client.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{request.URL, response.StatusCode, response.Header, string(text)}
}

// signIn opens a page without a session and signs in at the hosted page.
func (b *browser) signIn(target, email string) answer {
	b.t.Helper()
	return b.signInTo(target, email, "")
}

// signInTo is signIn to one of several organizations.
func (b *browser) signInTo(target, email, organizationID string) answer {
	b.t.Helper()
	choice := url.Values{"email": {email}}
	if organizationID != "" {
		choice.Set("organization_id", organizationID)
	}
	hosted := b.follow(b.follow(b.open(target, nil)))
	return b.follow(b.follow(b.submit(hosted, choice)))
}

// click follows the page's link with that text.
func (b *browser) click(page answer, text string) answer {
	b.t.Helper()
	link := regexp.MustCompile(`<a [^>]*href="([^"]*)"[^>]*>` + regexp.QuoteMeta(text) + `</a>`).FindStringSubmatch(page.body)
	if link == nil {
		b.t.Fatalf("%s has no link %q: %s", page.url, text, page.body)
	}
	to, err := page.url.Parse(html.UnescapeString(link[1]))
	if err != nil {
		b.t.Fatal(err)
	}
	return b.send(http.MethodGet, to.String(), documentHeaders("same-origin"), "")
}

var tags = regexp.MustCompile(`<[^>]*>`)

// text is what a reader of the page sees.
func (a answer) text() string {
	_, body, _ := strings.Cut(a.body, "<body>")
	body, _, _ = strings.Cut(body, "<script>")
	return html.UnescapeString(tags.ReplaceAllString(body, ""))
}
