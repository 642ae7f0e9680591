package e2e

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// browser keeps cookies and sends the headers that Chrome sends. It follows
// redirects where a browser would: for documents.
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
	transport := &http.Transport{DisableCompression: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t: t, client: http.Client{
		Jar:           jar,
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is a response that has been read.
type answer struct {
	URL    *url.URL // of the request
	Status int
	Header http.Header
	Body   string
	Before []answer // the redirects that led here
}

// The headers that Chrome sends with each kind of request. A document is one that the user
// has typed the URL of.
func documentHeaders() http.Header {
	return http.Header{
		"Accept":                    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
		"Sec-Fetch-Mode":            {"navigate"},
		"Sec-Fetch-Dest":            {"document"},
		"Sec-Fetch-Site":            {"none"},
		"Sec-Fetch-User":            {"?1"},
		"Upgrade-Insecure-Requests": {"1"},
	}
}

func fetchHeaders() http.Header {
	return http.Header{"Accept": {"*/*"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Site": {"same-origin"}}
}

func imageHeaders() http.Header {
	return http.Header{"Accept": {"image/avif,image/*,*/*;q=0.8"}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Dest": {"image"}, "Sec-Fetch-Site": {"same-origin"}}
}

// open goes to a URL and follows redirects.
func (b *browser) open(target string) answer {
	b.t.Helper()
	return b.follow(b.send(http.MethodGet, target, documentHeaders(), ""))
}

// submit sends a form from a page and follows redirects.
func (b *browser) submit(page *url.URL, target string, form url.Values) answer {
	b.t.Helper()
	return b.follow(b.post(page, target, form))
}

// post sends a form from a page and follows nothing.
func (b *browser) post(page *url.URL, target string, form url.Values) answer {
	b.t.Helper()
	h := documentHeaders()
	h.Set("Sec-Fetch-Site", "same-origin")
	h.Set("Content-Type", "application/x-www-form-urlencoded")
	h.Set("Origin", page.Scheme+"://"+page.Host)
	h.Set("Referer", page.String())
	return b.send(http.MethodPost, target, h, form.Encode())
}

// fetch does what a script's fetch does, on a page of the same origin.
func (b *browser) fetch(method, target, body string) answer {
	b.t.Helper()
	return b.send(method, target, fetchHeaders(), body)
}

// image loads a sub-resource of a page.
func (b *browser) image(target string) answer {
	b.t.Helper()
	return b.send(http.MethodGet, target, imageHeaders(), "")
}

// send sends one request and follows nothing.
func (b *browser) send(method, target string, h http.Header, body string) answer {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	maps.Copy(request.Header, h)
	response, err := b.client.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatalf("%s %s: read body: %v", method, target, err)
	}
	return answer{URL: request.URL, Status: response.StatusCode, Header: response.Header, Body: string(text)}
}

// follow goes where redirects lead, and pages that move on by themselves.
func (b *browser) follow(a answer) answer {
	b.t.Helper()
	for {
		location := a.Header.Get("Location")
		if a.Status < 300 || a.Status >= 400 {
			if location = strings.TrimPrefix(a.Header.Get("Refresh"), "0;url="); location == "" {
				return a
			}
		}
		before := append(a.Before, a)
		if len(before) > 10 {
			b.t.Fatalf("redirect loop: %s", trail(before))
		}
		to, err := a.URL.Parse(location)
		if err != nil {
			b.t.Fatal(err)
		}
		a = b.send(http.MethodGet, to.String(), documentHeaders(), "")
		a.Before = before
	}
}

// trail names where redirects led, without the queries.
func trail(answers []answer) string {
	var urls []string
	for _, a := range answers {
		urls = append(urls, a.URL.Scheme+"://"+a.URL.Host+a.URL.Path)
	}
	return strings.Join(urls, " -> ")
}

// seen reads what the app says that it got.
func (b *browser) seen(a answer) seen {
	b.t.Helper()
	var s seen
	if a.Status != http.StatusOK {
		b.t.Fatalf("%s: got status %d, want 200 from the app: %s", a.URL, a.Status, a.Body)
	}
	if err := json.Unmarshal([]byte(a.Body), &s); err != nil {
		b.t.Fatalf("%s: the app did not answer this: %s", a.URL, a.Body)
	}
	return s
}

// signIn opens a URL without a session and signs in at AuthKit's page.
func (b *browser) signIn(target, email string) answer {
	b.t.Helper()
	page := b.open(target)
	if page.URL.Path != "/user_management/authorize" || page.Status != http.StatusOK {
		b.t.Fatalf("%s: got %s with status %d, want AuthKit's page: %s", target, page.URL, page.Status, page.Body)
	}
	return b.submit(page.URL, page.URL.String(), url.Values{"email": {email}})
}

// cookie returns a cookie's value, or "" without one.
func (b *browser) cookie(origin, name string) string {
	for _, c := range b.cookies(origin) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func (b *browser) cookies(origin string) []*http.Cookie {
	b.t.Helper()
	u, err := url.Parse(origin + "/")
	if err != nil {
		b.t.Fatal(err)
	}
	return b.client.Jar.Cookies(u)
}

// setCookie puts a cookie into the browser.
func (b *browser) setCookie(origin, name, value string) {
	b.t.Helper()
	u, err := url.Parse(origin + "/")
	if err != nil {
		b.t.Fatal(err)
	}
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}
